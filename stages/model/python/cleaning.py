_STEPS = (
    "markup", "entities", "urls", "digits", "lowercase", "negation",
    "punctuation", "stop_words", "lemmas", "stem",
)
_URL = re.compile(r"https?://\S+|www\.\S+")
_TAG = re.compile(r"<[^>]*>")
_PUNCTUATION = str.maketrans({**dict.fromkeys(string.punctuation, " "), "\u061b": None})

# Where the scope of a negation begins and ends: words that no text has.
_BEGIN, _END = "\udcfe", "\udcff"
_NEGATIONS = frozenset(
    "never no nothing nowhere noone none not havent hasnt hadnt cant couldnt shouldnt"
    " wont wouldnt dont doesnt didnt isnt arent aint".split()
)

_SUFFIXES = {
    "n": (
        ("s", ""), ("ses", "s"), ("ves", "f"), ("xes", "x"), ("zes", "z"),
        ("ches", "ch"), ("shes", "sh"), ("men", "man"), ("ies", "y"),
    ),
    "v": (
        ("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", ""),
    ),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "r": (),
}


def _lemmatizer(pos, repeat):
    """WordNet's rule: the shortest lemma."""
    known = frozenset(_words("wordnet.txt"))
    exceptions = {}
    for line in _words("exceptions.txt"):
        form, *lemmas = line.split()
        exceptions[form] = lemmas
    suffixes = _SUFFIXES[pos]

    def choose(forms):
        forms = [f for f in forms if f in known]
        return min(forms, key=lambda f: len(f.encode()), default=None)  # the first of equals

    def detach(forms):
        return [f[: len(f) - len(old)] + new for f in forms for old, new in suffixes if f.endswith(old)]

    @functools.lru_cache(maxsize=1 << 16)
    def lemma(word):
        if len(word.encode()) > 1024:
            return word
        if word in exceptions:
            return choose([word] + exceptions[word]) or word
        forms = detach([word])
        found = choose([word] + forms)
        while repeat and found is None and forms:
            forms = detach(forms)
            found = choose(forms)
        return found or word

    return lemma


_VOWELS = frozenset("aeiouy")
_SPECIAL = {
    "skis": "ski", "skies": "sky", "dying": "die", "lying": "lie", "tying": "tie", "idly": "idl",
    "gently": "gentl", "ugly": "ugli", "early": "earli", "only": "onli", "singly": "singl",
    "innings": "inning", "outings": "outing", "cannings": "canning", "herrings": "herring", "earrings": "earring",
    **{w: w for w in "sky news howe atlas cosmos bias andes inning outing canning herring earring".split()},
    **{w + e: w for w in ("proceed", "exceed", "succeed") for e in ("", "s", "ed", "ing")},
}
_STEP2 = (
    ("ational", "ate"), ("fulness", "ful"), ("iveness", "ive"), ("ization", "ize"), ("ousness", "ous"),
    ("biliti", "ble"), ("lessli", "less"), ("tional", "tion"), ("alism", "al"), ("aliti", "al"), ("ation", "ate"),
    ("entli", "ent"), ("fulli", "ful"), ("iviti", "ive"), ("ousli", "ous"), ("anci", "ance"), ("abli", "able"),
    ("alli", "al"), ("ator", "ate"), ("enci", "ence"), ("izer", "ize"), ("bli", "ble"), ("ogi", "og"), ("li", ""),
)
_STEP3 = (
    ("ational", "ate"), ("tional", "tion"), ("alize", "al"), ("icate", "ic"), ("ative", ""),
    ("iciti", "ic"), ("ical", "ic"), ("ful", ""), ("ness", ""),
)
_STEP4 = (
    "ement", "ance", "ence", "able", "ible", "ment", "ent", "ant", "ism", "ate", "iti", "ous", "ive",
    "ize", "ion", "al", "er", "ic",
)


def _ending(word, suffixes):
    return next((s for s in suffixes if word.endswith(s)), "")


def _region(word, start):
    """Where what follows the first non-vowel after a vowel begins."""
    for i in range(start + 1, len(word)):
        if word[i - 1] in _VOWELS and word[i] not in _VOWELS:
            return i + 1
    return len(word)


def _short_end(word):
    if len(word) == 2:
        return word[0] in _VOWELS and word[1] not in _VOWELS
    return len(word) > 2 and (
        word[-1] not in _VOWELS and word[-1] not in "wxY" and word[-2] in _VOWELS and word[-3] not in _VOWELS
    )


@functools.lru_cache(maxsize=1 << 16)
def _stem(word):
    """Snowball's English stemmer, Porter 2."""
    word = word.lower()
    if len(word.encode()) <= 2:
        return word
    if word in _SPECIAL:
        return _SPECIAL[word]
    word = re.sub("[\u2019\u2018\u201b]", "'", word)
    word = word.lstrip("'") or "'"
    letters = list(word)
    for i, c in enumerate(letters):  # a Y before it is no vowel any more
        if c == "y" and (i == 0 or letters[i - 1] in _VOWELS):
            letters[i] = "Y"
    word = "".join(letters)
    prefix = next((p for p in ("gener", "commun", "arsen") if word.startswith(p)), "")
    r1 = len(prefix) or _region(word, 0)
    r2 = _region(word, r1)

    suffix = _ending(word, ("'s'", "'s", "'"))
    word = word[: len(word) - len(suffix)]

    suffix = _ending(word, ("sses", "ied", "ies", "us", "ss", "s"))
    if suffix == "sses":
        word = word[:-2]
    elif suffix in ("ied", "ies"):
        word = word[:-2] if len(word) > 4 else word[:-1]
    elif suffix == "s" and any(c in _VOWELS for c in word[:-2]):
        word = word[:-1]

    suffix = _ending(word, ("eedly", "ingly", "edly", "ing", "eed", "ed"))
    if suffix in ("eed", "eedly"):
        if len(suffix) <= len(word) - r1:
            word = word[: len(word) - len(suffix)] + "ee"
    elif suffix and any(c in _VOWELS for c in word[: len(word) - len(suffix)]):
        word = word[: len(word) - len(suffix)]
        double = _ending(word, ("at", "bl", "iz", "bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt"))
        if double in ("at", "bl", "iz"):
            word += "e"
        elif double:
            word = word[:-1]
        elif r1 >= len(word) and _short_end(word):
            word += "e"
            r1 = r2 = len(word)

    if len(word) > 2 and word[-1] in "yY" and word[-2] not in _VOWELS:
        word = word[:-1] + "i"

    suffix = _ending(word, [s for s, _ in _STEP2])
    if suffix and len(suffix) <= len(word) - r1:
        stem = word[: len(word) - len(suffix)]
        if suffix == "li":
            if stem and stem[-1] in "cdeghkmnrt":
                word = stem
        elif suffix == "ogi":
            if stem and stem[-1] == "l":
                word = stem + "og"
        else:
            word = stem + dict(_STEP2)[suffix]

    suffix = _ending(word, [s for s, _ in _STEP3])
    if suffix and len(suffix) <= len(word) - r1:
        if suffix != "ative" or len(suffix) <= len(word) - r2:
            word = word[: len(word) - len(suffix)] + dict(_STEP3)[suffix]

    suffix = _ending(word, _STEP4)
    if suffix and len(suffix) <= len(word) - r2:
        if suffix != "ion" or len(word) >= 4 and word[-4] in "st":
            word = word[: len(word) - len(suffix)]

    if word and r1 < len(word):
        if word[-1] == "e":
            if r2 < len(word) or not _short_end(word[:-1]):
                word = word[:-1]
        elif r2 < len(word) and word.endswith("ll"):
            word = word[:-1]
    return word.replace("Y", "y")


_RUN = re.compile(r"\w+")


def _stem_runs(word):
    """Stems each run of word characters, where punctuation was not removed."""
    return _RUN.sub(lambda m: _stem(m[0]) or m[0], word)


def _negate(text):
    """Marks the scopes of negations, which clause marks end."""
    out, scope = [], False
    for word in text.split():
        left = len(word) - len(word.lstrip(string.punctuation))
        core = word[left:].rstrip(string.punctuation)
        for token in [*word[:left], *([core] if core else ()), *word[left + len(core) :]]:
            if scope and token in (".", ":", ";", "!", "?"):
                out.append(_END)
                scope = False
            out.append(token)
            if not scope and (token in _NEGATIONS or "n't" in token):
                out.append(_BEGIN)
                scope = True
    return " ".join(out)


def _marked(text):
    """Appends the mark of negation to the words in its scope."""
    out, scope = [], False
    for word in text.split():
        if word in (_BEGIN, _END):
            scope = word == _BEGIN
        else:
            out.append(word + "_NEG" if scope else word)
    return " ".join(out)


def _each_word(form):
    def step(text):
        out = [w if w in (_BEGIN, _END) else form(w) for w in text.split()]
        return " ".join(w for w in out if w)

    return step


def _make_cleaner(options):
    import html

    def stop_words():
        stop = frozenset(_words("stopwords.txt"))
        return _each_word(lambda w: "" if w in stop else w)

    def lemmas():
        repeat = options.get("lemmatizer", "") in ("", "nltk-3.8")
        return _each_word(_lemmatizer(options.get("lemma_pos") or "n", repeat))

    make = {
        "markup": lambda: lambda t: _TAG.sub(" ", t),
        "entities": lambda: html.unescape,
        "urls": lambda: lambda t: _URL.sub("", t),
        "digits": lambda: lambda t: "".join(c for c in t if not c.isdigit()),
        "lowercase": lambda: str.lower,
        "negation": lambda: _negate,
        "punctuation": lambda: lambda t: t.translate(_PUNCTUATION),
        "stop_words": stop_words,
        "lemmas": lemmas,
        "stem": lambda: _each_word(_stem_runs),
    }
    on = {s: bool(options.get(s)) for s in _STEPS}
    on["stop_words"] = bool(options.get("stop_words") or options.get("drop"))
    steps = [make[s]() for s in options.get("order") or _STEPS if on[s]]

    def run(text):
        for step in steps:
            text = step(text)
        return _marked(text)

    return run

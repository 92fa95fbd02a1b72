"""Cleans the IMDB training reviews with NLTK and prints digests of the result.

    python corpus.py WORDNET REVIEWS > corpus.json

WORDNET is the directory of WordNet 3.0's files (/usr/share/wordnet with
Debian's package wordnet-base), REVIEWS the file train.csv.gz with the columns
review and sentiment. corpus.json here was made with nltk 3.8.1, whose
lemmatizer applies its rules again while it finds nothing; cases of the other
rule are added by a second run with nltk 3.9.1 or later. Stems are no case:
NLTK's stemmer departs from Snowball's in a few words ("realization").
"""

import csv
import functools
import gzip
import hashlib
import html
import json
import os
import re
import shutil
import string
import sys
import tempfile

import nltk
from nltk.sentiment.util import mark_negation
from nltk.stem.snowball import EnglishStemmer

HERE = os.path.dirname(os.path.abspath(__file__))
VERSION = tuple(int(n) for n in nltk.__version__.split(".")[:2])
RULE = "nltk-3.8" if VERSION < (3, 9) else "nltk-3.9"

TRAIN = ["markup", "entities", "urls", "digits", "lowercase", "punctuation", "stop_words", "lemmas", "stem"]
SERVE = ["lowercase", "stop_words", "digits", "punctuation", "urls", "lemmas"]
BASE = {"urls": True, "digits": True, "lowercase": True, "punctuation": True}
SEED = {**BASE, "stop_words": "nltk", "lemmas": True}
CASES = [
    ("training order", SEED),
    ("serving order", {**SEED, "order": SERVE}),
    ("scikit-learn's stop words", {**SEED, "stop_words": "sklearn"}),
    ("neither stop words nor lemmas", {**BASE}),
    ("markup and entities", {**SEED, "markup": True, "entities": True}),
    ("verbs", {**SEED, "lemma_pos": "v"}),
    ("adjectives", {**SEED, "lemma_pos": "a"}),
    ("adverbs", {**SEED, "lemma_pos": "r"}),
    ("negation", {"markup": True, "urls": True, "digits": True, "lowercase": True, "negation": True,
                  "order": ["markup", "urls", "digits", "lowercase", "negation"]}),
]


def lemmatizer(wordnet):
    """NLTK's lemmatizer on the given files, completed by what it only counts."""
    root = tempfile.mkdtemp()
    corpus = os.path.join(root, "corpora", "wordnet")
    shutil.copytree(wordnet, corpus)
    with open(os.path.join(corpus, "lexnames"), "w") as f:
        f.writelines("%02d\tname%d\t1\n" % (i, i) for i in range(45))
    open(os.path.join(corpus, "index.sense"), "w").close()
    nltk.data.path.insert(0, root)
    return nltk.stem.WordNetLemmatizer().lemmatize


def words(name):
    with open(os.path.join(HERE, "..", "lists", name + ".txt"), encoding="ascii") as f:
        return set(f.read().split())


def tokens(text):
    punctuation = "[%s]" % re.escape(string.punctuation)
    for word in text.split():
        head, body, tail = re.match("(%s*)(.*?)(%s*)$" % (punctuation, punctuation), word, re.S).groups()
        yield from head
        if body:
            yield body
        yield from tail


def cleaner(lemmatize, options, cache=True):
    """Cleaning with the given options, in the words of Python and NLTK."""
    order = options.get("order", TRAIN)
    stop = words(options["stop_words"]) if options.get("stop_words") else set()
    pos = options.get("lemma_pos", "n")
    lemma = lambda w: lemmatize(w, pos)  # noqa: E731
    stem = EnglishStemmer().stem
    if cache:
        lemma, stem = functools.lru_cache(None)(lemma), functools.lru_cache(None)(stem)
    punctuation = "[%s]" % re.escape(string.punctuation)
    steps = {
        "markup": lambda t: re.sub("<[^>]*>", " ", t),
        "entities": html.unescape,
        "urls": lambda t: re.sub(r"https?://\S+|www\.\S+", "", t),
        "digits": lambda t: "".join(c for c in t if not c.isdigit()),
        "lowercase": str.lower,
        "punctuation": lambda t: re.sub(r"\s+", " ", re.sub(punctuation, " ", t).replace("\u061b", "")).strip(),
        "stop_words": lambda t: " ".join(w for w in t.split() if w not in stop),
        "lemmas": lambda t: " ".join(lemma(w) for w in t.split()),
        "stem": lambda t: " ".join(stem(w) for w in t.split()),
        "negation": lambda t: " ".join(mark_negation(list(tokens(t)))),
    }
    chain = [steps[s] for s in order if options.get(s)]

    def clean(text):
        for step in chain:
            text = step(text)
        return " ".join(text.split())

    return clean


def read(path):
    csv.field_size_limit(1 << 26)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
        return [r["review"] for r in csv.DictReader(f)]


def main():
    lemmatize = lemmatizer(sys.argv[1])
    reviews = read(sys.argv[2])
    cases = []
    for name, options in CASES:
        if RULE != "nltk-3.8" and options.get("lemmas"):
            name, options = name + ", later rule", {**options, "lemmatizer": RULE}
        clean = cleaner(lemmatize, options)
        digest, count = hashlib.sha256(), 0
        for r in reviews:
            text = clean(r)
            count += len(text.split())
            digest.update(text.encode() + b"\n")
        cases.append({"name": name, "options": options, "words": count, "sha256": digest.hexdigest()})
    json.dump({"nltk": nltk.__version__, "reviews": len(reviews), "cases": cases}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()

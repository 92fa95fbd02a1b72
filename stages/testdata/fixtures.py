"""Makes the fixtures that the stage packages are tested against.

Run in this directory, with numpy, scipy, scikit-learn and nltk 3.8 installed
(from 3.10 on its lemmatizer applies the suffix rules only once, so that "less"
stays "less" and no longer becomes "le"):

    python fixtures.py DIRECTORY_OF_WORDNET_3.0_FILES

WordNet's files are those of the Debian package wordnet-base. The versions of
the libraries are recorded in each fixture.

NumPy's code for vector instructions is switched off: with it the order of equal
counts, and so what max_features keeps of them, depends on the processor.
"""

import json
import os
import re
import shutil
import string
import sys
import tempfile

os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"

import nltk
import numpy as np
import scipy
import scipy.sparse as sp
import sklearn
from sklearn import metrics
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.pipeline import FeatureUnion

VERSIONS = {
    "nltk": nltk.__version__,
    "numpy": np.__version__,
    "scikit-learn": sklearn.__version__,
    "scipy": scipy.__version__,
}
LEXNAMES = 45  # NLTK only counts the lines of that file


def save(path, value):
    with open(os.path.join("..", path), "w", encoding="ascii") as f:
        json.dump({"made with": VERSIONS, **value}, f, indent=1)
        f.write("\n")


def lemmatizer(wordnet):
    """NLTK's noun lemmatizer on the given files."""
    root = tempfile.mkdtemp()
    corpus = os.path.join(root, "corpora", "wordnet")
    shutil.copytree(wordnet, corpus)
    with open(os.path.join(corpus, "lexnames"), "w") as f:
        f.writelines("%02d\tname%d\t1\n" % (i, i) for i in range(LEXNAMES))
    open(os.path.join(corpus, "index.sense"), "w").close()
    nltk.data.path.insert(0, root)
    return nltk.stem.WordNetLemmatizer().lemmatize


def words(name):
    with open(os.path.join("..", "text", "lists", name + ".txt"), encoding="ascii") as f:
        return set(f.read().split())


def cleaner(lemma, stop):
    """Cleaning in the order of training, with Python's own str and re."""

    def clean(text):
        text = re.sub(r"https?://\S+|www\.\S+", "", text)
        text = "".join(c for c in text if not c.isdigit())
        text = text.lower()
        text = re.sub("[%s]" % re.escape(string.punctuation), " ", text)
        text = text.replace("\u061b", "")
        text = re.sub(r"\s+", " ", text).strip()
        return " ".join(lemma(w) for w in text.split() if w not in stop)

    return clean


TEXTS = [
    "",
    "   ",
    "!!! 123 ...",
    "I don't think the men's movies, children's stories and wolves' wives were less boring.",
    "See https://example.org/a?b=(1) or www.example.org, or http:// alone; xhttp://joined and www. apart",
    "HTTP://UPPER.example stays, https://lower.example goes",
    "10/10 for 2nd and 3rd acts; h4x0r w0rds, half\u00bd sup\u00b2 circ\u2460 rom\u2163 arab\u0663 thai\u0e55",
    "tabs\tnew\nlines\r\nnbsp\u00a0ideographic\u3000em\u2003file\x1csep\u0085next\u2028line zero\u200bwidth",
    "na\u00efve caf\u00e9s \u00dcBERCOOL stra\u00dfe STRASSE \u0130stanbul I\u0307 \u01c5 \ufb01lms",
    "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u0391\u03a3 \u03a3 \u03a3\u03a3 \u0391\u03a3. \u0391\u03a3'\u0391 A\u03a3 1\u03a3 \u0391\u03a31 \u03a3http://x.y \u0391\u03a3\u0301 \u0391\u03a3\u00adB",
    "arabic\u061bsemicolon \u061b alone, dashes\u2014em \u2013 en, quotes \u201cleft\u201d \u2018right\u2019 it\u2019s",
    "under_score hy-phen a+b=c <br /><br />tag <b>bold</b> a<b>c & amp;",
    "was has us does less this his as is bus gas glass glasses boxes buzzes churches wishes women firemen",
    "axes bases geese mice oxen data media indices phenomena aliases series species news mathematics",
    "lives knives leaves ties dies cries ponies buses quizzes heroes potatoes sheep feet teeth pants",
    "ssss ss s ses ves men xes zes ies ches shes ies's 's",
    "emoji \U0001f600\U0001f44d mixed\U0001d7d9digits \u4e2d\u6587 \u0939\u093f\u0928\u094d\u0926\u0940 \u05e2\u05d1\u05e8\u05d9\u05ea",
    "combining e\u0301 a\u0300\u0301 \u1e9e \u0587 \u1f80 \ua64a \U00010400 \u2c60",
]

DOCS = [
    "the film was good and the acting was good",
    "the film was bad and the plot was bad bad bad",
    "a good plot but bad acting",
    "caf\u00e9 na\u00efve x y z 12 a1 _under_ snake_case",
    "",
    "not good not bad not at all",
    "good film good plot good acting good",
    "zebra apple zebra mango apple kiwi",
    "e\u0301clair \u4e2d\u6587\u5b57 \u0b95\u0bcd\u0b95 \u00bd\u00be \u2167\u2168 it's o'clock",
    "The FILM The Plot \u0130stanbul \u039f\u0394\u039f\u03a3",
    "  Two  spaces,\ta tab;\n\nlines. \u00a0\u2003 It's a \ufb01lm -- isn't it?! \u1eafngstr\u00f6m \u2460 x\u00b2 A",
]

VECTORIZERS = {
    "count": (CountVectorizer, {}),
    "count bigrams": (CountVectorizer, {"ngram_range": (1, 2)}),
    "count only trigrams": (CountVectorizer, {"ngram_range": (3, 3)}),
    "count min 2": (CountVectorizer, {"min_df": 2, "ngram_range": (1, 3)}),
    "count shares": (CountVectorizer, {"min_df": 0.15, "max_df": 0.4}),
    "count binary": (CountVectorizer, {"binary": True}),
    "count case": (CountVectorizer, {"lowercase": False}),
    "count top": (CountVectorizer, {"max_features": 3}),
    "count top binary": (CountVectorizer, {"max_features": 3, "binary": True}),
    "tfidf": (TfidfVectorizer, {}),
    "tfidf bigrams": (TfidfVectorizer, {"ngram_range": (1, 2), "sublinear_tf": True}),
    "tfidf rough": (TfidfVectorizer, {"smooth_idf": False, "norm": "l1"}),
    "tfidf plain": (TfidfVectorizer, {"use_idf": False, "norm": None}),
    "tfidf binary": (TfidfVectorizer, {"binary": True, "min_df": 2}),
    "tfidf vocabulary": (TfidfVectorizer, {"vocabulary": ["zebra", "good", "bad", "good film", "absent"], "ngram_range": (1, 2)}),
    "count vocabulary": (CountVectorizer, {"vocabulary": ["zebra", "good", "bad"], "max_features": 1, "min_df": 3}),
    "chars": (CountVectorizer, {"analyzer": "char", "ngram_range": (1, 3)}),
    "chars long": (TfidfVectorizer, {"analyzer": "char", "ngram_range": (2, 5), "min_df": 2, "lowercase": False}),
    "chars top": (CountVectorizer, {"analyzer": "char", "ngram_range": (3, 3), "max_features": 20}),
    "chars of words": (CountVectorizer, {"analyzer": "char_wb", "ngram_range": (2, 4)}),
    "chars of words long": (TfidfVectorizer, {"analyzer": "char_wb", "ngram_range": (1, 6), "min_df": 2, "sublinear_tf": True}),
    "chars of words top": (CountVectorizer, {"analyzer": "char_wb", "ngram_range": (4, 5), "max_features": 25, "binary": True}),
    "english": (CountVectorizer, {"stop_words": "english", "ngram_range": (1, 2)}),
    "stop words": (CountVectorizer, {"stop_words": ["the", "was", "and"], "ngram_range": (1, 3)}),
    "short words": (CountVectorizer, {"token_pattern": r"(?u)\w+", "ngram_range": (1, 2)}),
    "marks": (TfidfVectorizer, {"token_pattern": r"\w+|[^\w\s]", "ngram_range": (1, 2)}),
    "words and marks": (CountVectorizer, {"token_pattern": r"\b\w\w+\b|[^\w\s]"}),
    "long words": (CountVectorizer, {"token_pattern": r"(?u)\b\w{4,}\b"}),
    "letters": (CountVectorizer, {"token_pattern": r"(?u)\b[a-z]{2,4}\b"}),
    "apostrophes": (CountVectorizer, {"token_pattern": r"[a-z]+(?:'[a-z]+)?"}),
    "group": (CountVectorizer, {"token_pattern": r"(\w)\w+", "ngram_range": (1, 2)}),
    "spaces": (CountVectorizer, {"token_pattern": r"[^,;]{1,9}", "ngram_range": (1, 2)}),
    "accents": (CountVectorizer, {"strip_accents": "unicode"}),
    "accents ascii": (CountVectorizer, {"strip_accents": "ascii", "analyzer": "char_wb", "ngram_range": (1, 2)}),
    "hashing": (HashingVectorizer, {}),
    "hashing few": (HashingVectorizer, {"n_features": 7, "ngram_range": (1, 2)}),
    "hashing few binary": (HashingVectorizer, {"n_features": 11, "binary": True, "norm": "l1"}),
    "hashing positive": (HashingVectorizer, {"n_features": 64, "alternate_sign": False, "norm": None, "analyzer": "char_wb", "ngram_range": (1, 5)}),
    "union": (FeatureUnion, [
        {"name": "words", "weighting": "tfidf", "ngram_range": (1, 2), "min_df": 2, "sublinear_tf": True},
        {"name": "chars", "weighting": "count", "analyzer": "char_wb", "ngram_range": (3, 3), "binary": True},
        {"name": "hashed", "weighting": "hashing", "n_features": 32},
    ]),
}
MAKE = {"count": CountVectorizer, "tfidf": TfidfVectorizer, "hashing": HashingVectorizer}
WEIGHTING = {v: k for k, v in MAKE.items()}


def build(make, options):
    if make is not FeatureUnion:
        return make(**options)
    parts = []
    for o in options:
        o = dict(o)
        name = o.pop("name")
        parts.append((name, MAKE[o.pop("weighting")](**o)))
    return FeatureUnion(parts)


def terms_of(v):
    if isinstance(v, FeatureUnion):
        return [t for _, part in v.transformer_list for t in terms_of(part)]
    if isinstance(v, HashingVectorizer):
        return [""] * v.n_features if v.n_features < 1000 else []
    return [str(t) for t in v.get_feature_names_out()]


def ties():
    """Counts with many ties, and what max_features keeps of them."""
    rng = np.random.default_rng(7)
    out = []
    for words, limits in [(12, (3, 7)), (40, (5, 20, 33)), (900, (10, 100, 450)), (3000, (1000, 1777))]:
        counts = np.minimum(rng.zipf(1.6, words), 50)
        tokens = np.repeat(np.arange(words), counts)
        rng.shuffle(tokens)
        docs = [" ".join("w%04d" % t for t in part) for part in np.array_split(tokens, 9)]
        kept = [[str(t) for t in CountVectorizer(max_features=k).fit(docs).get_feature_names_out()] for k in limits]
        out.append({"docs": docs, "limits": limits, "terms": kept})
    return out


def rows(m):
    m = m.tocsr()
    m.sort_indices()
    return [
        [[int(c), float(v)] for c, v in zip(m.indices[a:b], m.data[a:b])]
        for a, b in zip(m.indptr, m.indptr[1:])
    ]


def vectorize():
    out = []
    more = ["good film not seen before", "zebra zebra bad acting \u0130stanbul", ""]
    for name, (make, options) in VECTORIZERS.items():
        v = build(make, options)
        m = v.fit_transform(DOCS)
        idf = [float(x) for x in v.idf_] if getattr(v, "use_idf", False) else []
        if make is not FeatureUnion:
            options = {"weighting": WEIGHTING[make], **{k: "" if x is None else x for k, x in options.items()}}
        out.append({
            "name": name, "config": options,
            "terms": terms_of(v), "idf": idf, "fit": rows(m), "transform": rows(v.transform(more)),
        })
    save("features/testdata/sklearn.json", {"docs": DOCS, "more": more, "cases": out, "ties": ties()})
    m = CountVectorizer().fit_transform(DOCS)
    sp.save_npz("../features/testdata/scipy.npz", m, compressed=True)  # columns not sorted
    m = m.copy()
    m.sort_indices()
    sp.save_npz("../features/testdata/scipy_stored.npz", m.astype(np.float32), compressed=False)


def measure():
    rng = np.random.default_rng(6)
    out = []
    for n, digits in [(8, 0), (50, 1), (400, 3)]:
        y = rng.integers(0, 2, n)
        y[:2] = [0, 1]
        z = np.round(rng.normal(size=n) * 2 + (2 * y - 1), digits)
        p = 1 / (1 + np.exp(-z))
        guess = (z > 0).astype(int)
        fpr, tpr, threshold = metrics.roc_curve(y, z)
        out.append({
            "labels": [int(v) for v in y], "decisions": [float(v) for v in z],
            "accuracy": float(metrics.accuracy_score(y, guess)),
            "precision": float(metrics.precision_score(y, guess)),
            "recall": float(metrics.recall_score(y, guess)),
            "f1": float(metrics.f1_score(y, guess)),
            "auc": float(metrics.roc_auc_score(y, z)),
            "log_loss": float(metrics.log_loss(y, p)),
            "confusion": metrics.confusion_matrix(y, guess).ravel().tolist(),
            "fpr": [float(v) for v in fpr], "tpr": [float(v) for v in tpr],
            "thresholds": [float(v) for v in threshold[1:]],
        })
    save("score/testdata/sklearn.json", {"cases": out})


def clean(wordnet):
    lemma = lemmatizer(wordnet)
    texts = list(TEXTS)
    with open("../builtin/testdata/reviews.csv", encoding="utf-8", newline="") as f:
        import csv

        texts += [r["review"] for r in csv.DictReader(f)][:40]
    cases = [
        {"text": t, **{s: cleaner(lemma, words(s))(t) for s in ("nltk", "sklearn")},
         "plain": cleaner(lambda w: w, set())(t)}
        for t in texts
    ]
    forms = sorted({w for t in texts for w in t.lower().split() if w.isascii() and w.isalpha()})
    save("text/testdata/nltk.json", {"cases": cases, "lemmas": {w: lemma(w) for w in forms if lemma(w) != w}, "same": [w for w in forms if lemma(w) == w]})


if __name__ == "__main__":
    for directory in ("text", "features", "score"):
        os.makedirs("../%s/testdata" % directory, exist_ok=True)
    clean(sys.argv[1])
    vectorize()
    measure()

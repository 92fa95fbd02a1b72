"""The cleaning of the Python pipeline, by NLTK: what flow's is timed against."""

import os
import re
import shutil
import string
import tempfile

import nltk
from nltk.stem import WordNetLemmatizer

PUNCTUATION = re.compile("[%s]" % re.escape(string.punctuation))


def lemmatizer(wordnet):
    """Returns the function that lemmatizes a noun.

    wordnet is a directory of WordNet 3.0's files. NLTK wants two files besides,
    which decide nothing here.
    """
    root = tempfile.mkdtemp()
    try:
        corpus = os.path.join(root, "corpora", "wordnet")
        shutil.copytree(wordnet, corpus)
        with open(os.path.join(corpus, "lexnames"), "w") as f:
            f.writelines("%02d\tname%d\t1\n" % (i, i) for i in range(45))
        open(os.path.join(corpus, "index.sense"), "w").close()
        nltk.data.path.insert(0, root)
        lemmatize = WordNetLemmatizer().lemmatize
        lemmatize("films")
        return lemmatize
    finally:
        shutil.rmtree(root)


def cleaner(wordnet, stop_words):
    """Returns the function that cleans a text; stop_words is a file of words."""
    lemmatize = lemmatizer(wordnet)
    with open(stop_words) as f:
        stop = set(f.read().split())

    def clean(text):
        text = re.sub(r"https?://\S+|www\.\S+", "", text)
        text = "".join(c for c in text if not c.isdigit())
        text = text.lower()
        text = PUNCTUATION.sub(" ", text).replace("\u061b", "")
        text = re.sub(r"\s+", " ", text).strip()
        text = " ".join(w for w in text.split() if w not in stop)
        return " ".join(lemmatize(w) for w in text.split())

    return clean

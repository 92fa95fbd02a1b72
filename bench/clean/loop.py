"""Cleans reviews as the Python pipeline does: the loop that flow is timed against.

    python loop.py WORDNET REVIEWS STOP_WORDS

prints the number of words that are left, and the seconds of wall and CPU time
of the loop alone, without imports, WordNet's set-up and reading the reviews.
"""

import csv
import gzip
import os
import re
import shutil
import string
import sys
import tempfile
import time

import nltk
from nltk.stem import WordNetLemmatizer

PUNCTUATION = re.compile("[%s]" % re.escape(string.punctuation))


def main():
    wordnet, reviews, stop_words = sys.argv[1:]
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
    finally:
        shutil.rmtree(root)
    with open(stop_words) as f:
        stop = set(f.read().split())
    csv.field_size_limit(1 << 26)
    with gzip.open(reviews, "rt", encoding="utf-8", newline="") as f:
        texts = [r["review"] for r in csv.DictReader(f)]
    words = 0
    wall, cpu = time.perf_counter(), time.process_time()
    for text in texts:
        text = re.sub(r"https?://\S+|www\.\S+", "", text)
        text = "".join(c for c in text if not c.isdigit())
        text = text.lower()
        text = PUNCTUATION.sub(" ", text).replace("\u061b", "")
        text = re.sub(r"\s+", " ", text).strip()
        text = " ".join(w for w in text.split() if w not in stop)
        text = " ".join(lemmatize(w) for w in text.split())
        words += len(text.split())
    print(words, time.perf_counter() - wall, time.process_time() - cpu)


main()

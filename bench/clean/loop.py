"""Cleans reviews as the Python pipeline does: the loop that flow is timed against.

    python loop.py WORDNET REVIEWS STOP_WORDS

prints the number of words that are left, and the seconds of wall and CPU time
of the loop alone, without imports, WordNet's set-up and reading the reviews.
"""

import csv
import gzip
import sys
import time

from cleaning import cleaner


def main():
    wordnet, reviews, stop_words = sys.argv[1:]
    clean = cleaner(wordnet, stop_words)
    csv.field_size_limit(1 << 26)
    with gzip.open(reviews, "rt", encoding="utf-8", newline="") as f:
        texts = [r["review"] for r in csv.DictReader(f)]
    words = 0
    wall, cpu = time.perf_counter(), time.process_time()
    for text in texts:
        words += len(clean(text).split())
    print(words, time.perf_counter() - wall, time.process_time() - cpu)


main()

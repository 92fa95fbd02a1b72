"""Vectorizes the reviews of a CSV file with scikit-learn and prints what it took.

usage: vectorize.py FILE.csv.gz CONFIG.json
"""

import csv
import gzip
import hashlib
import json
import resource
import sys
import time

from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

config = json.loads(sys.argv[2])
make = {"count": CountVectorizer, "tfidf": TfidfVectorizer, "hashing": HashingVectorizer}[config.pop("weighting")]
if "ngram_range" in config:
    config["ngram_range"] = tuple(config["ngram_range"])
csv.field_size_limit(1 << 30)
with gzip.open(sys.argv[1], "rt", encoding="utf-8", newline="") as f:
    docs = [row["review"] for row in csv.DictReader(f)]
vectorizer = make(**config)
wall, cpu = time.perf_counter(), time.process_time()
m = vectorizer.fit_transform(docs)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
digest = hashlib.sha256()
if hasattr(vectorizer, "get_feature_names_out"):
    for term in vectorizer.get_feature_names_out():
        digest.update(term.encode() + b"\n")
m.sort_indices()
digest.update(m.indptr.astype("<i8").tobytes())
digest.update(m.indices.astype("<i4").tobytes())
print(json.dumps({
    "wall": wall, "cpu": cpu, "rss": rss, "cols": m.shape[1], "nnz": int(m.nnz), "sum": float(m.sum()),
    "digest": digest.hexdigest(),
}))

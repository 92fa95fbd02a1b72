"""Scores texts with a model that flow trained, as flow itself does.

MLflow imports this module from a model's code directory: _load_pyfunc is the
python_function flavor, load_sklearn is called by model.pkl. Cleaning and scoring
need the standard library only; pandas comes in for MLflow's data frames and
scikit-learn for its flavor. The files are described in flow's docs/formats.md.
"""

import array
import functools
import json
import math
import os
import re
import string
import struct
import sys
import unicodedata

_HERE = os.path.dirname(os.path.abspath(__file__))
_ROOT = os.path.dirname(_HERE)


# ---- reading ---------------------------------------------------------------


def _read(name, magic):
    with open(os.path.join(_ROOT, name), "rb") as f:
        data = f.read()
    if data[:8] != magic + b"\x01":
        raise ValueError(f"{name}: not a file of version 1 of flow's format")
    return memoryview(data)


def _numbers(kind, data):
    out = array.array(kind)
    out.frombytes(data)
    if sys.byteorder != "little":
        out.byteswap()
    return out


def _terms(vectorizer):
    """The terms of a vectorizer by column."""
    text = _read(vectorizer["terms"], b"FLOWTRM")[16:]
    index = _read(vectorizer["index"], b"FLOWIDX")
    count = struct.unpack_from("<I", index, 8)[0]
    out, start = [], 0
    for end in _numbers("I", index[16 : 16 + 4 * count]):
        out.append(str(text[start:end], "utf-8"))
        start = end
    return out


def _weights(name):
    return _numbers("d", _read(name, b"FLOWWTS")[16:])


def _idf(name):
    data = _read(name, b"FLOWIDF")
    distinct = struct.unpack_from("<I", data, 12)[0]
    values = _numbers("d", data[16 : 16 + 8 * distinct])
    numbers = _numbers("H" if distinct <= 65536 else "I", data[16 + 8 * distinct :])
    return array.array("d", map(values.__getitem__, numbers))


@functools.lru_cache(maxsize=None)
def _header():
    with open(os.path.join(_ROOT, "model.json"), encoding="utf-8") as f:
        header = json.load(f)
    if header["format"] != "flow.model" or header["version"] != 1:
        raise ValueError("model.json: not version 1 of flow's format")
    return header


def _words(name):
    with open(os.path.join(_HERE, "words", name), encoding="utf-8") as f:
        return f.read().split("\n")[:-1]


# ---- cleaning --------------------------------------------------------------

#CLEANING#

@functools.lru_cache(maxsize=None)
def _cleaner():
    return _make_cleaner(_header()["cleaning"])


def clean(text):
    """The cleaned text: what the vectorizers see."""
    return _cleaner()(text)


def clean_all(texts):
    """The cleaned texts of a list, a series or a frame with the column text."""
    return [clean(t) for t in _texts(texts)]


# ---- terms -----------------------------------------------------------------

_SPACES = re.compile(r"\s\s+")


def _strip_unicode(text):
    try:
        text.encode("ASCII", errors="strict")
        return text
    except UnicodeEncodeError:
        return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))


def _strip_ascii(text):
    return unicodedata.normalize("NFKD", text).encode("ASCII", "ignore").decode("ASCII")


def _word_grams(low, high, pattern, stop):
    find = re.compile(pattern).findall

    def analyze(text):
        words = find(text)
        if stop:
            words = [w for w in words if w not in stop]
        if high == 1:
            return words
        out = []
        for n in range(low, high + 1):
            out.extend(" ".join(words[i : i + n]) for i in range(len(words) - n + 1))
        return out

    return analyze


def _char_grams(low, high):
    def analyze(text):
        text = _SPACES.sub(" ", text)
        return [text[i : i + n] for n in range(low, high + 1) for i in range(len(text) - n + 1)]

    return analyze


def _char_wb_grams(low, high):
    def analyze(text):
        out = []
        for word in _SPACES.sub(" ", text).split():
            word = " " + word + " "
            for n in range(low, high + 1):
                out.append(word[:n])
                out.extend(word[i : i + n] for i in range(1, len(word) - n + 1))
                if len(word) <= n:  # a short word once
                    break
        return out

    return analyze


def _analyzer(config):
    low, high = config["ngram_range"]
    if config["analyzer"] == "word":
        grams = _word_grams(low, high, config["token_pattern"], _stop_words(config))
    elif config["analyzer"] == "char":
        grams = _char_grams(low, high)
    else:
        grams = _char_wb_grams(low, high)
    strip = {"": None, "unicode": _strip_unicode, "ascii": _strip_ascii}[config["strip_accents"]]

    def analyze(text):
        if config["lowercase"]:
            text = text.lower()
        return grams(strip(text) if strip else text)

    return analyze


def _stop_words(config):
    stop = config.get("stop_words")
    if not stop:
        return None
    if isinstance(stop, str):
        return frozenset(_words("features-" + stop + ".txt"))
    return frozenset(stop)


def _hash(term):
    """MurmurHash3 of 32 bits, seed 0, as a signed number."""
    data = term.encode("utf-8")
    h, mask = 0, 0xFFFFFFFF
    cut = len(data) & ~3
    for (k,) in struct.iter_unpack("<I", data[:cut]):
        k = k * 0xCC9E2D51 & mask
        k = (k << 15 | k >> 17) & mask
        h ^= k * 0x1B873593 & mask
        h = (h << 13 | h >> 19) & mask
        h = (h * 5 + 0xE6546B64) & mask
    if data[cut:]:
        k = int.from_bytes(data[cut:], "little") * 0xCC9E2D51 & mask
        k = (k << 15 | k >> 17) & mask
        h ^= k * 0x1B873593 & mask
    h ^= len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & mask
    h = (h ^ h >> 13) * 0xC2B2AE35 & mask
    h ^= h >> 16
    return h - (1 << 32) if h >> 31 else h


class _Vectorizer:
    def __init__(self, entry):
        self.config = entry["config"]
        self.columns = entry["columns"]
        self.analyze = _analyzer(self.config)
        self.index = None
        if "terms" in entry:
            self.index = {t: i for i, t in enumerate(_terms(entry))}
        self.idf = _idf(entry["idf"]) if "idf" in entry else None

    def row(self, text):
        """The columns, ascending, and values of a cleaned text."""
        counts = {}
        if self.index is None:
            sign = self.config["alternate_sign"]
            for term in self.analyze(text):
                h = _hash(term)
                column = abs(h) % self.columns
                counts[column] = counts.get(column, 0) + (-1 if sign and h < 0 else 1)
        else:
            get = self.index.get
            for term in self.analyze(text):
                column = get(term)
                if column is not None:
                    counts[column] = counts.get(column, 0) + 1
        columns = sorted(counts)
        values = [float(counts[c]) for c in columns]
        config = self.config
        if config["binary"]:
            values = [1.0] * len(values)
        if config["weighting"] == "count":
            return columns, values
        if config["weighting"] == "tfidf":
            if config["sublinear_tf"]:
                values = [math.log(v) + 1 for v in values]
            if self.idf is not None:
                values = [v * self.idf[c] for c, v in zip(columns, values)]
        length = 0.0
        if config["norm"] == "l2":
            length = math.sqrt(sum(v * v for v in values))
        elif config["norm"] == "l1":
            length = sum(map(abs, values))
        if length:
            values = [v / length for v in values]
        return columns, values


# ---- python_function -------------------------------------------------------


def _texts(data):
    """The texts of whatever MLflow passes on."""
    if isinstance(data, str):
        return [data]
    if isinstance(data, dict):
        data = data["text"] if "text" in data else next(iter(data.values()))
        return [data] if isinstance(data, str) else _texts(data)
    if hasattr(data, "columns"):
        names = list(data.columns)
        if "text" not in names and len(names) != 1:
            raise ValueError(f"no column text among {names}")
        data = data["text" if "text" in names else names[0]]
    if hasattr(data, "tolist"):
        data = data.tolist()
    out = []
    for item in data:
        if isinstance(item, (list, tuple, dict)):
            out.extend(_texts(item))
        elif isinstance(item, str):
            out.append(item)
        else:
            raise ValueError(f"a text is wanted, not {type(item).__name__}")
    return out


class Model:
    """Predicts raw texts. Label 1 is the second of the classes."""

    def __init__(self):
        header = _header()
        self.vectorizers = [_Vectorizer(v) for v in header["vectorizers"]]
        classifier = header["classifier"]
        self.classes = classifier["classes"]
        self.weights = _weights(classifier["weights"])
        self.intercept = classifier["intercept"]
        self.calibration = classifier["calibration"]
        threshold = classifier["threshold"]
        self.bound = math.log(threshold / (1 - threshold))

    def log_odds(self, text):
        """The log-odds of label 1."""
        text, total, base = clean(text), 0.0, 0
        for vectorizer in self.vectorizers:
            for column, value in zip(*vectorizer.row(text)):
                total += value * self.weights[base + column]
            base += vectorizer.columns
        return self.calibration["slope"] * (self.intercept + total) + self.calibration["offset"]

    def score(self, text):
        """The label's name and the probability of label 1."""
        z = self.log_odds(text)
        if z >= 0:
            probability = 1 / (1 + math.exp(-z))
        else:
            probability = math.exp(z) / (1 + math.exp(z))
        return self.classes[z > self.bound], probability

    def predict(self, model_input, params=None):
        """A frame with the columns label and probability, that of label 1."""
        import pandas

        scores = [self.score(t) for t in _texts(model_input)]
        index = getattr(model_input, "index", None)
        if index is None or callable(index) or len(index) != len(scores):
            index = None
        return pandas.DataFrame(
            {"label": [s[0] for s in scores], "probability": [s[1] for s in scores]}, index=index
        )


@functools.lru_cache(maxsize=None)
def load():
    """The model of this directory."""
    return Model()


def _load_pyfunc(path):
    return load()


# ---- sklearn ---------------------------------------------------------------


def _sklearn_vectorizer(entry):
    import numpy
    from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

    config = entry["config"]
    stop = _stop_words(config)
    shared = {
        "analyzer": config["analyzer"],
        "token_pattern": config["token_pattern"],
        "lowercase": config["lowercase"],
        "strip_accents": config["strip_accents"] or None,
        "stop_words": sorted(stop) if stop else None,
        "ngram_range": tuple(config["ngram_range"]),
        "binary": config["binary"],
    }
    norm = config["norm"] or None
    if config["weighting"] == "hashing":
        return HashingVectorizer(
            n_features=entry["columns"], norm=norm, alternate_sign=config["alternate_sign"], **shared
        )
    vocabulary = {t: i for i, t in enumerate(_terms(entry))}
    if config["weighting"] == "count":
        out = CountVectorizer(vocabulary=vocabulary, **shared)
        out._validate_vocabulary()
        return out
    out = TfidfVectorizer(
        vocabulary=vocabulary, norm=norm, use_idf=config["use_idf"], smooth_idf=config["smooth_idf"],
        sublinear_tf=config["sublinear_tf"], **shared
    )
    if "idf" in entry:
        out.idf_ = numpy.array(_idf(entry["idf"]))
    else:
        out._validate_vocabulary()
        out._tfidf.n_features_in_ = len(vocabulary)
    return out


@functools.lru_cache(maxsize=None)
def _pipeline():
    import numpy
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import FeatureUnion, Pipeline
    from sklearn.preprocessing import FunctionTransformer

    header = _header()
    entries = [(v["name"], _sklearn_vectorizer(v)) for v in header["vectorizers"]]
    features = entries[0][1] if len(entries) == 1 else FeatureUnion(entries)
    c = header["classifier"]
    slope, offset = c["calibration"]["slope"], c["calibration"]["offset"]
    classifier = LogisticRegression()
    classifier.classes_ = numpy.array(c["classes"])
    # Calibration is linear in the log-odds: it is folded in.
    classifier.coef_ = slope * numpy.array(_weights(c["weights"]))[None, :]
    classifier.intercept_ = numpy.array([slope * c["intercept"] + offset])
    classifier.n_features_in_ = c["columns"]
    classifier.n_iter_ = numpy.array([1], dtype=numpy.int32)
    if c["threshold"] != 0.5:
        from sklearn.model_selection import FixedThresholdClassifier

        fixed = FixedThresholdClassifier(
            classifier, threshold=c["threshold"], pos_label=c["classes"][1], response_method="predict_proba"
        )
        fixed.estimator_ = classifier
        classifier = fixed
    return Pipeline(
        [
            ("cleaning", FunctionTransformer(clean_all, validate=False)),
            ("features", features),
            ("classifier", classifier),
        ]
    )


def load_sklearn(content):
    """The same model as a pipeline of scikit-learn."""
    if content != _header()["content"]:
        raise ValueError("model.pkl and model.json are of two models")
    return _pipeline()

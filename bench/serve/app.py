"""The server that flow serve is timed beside: Flask under Gunicorn, a page with a
form, cleaning by NLTK, a scikit-learn pipeline with sparse rows, and metrics by
prometheus_client. Every object is built once.

MODEL names a JSON file with vocabulary, coef and intercept, STOP_WORDS a list of
words, WORDNET the directory of WordNet's files; without it there are no lemmas.
"""

import json
import os
import re
import string
import sys
import time

import numpy
from flask import Flask, Response, render_template_string, request
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

URL = re.compile(r"https?://\S+|www\.\S+")
DIGITS = re.compile(r"\d")
PUNCTUATION = re.compile("[%s]" % re.escape(string.punctuation))

PAGE = """<!DOCTYPE html>
<title>Sentiment Analysis</title>
<h1>Sentiment Analysis</h1>
<form action="/predict" method="post">
<textarea name="text" rows="10">{{ text }}</textarea>
<button>Predict</button>
</form>
{% if verdict %}<p>{{ verdict }}, {{ "%.1f" % (100 * confidence) }}% confidence</p>{% endif %}
"""


def lemmatizer():
    if not os.environ.get("WORDNET"):
        return lambda word: word
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clean"))
    import cleaning

    return cleaning.lemmatizer(os.environ["WORDNET"])


def build():
    with open(os.environ["MODEL"], encoding="utf-8") as f:
        model = json.load(f)
    classifier = LogisticRegression()
    classifier.classes_ = numpy.array([0, 1])
    classifier.coef_ = numpy.array([model["coef"]])
    classifier.intercept_ = numpy.array([model["intercept"]])
    return Pipeline([("bow", CountVectorizer(vocabulary=model["vocabulary"], lowercase=False)), ("model", classifier)])


LEMMATIZE, PIPELINE = lemmatizer(), build()
with open(os.environ["STOP_WORDS"], encoding="utf-8") as words:
    STOP = set(words.read().split())

REGISTRY = CollectorRegistry()
REQUESTS = Counter("app_request_count", "Requests", ["method", "endpoint"], registry=REGISTRY)
LATENCY = Histogram("app_request_latency_seconds", "Latency", ["endpoint"], registry=REGISTRY)
PREDICTIONS = Counter("model_prediction_count", "Predictions", ["prediction"], registry=REGISTRY)

app = Flask(__name__)


def clean(text):
    text = DIGITS.sub("", URL.sub("", text)).lower()
    text = PUNCTUATION.sub(" ", text).replace("\u061b", "")
    return " ".join(LEMMATIZE(word) for word in text.split() if word not in STOP)


@app.get("/")
def index():
    REQUESTS.labels("GET", "/").inc()
    start = time.time()
    page = render_template_string(PAGE)
    LATENCY.labels("/").observe(time.time() - start)
    return page


@app.post("/predict")
def predict():
    REQUESTS.labels("POST", "/predict").inc()
    start = time.time()
    text = request.form["text"]
    probability = PIPELINE.predict_proba([clean(text)])[0]
    label = int(probability[1] > 0.5)
    PREDICTIONS.labels(str(label)).inc()
    page = render_template_string(PAGE, text=text, verdict=["Negative", "Positive"][label], confidence=probability[label])
    LATENCY.labels("/predict").observe(time.time() - start)
    return page


@app.get("/metrics")
def metrics():
    return Response(generate_latest(REGISTRY), mimetype="text/plain")

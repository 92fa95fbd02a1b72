"""The app that flow succeeds, as its author wrote it, told again in our own words:
app.py without what was tidied there. Of each request it makes NLTK's lemmatizer
and set of stop words anew, cleans word by word in the order of that app, makes a
dense vector and a table of one row with a column for each term, and asks the
classifier through MLflow's pyfunc.

The environment is that of app.py; MODEL_DIR is where the classifier is saved for
MLflow, and COLUMNS_KEPT, if set, how many of the heaviest terms are kept (the
author's own setting was 50).
"""

import json
import os
import re
import string
import sys
import tempfile
import time

import mlflow
import nltk
import numpy
import pandas
from flask import Flask, Response, render_template_string, request
from nltk.corpus import stopwords
from nltk.stem import WordNetLemmatizer
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

PAGE = """<!DOCTYPE html>
<title>Sentiment Analysis</title>
<h1>Sentiment Analysis</h1>
<form action="/predict" method="post">
<textarea name="text" rows="10"></textarea>
<button>Predict</button>
</form>
{% if result is not none %}<p>{{ "Positive" if result == 1 else "Negative" }}</p>{% endif %}
"""


def corpora():
    """Puts the word lists where NLTK looks for them."""
    if os.environ.get("WORDNET"):
        sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clean"))
        import cleaning

        cleaning.lemmatizer(os.environ["WORDNET"])
    root = tempfile.mkdtemp()
    os.makedirs(os.path.join(root, "corpora", "stopwords"))
    with open(os.environ["STOP_WORDS"], encoding="utf-8") as f, open(os.path.join(root, "corpora", "stopwords", "english"), "w") as out:
        out.write(f.read())
    nltk.data.path.insert(0, root)


def build():
    with open(os.environ["MODEL"], encoding="utf-8") as f:
        model = json.load(f)
    terms, coef = model["vocabulary"], numpy.array(model["coef"])
    if os.environ.get("COLUMNS_KEPT"):
        kept = sorted(numpy.argsort(-abs(coef))[: int(os.environ["COLUMNS_KEPT"])])
        terms, coef = [terms[i] for i in kept], coef[kept]
    classifier = LogisticRegression(solver="liblinear")
    classifier.classes_ = numpy.array([0, 1])
    classifier.coef_ = numpy.array([coef])
    classifier.intercept_ = numpy.array([model["intercept"]])
    mlflow.sklearn.save_model(classifier, os.environ["MODEL_DIR"], serialization_format="cloudpickle")
    return CountVectorizer(vocabulary=terms), mlflow.pyfunc.load_model(os.environ["MODEL_DIR"])


corpora()
VECTORIZER, MODEL = build()

REGISTRY = CollectorRegistry()
REQUESTS = Counter("app_request_count", "Requests", ["method", "endpoint"], registry=REGISTRY)
LATENCY = Histogram("app_request_latency_seconds", "Latency", ["endpoint"], registry=REGISTRY)
PREDICTIONS = Counter("model_prediction_count", "Predictions", ["prediction"], registry=REGISTRY)

app = Flask(__name__)


def without_stop_words(text):
    stop = set(stopwords.words("english"))
    return " ".join(word for word in str(text).split() if word not in stop)


def without_digits(text):
    return "".join(c for c in text if not c.isdigit())


def without_punctuation(text):
    text = re.sub("[%s]" % re.escape(string.punctuation), " ", text)
    return re.sub(r"\s+", " ", text.replace("\u061b", "")).strip()


def without_urls(text):
    return re.compile(r"https?://\S+|www\.\S+").sub("", text)


def lemmas(text):
    lemmatizer = WordNetLemmatizer()
    return " ".join(lemmatizer.lemmatize(word) for word in text.split())


def clean(text):
    text = " ".join(word.lower() for word in text.split())
    return lemmas(without_urls(without_punctuation(without_digits(without_stop_words(text)))))


@app.get("/")
def index():
    REQUESTS.labels("GET", "/").inc()
    start = time.time()
    page = render_template_string(PAGE, result=None)
    LATENCY.labels("/").observe(time.time() - start)
    return page


@app.post("/predict")
def predict():
    REQUESTS.labels("POST", "/predict").inc()
    start = time.time()
    features = VECTORIZER.transform([clean(request.form["text"])])
    row = pandas.DataFrame(features.toarray(), columns=[str(i) for i in range(features.shape[1])])
    prediction = MODEL.predict(row)[0]
    PREDICTIONS.labels(str(prediction)).inc()
    LATENCY.labels("/predict").observe(time.time() - start)
    return render_template_string(PAGE, result=prediction)


@app.get("/metrics")
def metrics():
    return Response(generate_latest(REGISTRY), mimetype="text/plain")

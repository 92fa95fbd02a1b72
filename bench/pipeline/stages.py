"""The sentiment pipeline as five Python processes: what flow is timed against.

    python stages.py STAGE DIRECTORY [WORDNET STOP_WORDS]

Each stage reads what the one before wrote below DIRECTORY: labelled reviews in
reviews.csv, a 75/25 split, cleaning with NLTK, a bag of the 50 most frequent
words as dense CSV, logistic regression with an L1 penalty, metrics as JSON.
"""

import json
import os
import pickle
import sys


def ingest(at):
    import pandas as pd
    from sklearn.model_selection import train_test_split

    df = pd.read_csv(at("reviews.csv"))
    df = df[df["sentiment"].isin(["positive", "negative"])].copy()
    df["sentiment"] = df["sentiment"].map({"positive": 1, "negative": 0})
    train, test = train_test_split(df, test_size=0.25, random_state=42)
    train.to_csv(at("raw_train.csv"), index=False)
    test.to_csv(at("raw_test.csv"), index=False)


def preprocess(at, wordnet, stop_words):
    import pandas as pd

    sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clean"))
    from cleaning import cleaner

    clean = cleaner(wordnet, stop_words)
    for part in ("train", "test"):
        df = pd.read_csv(at("raw_%s.csv" % part))
        df["review"] = df["review"].apply(clean)
        df.to_csv(at("interim_%s.csv" % part), index=False)


def features(at):
    import pandas as pd
    from sklearn.feature_extraction.text import CountVectorizer

    v = CountVectorizer(max_features=50)
    for part in ("train", "test"):
        df = pd.read_csv(at("interim_%s.csv" % part)).fillna("")
        x = v.fit_transform(df["review"]) if part == "train" else v.transform(df["review"])
        dense = pd.DataFrame(x.toarray())
        dense["label"] = df["sentiment"].values
        dense.to_csv(at("processed_%s.csv" % part), index=False)
    with open(at("vectorizer.pkl"), "wb") as f:
        pickle.dump(v, f)


def train(at):
    import pandas as pd
    from sklearn.linear_model import LogisticRegression

    df = pd.read_csv(at("processed_train.csv"))
    m = LogisticRegression(C=1, solver="liblinear", l1_ratio=1.0, penalty="l1")
    m.fit(df.iloc[:, :-1].values, df.iloc[:, -1].values)
    with open(at("model.pkl"), "wb") as f:
        pickle.dump(m, f)


def evaluate(at):
    import pandas as pd
    from sklearn.metrics import accuracy_score, precision_score, recall_score, roc_auc_score

    with open(at("model.pkl"), "rb") as f:
        m = pickle.load(f)
    df = pd.read_csv(at("processed_test.csv"))
    x, y = df.iloc[:, :-1].values, df.iloc[:, -1].values
    predicted, p = m.predict(x), m.predict_proba(x)[:, 1]
    metrics = {
        "accuracy": accuracy_score(y, predicted), "precision": precision_score(y, predicted),
        "recall": recall_score(y, predicted), "auc": roc_auc_score(y, p),
    }
    with open(at("metrics.json"), "w") as f:
        json.dump(metrics, f, indent=4)


def main():
    stage, directory = sys.argv[1:3]
    globals()[stage](lambda name: os.path.join(directory, name), *sys.argv[3:])


main()

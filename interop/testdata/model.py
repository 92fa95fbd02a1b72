"""Holds models written by flow to what flow says of them.

Each argument is a directory with a model and a file expected.json beside it:
texts, what cleaning makes of them, labels and probabilities of label 1.
"""

import json
import os
import sys
import warnings

warnings.simplefilter("ignore")

import mlflow.models
import mlflow.pyfunc
import mlflow.sklearn
import numpy
import pandas
from sklearn.pipeline import Pipeline

modules = set()


def close(name, have, want):
    worst = numpy.abs(numpy.asarray(have) - numpy.asarray(want)).max()
    print(f"{name}: {len(want)} texts, largest difference {worst:.2g}")
    assert worst <= 1e-9, f"{name}: probabilities differ by {worst}"


for base in sys.argv[1:]:
    with open(os.path.join(base, "expected.json"), encoding="utf-8") as f:
        want = json.load(f)
    texts, directory, name = want["texts"], os.path.join(base, "model"), os.path.basename(base)

    info = mlflow.models.get_model_info(directory)
    assert info.signature.inputs.input_names() == ["text"], info.signature
    module = info.flavors["python_function"]["loader_module"]
    assert module not in modules
    modules.add(module)

    pyfunc = mlflow.pyfunc.load_model(directory)
    frame = pyfunc.predict(pandas.DataFrame({"text": texts}))
    assert frame["label"].tolist() == want["labels"], f"{name}: pyfunc labels differ"
    close(name + ", pyfunc", frame["probability"], want["probabilities"])
    few = texts[:20]
    for given in (
        {"text": few},
        pandas.Series(few, name="text").to_frame(),
        pandas.DataFrame({"text": few, "more": few}, index=range(100, 120)),
    ):
        close(name + ", pyfunc of a " + type(given).__name__, pyfunc.predict(given)["probability"], want["probabilities"][:20])
    program = sys.modules[module]
    for given in (few, pandas.Series(few), numpy.array(few, dtype=object), pandas.DataFrame({"review": few})):
        close(name + ", module, " + type(given).__name__, program.load().predict(given)["probability"], want["probabilities"][:20])

    for i, (raw, cleaned) in enumerate(zip(texts, want["cleaned"])):
        assert program.clean(raw) == cleaned, f"{name}: text {i} is cleaned to\n{program.clean(raw)!r}, want\n{cleaned!r}"

    pipeline = mlflow.sklearn.load_model(directory)
    assert type(pipeline) is Pipeline
    assert pipeline.predict(texts).tolist() == want["labels"], f"{name}: scikit-learn's labels differ"
    close(name + ", sklearn", pipeline.predict_proba(texts)[:, 1], want["probabilities"])
    assert pipeline.classes_.tolist() == want["classes"]

    if name == "words":
        from mlflow.pyfunc.scoring_server import invocations

        for body in (
            {"inputs": few},
            {"inputs": {"text": few}},
            {"instances": [{"text": t} for t in few]},
            {"dataframe_split": {"columns": ["text"], "data": [[t] for t in few]}},
            {"dataframe_records": [{"text": t} for t in few]},
        ):
            answer = invocations(json.dumps(body), "application/json", pyfunc, pyfunc.metadata.get_input_schema())
            assert answer.status == 200, answer.response
            have = [p["probability"] for p in json.loads(answer.response)["predictions"]]
            close("words, /invocations by " + next(iter(body)), have, want["probabilities"][:20])
print("ok")

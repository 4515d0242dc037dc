"""Metric objects against Keras 3: in a user's own loop, inside the graph, with sample weights."""

from __future__ import annotations

import os
import re

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from kgraph import metrics
from kgraph.callbacks import LambdaCallback
from kgraph.ir import Dim, Graph, input_node
from kgraph.layers import Dense, Input, Masking
from kgraph.models import Model, Sequential
from kgraph.runtime.interp import interpret

# Keras's variables answer NumPy in an old way.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Explicitly requested dtype int64"),
    pytest.mark.filterwarnings("ignore:You are passing weight as `float`"),
]
RNG = np.random.default_rng(9)
BATCH = Dim.symbol("batch")
SIZES = (5, 5)  # of one size, for Keras compiles each operation for each shape
BITS = [RNG.integers(0, 2, (n, 4)).astype("float32") for n in SIZES]
SHARES = [RNG.uniform(0.02, 0.98, (n, 4)).astype("float32") for n in SIZES]
SCORES = [[RNG.normal(size=(n, 4)).astype("float32") for n in SIZES] for _ in range(2)]
CLASSES = [RNG.integers(0, 4, n).astype("int32") for n in SIZES]
ONE_HOT = [np.eye(4, dtype="float32")[c] for c in CLASSES]
GUESSES = [RNG.integers(0, 4, n).astype("int32") for n in SIZES]
WEIGHTS = [RNG.integers(1, 4, n).astype("float32") for n in SIZES]
RATES = (BITS, SHARES)

CASES = [
    ("Accuracy", [[c[:, None] for c in ids] for ids in (CLASSES, GUESSES)], {}),
    ("BinaryAccuracy", RATES, {"threshold": 0.3}),
    ("CategoricalAccuracy", (ONE_HOT, SHARES), {}),
    ("SparseCategoricalAccuracy", (CLASSES, SHARES), {}),
    ("TopKCategoricalAccuracy", (ONE_HOT, SHARES), {"k": 2}),
    ("SparseTopKCategoricalAccuracy", (CLASSES, SHARES), {"k": 2}),
    ("MeanSquaredError", SCORES, {}),
    ("RootMeanSquaredError", SCORES, {}),
    ("CosineSimilarity", SCORES, {}),
    ("LogCoshError", SCORES, {}),
    ("Poisson", RATES, {}),
    ("KLDivergence", RATES, {}),
    ("BinaryCrossentropy", RATES, {"label_smoothing": 0.1}),
    ("SparseCategoricalCrossentropy", (CLASSES, SCORES[0]), {"from_logits": True}),
    ("PearsonCorrelation", SCORES, {}),
    ("ConcordanceCorrelation", SCORES, {}),
    ("R2Score", SCORES, {}),
    ("R2Score", SCORES, {"class_aggregation": None, "num_regressors": 2}),
    ("R2Score", SCORES, {"class_aggregation": "variance_weighted_average"}),
    ("TruePositives", RATES, {}),
    ("FalsePositives", RATES, {"thresholds": [0.2, 0.7]}),
    ("TrueNegatives", RATES, {"thresholds": 0.7}),
    ("Precision", RATES, {"thresholds": [0.2, 0.7]}),
    ("Precision", RATES, {"top_k": 2}),
    ("Recall", RATES, {"class_id": 1}),
    ("AUC", RATES, {}),
    ("AUC", RATES, {"curve": "PR"}),
    ("AUC", RATES, {"curve": "PR", "summation_method": "minoring", "num_thresholds": 9}),
    ("AUC", RATES, {"summation_method": "majoring", "thresholds": [0.3, 0.5, 0.6]}),
    ("AUC", RATES, {"multi_label": True, "label_weights": [1.0, 2.0, 3.0, 4.0]}),
    ("AUC", (BITS, SCORES[0]), {"from_logits": True, "num_thresholds": 20}),
    ("SensitivityAtSpecificity", RATES, {"specificity": 0.5}),
    ("PrecisionAtRecall", RATES, {"recall": 0.5}),
    ("RecallAtPrecision", RATES, {"precision": 0.5}),
    ("MeanIoU", (CLASSES, GUESSES), {"num_classes": 4}),
    ("IoU", (CLASSES, GUESSES), {"num_classes": 4, "target_class_ids": [0, 2], "ignore_class": 1}),
    ("BinaryIoU", RATES, {"threshold": 0.4}),
    ("OneHotIoU", (ONE_HOT, SHARES), {"num_classes": 4, "target_class_ids": [1, 2]}),
    ("OneHotMeanIoU", (ONE_HOT, SHARES), {"num_classes": 4}),
    ("F1Score", (ONE_HOT, SHARES), {}),
    ("F1Score", (ONE_HOT, SHARES), {"average": "micro"}),
    ("FBetaScore", RATES, {"beta": 2.0, "threshold": 0.4, "average": "weighted"}),
]
# Of each kind of formula one with sample weights; Keras wants a column of them where it counts.
WEIGHTED = {
    "TopKCategoricalAccuracy": "rows",
    "RootMeanSquaredError": "rows",
    "KLDivergence": "rows",
    "R2Score": "rows",
    "Precision": "columns",
    "AUC": "columns",
    "PrecisionAtRecall": "columns",
    "MeanIoU": "rows",
    "FBetaScore": "rows",
}


def in_graph(metric, batches, weights):
    """The metric from sums that graphs computed."""
    sums = {}
    for index, data in enumerate(zip(*batches, strict=True)):
        arrays = [*data, *([] if weights is None else [weights[index]])]
        nodes = [input_node((BATCH, *a.shape[1:]), a.dtype.name) for a in arrays]
        made = metric.increments(*nodes)
        found, _ = interpret(Graph(tuple(nodes), tuple(made.items())), arrays)
        for name, added in zip(made, found, strict=True):
            sums[name] = sums.get(name, 0.0) + np.asarray(added, "float64")
    return metric.value(sums)


BOTH = [(*case, None) for case in CASES] + [
    (*case, WEIGHTS if WEIGHTED[case[0]] == "rows" else [w[:, None] for w in WEIGHTS])
    for case in CASES
    if case[0] in WEIGHTED and case[2].get("curve") != "PR"
]


@pytest.mark.parametrize(
    ("name", "batches", "options", "weights"),
    BOTH,
    ids=[f"{c[0]}-{c[2]}-{c[3] is not None}" for c in BOTH],
)
def test_like_keras(name, batches, options, weights):
    ours, theirs = getattr(metrics, name)(**options), getattr(keras.metrics, name)(**options)
    for index, data in enumerate(zip(*batches, strict=True)):
        extra = {} if weights is None else {"sample_weight": weights[index]}
        ours.update_state(*data, **extra)
        theirs.update_state(*data, **extra)
    expected = np.asarray(theirs.result())
    np.testing.assert_allclose(ours.result(), expected, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(in_graph(ours, batches, weights), expected, rtol=2e-5, atol=2e-6)
    assert ours.name == re.sub(r"_\d+$", "", theirs.name)  # which Keras numbers
    again = metrics.deserialize(metrics.serialize(ours))
    assert again.get_config() == ours.get_config()
    ours.reset_states()
    assert ours.result() == 0.0


@pytest.mark.parametrize("name", ["Mean", "Sum"])
def test_means_and_sums_of_values(name):
    ours, theirs = getattr(metrics, name)(), getattr(keras.metrics, name)()
    for metric in (ours, theirs):
        metric.update_state(np.array([[1.0, 2.0], [3.0, 5.0]], "float32"))
        metric.update_state(np.array([7.0], "float32"), sample_weight=np.array([3.0], "float32"))
    if name == "Sum":
        assert ours.result() == float(theirs.result())
    else:  # every value counts the same; Keras counts a row once
        assert ours.result() == pytest.approx((11.0 + 21.0) / 7.0)


def test_no_class_of_keras_is_missing():
    theirs = {
        name
        for name, value in vars(keras.metrics).items()
        if isinstance(value, type) and issubclass(value, keras.metrics.Metric)
    }
    assert theirs - set(dir(metrics)) == set()


def test_every_spelling():
    assert metrics.get("mape") is metrics.mean_absolute_percentage_error
    for name in ("cosine", "cosine_proximity", "cosine_similarity"):
        assert metrics.get(name) is metrics.cosine_similarity
    for name in ("AUC", "auc"):
        assert isinstance(metrics.get(name), metrics.AUC)
    assert isinstance(metrics.get(metrics.Precision), metrics.Precision)
    assert metrics.get("top_k_categorical_accuracy") is metrics.top_k_categorical_accuracy
    with pytest.raises(ValueError, match='Invalid `curve` argument value "FOO"'):
        metrics.AUC(curve="foo")
    with pytest.raises(ValueError, match=r"Threshold values must be in \[0, 1\]"):
        metrics.Recall(thresholds=2.0)
    with pytest.raises(NotImplementedError, match="Metric must define increments"):
        metrics.Metric().update_state(1, 2)


def binary_model(**options):
    model = Sequential([Dense(1, input_dim=3, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy", **options)
    return model


X = RNG.normal(size=(11, 3)).astype("float32")
Y = (X.sum(1, keepdims=True) + 0.3 * RNG.normal(size=(11, 1)) > 0).astype("float32")


def test_metrics_run_over_the_whole_epoch():
    model = binary_model(metrics=["acc", metrics.AUC(), "Precision", metrics.Recall(name="rec")])
    assert model.metrics_names == ["loss", "acc", "auc", "Precision", "rec"]
    found = model.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True)
    predicted = model.predict(X)
    for name, metric in (
        ("auc", keras.metrics.AUC()),
        ("Precision", keras.metrics.Precision()),
        ("rec", keras.metrics.Recall()),
    ):
        metric.update_state(Y, predicted)
        assert found[name] == pytest.approx(float(metric.result()), abs=1e-6)
    seen = []
    keep = LambdaCallback(on_batch_end=lambda batch, logs: seen.append(logs["auc"]))
    history = model.fit(
        X, Y, batch_size=4, epochs=2, verbose=0, validation_data=(X, Y), callbacks=[keep]
    ).history
    assert list(history) == [
        *model.metrics_names,
        *(f"val_{name}" for name in model.metrics_names),
    ]
    assert len(seen) == 6
    assert history["auc"] == [seen[2], seen[5]]


def test_weighted_metrics_see_the_weights_and_plain_ones_do_not():
    model = binary_model(
        metrics=["mse"], weighted_metrics=[metrics.AUC(), metrics.MeanSquaredError()]
    )
    weights = RNG.integers(1, 4, 11).astype("float32")
    assert model.metrics_names == ["loss", "mse", "auc", "mean_squared_error"]
    _, plain, area, error = model.evaluate(X, Y, sample_weight=weights, batch_size=4, verbose=0)
    predicted = model.predict(X)
    errors = (Y - predicted)[:, 0] ** 2
    assert plain == pytest.approx(errors.mean(), rel=1e-5)
    assert error == pytest.approx(np.average(errors, weights=weights), rel=1e-5)
    reference = keras.metrics.AUC()
    reference.update_state(Y, predicted, sample_weight=weights)
    assert area == pytest.approx(float(reference.result()), abs=1e-6)


def test_masks_are_weights():
    inputs = Input((3, 1))
    model = Model(inputs, Dense(1, activation="sigmoid")(Masking()(inputs)))
    model.compile("sgd", "mse", metrics=[metrics.TruePositives(thresholds=0.0)])
    x = np.ones((2, 3, 1), "float32")
    x[0, 1:] = 0.0
    assert model.evaluate(x, np.ones((2, 3, 1)), verbose=0)[1] == 4.0


def test_one_score_a_class_is_logged_as_an_array(capsys):
    model = Sequential([Dense(3, input_dim=3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[metrics.F1Score()])
    y = np.eye(3)[RNG.integers(0, 3, 11)]
    history = model.fit(X, y, epochs=2, verbose=2).history
    assert history["f1_score"][1].shape == (3,)
    assert "f1_score" not in capsys.readouterr().out


def test_several_outputs_keep_their_sums_apart():
    inputs = Input((3,))
    outputs = [Dense(1, name=n, activation="sigmoid")(inputs) for n in ("a", "b")]
    model = Model(inputs, outputs)
    model.compile("sgd", "mse", metrics=[metrics.FalseNegatives()])
    assert model.metrics_names[3:] == ["a_false_negatives", "b_false_negatives"]
    found = model.evaluate(X, [np.zeros((11, 1)), np.ones((11, 1))], verbose=0)
    assert found[3] == 0.0
    assert found[4] == float((model.predict(X)[1] <= 0.5).sum())

"""Losses beyond the common ones against Keras 3: functions, objects, names, reductions."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from kgraph import losses
from kgraph.ir import Dim, Graph, input_node
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.runtime.interp import interpret

RNG = np.random.default_rng(7)
BATCH = Dim.symbol("batch")
SCORES = RNG.normal(size=(2, 6, 4)).astype("float32")
SHARES = RNG.uniform(0.05, 0.95, (2, 6, 4)).astype("float32")
BITS = (RNG.integers(0, 2, (6, 4)).astype("float32"), SHARES[1])
ONE_HOT = np.eye(4, dtype="float32")[RNG.integers(0, 4, 6)]
ROWS = (ONE_HOT, SHARES[1] / SHARES[1].sum(-1, keepdims=True))
IDS = ONE_HOT.argmax(-1).astype("int32")
UNIT = SCORES[0] / np.linalg.norm(SCORES[0], axis=1, keepdims=True)

CASES = [
    ("MeanAbsolutePercentageError", SCORES, {}),
    ("MeanSquaredLogarithmicError", SCORES, {}),
    ("LogCosh", SCORES, {}),
    ("Huber", SCORES, {"delta": 0.7}),
    ("Poisson", SHARES, {}),
    ("KLDivergence", SHARES, {}),
    ("CosineSimilarity", SCORES, {}),
    ("CosineSimilarity", SCORES, {"axis": 0}),
    ("Hinge", (np.sign(SCORES[0]), SCORES[1]), {}),
    ("Hinge", (BITS[0], SCORES[1]), {}),
    ("SquaredHinge", (BITS[0], SCORES[1]), {}),
    ("CategoricalHinge", (ONE_HOT, SCORES[1]), {}),
    ("BinaryFocalCrossentropy", BITS, {"apply_class_balancing": True, "label_smoothing": 0.1}),
    ("BinaryFocalCrossentropy", (BITS[0], SCORES[1]), {"from_logits": True, "gamma": 1.5}),
    ("CategoricalFocalCrossentropy", ROWS, {"alpha": [0.1, 0.2, 0.3, 0.4]}),
    ("CategoricalFocalCrossentropy", (ONE_HOT, SCORES[1]), {"from_logits": True}),
    ("CategoricalGeneralizedCrossEntropy", (IDS, ROWS[1]), {"q": 0.3}),
    ("SparseCategoricalCrossentropy", (IDS, ROWS[1]), {"ignore_class": 1}),
    ("Dice", BITS, {}),
    ("Dice", BITS, {"axis": (1,)}),
    ("Tversky", BITS, {"alpha": 0.3, "beta": 0.7}),
    ("Circle", (IDS, UNIT), {"gamma": 2.0}),
]


@pytest.mark.parametrize(("name", "data", "options"), CASES, ids=lambda v: str(v)[:30])
def test_like_keras(name, data, options):
    ours, theirs = getattr(losses, name)(**options), getattr(keras.losses, name)(**options)
    expected = np.asarray(theirs(*data))
    np.testing.assert_allclose(ours(*data), expected, rtol=2e-5, atol=1e-6)
    nodes = [
        input_node((BATCH, *a.shape[1:]), a.dtype.name, n) for a, n in zip(data, "tp", strict=True)
    ]
    graph = Graph(tuple(nodes), (("loss", ours(*nodes)),))
    built = interpret(graph, list(data))[0][0]
    np.testing.assert_allclose(built, expected, rtol=2e-5, atol=1e-6)
    assert ours.name == theirs.name
    again = losses.deserialize(losses.serialize(ours))
    assert again.get_config() == ours.get_config()


NAMES = {
    "mape MAPE mean_absolute_percentage_error": "mean_absolute_percentage_error",
    "msle MSLE": "mean_squared_logarithmic_error",
    "kld KLD kl_divergence kullback_leibler_divergence": "kl_divergence",
    "logcosh log_cosh": "log_cosh",
    "huber huber_loss": "huber",
    "cosine cosine_similarity cosine_proximity": "cosine_similarity",
    "bce BCE": "binary_crossentropy",
}


@pytest.mark.parametrize("names", NAMES)
def test_every_spelling(names):
    for name in names.split():
        assert losses.get(name) is getattr(losses, NAMES[names])
        assert losses.serialize(losses.get(name)) == NAMES[names]


def test_no_class_of_keras_is_missing():
    theirs = {
        name
        for name, value in vars(keras.losses).items()
        if isinstance(value, type) and issubclass(value, keras.losses.Loss)
    }
    assert theirs - set(dir(losses)) == set()


def test_log_cosh_does_not_overflow():
    found = losses.log_cosh([[0.0, 0.0]], [[1e4, -1e4]])
    np.testing.assert_allclose(found, [1e4 - np.log(2.0)], rtol=1e-6)


def test_hinge_takes_labels_as_they_are_unless_all_are_binary():
    np.testing.assert_allclose(losses.hinge([[0.0, 1.0]], [[0.5, 0.5]]), [1.0])
    np.testing.assert_allclose(losses.hinge([[-1.0, 1.0]], [[0.5, 0.5]]), [1.0])
    np.testing.assert_allclose(losses.hinge([[0.0, -1.0]], [[0.5, 0.5]]), [1.25])


def test_a_loss_that_leaves_values_out_of_its_mean_does_so_in_training():
    model = Sequential([Dense(3, input_dim=2, activation="softmax")])
    ignoring = losses.SparseCategoricalCrossentropy(ignore_class=-1)
    model.compile("sgd", ignoring)
    x = RNG.normal(size=(4, 2)).astype("float32")
    whole = model.evaluate(x[:2], np.array([0, 2]), verbose=0)
    found = model.evaluate(x, np.array([0, 2, -1, -1]), verbose=0)
    assert found == pytest.approx(whole, rel=1e-6)
    weighted = model.evaluate(
        x, np.array([0, 2, -1, -1]), sample_weight=np.array([2.0, 2.0, 9.0, 9.0]), verbose=0
    )
    assert weighted == pytest.approx(2 * whole, rel=1e-6)
    model.fit(x, np.array([0, 2, -1, -1]), verbose=0)


@pytest.mark.parametrize("name", ["mape", "hinge", "logcosh", "poisson", "cosine_proximity"])
def test_training_by_name_reports_the_losss_mean(name):
    model = Sequential([Dense(4, input_dim=4, activation="sigmoid")])
    model.compile("sgd", name)
    x, y = RNG.uniform(0.1, 1, (2, 5, 4)).astype("float32")
    expected = np.mean(np.asarray(losses.get(name)(y, model.predict(x))))
    assert model.evaluate(x, y, verbose=0) == pytest.approx(expected, rel=1e-5)
    assert np.isfinite(model.train_on_batch(x, y))

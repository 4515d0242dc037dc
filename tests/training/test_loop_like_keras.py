"""fit, evaluate and predict against Keras 3 on JAX: weights of samples and classes, generators."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras
from batch_data import Parts

from kgraph import layers
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD
from kgraph.utils import PyDataset

# Keras's own variables are not yet up to NumPy 2's `__array__`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

RNG = np.random.default_rng(2)
X = RNG.normal(size=(22, 6)).astype("float32")
IDS = RNG.integers(0, 3, 22)
ONE_HOT = np.eye(3, dtype="float32")[IDS]
WEIGHTS = RNG.uniform(size=22).astype("float32")


def classifiers(loss, **options):
    """kgraph's and Keras's model with the same weights."""

    def make(api, model, sgd):
        found = model(
            [
                api.Input((6,)),
                api.Dense(5, activation="tanh", kernel_regularizer="l2"),
                api.Dense(3, activation="softmax"),
            ]
        )
        found.compile(optimizer=sgd(0.2), loss=loss, **options)
        return found

    theirs = make(keras.layers, keras.Sequential, keras.optimizers.SGD)
    ours = make(layers, Sequential, SGD)
    ours.set_weights(theirs.get_weights())
    return ours, theirs


def check(found, expected):
    """The same names, and the same numbers up to float32."""
    assert set(found) == set(expected)
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=2e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize(
    ("loss", "y"),
    [("categorical_crossentropy", ONE_HOT), ("sparse_categorical_crossentropy", IDS[:, None])],
)
def test_class_weights(loss, y):
    options = {"metrics": ["accuracy"], "weighted_metrics": ["accuracy"]}
    ours, theirs = classifiers(loss, **options)
    run = {
        "batch_size": 8, "epochs": 3, "shuffle": False, "verbose": 0,
        "class_weight": {0: 1.0, 1: 5.0, 2: 0.5},
    }  # fmt: skip
    found, expected = ours.fit(X, y, **run).history, theirs.fit(X, y, **run).history
    found["weighted_accuracy"] = found.pop("accuracy_1")
    check(found, expected)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def test_sample_weights_of_training_validation_and_measuring():
    ours, theirs = classifiers("categorical_crossentropy", metrics=["mae"])
    run = {
        "batch_size": 8, "epochs": 2, "shuffle": False, "verbose": 0, "sample_weight": WEIGHTS,
        "validation_data": (X[:9], ONE_HOT[:9], WEIGHTS[:9]), "validation_batch_size": 4,
    }  # fmt: skip
    check(ours.fit(X, ONE_HOT, **run).history, theirs.fit(X, ONE_HOT, **run).history)
    measure = {"batch_size": 5, "sample_weight": WEIGHTS, "verbose": 0, "return_dict": True}
    check(ours.evaluate(X, ONE_HOT, **measure), theirs.evaluate(X, ONE_HOT, **measure))
    measure["steps"] = 3
    check(ours.evaluate(X, ONE_HOT, **measure), theirs.evaluate(X, ONE_HOT, **measure))


def test_generators_and_data_sets():
    ours, theirs = classifiers("categorical_crossentropy", metrics=["accuracy"])

    def batches():
        while True:
            for rows in (slice(0, 8), slice(8, 16), slice(16, 22)):
                yield X[rows], ONE_HOT[rows], WEIGHTS[rows]

    class Theirs(Parts, keras.utils.PyDataset):
        """Keras takes its own class only; kgraph takes both."""

    run = {
        "steps_per_epoch": 2, "epochs": 3, "verbose": 0, "shuffle": False,
        "validation_data": (X, ONE_HOT),
    }  # fmt: skip
    check(ours.fit(batches(), **run).history, theirs.fit(batches(), **run).history)
    dataset = Theirs(8, X, ONE_HOT)
    run = {"epochs": 2, "verbose": 0, "shuffle": False, "validation_data": dataset}
    check(ours.fit(dataset, **run).history, theirs.fit(dataset, **run).history)
    np.testing.assert_allclose(
        ours.predict(dataset, verbose=0), theirs.predict(dataset, verbose=0), rtol=1e-3, atol=1e-5
    )
    assert isinstance(dataset, PyDataset)


def test_weights_of_the_steps_of_sequences():
    x = RNG.normal(size=(6, 4, 2)).astype("float32")
    y = x.sum(-1, keepdims=True)
    weights = RNG.uniform(size=(6, 4)).astype("float32")

    def make(api, model, sgd):
        inputs = api.Input((4, 2))
        found = model(inputs, api.Dense(1)(inputs))
        found.compile(optimizer=sgd(0.1), loss="mse", weighted_metrics=["mae"])
        return found

    theirs = make(keras.layers, keras.Model, keras.optimizers.SGD)
    ours = make(layers, Model, SGD)
    ours.set_weights(theirs.get_weights())
    run = {"sample_weight": weights, "batch_size": 4, "epochs": 2, "shuffle": False, "verbose": 0}
    check(ours.fit(x, y, **run).history, theirs.fit(x, y, **run).history)

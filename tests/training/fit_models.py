"""What the tests of training share: small models and data for them."""

from __future__ import annotations

import numpy as np

from kgraph import layers
from kgraph.layers import Dense, Input
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD

RNG = np.random.default_rng(11)


def regression(count=10, width=3):
    x = RNG.normal(size=(count, width)).astype("float32")
    return x, x.sum(1, keepdims=True)


def linear(width=3, units=1, **options):
    model = Sequential([Dense(units, input_dim=width)])
    model.compile(options.pop("optimizer", SGD(0.0)), options.pop("loss", "mse"), **options)
    return model


def two_outputs():
    a, b = Input((2,), name="a"), Input((3,), name="b")
    first = Dense(1, name="first")(layers.concatenate([a, b]))
    second = Dense(2, name="second", activation="softmax")(b)
    return Model([a, b], [first, second])


def two_outputs_data(count=7):
    x = {"a": RNG.normal(size=(count, 2)), "b": RNG.normal(size=(count, 3))}
    y = {"first": RNG.normal(size=count), "second": np.eye(2)[RNG.integers(0, 2, count)]}
    return x, y

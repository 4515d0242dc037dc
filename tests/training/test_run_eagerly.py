"""`compile(run_eagerly=True)`: the same numbers, node by node, and the first NaN by name."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from kgraph import ops
from kgraph.errors import NotFiniteError
from kgraph.layers import (
    LSTM,
    BatchNormalization,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    Lambda,
    Masking,
)
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD

RNG = np.random.default_rng(0)
X = RNG.normal(size=(11, 4)).astype("float32")
Y = RNG.normal(size=(11, 2)).astype("float32")


def dense_net():
    layers = [Dense(6, "relu", input_dim=4), BatchNormalization(), Dropout(0.3), Dense(2)]
    return Sequential(layers), X, Y


def recurrent_net():
    x = np.random.default_rng(1).normal(size=(11, 5, 3)).astype("float32")
    x[:3, 2:] = 0.0
    return Sequential([Masking(input_shape=(5, 3)), LSTM(4), Dense(2)]), x, Y


def train(make, run_eagerly):
    np.random.seed(0)
    model, x, y = make()
    model.compile("adam", "mse", metrics=["mae"], run_eagerly=run_eagerly)
    history = model.fit(x, y, batch_size=4, epochs=3, verbose=0, validation_split=0.2).history
    return [*model.get_weights(), model.predict(x, batch_size=4)], history, model.evaluate(x, y)


@pytest.mark.parametrize("make", [dense_net, recurrent_net])
def test_training_is_the_same_but_for_rounding(make):
    (arrays, history, measured), others = train(make, True), train(make, False)
    for ours, theirs in zip(arrays, others[0], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)
    for name, values in history.items():
        assert values == pytest.approx(others[1][name], rel=1e-5)
    assert measured == pytest.approx(others[2], rel=1e-5)


def line_of(function, text):
    lines, start = inspect.getsourcelines(function)
    return f"{__file__}:{start + next(i for i, line in enumerate(lines) if text in line)}"


def logarithm(x):
    return ops.log(x)


def test_the_first_nan_is_named():
    x = Input((4,), name="x")
    h = Dense(3, kernel_initializer="ones", name="inner")(x)
    model = Model(x, Dense(1, name="outer")(Lambda(logarithm, name="spoil")(h)))
    model.compile("adam", "mse", run_eagerly=True)
    before = [v.numpy() for v in (*model.weights, *model.optimizer.weights)]
    data = np.ones((5, 4), "float32")
    data[3] = -1.0
    with pytest.raises(NotFiniteError) as caught:
        model.fit(data, data[:, :1], verbose=0, shuffle=False)
    message = str(caught.value)
    assert "is made by log of layer" in message
    assert "spoil" in message.splitlines()[0]
    assert "finite numbers from log of shapes (5, 3)" in message
    assert "3 NaN and 0 inf among 15 values, the first at [3, 0]" in message
    assert "float32[5, 3] from -4 to 4" in message
    assert line_of(test_the_first_nan_is_named, 'name="spoil"') in message
    assert "clip the operand" in message
    after = [v.numpy() for v in (*model.weights, *model.optimizer.weights[: len(before) - 4])]
    for old, new in zip(before, after, strict=False):
        np.testing.assert_array_equal(old, new)
    assert int(model.optimizer.iterations) == 0
    with pytest.raises(NotFiniteError, match="reached output"):
        model.predict(data)


def test_an_infinite_gradient_is_named():
    """The root's slope at 0 is infinite, and times 0 it is NaN."""
    x = Input((2,))
    model = Model(x, Lambda(ops.sqrt, name="root")(Dense(1, use_bias=False, name="d")(x)))
    model.compile("sgd", "mse", run_eagerly=True)
    with pytest.raises(NotFiniteError, match=r"made by \w+ of layer .*root"):
        model.train_on_batch(np.zeros((3, 2)), np.ones((3, 1)))


def test_a_step_that_is_too_long_is_named():
    model = Sequential([Dense(1, input_dim=2, use_bias=False, name="d")])
    model.compile(SGD(1e30), "mse", run_eagerly=True)
    with pytest.raises(NotFiniteError, match="smaller learning rate") as caught:
        model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=5, batch_size=2, verbose=0)
    assert "infinity" in str(caught.value)


def test_nan_in_data_and_in_weights_is_named():
    model = Sequential([Dense(2, input_dim=4, name="d")])
    model.compile("sgd", "mse", run_eagerly=True)
    data = X.copy()
    data[7, 1] = np.nan
    with pytest.raises(NotFiniteError, match=r"in the data for input d(ense)?_input") as caught:
        model.fit(data, Y, verbose=0, shuffle=False)
    assert "the first at [7, 1]" in str(caught.value)
    model.layers[0].kernel.value[0, 0] = np.inf
    with pytest.raises(NotFiniteError, match="in the value of variable d/kernel"):
        model.fit(X, Y, verbose=0)


def test_what_is_thrown_away_or_meant_is_no_error():
    """A division that `where` discards, and the -inf of a mask."""

    def shut(x):
        safe = ops.where(ops.equal(x, 0.0), 1.0, 1.0 / x)
        return ops.where(ops.greater(safe, 0.5), safe, -np.inf)

    x = Input((3,))
    model = Model(x, Lambda(shut)(x))
    model.compile("sgd", "mse", run_eagerly=True)
    found = model.predict(np.array([[0.0, 1.0, -1.0]]))
    np.testing.assert_array_equal(found, [[1.0, 1.0, -np.inf]])


@pytest.mark.parametrize("run_eagerly", [False, True])
def test_ids_out_of_bounds_are_named(run_eagerly):
    model = Sequential(
        [Embedding(5, 2, input_length=3, name="table"), Flatten(), Dense(4, name="scores")]
    )
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=run_eagerly)
    with pytest.raises(IndexError, match="id 5 is out of bounds for an axis of size 5") as caught:
        model.fit(np.array([[0, 1, 5]]), np.zeros((1, 1)), verbose=0)
    assert "of layer table" in "".join(caught.value.__notes__)
    with pytest.raises(ValueError, match=r'class id 7 for output "scores" .* it has 4 classes'):
        model.fit(np.array([[0, 1, 2]]), np.full((1, 1), 7), verbose=0)

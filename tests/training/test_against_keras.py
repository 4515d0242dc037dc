"""The loss of every step against Keras 3 on JAX, from the same weights on the same data."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "jax")
import keras

from kgraph import layers
from kgraph.models import Model, Sequential
from kgraph.optimizers import SGD, Adam, RMSprop

# Keras's own variables are not yet up to NumPy 2's `__array__`.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

STEPS, BATCH = 50, 16


def dense_stack(api, model):
    """The same classifier from kgraph's or Keras's layers."""
    return model(
        [
            api.Input((20,)),
            api.Dense(24, activation="relu"),
            api.Dense(16, activation="tanh"),
            api.Dense(5, activation="softmax"),
        ]
    )


def classes(rng):
    x = rng.normal(size=(STEPS * BATCH, 20)).astype("float32")
    y = np.eye(5, dtype="float32")[(x[:, :5] + 0.1 * x[:, 5:10]).argmax(1)]
    return x, y


def losses_of(model, x, y):
    """The loss of each step, training once over the data in its order."""
    starts = range(0, STEPS * BATCH, BATCH)

    def part(data, i):
        return [d[i : i + BATCH] for d in data] if isinstance(data, list) else data[i : i + BATCH]

    found = [model.train_on_batch(part(x, i), part(y, i)) for i in starts]
    return np.array([np.ravel(values) for values in found])


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (
            SGD(0.05, momentum=0.9, nesterov=True),
            keras.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        ),
        (SGD(0.05, momentum=0.9), keras.optimizers.SGD(0.05, momentum=0.9)),
        (Adam(0.01), keras.optimizers.Adam(0.01)),
    ],
    ids=["sgd-nesterov", "sgd-momentum", "adam"],
)
def test_every_step_has_keras_loss(ours, theirs):
    x, y = classes(np.random.default_rng(0))
    reference, model = dense_stack(keras.layers, keras.Sequential), dense_stack(layers, Sequential)
    model.set_weights(reference.get_weights())
    reference.compile(theirs, "categorical_crossentropy")
    model.compile(ours, "categorical_crossentropy")
    found, expected = losses_of(model, x, y), losses_of(reference, x, y)
    np.testing.assert_allclose(found, expected, rtol=1e-4)
    assert found[-5:].mean() < 0.7 * found[:5].mean()


def test_every_step_of_rmsprop_has_the_formulas_loss():
    """Keras 2's RMSprop adds epsilon to the root; gradients are written out in float64."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(STEPS * BATCH, 8)).astype("float32")
    y = (x.sum(1, keepdims=True) > 0).astype("float32")
    model = Sequential(
        [layers.Dense(6, activation="tanh", input_dim=8), layers.Dense(1, activation="sigmoid")]
    )
    model.compile(RMSprop(0.01), "binary_crossentropy")
    weights = [w.astype("float64") for w in model.get_weights()]
    slots = [np.zeros_like(w) for w in weights]
    expected = []
    for i in range(0, STEPS * BATCH, BATCH):
        a, t = x[i : i + BATCH].astype("float64"), y[i : i + BATCH]
        h = np.tanh(a @ weights[0] + weights[1])
        p = 1 / (1 + np.exp(-(h @ weights[2] + weights[3])))
        expected.append(-np.mean(t * np.log(p) + (1 - t) * np.log(1 - p)))
        dz = (p - t) / BATCH
        dh = dz @ weights[2].T * (1 - h * h)
        gradients = [a.T @ dh, dh.sum(0), h.T @ dz, dz.sum(0)]
        for w, s, g in zip(weights, slots, gradients, strict=True):
            s[...] = 0.9 * s + 0.1 * g * g
            w -= 0.01 * g / (np.sqrt(s) + 1e-7)
    np.testing.assert_allclose(losses_of(model, x, y)[:, 0], expected, rtol=1e-4)


def two_heads(api, model):
    """The model of the multi-input guide: an embedding (shared here), two inputs, two outputs."""
    main, aux = api.Input((6,), dtype="int32", name="main_input"), api.Input((5,), name="aux_input")
    shared = api.Dense(8, activation="tanh", name="shared")
    words = api.Flatten()(shared(api.Embedding(30, 8)(main)))
    aux_output = api.Dense(1, activation="sigmoid", name="aux_output")(words)
    both = api.Concatenate()([words, aux])
    for _ in range(2):
        both = api.Dense(8, activation="relu")(both)
    main_output = api.Dense(1, activation="sigmoid", name="main_output")(shared(both))
    return model([main, aux], [main_output, aux_output])


def test_two_heads_with_a_shared_layer_and_loss_weights():
    rng = np.random.default_rng(2)
    count = STEPS * BATCH
    words = rng.integers(0, 30, (count, 6)).astype("int32")
    extra = rng.normal(size=(count, 5)).astype("float32")
    y = (extra.sum(1, keepdims=True) + (words[:, :1] - 15) / 5 > 0).astype("float32")
    x = [words, extra]
    reference = two_heads(keras.layers, keras.Model)
    model = two_heads(layers, Model)
    by_name = {w.path: np.asarray(w) for w in reference.weights}
    for ours, theirs in zip(model.layers, reference.layers, strict=True):
        ours.set_weights(theirs.get_weights())
    assert sum(w.size for w in model.get_weights()) == sum(w.size for w in by_name.values())
    reference.compile(
        keras.optimizers.Adam(0.01), ["binary_crossentropy"] * 2, loss_weights=[1.0, 0.2]
    )
    # Keras 2 gives one loss to every output; Keras 3 refuses that beside a list of weights.
    model.compile(Adam(0.01), "binary_crossentropy", loss_weights=[1.0, 0.2])
    assert model.metrics_names == ["loss", "main_output_loss", "aux_output_loss"]
    found, expected = losses_of(model, x, [y, y]), losses_of(reference, x, [y, y])
    np.testing.assert_allclose(found[:, 0], expected[:, 0], rtol=1e-4)
    np.testing.assert_allclose(found[:, 0], found[:, 1] + 0.2 * found[:, 2], rtol=1e-5)
    assert found[-5:, 0].mean() < found[:5, 0].mean()

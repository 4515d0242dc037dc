"""Activations: values and slopes against JAX, Keras 3 or the formula, on arrays and in graphs."""

import jax
import jax.numpy as jnp
import keras
import numpy as np
import pytest
from layer_harness import random

from kgraph import activations, ops
from kgraph.ir import Dim, Graph, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret
from kgraph.utils.registry import CustomObjectScope

X = np.concatenate([3 * random(6, 8), random(6, 8, seed=1)])
SAME_IN_KERAS = [
    ("softmax", {}), ("elu", {}), ("elu", {"alpha": 0.5}), ("selu", {}), ("softplus", {}),
    ("softsign", {}), ("relu", {}), ("relu", {"negative_slope": 0.1}), ("relu", {"max_value": 1.0}),
    ("relu", {"max_value": 6.0}), ("relu", {"threshold": 0.5}),
    ("relu", {"negative_slope": 0.2, "max_value": 1.5, "threshold": 0.25}), ("tanh", {}),
    ("sigmoid", {}), ("exponential", {}), ("linear", {}), ("gelu", {}),
    ("gelu", {"approximate": True}), ("silu", {}), ("mish", {}), ("leaky_relu", {}), ("relu6", {}),
    ("celu", {}), ("celu", {"alpha": 2.0}), ("glu", {}), ("hard_silu", {}), ("hard_tanh", {}),
    ("log_sigmoid", {}), ("log_softmax", {}), ("sparse_plus", {}),
    ("sparse_sigmoid", {}), ("squareplus", {}), ("soft_shrink", {}), ("hard_shrink", {}),
    ("tanh_shrink", {}), ("threshold", {"threshold": 0.3, "default_value": -1.0}),
]  # fmt: skip


def in_graph(function, x):
    """Value and slope of sum(sin(function(x) / 8)) in a graph with a symbolic batch."""
    node = input_node((Dim.symbol("batch"), *x.shape[1:]), name="x")
    y = function(node)
    slope = grad(ops.sum(ops.sin(y / 8)), [node])[0]
    graph = Graph((node,), (("y", y), ("slope", slope)))
    return interpret(graph, [x])[0]


@pytest.mark.parametrize(("name", "arguments"), SAME_IN_KERAS)
def test_like_keras(name, arguments):
    theirs = getattr(keras.activations, name)

    def expected(x):
        return theirs(x, **arguments)

    def mine(x):
        return activations.get(name)(x, **arguments)

    value, slope = in_graph(mine, X)

    def loss(x):
        y = expected(x)
        return jnp.sum(jnp.sin(y / 8)), y

    wanted, theirs_value = jax.jit(jax.grad(loss, has_aux=True))(X)
    np.testing.assert_allclose(value, theirs_value, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(mine(X), value, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(slope, wanted, rtol=2e-4, atol=2e-5)


def test_hard_sigmoid_is_keras_2s():
    value, slope = in_graph(activations.hard_sigmoid, X)
    np.testing.assert_allclose(value, np.clip(0.2 * X + 0.5, 0, 1), atol=1e-6)
    inside = abs(X) < 2.5
    np.testing.assert_allclose(slope, np.cos(value / 8) / 8 * 0.2 * inside, atol=1e-6)


def test_relu_in_keras_2s_order_of_arguments():
    x = np.array([[-2.0, 0.4, 1.0, 9.0]], "float32")
    found = activations.relu(x, 0.5, 4.0, 0.5)
    np.testing.assert_allclose(found, [[-1.25, -0.05, 1.0, 4.0]], rtol=1e-6)


def test_extreme_inputs_stay_finite():
    x = np.array([[-1e4, -100.0, 0.0, 100.0, 1e4]], "float32")
    for name in ("softmax", "log_softmax", "softplus", "sigmoid", "log_sigmoid", "elu", "gelu",
                 "silu", "mish", "softsign", "sparsemax", "tanh"):  # fmt: skip
        value, slope = in_graph(activations.get(name), x)
        assert np.isfinite(value).all(), name
        assert np.isfinite(slope).all(), name


def test_sparsemax_is_the_nearest_point_of_the_simplex():
    y, slope = in_graph(activations.sparsemax, X)
    np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-5)
    assert (y >= 0).all()
    # Where y > 0 the distance to x is one number a row, elsewhere x lies at or below it.
    shift = (X - y).max(-1, keepdims=True)
    np.testing.assert_allclose(np.where(y > 0, X - y, shift), shift + 0 * X, atol=1e-5)
    # The Jacobian of a row is diag(s) - s s^T / |s|, with s the support of y.
    g = np.cos(y / 8) / 8
    mean = np.where(y > 0, g, 0).sum(-1, keepdims=True) / (y > 0).sum(-1, keepdims=True)
    np.testing.assert_allclose(slope, np.where(y > 0, g - mean, 0), atol=1e-6)


def test_softmax_over_another_axis():
    np.testing.assert_allclose(activations.softmax(X, axis=0).sum(0), 1, rtol=1e-5)
    with pytest.raises(ValueError, match="Cannot apply softmax to a tensor that is 1D"):
        activations.softmax(X[0])


@pytest.mark.parametrize("name", activations.NAMES)
def test_every_name_is_found_and_kept(name):
    function = activations.get(name)
    aliases = {"swish": "silu", "hard_swish": "hard_silu"}
    assert activations.serialize(function) == aliases.get(name, name)


def double(x):
    return x * 2


def test_what_get_accepts():
    assert activations.get(None) is activations.linear
    assert activations.get(double) is double
    assert activations.get("double", {"double": double}) is double
    with CustomObjectScope({"double": double}):
        assert activations.get("double") is double
        assert activations.deserialize("double") is double
    assert activations.serialize(ops.tanh) == "tanh"
    config = keras.activations.serialize(keras.activations.relu)
    assert activations.get(config) is activations.relu
    named = {"module": "builtins", "class_name": "function", "config": "relu"}
    assert activations.get(named) is activations.relu


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: activations.get("rleu"), "Unknown activation function: rleu"),
        (lambda: activations.get(3), "Could not interpret activation function identifier: 3"),
        (lambda: activations.glu(X[:, :3]), "axis size must be divisible by 2"),
        (lambda: activations.serialize(lambda x: x), "A lambda cannot be saved"),
        (lambda: activations.serialize(object()), "Cannot serialize activation function"),
    ],
)
def test_errors(make, text):
    with pytest.raises(ValueError, match=text):
        make()

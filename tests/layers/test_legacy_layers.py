"""MaxoutDense and Highway, which Keras 3 does not have, against their formulas."""

import numpy as np
import pytest
from layer_harness import build_call, check_config, random

from kgraph import layers
from kgraph.layers import Input
from kgraph.layers.serialization import deserialize

X = random(4, 3)


def with_weights(layer):
    """The layer, built, its weights far from their initial values."""
    build_call(layer, [X])
    layer.set_weights([random(*w.shape, seed=i) for i, w in enumerate(layer.get_weights())])
    return layer, layer.get_weights()


@pytest.mark.parametrize("bias", [True, False])
def test_maxout(bias):
    layer, weights = with_weights(layers.MaxoutDense(5, 2, bias=bias))
    assert [w.shape for w in weights] == [(2, 3, 5), (2, 5)][: 1 + bias]
    maps = np.einsum("bi,kio->bko", X, weights[0]) + (weights[1] if bias else 0)
    np.testing.assert_allclose(layer(X), maps.max(1), 1e-5, 1e-5)
    check_config(layer)
    assert layer.output_shape == layer.compute_output_shape((None, 3)) == (None, 5)


@pytest.mark.parametrize("bias", [True, False])
def test_highway(bias):
    layer, weights = with_weights(layers.Highway(activation="tanh", bias=bias))
    assert [w.name.split("/")[1] for w in layer.weights] == ["W", "W_carry", "b", "b_carry"][
        : 2 + 2 * bias
    ]
    b, b_carry = weights[2:] if bias else (0, 0)
    gate = 1 / (1 + np.exp(-(X @ weights[1] + b_carry)))
    expected = gate * np.tanh(X @ weights[0] + b) + (1 - gate) * X
    np.testing.assert_allclose(layer(X), expected, 1e-5, 1e-5)
    check_config(layer)


def test_the_gate_starts_from_one():
    layer = layers.Highway(input_dim=3)
    layer(Input((3,)))
    assert layer.b_carry.numpy().tolist() == [1, 1, 1]
    assert layer.b.numpy().tolist() == [0, 0, 0]


def test_configurations_of_keras_1():
    old = {"output_dim": 6, "nb_feature": 3, "init": "uniform", "W_regularizer": None, "bias": True,
           "W_constraint": None, "input_dim": 4, "name": "maxout"}  # fmt: skip
    layer = deserialize({"class_name": "MaxoutDense", "config": old})
    assert layer(Input((4,)))._keras_shape == (None, 6)
    old = {"init": "glorot_uniform", "activation": "relu", "b_regularizer": None, "input_dim": None}
    layer = deserialize({"class_name": "Highway", "config": {**old, "activity_regularizer": None}})
    assert layer(Input((4,)))._keras_shape == (None, 4)


def test_errors():
    for layer in (layers.MaxoutDense(2), layers.Highway()):
        with pytest.raises(ValueError, match=r"The last dimension of the inputs to .* should be"):
            layer(Input((None,)))
        with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
            layer(Input((2, 3)))
    with pytest.raises(ValueError, match="invalid value for `output_dim`"):
        layers.MaxoutDense(0)

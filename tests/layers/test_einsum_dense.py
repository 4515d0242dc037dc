"""EinsumDense: equations, shapes, gradients and initial values against Keras 3."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random

from kgraph.ir import Graph, Stage
from kgraph.layers import Dense, EinsumDense, Input
from kgraph.layers.serialization import deserialize
from kgraph.passes.lower import lower

X = random(4, 3, 5)


@pytest.mark.parametrize(("arguments", "x"), [
    ({"equation": "ab,bc->ac", "output_shape": 6, "bias_axes": "c"}, X[:, 0]),
    ({"equation": "abc,cd->abd", "output_shape": (3, 2), "bias_axes": "bd"}, X),
    ({"equation": "abc,cde->abde", "output_shape": (3, 2, 4), "bias_axes": "d",
      "activation": "tanh"}, X),
    ({"equation": "abc,bcd->ad", "output_shape": 2}, X),
    ({"equation": "abc,bd->adc", "output_shape": (2, 5), "bias_axes": "dc"}, X),
    ({"equation": "...x,xy->...y", "output_shape": 2, "bias_axes": "y"}, X),
    ({"equation": "ab...,bc->ac...", "output_shape": 2, "bias_axes": "c"}, X),
    ({"equation": "abc,bc->abc", "output_shape": (3, 5), "bias_axes": "c"}, X),
])  # fmt: skip
def test_like_keras(arguments, x):
    layer, other = EinsumDense(**arguments), keras.layers.EinsumDense(**arguments)
    check_like_keras(layer, other, x, tolerance=1e-4)
    check_config(layer)
    shape = (None, *x.shape[1:])
    assert layer.compute_output_shape(shape) == tuple(other.compute_output_shape(shape))
    assert set(layer.get_config()) <= set(other.get_config())
    stored = deserialize(keras.saving.serialize_keras_object(other))
    assert stored.get_config() == {**layer.get_config(), "name": other.name}


@pytest.mark.parametrize("equation", ["...x,xhk->...hk", "abx,xhk->abhk"])
def test_is_one_matrix_product(equation):
    """Both gradients of a product with a matrix are products too."""
    x = Input((None, 8))
    sizes = (2, 3) if "." in equation else (None, 2, 3)
    layer = EinsumDense(equation, sizes, bias_axes="hk")
    nodes = lower(Graph((x,), (("y", layer(x)),), stage=Stage.LAYERS)).nodes
    assert "einsum" not in {n.op.name for n in nodes}
    assert [n.ndim for n in nodes if n.op.name == "matmul"] == [2]


def test_initial_values_know_their_fans():
    layer = EinsumDense("...hk,hkd->...d", 30)
    layer(Input((2, 10, 20)))
    limit = np.sqrt(6 / (200 + 30))
    assert 0.99 * limit < abs(layer.kernel.value).max() <= limit
    fixed = np.arange(6.0).reshape(3, 2)
    layer = EinsumDense("ab,bc->ac", 2, kernel_initializer=lambda shape, dtype=None: fixed)
    np.testing.assert_allclose(layer(X[:, :, 0]), X[:, :, 0] @ fixed, 1e-5)


@pytest.mark.parametrize("batch", [0, 1, 5])
def test_unknown_lengths(batch):
    layer, dense = EinsumDense("...x,xy->...y", 2, bias_axes="y"), Dense(2)
    x = Input((None, 5))
    assert layer(x)._keras_shape == dense(x)._keras_shape == (None, None, 2)
    dense.set_weights(layer.get_weights())
    for length in (0, 3):
        array = random(batch, length, 5)
        np.testing.assert_array_equal(layer(array), dense(array))


@pytest.mark.parametrize(("equation", "shape", "bias", "message"), [
    ("ab,bc", 3, None, "must name an input, a kernel"),
    ("ab->ac", 3, None, "must name an input, a kernel"),
    ("ab,...c->ac", 3, None, "must name an input, a kernel"),
    ("abc,cd->abd", 3, None, "output_shape must have 2 sizes"),
    ("abc,cd->abd", (7, 3), None, "do not match at shared dimension 'b'. Input shape is 3"),
    ("abc,cde->abd", (None, 3), None, "those of the kernel are of input, output"),
    ("abc,cd->abd", (None, 3), "e", "bias_axes='e' must name axes of the output"),
    ("a1c,cd->abd", (None, 3), None, "may hold letters"),
    ("ab,bd->abd", 3, None, "does not fit an operand of 3 axes"),
])  # fmt: skip
def test_errors(equation, shape, bias, message):
    with pytest.raises(ValueError, match=message):
        EinsumDense(equation, shape, bias_axes=bias)(Input((3, 5)))
    with pytest.raises(ValueError, match="needs known sizes"):
        EinsumDense("abc,cd->abd", (None, None))(Input((3, 5)))

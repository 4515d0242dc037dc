"""BatchNormalization and LayerNormalization against Keras 3 and the formulas."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random, step

from kgraph.ir import CallContext, Graph
from kgraph.layers import BatchNormalization, Input, LayerNormalization
from kgraph.passes.lower import inline, merge_updates
from kgraph.runtime.interp import interpret

X4 = random(3, 4, 5, 2) * 2 + 1
BATCH = [
    ({}, X4[:, 0, 0]), ({}, X4), ({"axis": 1}, X4), ({"axis": 2}, X4), ({"axis": -2}, X4[:, 0]),
    ({"center": False}, X4), ({"scale": False}, X4[:, 0, 0]),
    ({"scale": False, "center": False}, X4), ({"momentum": 0.5, "epsilon": 0.1}, X4),
]  # fmt: skip


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("arguments", "x"), BATCH)
def test_batch_normalization_like_keras(arguments, x, training):
    layer, other = BatchNormalization(**arguments), keras.layers.BatchNormalization(**arguments)
    check_like_keras(layer, other, x, training=training, tolerance=1e-4)


def test_moving_statistics_are_biased():
    layer = BatchNormalization()
    found = step(layer, np.array([[1.0], [3.0]], "float32"), training=True)
    np.testing.assert_allclose(found["state"], [[0.02], [1.0]], rtol=1e-6)
    normed = np.array([[-1.0], [1.0]]) / np.sqrt(1.001)
    np.testing.assert_allclose(found["output"], normed, rtol=1e-6)


def test_moving_statistics_move_in_training_only():
    layer, x = BatchNormalization(), X4
    layer(x)
    before = layer.get_weights()
    layer(x)
    np.testing.assert_array_equal(layer.get_weights()[2], before[2])
    layer(x, training=True)
    np.testing.assert_allclose(layer.get_weights()[2], 0.01 * x.mean((0, 1, 2)), rtol=1e-5)
    np.testing.assert_allclose(layer.get_weights()[3], 0.99 + 0.01 * x.var((0, 1, 2)), rtol=1e-5)


def test_a_frozen_batch_normalization_uses_its_moving_statistics():
    layer = BatchNormalization()
    expected = layer(X4)
    layer.trainable = False
    np.testing.assert_array_equal(layer(X4, training=True), expected)
    np.testing.assert_array_equal(layer.moving_mean.value, 0)
    assert len(layer.non_trainable_weights) == 4
    other = keras.layers.BatchNormalization(trainable=False)
    check_like_keras(BatchNormalization(trainable=False), other, X4, training=True)


def test_a_shared_batch_normalization_moves_twice():
    layer = BatchNormalization(momentum=0.5, scale=False, center=False)
    a, b = Input((1,)), Input((1,))
    context = CallContext(training=True)
    roots, _ = inline([layer(a), layer(b)], context)
    graph = Graph((a, b), (("a", roots[0]),), merge_updates(context.updates))
    _, updates = interpret(graph, [np.full((2, 1), 4.0), np.full((2, 1), 8.0)])
    assert updates[layer.moving_mean].tolist() == [(0 * 0.5 + 4 * 0.5) * 0.5 + 8 * 0.5]


def test_masked_steps_do_not_count():
    x = random(4, 6, 3)
    mask = np.random.RandomState(1).rand(4, 6) < 0.6
    layer, other = BatchNormalization(momentum=0.0), keras.layers.BatchNormalization(momentum=0.0)
    expected = other(x, training=True, mask=mask)
    tensor, flags = Input((6, 3)), Input((6,), dtype="bool")
    context = CallContext(training=True)
    (y,), _ = inline([layer(tensor, mask=flags)], context)
    graph = Graph((tensor, flags), (("y", y),), tuple(context.updates))
    (found,), updates = interpret(graph, [x, mask])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(updates[layer.moving_mean], x[mask].mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(updates[layer.moving_variance], x[mask].var(0), rtol=1e-4)
    with pytest.raises(ValueError, match="mask provided should be one dimension less"):
        inline([layer(tensor, mask=tensor)], CallContext(training=True))


@pytest.mark.parametrize("layer", [BatchNormalization(), LayerNormalization(axis=0)])
def test_a_large_mean_does_not_spoil_the_variance(layer):
    x = (1e4 + random(512, 1)).astype("float32")
    if isinstance(layer, LayerNormalization):
        x, layer = x.T, LayerNormalization()
    y = layer(x, training=True) if isinstance(layer, BatchNormalization) else layer(x)
    exact = x.astype("float64")
    expected = (exact - exact.mean()) / np.sqrt(exact.var() + 1e-3)
    np.testing.assert_allclose(y, expected, rtol=1e-2, atol=5e-3)


def test_half_precision_is_computed_in_single():
    x = (100 * random(64, 2)).astype("float16")
    y = BatchNormalization(dtype="float16")(x, training=True)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.std(0), 1, rtol=1e-2)


def test_batch_normalization_in_few_ops():
    layer, x = BatchNormalization(), Input((7,))
    context = CallContext(training=True)
    (y,), _ = inline([layer(x)], context)
    large = [n for n in Graph((x,), (("y", y),)).nodes if n.ndim == 2 and n.inputs]
    assert sorted(n.op.name for n in large) == ["add", "multiply", "square", "subtract"]
    (y,), _ = inline([layer(x)], CallContext(training=False))
    large = [n for n in Graph((x,), (("y", y),)).nodes if n.ndim == 2 and n.inputs]
    assert sorted(n.op.name for n in large) == ["add", "multiply"]


def test_weights_and_their_order():
    layer = BatchNormalization(name="bn")
    layer(Input((3,)))
    names = ["bn/gamma", "bn/beta", "bn/moving_mean", "bn/moving_variance"]
    assert [w.name for w in layer.weights] == names
    assert [w.name for w in layer.trainable_weights] == names[:2]
    bare = BatchNormalization(center=False, scale=False)
    bare(Input((3,)))
    assert len(bare.weights) == 2


LAYER = [
    ({}, X4), ({"axis": 1}, X4), ({"axis": [1, 2, 3]}, X4), ({"axis": (-1, 1)}, X4),
    ({"axis": [2, 3], "scale": False}, X4), ({"center": False, "epsilon": 0.1}, X4[:, 0, 0]),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "x"), LAYER)
def test_layer_normalization(arguments, x):
    axis = arguments.get("axis", -1)
    axes = tuple(sorted(a % x.ndim for a in ([axis] if isinstance(axis, int) else axis)))
    layer = LayerNormalization(**arguments)
    y = layer(x)
    eps = arguments.get("epsilon", 1e-3)
    expected = (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
    assert all(w.shape == tuple(x.shape[a] for a in axes) for w in layer.weights)
    assert layer.compute_output_shape(x.shape) == x.shape
    if list(axes) == (list(axis) if not isinstance(axis, int) else [axis % x.ndim]):
        other = keras.layers.LayerNormalization(**arguments)
        check_like_keras(LayerNormalization(**arguments), other, x, tolerance=1e-4)


def test_configurations():
    check_config(BatchNormalization(axis=1, beta_regularizer="l2", gamma_constraint="nonneg"))
    check_config(LayerNormalization(axis=(1, 2), gamma_initializer="uniform"))
    found = BatchNormalization(name="bn").get_config()
    assert set(found) == {
        "name", "trainable", "dtype", "axis", "momentum", "epsilon", "center", "scale",
        "beta_initializer", "gamma_initializer", "moving_mean_initializer",
        "moving_variance_initializer", "beta_regularizer", "gamma_regularizer",
        "beta_constraint", "gamma_constraint",
    }  # fmt: skip
    assert (found["axis"], found["momentum"], found["epsilon"]) == (-1, 0.99, 1e-3)


def test_errors():
    for layer in (BatchNormalization(), LayerNormalization()):
        with pytest.raises(ValueError, match="Axis -1 of input tensor should have a defined dim"):
            layer(Input((None,)))
    for layer in (BatchNormalization(axis=3), LayerNormalization(axis=[1, 3])):
        with pytest.raises(ValueError, match="Axis 3 is out of bounds for input shape"):
            layer(Input((4, 5)))
    built = BatchNormalization()
    built(Input((4,)))
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 4"):
        built(Input((5,)))
    with pytest.raises(ValueError, match="expected ndim=2, found ndim=3"):
        built(Input((3, 4)))

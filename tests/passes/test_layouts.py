"""Networks with channels first: transposes cancel through everything that follows its axes.

All sizes are equal, so an axis that does not follow its tensor shows in the values.
"""

from __future__ import annotations

import numpy as np
import pytest
from rule_checks import BATCH
from zoo import inference_core, training_core

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.ir.verify import verify
from kgraph.layers import (
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    Softmax,
    add,
    concatenate,
)
from kgraph.models import Model
from kgraph.passes import optimize
from kgraph.passes.pipeline import forward_pipeline
from kgraph.passes.transposes import Transposes
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

N = 4
IMAGE = input_node((BATCH, N, N, N), name="image")
KERNEL = input_node((1, 1, N, N), name="kernel")
ROW, CUBE = input_node((N,), name="row"), input_node((N, N, N), name="cube")
INPUTS = (IMAGE, KERNEL, ROW, CUBE)


def conv(x):
    """A convolution of channels that stand first."""
    return ops.moveaxis(ops.conv(ops.moveaxis(x, 1, -1), KERNEL, padding="same"), -1, 1)


def bare(x):
    """Per-channel factors as a normalisation makes them, from statistics of the batch."""
    mean = ops.mean(x, axis=(0, 2, 3))
    centred = x - ops.reshape(mean, (N, 1, 1))
    factor = ops.rsqrt(ops.mean(ops.square(centred), axis=(0, 2, 3)) + 1e-3)
    return centred * ops.reshape(factor * ROW, (N, 1, 1))


def even(x):
    """The first two channels, and the last two backwards."""
    return ops.concatenate([x[:, :2], x[:, :1:-1]], axis=1)


# name -> (what stands between two convolutions, transposes left in the whole, with gradients)
BETWEEN = {
    "elementwise": (lambda x: ops.tanh(x) * 2, 2, 3),
    "batch statistics": (bare, 2, 3),
    "softmax 1": (lambda x: ops.softmax(x, 1), 2, 3),
    "softmax 3": (lambda x: ops.softmax(x, 3), 2, 3),
    "log_softmax 2": (lambda x: ops.log_softmax(x, 2), 2, 3),
    "concatenate 1": (lambda x: ops.concatenate([x, ops.exp(x)], 1)[:, 2:6], 2, 3),
    "concatenate 2": (lambda x: ops.concatenate([x, -x], 2), 2, 3),
    "argmin 1": (lambda x: ops.cast(ops.argmin(x, 1, keepdims=True), "float32") * x, 2, 3),
    "argmax 2": (lambda x: ops.cast(ops.argmax(x, 2, keepdims=True), "float32") + x, 2, 3),
    "argmax flat": (lambda x: ops.cast(ops.argmax(x), "float32") + x, 3, 4),
    "mean 1": (lambda x: x - ops.mean(x, 1, keepdims=True), 2, 3),
    "mean 2, 3": (lambda x: x - ops.mean(x, (2, 3), keepdims=True), 2, 3),
    "max 3": (lambda x: x * ops.max(x, 3, keepdims=True), 2, 3),
    "sum 2, 3": (lambda x: x + ops.reshape(ops.sum(x, (2, 3)), (-1, N, 1, 1)), 2, 3),
    "sum 1": (lambda x: x + ops.expand_dims(ops.sum(x, 1), 1), 2, 3),
    "row": (lambda x: x * ROW, 2, 3),
    "column": (lambda x: x + ops.reshape(ROW, (N, 1, 1)), 2, 3),
    "cube": (lambda x: x * CUBE, 3, 4),
    "slices": (even, 2, 3),
    "pad": (lambda x: ops.pad(x, ((0, 0), (0, 0), (1, 2), (0, 3))), 2, 3),
    "flip": (lambda x: ops.flip(x, 2), 2, 3),
    "cumsum": (lambda x: ops.cumsum(x, 3), 2, 3),
    "sort": (lambda x: ops.sort(x, 1), 4, 6),
    "reshape": (lambda x: ops.reshape(x, (-1, N, 2, 2 * N)), 4, 6),
}  # fmt: skip


def arrays(batch, seed=0):
    rng = np.random.default_rng(seed)
    shapes = [[batch if d is BATCH else d for d in n.shape] for n in INPUTS]
    return [rng.normal(size=s).astype("float32") for s in shapes]


def graph_of(*nodes):
    return Graph(INPUTS, tuple((f"y{i}", n) for i, n in enumerate(nodes)))


def long_transposes(graph):
    """Transposes of more than a matrix."""
    return sum(n.op is ops.transpose and n.ndim > 2 for n in graph.nodes)


def check_equal(left, right):
    verify(right)
    for batch in (1, 3):
        given = arrays(batch)
        for a, b in zip(interpret(left, given)[0], interpret(right, given)[0], strict=True):
            np.testing.assert_allclose(b, a, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize("name", BETWEEN)
def test_between_two_convolutions(name):
    between, most, _ = BETWEEN[name]
    graph = graph_of(conv(between(conv(IMAGE))))
    result = Transposes().run(graph)
    assert Transposes().run(result) is result
    assert long_transposes(result) == most
    check_equal(graph, result)


@pytest.mark.parametrize("name", BETWEEN)
def test_gradients_between_two_convolutions(name):
    between, _, most = BETWEEN[name]
    loss = ops.sum(ops.square(conv(between(conv(IMAGE)))))
    (better,) = forward_pipeline().rewrite([loss])
    plain, moved = (graph_of(n, *grad(n, [KERNEL, IMAGE])) for n in (loss, better))
    result, _ = optimize(moved)
    assert long_transposes(result) <= most
    check_equal(plain, result)


def test_a_transpose_that_others_read_is_kept():
    inner = conv(IMAGE)
    graph = graph_of(conv(ops.tanh(inner)), inner, ops.sort(inner, 1))
    result = Transposes().run(graph)
    assert long_transposes(result) == 3
    check_equal(graph, result)


@pytest.mark.parametrize(("axis", "keepdims", "left"), [
    ((2, 3), False, 1), ((0, 2, 3), False, 1), ((1,), False, 1), ((1, 2), False, 1),
    ((0, 1, 2, 3), False, 1), ((2,), False, 2), ((2, 3), True, 1), ((1,), True, 1), ((), False, 2),
])  # fmt: skip
def test_reductions_read_any_layout(axis, keepdims, left):
    """Where the axes that are left keep their order, no transpose is left but the first."""
    graph = graph_of(ops.max(ops.tanh(conv(IMAGE)), axis=axis, keepdims=keepdims))
    result = Transposes().run(graph)
    assert long_transposes(result) == left
    check_equal(graph, result)


# -- layers ------------------------------------------------------------------------------------


def network(data_format):
    """All that stands beside a convolution, on images of 8 x 8."""
    first = data_format == "channels_first"
    axis, form = (1 if first else -1), {"data_format": data_format}
    x = Input((3, 8, 8) if first else (8, 8, 3))
    y = Conv2D(4, 3, padding="same", use_bias=False, **form)(x)
    y = Activation("relu")(BatchNormalization(axis=axis)(y))
    branches = [Conv2D(4, 3, padding="same", activation="relu", **form)(y), Conv2D(2, 1, **form)(y)]
    y = MaxPooling2D(2, **form)(concatenate(branches, axis=axis))
    y = Dropout(0.25)(y)
    z = BatchNormalization(axis=axis)(Conv2D(6, 3, padding="same", **form)(y))
    y = Softmax(axis=axis)(Activation("relu")(add([y, z])))
    y = AveragePooling2D(2, **form)(y)
    y = concatenate([Flatten(**form)(y), GlobalAveragePooling2D(**form)(y)])
    model = Model(x, Dense(5, activation="softmax")(Dense(8, activation="relu")(y)))
    model.compile("sgd", "categorical_crossentropy")
    return model


def test_a_network_with_channels_first():
    """One transpose at the input, in training also one of the bytes of dropout's mask."""
    rng = np.random.default_rng(0)
    images, labels = rng.random((6, 8, 8, 3), dtype="float32"), np.eye(5, dtype="float32")[:3]
    labels = np.concatenate([labels, labels])
    found = {}
    for data_format in ("channels_last", "channels_first"):
        np.random.seed(3)
        model = network(data_format)
        x = images if data_format == "channels_last" else np.moveaxis(images, -1, 1).copy()
        graphs = inference_core(model), training_core(model, [x], [labels])
        left = [long_transposes(optimize(graph)[0]) for graph in graphs]
        assert left == ([0, 0] if data_format == "channels_last" else [1, 2])
        found[data_format] = model.predict(x)
    np.testing.assert_allclose(*found.values(), rtol=1e-5, atol=1e-6)


def test_training_with_channels_first_is_training_with_channels_last():
    """Without dropout, whose masks are drawn in the order of the axes, weights stay equal."""
    rng = np.random.default_rng(1)
    images, labels = rng.random((6, 8, 8, 3), dtype="float32"), rng.random((6, 2), dtype="float32")
    weights = []
    for first in (False, True):
        np.random.seed(3)
        axis, form = (1, "channels_first") if first else (-1, "channels_last")
        x = Input((3, 8, 8) if first else (8, 8, 3))
        y = Conv2D(4, 3, activation="relu", data_format=form)(x)
        y = MaxPooling2D(2, data_format=form)(BatchNormalization(axis=axis)(y))
        y = Conv2D(4, 2, activation="relu", data_format=form)(y)
        model = Model(x, Dense(2)(Flatten(data_format=form)(y)))
        model.compile("sgd", "mse")
        given = np.moveaxis(images, -1, 1).copy() if first else images
        model.fit(given, labels, epochs=3, batch_size=3, shuffle=False, verbose=0)
        weights.append(model.get_weights())
    for left, right in zip(*weights, strict=True):
        np.testing.assert_allclose(right, left, rtol=1e-4, atol=1e-6)

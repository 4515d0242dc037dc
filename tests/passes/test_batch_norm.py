"""Normalisations fold into fixed weights, and only there."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from product_checks import (
    BATCH,
    Maker,
    check_rewrite,
    fire,
    graph_from,
    inference_graph,
    keeps,
    misses,
)

from kgraph import layers as ours
from kgraph import ops
from kgraph.layers import Input
from kgraph.models import Model
from kgraph.passes import DropMarkers, Finish, Pipeline, Simplify
from kgraph.passes.batch_norm import FoldBatchNorm
from kgraph.runtime.interp import interpret

FOLD = FoldBatchNorm()
IN, OUT = 6, 4


def x(m):
    return m.input("x", BATCH, IN)


def rows(m):
    return ops.reshape(m.input("x", BATCH, 3, IN), (BATCH * 3, IN))


def w(m, rows=IN, columns=OUT, name="w"):
    return m.state(name, rows, columns)


def vector(m, name, size=OUT, low=-2.0):
    return m.state(name, size, low=low, high=2.0)


def normalised(m, y, size=OUT, name="bn", axes=()):
    """What the layer builds for inference."""
    variance = m.state(f"{name}/variance", size, low=1e-8, high=2.0)
    factor = ops.rsqrt(variance + 1e-3) * vector(m, f"{name}/gamma", size)
    offset = -vector(m, f"{name}/mean", size) * factor + vector(m, f"{name}/beta", size)
    return y * factor + offset


POSITIVE = {
    "scale": (lambda m: (x(m) @ w(m)) * vector(m, "s"), {"fold-after": 1}),
    "scale from the left": (lambda m: vector(m, "s") * (x(m) @ w(m)), {"fold-after": 1}),
    "scale of a bias": (lambda m: (x(m) @ w(m) + vector(m, "b")) * vector(m, "s"),
                        {"fold-after": 1}),
    "divided": (lambda m: (x(m) @ w(m) + vector(m, "b")) / vector(m, "s", low=0.5),
                {"fold-after": 1}),
    "shift": (lambda m: (x(m) @ w(m) + vector(m, "b")) + vector(m, "t"), {"fold-after": 1}),
    "shift back": (lambda m: (x(m) @ w(m) + vector(m, "b")) - vector(m, "t"), {"fold-after": 1}),
    "centred and scaled": (lambda m: (x(m) @ w(m) - vector(m, "b")) * vector(m, "s"),
                           {"fold-after": 1}),
    "one number": (lambda m: (x(m) @ w(m) + vector(m, "b")) * 0.25, {"fold-after": 1}),
    "a row": (lambda m: (x(m) @ w(m)) * m.state("s", 1, OUT), {"fold-after": 1}),
    "a size of one": (lambda m: (x(m) @ w(m)) * m.state("s", 1), {"fold-after": 1}),
    "after a dense layer": (lambda m: normalised(m, x(m) @ w(m) + vector(m, "b")),
                            {"fold-after": 2}),
    "twice": (lambda m: normalised(m, normalised(m, x(m) @ w(m) + vector(m, "b")), name="again"),
              {"fold-after": 4}),
    "under a reshape": (
        lambda m: normalised(m, ops.reshape(rows(m) @ w(m) + vector(m, "b"), (BATCH, 3, OUT))),
        {"fold-after": 2},
    ),
    "scale before": (lambda m: (x(m) * vector(m, "s", IN)) @ w(m), {"fold-scale-before": 1}),
    "scale before a square weight": (
        lambda m: (x(m) * vector(m, "s", IN)) @ w(m, columns=IN), {"fold-scale-before": 1}
    ),
    "divided before": (lambda m: (x(m) / vector(m, "s", IN, low=0.5)) @ w(m),
                       {"fold-scale-before": 1}),
    "one number before": (lambda m: (x(m) / 255.0) @ w(m), {"fold-scale-before": 1}),
    "shift before": (lambda m: (x(m) - vector(m, "t", IN)) @ w(m), {"fold-shift-before": 1}),
    "before a dense layer": (
        lambda m: normalised(m, x(m), IN) @ w(m) + vector(m, "b"),
        {"fold-shift-before": 1, "fold-scale-before": 1, "fold-after": 1},
    ),
    "before a wide dense layer": (
        lambda m: normalised(m, x(m), IN) @ w(m, columns=9) + vector(m, "b", 9),
        {"fold-shift-before": 1, "fold-scale-before": 1, "fold-after": 1},
    ),
    "shift before a wide dense layer": (
        lambda m: (x(m) + vector(m, "t", IN)) @ w(m, columns=9) + vector(m, "b", 9),
        {"fold-shift-into-bias": 1},
    ),
    "before and after": (
        lambda m: normalised(m, normalised(m, x(m), IN) @ w(m) + vector(m, "b"), name="again"),
        {"fold-shift-before": 1, "fold-scale-before": 1, "fold-after": 3},
    ),
    "before, flattened": (
        lambda m: ops.reshape(normalised(m, m.input("x", BATCH, 2, 3), 3), (BATCH, 6)) @ w(m)
        + vector(m, "b"),
        {"fold-shift-before": 1, "fold-scale-before": 1, "fold-after": 1},
    ),
    "before, another axis flattened": (
        lambda m: ops.reshape(m.input("x", BATCH, 2, 3) * m.state("s", 2, 1), (BATCH, 6)) @ w(m),
        {"fold-scale-before": 1},
    ),
    "before, rows joined": (
        lambda m: ops.reshape(normalised(m, m.input("x", BATCH, 3, IN), IN), (BATCH * 3, IN))
        @ w(m),
        {"fold-shift-before": 1, "fold-scale-before": 1},
    ),
}  # fmt: skip


def batch_operations(graph):
    """Ops on tensors with a batch, in order."""
    return [
        n.op.name
        for n in graph.nodes
        if n.inputs and any(not isinstance(d, int) for d in n.shape) and n.op is not ops.reshape
    ]


@pytest.mark.parametrize("name", POSITIVE)
def test_folds(name):
    build, fired = POSITIVE[name]
    check_rewrite(FOLD, build, fired, {"matmul": _products(fired)})
    assert batch_operations(FOLD.run(graph_from(build))) in (["matmul"], ["matmul", "add"])


def _products(fired):
    moved = fired.get("fold-shift-before", 0) + fired.get("fold-shift-into-bias", 0)
    return 1 + moved  # the offset's own product with the weight, of variables alone


NEGATIVE = {
    "a plain dense layer": lambda m: x(m) @ w(m) + vector(m, "b"),
    "the product is an output": lambda m: (y := x(m) @ w(m), y * vector(m, "s")),
    "two normalisations of one layer": lambda m: (
        (y := x(m) @ w(m)) * vector(m, "s"),
        y * vector(m, "t"),
    ),
    "after an activation": lambda m: normalised(m, ops.relu(x(m) @ w(m) + vector(m, "b"))),
    "another axis": lambda m: m.input("x", 3, IN) @ w(m) * m.state("s", 3, 1),
    "a factor that is fed": lambda m: (x(m) @ w(m)) * m.input("s", OUT),
    "a weight that is fed": lambda m: (x(m) @ m.input("w", IN, OUT)) * vector(m, "s"),
    "a bias that is fed": lambda m: (x(m) @ w(m) + m.input("b", OUT)) * vector(m, "s"),
    "a factor that widens": lambda m: (m.input("x", 1, IN) @ w(m)) * m.state("s", 3, OUT),
    "leading axes of the weight": lambda m: (
        (m.input("x", 2, 3, IN) @ m.state("w", 2, IN, OUT)) * vector(m, "s")
    ),
    "divided by": lambda m: vector(m, "s") / (x(m) @ w(m)),
    "taken from": lambda m: vector(m, "s") - (x(m) @ w(m) + vector(m, "b")),
    "shifted into something wider": lambda m: (x(m) + vector(m, "t", IN)) @ w(m, columns=9),
    "the normalised input is an output": lambda m: (y := x(m) * vector(m, "s", IN), y @ w(m)),
    "each row its own factor": lambda m: (m.input("x", 3, IN) * m.state("s", 3, 1)) @ w(m),
    "a square in between": lambda m: ops.square(x(m) * vector(m, "s", IN)) @ w(m),
    "rows cut otherwise": lambda m: (
        ops.reshape(ops.reshape(x(m), (BATCH * 3, 2)) * vector(m, "s", 2), (BATCH, IN)) @ w(m)
    ),
}


@pytest.mark.parametrize("name", NEGATIVE)
def test_leaves_alone(name):
    assert keeps(FOLD, NEGATIVE[name])


def test_graphs_that_update_a_variable_are_left_alone():
    def updated(m):
        weight = w(m)
        return (x(m) @ weight) * vector(m, "s")

    maker = Maker("float32")
    graph = maker.graph(updated, lambda ys: [(maker.state("total"), ops.sum(ys[0]))])
    assert FOLD.run(graph) is graph


def test_says_why_not():
    reasons = misses(FOLD, graph_from(NEGATIVE["another axis"]))
    assert reasons == {
        "fold-after": "the operand differs along other axes than that of the channels"
    }
    reasons = misses(FOLD, graph_from(NEGATIVE["the product is an output"]))
    assert reasons == {"fold-after": "matmul has 2 users"}


def test_a_weight_shared_by_two_normalised_layers():
    def build(m):
        weight, bias = w(m), vector(m, "b")
        branches = (m.input(n, BATCH, IN) @ weight + bias for n in "uv")
        return tuple(normalised(m, y, name=f"bn{i}") for i, y in enumerate(branches))

    check_rewrite(FOLD, build, {"fold-after": 4}, {"matmul": 2})


@pytest.mark.parametrize("gamma", [0.0, -1.5])
def test_a_factor_of_zero_and_a_negative_one(gamma):
    def build(m):
        s = ops.rsqrt(vector(m, "v", low=1e-8) * 0 + 1e-8) * gamma
        return (x(m) @ w(m) + vector(m, "b")) * s

    graph, fired = fire(FOLD, graph_from(build))
    assert fired == {"fold-after": 1}
    value = interpret(graph, [np.ones((2, IN), "float32")])[0][0]
    if gamma == 0:
        assert not value.any()


# -- whole models against Keras ----------------------------------------------------------------
MODELS = {
    "dense, normalised": lambda k: [k.Dense(5), k.BatchNormalization()],
    "no bias": lambda k: [k.Dense(5, use_bias=False), k.BatchNormalization()],
    "not centred": lambda k: [k.Dense(5), k.BatchNormalization(center=False)],
    "not scaled": lambda k: [k.Dense(5), k.BatchNormalization(scale=False)],
    "neither": lambda k: [k.Dense(5), k.BatchNormalization(center=False, scale=False)],
    "another epsilon": lambda k: [k.Dense(5), k.BatchNormalization(epsilon=0.1)],
    "small epsilon": lambda k: [k.Dense(5), k.BatchNormalization(epsilon=1e-6)],
    "normalised first": lambda k: [k.BatchNormalization(), k.Dense(5)],
    "normalised first, wider": lambda k: [k.BatchNormalization(), k.Dense(30, use_bias=False)],
    "normalised twice": lambda k: [k.Dense(5), k.BatchNormalization(), k.BatchNormalization()],
    "between two": lambda k: [k.Dense(5), k.BatchNormalization(), k.Dense(3, activation="tanh")],
    "after an activation": lambda k: [
        k.Dense(5, activation="relu"), k.BatchNormalization(), k.Dense(3, activation="softmax"),
    ],
    "flattened": lambda k: [k.Dense(5), k.BatchNormalization(), k.Flatten(), k.Dense(3)],
    "normalised, flattened": lambda k: [
        k.Dense(5, activation="relu"), k.BatchNormalization(), k.Flatten(), k.Dense(3),
    ],
}  # fmt: skip


CONVOLUTIONS = {
    "padded": lambda k: [k.Conv2D(4, 3, padding="same"), k.BatchNormalization()],
    "strided, no bias": lambda k: [
        k.Conv2D(4, 3, strides=2, use_bias=False), k.BatchNormalization(),
    ],
    "groups": lambda k: [k.Conv2D(4, 2, groups=2), k.BatchNormalization()],
    "one cell": lambda k: [k.Conv2D(5, 1), k.BatchNormalization()],
    "depthwise": lambda k: [k.DepthwiseConv2D(3, depth_multiplier=2), k.BatchNormalization()],
    "separable": lambda k: [k.SeparableConv2D(3, 3), k.BatchNormalization()],
    "transposed": lambda k: [
        k.Conv2DTranspose(3, 3, strides=2, padding="same"), k.BatchNormalization(),
    ],
    "normalised first": lambda k: [k.BatchNormalization(), k.Conv2D(4, 2)],
    "normalised first, groups": lambda k: [k.BatchNormalization(), k.Conv2D(2, 2, groups=2)],
    "normalised first, by channel": lambda k: [k.BatchNormalization(), k.DepthwiseConv2D(2)],
    "between two": lambda k: [k.Conv2D(3, 2), k.BatchNormalization(), k.Conv2D(2, 2)],
}  # fmt: skip
PADDED = {
    "normalised first, padded": lambda k: [
        k.BatchNormalization(), k.Conv2D(4, 3, padding="same"),
    ],
    "normalised first, transposed": lambda k: [
        k.BatchNormalization(), k.Conv2DTranspose(4, 3, strides=2),
    ],
    "between two, padded": lambda k: [
        k.Conv2D(3, 2, activation="relu"), k.BatchNormalization(), k.Conv2D(2, 3, padding="same"),
    ],
}  # fmt: skip


def built(layers, tensor, model):
    first = tensor
    for layer in layers:
        tensor = layer(tensor)
    return model(first, tensor)


PIPELINE = Pipeline((DropMarkers(), Simplify(), FOLD, Simplify(), Finish()))


@pytest.mark.parametrize("shape", [(7,), (3, 7)], ids=str)
@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_keras(name, shape):
    if "flattened" in name and len(shape) == 1:
        shape = (4, 7)
    graph, fired = check_model(MODELS[name], shape)
    assert fired
    assert not {"multiply", "rsqrt"} & set(batch_operations(graph))


def check_model(make, shape):
    """Compares the predictions of the folded graph with Keras's; returns it and what fired."""
    theirs = built(make(keras.layers), keras.Input(shape), keras.Model)
    mine = built(make(ours), Input(shape), Model)
    rng = np.random.default_rng(3)
    weights = [_drawn(rng, v) for v in theirs.weights]
    theirs.set_weights(weights)
    mine.set_weights(weights)
    graph, report = PIPELINE.run(inference_graph(mine))
    data = rng.normal(size=(9, *shape)).astype("float32")
    (value,), _ = interpret(graph, [data])
    expected = theirs.predict(data, verbose=0)
    np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6 * np.abs(expected).max())
    return graph, report["fold_batch_norm"].fired


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_beside_a_convolution(name):
    graph, fired = check_model(CONVOLUTIONS[name], (6, 5, 2))
    assert fired
    assert not {"multiply", "rsqrt"} & set(batch_operations(graph))


@pytest.mark.parametrize("name", PADDED)
def test_a_shift_stays_before_a_convolution_that_pads(name):
    graph, fired = check_model(PADDED[name], (6, 5, 2))
    assert not fired
    assert "multiply" in batch_operations(graph)


def test_a_factor_alone_folds_into_a_convolution_that_pads():
    def build(m):
        kernel = m.state("k", 3, 3, 2, 4)
        return ops.conv(m.input("x", BATCH, 5, 5, 2) * vector(m, "s", 2), kernel, padding="same")

    check_rewrite(FOLD, build, {"fold-scale-before": 1}, {"conv": 1})


def _drawn(rng, variable):
    if variable.name == "moving_variance":
        return rng.choice([1e-8, 0.3, 1.0, 5.0], variable.shape).astype("float32")
    return rng.normal(size=variable.shape).astype("float32")


def test_a_large_mean_loses_no_more_than_before():
    def build(m):
        mean = m.state("mean", IN, low=900.0, high=1100.0)
        s = m.state("s", IN, low=0.5, high=2.0)
        return (m.input("x", BATCH, IN) * s - mean * s) @ w(m) + vector(m, "b")

    old, wide = graph_from(build), graph_from(build, "float64")
    new, fired = fire(FOLD, old)
    assert fired["fold-scale-before"] == 1
    data = (1000 + np.random.default_rng(0).normal(size=(50, IN))).astype("float32")
    (truth,), _ = interpret(wide, [data.astype("float64")])
    before, after = (np.abs(interpret(g, [data])[0][0] - truth).max() for g in (old, new))
    assert after <= 4 * before + 1e-3

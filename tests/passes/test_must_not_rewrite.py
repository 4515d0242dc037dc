"""Graphs that look as if they could be simplified, and must not be.

The register of what compilers got wrong. Convolutions join it when there are such ops.
"""

from __future__ import annotations

import numpy as np
import pytest
from rule_checks import BATCH

from kgraph import config, ops
from kgraph.ir import Dim, Graph, const, input_node
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.node import build
from kgraph.ir.op import OPS
from kgraph.layers import BatchNormalization, Dense, Embedding, Input
from kgraph.models import Sequential
from kgraph.passes import Finish, Pipeline, optimize
from kgraph.passes.lower import lower
from kgraph.runtime.executable import compile

X = input_node((BATCH, 3), name="x")
WIDE = input_node((BATCH, 3), "float64", "wide")
N = input_node((BATCH, 3), "int32", "n")
BYTES = input_node((BATCH, 3), "uint8", "bytes")
WIDTHS = input_node((3,), name="widths")
SQUARE = input_node((3, 3), name="square")
STEPS = Dim.symbol("steps")
FLAT = input_node((BATCH * STEPS, 3), name="flat")

ROWS = input_node((STEPS, BATCH, 3), name="rows")


def loop(step, init=X):
    """The last carry of a loop over rows, or what its steps give."""
    last, ys = ops.scan(step, init, ROWS)
    return last if ys is None else ys


def count_and_draw(n, x):
    return n + 1, x * ops.random_bernoulli(n, (3,), p=0.5, seed=1, site=1)


def draw(site):
    """A dropout mask."""
    return OPS["random_bernoulli"](build(RNG_STEP), (BATCH, 3), p=0.5, seed=1, site=site)


ALWAYS = {
    "x * 0 is NaN at infinity": X * 0,
    "x - x is NaN at infinity": X - X,
    "x / x is NaN at 0": X / X,
    "log(exp x) overflows": ops.log(ops.exp(X)),
    "exp(log x) is NaN below 0": ops.exp(ops.log(X)),
    "relu makes ties": ops.argmax(ops.relu(X), axis=1),
    "tanh saturates": ops.argmax(ops.tanh(X), axis=1),
    "1 / (1 / x) rounds twice": 1 / (1 / X),
    "x + 0 loses the sign of -0.0": X + 0,
    "0 - x is not -x at 0": 0 - X,
    "sqrt(x * x) overflows": ops.sqrt(ops.square(X)),
    "a quotient that decides a step": ops.floor(X / 49),
    "a quotient that is compared": ops.equal(X * 2 / 3, 1),
    "a remainder of a quotient": ops.cast(ops.abs(X / 10), "int32"),
    "rounding by a large constant": X + 12582912 - 12582912,
    "constants whose product vanishes": X * 1e-30 * 1e-30,
    "maximum of zeros in another order": ops.maximum(0.0, X),
    "a difference is no sum": X - WIDTHS * 3,
    "x ** 0.5 differs at -0.0": X**0.5,
    "n // 2 * 2 drops a bit": N // 2 * 2,
    "a narrower middle": ops.cast(ops.cast(WIDE, "float32"), "float64"),
    "NaN and far floats to integers": ops.cast(ops.cast(X, "float64"), "int32"),
    "integers beyond 24 bits": ops.cast(ops.cast(N, "float32"), "int32"),
    "abs of a negated byte": ops.abs(-BYTES),
    "NaN is not equal to itself": ops.equal(X, X),
    "NaN is not below itself": X <= X,
    "softmax with an epsilon": ops.exp(X) / (ops.sum(ops.exp(X), axis=1, keepdims=True) + 1e-9),
    "softmax over all axes": ops.exp(X) / ops.sum(ops.exp(X), keepdims=True),
    "logarithm made safe by hand": ops.log(ops.softmax(X) + 1e-7),
    "logarithm clipped by hand": ops.log(ops.clip(ops.softmax(X), 1e-7, 1)),
    "logarithm to another base": ops.log2(ops.softmax(X)),
    "loss over another axis": ops.categorical_crossentropy(X, ops.softmax(X, axis=0)),
    "ones that give the shape": X * const(np.ones((2, 1, 1), "float32")),
    "a sum that gives the dtype": ops.sum(BYTES[:, :1], axis=1),
    "two dropouts of one rate": X * draw(1) * draw(2),
    "another split of rows": ops.reshape(FLAT, (BATCH, STEPS, 3)),
    "a float64 output": WIDE * 2.5,
    "a slice that may be too long": X[1:][:1],
    "two different transposes": ops.argmin(ops.transpose(X), axis=0),
    "a transpose of something that others read": ops.transpose(X) * ops.tanh(ops.transpose(X)),
    "a product whose weights need its sibling": X @ SQUARE + X @ (ops.transpose(X) @ (X @ SQUARE)),
    "an exponential that others read": ops.exp(X) * ops.exp(WIDTHS) + ops.exp(X),
    "0 * x in a sum": ops.sum(X * 0, axis=1),
    "an infinity times a sum": ops.sum(X * np.inf, axis=1),
    "a maximum of no elements": ops.max(ops.broadcast_to(WIDTHS, (BATCH, 3)), axis=0),
    "the mean of x over the batch is NaN for no x": ops.mean(X, axis=0) * 3,
    "comparison with a NaN": ~(X < WIDTHS),
    "a draw of every step": loop(count_and_draw, const(0, "int64")),
    "a product of what a step reads and what it finds": loop(
        lambda h, x: (ops.tanh((h + x) @ SQUARE), None)
    ),
    "two carries that change places": loop(lambda c, x: ((c[1], c[0] + x), c[0]), (X, X)),
}
STRICT = {
    "x / 3 is not x * (1 / 3)": X / 3,
    "constants that meet": X * 3 * 5,
    "a common factor": X * 3 + X * 5,
    "a factor out of a sum": ops.sum(X * 3, axis=1),
    "a sum of sums": ops.sum(ops.sum(SQUARE, axis=1)),
    "a sum of equal elements": ops.sum(ops.broadcast_to(WIDTHS, (4, 3)), axis=0),
    "a sum in another order": ops.sum(ops.transpose(SQUARE), axis=0),
    "rows of a product": (X @ SQUARE)[:1],
    "a transposed product": ops.transpose(ops.transpose(SQUARE) @ SQUARE),
    "two orders of a maximum": ops.maximum(X, WIDTHS) * ops.maximum(WIDTHS, X),
    "a cube": X**3,
    "a square may round otherwise": X**2,
    "a sum of one -0.0": ops.sum(X[:, :1], axis=1),
    "log-softmax": ops.log(ops.softmax(X)),
    "log1p": ops.log(X + 1),
    "a product in every step": loop(lambda h, x: (ops.tanh(h + x @ SQUARE), None)),
}


def unchanged(node):
    """Whether the default pipeline leaves the graph node for node as it is."""
    inputs = tuple(n for n in Graph((), (("y", node),)).nodes if n.op.name == "input")
    graph = Graph(inputs, (("y", node),))
    result, report = optimize(graph)
    return result.outputs[0][1] is node and not report.fired


@pytest.mark.parametrize("why", ALWAYS)
def test_left_alone_by_default(why):
    assert unchanged(ALWAYS[why])


@pytest.mark.parametrize("why", [*ALWAYS, *STRICT])
def test_left_alone_under_strict_numerics(why, monkeypatch):
    monkeypatch.setattr(config, "numerics", "strict")
    assert unchanged({**ALWAYS, **STRICT}[why])


@pytest.mark.parametrize("why", STRICT)
def test_but_not_under_the_default(why):
    assert not unchanged(STRICT[why])


def test_real_number_identities_need_fast_numerics(monkeypatch):
    monkeypatch.setattr(config, "numerics", "fast")
    for why in ("x * 0 is NaN at infinity", "log(exp x) overflows", "x + 0 loses the sign of -0.0"):
        assert not unchanged(ALWAYS[why])


def test_batch_statistics_are_no_constants(monkeypatch):
    for numerics in ("strict", "safe", "fast"):
        monkeypatch.setattr(config, "numerics", numerics)
        model = Sequential([Input((3,)), Dense(4), BatchNormalization()])
        graph, _ = optimize(lower(model.graph, training=True))
        assert len(graph.updates) == 2
        assert {s.name for s in graph.states} == {v.name for v in model.weights}
        assert len([n for n in graph.nodes if n.op.name in ("mean", "sum", "fused")]) >= 2


def test_reduction_is_not_joined_with_what_needs_it():
    e = ops.exp(X)
    graph = Graph((X,), (("y", ops.sin(e) + ops.sum(e, axis=1, keepdims=True)),))
    x = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
    expected = np.sin(np.exp(x)) + np.exp(x).sum(1, keepdims=True)
    np.testing.assert_allclose(compile(graph)(x)[0], expected, rtol=2e-6)


def test_nothing_is_written_into_what_the_user_gave():
    graph = Graph((X, WIDTHS), (("a", X + X), ("b", ops.exp(X)), ("c", X), ("d", X * WIDTHS)))
    executable = compile(graph)
    x = np.arange(12, dtype="float32").reshape(4, 3)
    widths = np.ones(3, "float32")
    stretched = np.broadcast_to(widths, (4, 3))  # rows that share their memory
    for given_array in (x, stretched):
        before = given_array.copy()
        outputs = executable(given_array, widths)
        np.testing.assert_array_equal(given_array, before)
        np.testing.assert_array_equal(widths, 1)
        kept = [o.copy() for o in outputs]
        executable(given_array + 1, widths)
        for output, copy in zip(outputs, kept):
            np.testing.assert_array_equal(output, copy)
        for i, output in enumerate(outputs):
            assert not np.shares_memory(output, given_array)
            assert not any(np.shares_memory(output, other) for other in outputs[:i])


def test_dense_gradient_of_embedding_under_adam():
    """Adam moves every row at each step, also those that no id names."""
    model = Sequential([Input((2,), dtype="int32"), Embedding(5, 3)])
    model.compile("adam", "mse")
    ids, target = np.array([[0, 1]], "int32"), np.ones((1, 2, 3), "float32")
    model.train_on_batch(ids, target)
    before = model.get_weights()[0].copy()
    model.train_on_batch(np.array([[3, 4]], "int32"), target)
    assert np.all(model.get_weights()[0][:2] != before[:2])
    np.testing.assert_array_equal(model.get_weights()[0][2], before[2])


M = input_node((64, 300), name="m")
LAYOUTS = {
    "a transposed sum": ops.sum(ops.transpose(M) * 1, axis=1),
    "the other axis of it": ops.sum(ops.transpose(M) * 1, axis=0),
    "a part of what was joined": ops.sum(ops.concatenate([M, M * 2], 1)[:, :300], axis=1),
    "a part of what was computed": ops.sum(ops.tanh(M)[:, :100], axis=1),
    "a sandwich": ops.sum(ops.transpose(ops.tanh(ops.transpose(M))), axis=1),
    "a row that is repeated": ops.sum(ops.tanh(ops.broadcast_to(M[:1] / 3, (64, 300))), axis=0),
    "a product of a copy": (ops.transpose(M) * 1) @ M,
}


@pytest.mark.parametrize("what", LAYOUTS)
def test_strict_numerics_keep_how_elements_lie(what, monkeypatch):
    monkeypatch.setattr(config, "numerics", "strict")
    graph = Graph((M,), (("y", LAYOUTS[what]),))
    m = np.random.default_rng(0).normal(size=(64, 300)).astype("float32")
    plain = compile(graph, pipeline=Pipeline((Finish(),)))(m)[0]
    np.testing.assert_array_equal(compile(graph)(m)[0], plain)

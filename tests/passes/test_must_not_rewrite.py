"""Graphs that look as if they could be simplified, and must not be."""

from __future__ import annotations

import numpy as np
import pytest
from rule_checks import BATCH

from kgraph import config, ops
from kgraph.ir import Dim, Graph, const, input_node
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.node import build
from kgraph.ir.op import OPS
from kgraph.passes import optimize

X = input_node((BATCH, 3), name="x")
WIDE = input_node((BATCH, 3), "float64", "wide")
N = input_node((BATCH, 3), "int32", "n")
BYTES = input_node((BATCH, 3), "uint8", "bytes")
STEPS = Dim.symbol("steps")
FLAT = input_node((BATCH * STEPS, 3), name="flat")


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
    "x / 3 is not x * (1 / 3)": X / 3,
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
    "two different transposes": ops.transpose(ops.tanh(ops.transpose(X)))[:, :2],
}
STRICT = {
    "a square may round otherwise": X**2,
    "a sum of one -0.0": ops.sum(X[:, :1], axis=1),
    "log-softmax": ops.log(ops.softmax(X)),
    "log1p": ops.log(1 + X),
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

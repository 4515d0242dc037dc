"""A chain of 100,000 nodes goes through everything: no walk recurses, none takes quadratic time."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Graph, input_node, toposort
from kgraph.ir.printer import to_text
from kgraph.ir.serialize import dumps
from kgraph.runtime.autodiff import grad, is_backward
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

DEPTH = 100_000
START = np.array([0.5, -1.0, 2.0])


def chain(depth):
    x = y = input_node((3,), "float64", "x")
    for _ in range(depth):
        y = ops.sin(y)
    return x, y


def values(depth):
    """sin applied `depth` times to the start, and the derivative of that."""
    x, slope = START, np.ones(3)
    for _ in range(depth):
        slope = slope * np.cos(x)
        x = np.sin(x)
    return x, slope


@pytest.fixture(scope="module")
def deep():
    x, y = chain(DEPTH)
    return x, y, Graph((x,), (("y", y),))


def test_prints_and_saves(deep):
    graph = deep[2]
    assert len(graph) == DEPTH + 1
    assert to_text(graph).count("sin(") == DEPTH
    assert len(dumps(graph)) > DEPTH


def test_runs(deep):
    graph = deep[2]
    expected = values(DEPTH)[0]
    np.testing.assert_allclose(interpret(graph, [START])[0][0], expected, rtol=1e-12)
    np.testing.assert_allclose(compile(graph)(START)[0], expected, rtol=1e-12)


def test_differentiates(deep):
    x, y, _ = deep
    (slope,) = grad(y, [x])
    assert slope.type == x.type
    # A cosine and a product for each sine; the outermost sine's product is with one.
    assert sum(map(is_backward, toposort([slope]))) == 2 * DEPTH
    found = interpret(Graph((x,), (("slope", slope),)), [START])[0][0]
    np.testing.assert_allclose(found, values(DEPTH)[1], rtol=1e-8)


def test_the_gradient_of_a_chain_compiles():
    x, y = chain(DEPTH // 20)
    run = compile(Graph((x,), (("y", y), ("slope", grad(y, [x])[0]))))
    found = run(START)
    for mine, expected in zip(found, values(DEPTH // 20), strict=True):
        np.testing.assert_allclose(mine, expected, rtol=1e-8)


def test_goes_away_without_recursion():
    x, y = chain(DEPTH)
    (slope,) = grad(ops.exp(y), [y])
    del x, y, slope
    assert gc.collect() >= 0

"""Slices of slices are NumPy's."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_checks import count, graph_of

from kgraph.ir import input_node
from kgraph.ops.slicing import slice_
from kgraph.passes import Simplify
from kgraph.runtime.interp import interpret

SIZE = 23
X = input_node((SIZE,), "int32", "x")
VALUES = np.arange(SIZE, dtype="int32")
BOUNDS = st.tuples(st.integers(0, SIZE), st.integers(0, SIZE), st.integers(1, 5))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(BOUNDS, BOUNDS)
def test_slice_of_slice(inner, outer):
    expected = VALUES[slice(*inner)][slice(*outer)]
    node = X[slice(*inner)][slice(*outer)]
    graph = Simplify().run(graph_of((X,), node))
    assert count(graph, "slice") <= (1 if expected.size else 2)
    (found,), _ = interpret(graph, [VALUES])
    np.testing.assert_array_equal(found, expected)


def test_steps_multiply():
    assert Simplify().rewrite([X[1:21:3][1:6:2]])[0] is slice_(X, (4,), (17,), (6,))

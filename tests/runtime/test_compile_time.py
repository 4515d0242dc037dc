"""Compiling 2,000 nodes, from the graph to a plan that has run once, takes less than a second."""

from __future__ import annotations

import time

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Graph, input_node
from kgraph.runtime.executable import compile

NODES = 2000


def web(seed):
    """A graph in which every node reads the oldest and any of the eight last ones."""
    rng = np.random.default_rng(seed)
    x = input_node((Dim.symbol("batch"), 16), name="x")
    recent = [x] * 8
    for choice, other in rng.integers(0, (4, 8), (NODES + 100, 2)):
        a, b = recent[0], recent[other]
        made = (ops.tanh(a + b), a * b, ops.maximum(a, b), ops.sigmoid(a - b))[choice]
        recent = [*recent[1:], made]
    return Graph((x,), tuple((f"y{i}", node) for i, node in enumerate(recent)))


def test_two_thousand_nodes():
    """A third of a second where this was written; the best of three, as the machine is shared."""
    best = float("inf")
    for seed in range(3):
        graph = web(seed)
        assert len(graph) >= NODES
        start = time.perf_counter()
        plan = compile(graph).bind({"batch": 32})
        plan.inputs[0][...] = 0.1
        plan.run()
        best = min(best, time.perf_counter() - start)
        assert all(np.isfinite(y).all() for y in plan.outputs)
    assert best < 1.0

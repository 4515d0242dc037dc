"""The smallest graphs at which fuzzing found something, each mended since."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from agreement import Case

from kgraph import ops
from kgraph.ir import Dim, Graph, Node, const, input_node
from kgraph.testing.feeds import feed

BATCH = Dim.symbol("batch")
X = input_node((BATCH, 3), name="x")
S = input_node((), name="s")


def scaled_and_transposed_twice() -> Node:
    """`transposes` looked a scalar operand up before it was made."""
    scaled = S * const(np.ones((1, 2, 2)), "float32")
    turned = ops.transpose(scaled, (2, 1, 0))
    return turned @ ops.transpose(turned, (0, 2, 1))


# What was found -> the graph, and the batch at which it showed.
FINDS = {
    "logsumexp of an empty batch": (ops.log(ops.sum(ops.exp(X), axis=0)), 0),
    "a scalar in a transposed cluster": (scaled_and_transposed_twice(), 1),
}


@pytest.mark.parametrize("variant", range(3))
@pytest.mark.parametrize("name", FINDS)
def test_find(name, variant):
    root, batch = FINDS[name]
    inputs = tuple(n for n in Graph((), (("y", root),)).nodes if n.op.name == "input")
    graph = Graph(inputs, (("y", root),))
    arrays = feed(graph, np.random.default_rng(0), batch=batch)
    case = Case(graph, arrays, tame=True, variant=variant)
    for oracle in (oracles.pipeline, oracles.poisoned_plan, oracles.disguised_call):
        oracle(case)

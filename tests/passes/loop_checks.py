"""Helpers of the tests on loops: what is left of a loop, and whether its values stay."""

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Graph, input_node
from kgraph.ir.body import all_bodies
from kgraph.ir.leaves import const
from kgraph.passes import Finish, Pipeline
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret

TIME, BATCH = Dim.symbol("time"), Dim.symbol("batch")
XS = input_node((TIME, BATCH, 4), name="xs")
W = input_node((4, 3), name="w")
STATE = input_node((BATCH, 3), name="state")
LENGTHS = (0, 1, 2, 7)
PLAIN = Pipeline((Finish(),))


def zeros(*shape):
    return ops.broadcast_to(const(0.0), shape)


def graph_of(*outputs):
    """The graph of these outputs over all inputs."""
    return Graph((XS, W, STATE), tuple((f"y{i}", y) for i, y in enumerate(outputs)))


def loops(graph):
    """The loops of a graph, operands first."""
    return [n for n in graph.nodes if n.op is ops.scan]


def inside(graph, name=None):
    """Op names in the bodies of a graph's loops, leaves left out; or how many of one op."""
    names = [n.op.name for b in all_bodies(graph.nodes) for n in b.nodes if n.inputs]
    return names if name is None else names.count(name)


def feeds(length, batch=2):
    """Arrays for the inputs."""
    rng = np.random.default_rng(length)
    shapes = ((length, batch, 4), (4, 3), (batch, 3))
    return [rng.normal(size=shape).astype("float32") for shape in shapes]


def check_values(graph, better, exact=True):
    """Interpreter and plan give what the interpreter gives for the graph as it was."""
    same = np.testing.assert_array_equal if exact else close
    for length in LENGTHS:
        arrays = feeds(length)
        expected, _ = interpret(graph, arrays)
        for found in (interpret(better, arrays)[0], compile(better, pipeline=PLAIN)(*arrays)):
            for a, b in zip(found, expected, strict=True):
                same(a, b)
    for a, b in zip(compile(graph)(*arrays), expected, strict=True):
        close(a, b)


def close(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def run(step, graph):
    """What a pass makes of a graph; a second run changes nothing."""
    better = step.run(graph)
    assert step.run(better) is better
    return better

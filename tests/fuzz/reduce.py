"""Makes a failing graph small: fewer roots, and inputs in the place of what is below a node."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from agreement import Case, evaluate

from kgraph.ir import Graph, Node, input_node, substitute
from kgraph.testing.drawn_graphs import trimmed

MOST_TRIALS = 400


def reduced(case: Case, fails: Callable[[Case], bool]) -> Case:
    """A smaller case that still fails.

    Args:
        case: one that fails.
        fails: whether a case does.

    Returns:
        The smallest one found in a bounded number of trials.
    """
    trials = 0
    while True:
        for smaller in candidates(case):
            trials += 1
            if trials > MOST_TRIALS:
                return case
            if fails(smaller):
                case = smaller
                break
        else:
            return case


def candidates(case: Case) -> Iterator[Case]:
    """Smaller cases, the smallest first."""
    graph = case.graph
    for name, root in graph.outputs:
        if len(graph.roots) > 1:
            yield _with(case, Graph(graph.inputs, ((name, root),)))
    for update in graph.updates:
        if len(graph.roots) > 1:
            yield _with(case, Graph(graph.inputs, (), (update,)))
    for i in range(len(graph.roots)):
        if len(graph.roots) > 1:
            yield _with(case, _without_root(graph, i))
    values: dict[Node, object] = {}
    evaluate(case, keep=values, wide=False)
    for node in reversed(graph.nodes):
        if node.inputs and len(node.types) == 1 and node.op.name != "item":
            yield from _cut(case, node, values)


def _cut(case: Case, node: Node, values: dict[Node, object]) -> Iterator[Case]:
    """The graph with a fresh input, or an operand of the same type, in a node's place."""
    graph = case.graph
    for operand in node.inputs:
        if operand.types == node.types:
            roots = substitute(graph.roots, {node: operand})
            yield _with(case, graph.with_roots(roots))
    leaf = input_node(node.shape, node.dtype, f"cut{len(graph.inputs)}")
    roots = substitute(graph.roots, {node: leaf})
    inputs = (*graph.inputs, leaf)
    arrays = [*case.arrays, values[node]]
    wider = replace(case, arrays=arrays, graph=Graph(inputs, graph.outputs, graph.updates))
    yield _with(wider, wider.graph.with_roots(roots))


def _without_root(graph: Graph, index: int) -> Graph:
    count = len(graph.outputs)
    outputs = tuple(o for i, o in enumerate(graph.outputs) if i != index)
    updates = tuple(u for i, u in enumerate(graph.updates) if i + count != index)
    return Graph(graph.inputs, outputs, updates)


def _with(case: Case, graph: Graph) -> Case:
    """The case of another graph over some of the same inputs."""
    small = trimmed(graph)
    table = dict(zip(case.graph.inputs, case.arrays, strict=True))
    return replace(case, graph=small, arrays=[table[n] for n in small.inputs])

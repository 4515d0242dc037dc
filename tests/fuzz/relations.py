"""Oracles of relations: the same graph told otherwise, one executable at several sizes."""

from __future__ import annotations

import numpy as np
from agreement import Case, DisagreementError, run_roots, same_bits
from oracles import LEVELS, RUNS, compiled, optimized, successive

from kgraph.errors import KGraphError
from kgraph.ir import Graph, Node, input_node, transform
from kgraph.ir.graph import substitute
from kgraph.ir.node import rebuild
from kgraph.passes import CORE
from kgraph.passes.constants import COMMUTATIVE
from kgraph.testing.feeds import feed

ROWS = (4, 1, 0)


def told_otherwise(case: Case) -> None:
    """Other names, inputs and outputs in another order, sums the other way, each output twice."""
    graph = case.graph
    rng = np.random.default_rng(case.variant)
    leaves = [input_node(n.shape, n.dtype, f"z{i}") for i, n in enumerate(graph.inputs)]
    roots = substitute(graph.roots, dict(zip(graph.inputs, leaves, strict=True)))
    roots = transform(roots, lambda n: _turned(n) if rng.random() < 0.5 else n)
    values, order = roots[: len(graph.outputs)], rng.permutation(len(graph.outputs))
    outputs = tuple((f"o{k}", values[i]) for k, i in enumerate([*order, *order]))
    updates = zip([v for v, _ in graph.updates], roots[len(values) :], strict=True)
    other = Graph(tuple(leaves[::-1]), outputs, tuple(updates))
    level = LEVELS[case.variant % 3]
    found, exact = optimized(other, CORE, level)
    first, second, rest = _thirds(run_roots(found, case.arrays[::-1]), len(order))
    if not all(map(same_bits, first, second)):
        raise DisagreementError("an output that is given twice has two values")
    back = [first[k] for k in np.argsort(order)]
    case.check([*back, *rest], exact or level == "strict", level == "fast")


def _turned(node: Node) -> Node:
    """The node with its operands exchanged, where that changes no bit."""
    return rebuild(node, node.inputs[::-1]) if node.op in COMMUTATIVE else node


def _thirds(
    values: tuple[np.ndarray, ...], count: int
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    return values[:count], values[count : 2 * count], values[2 * count :]


def several_sizes(case: Case) -> None:
    """One executable runs batches of several sizes in turn, the first one again at the end."""
    step = compiled(case)
    rng = np.random.default_rng(case.variant)
    kind = "whole" if case.tame else "special"
    others = [
        Case(case.graph, feed(case.graph, rng, batch=rows, kind=kind), case.tame, case.variant)
        for rows in ROWS
    ]
    runs = 0
    for other in (case, *others, case):
        try:
            other.base  # noqa: B018  # the interpreter must be able to run it
        except (KGraphError, IndexError, ValueError):
            continue  # no row to take
        successive(other, lambda fed=other.arrays: step(*fed), runs)
        runs += RUNS

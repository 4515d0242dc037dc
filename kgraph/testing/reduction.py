"""The smallest graph that still fails: fewer outputs, earlier nodes, operands cut off as inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from kgraph.errors import KGraphError
from kgraph.ir.dim import Dim
from kgraph.ir.graph import Graph, substitute
from kgraph.ir.leaves import input_node, is_const
from kgraph.ir.node import Node
from kgraph.runtime.interp import interpret
from kgraph.testing.drawn_graphs import trimmed

PLACES = 256  # elements that are tried one by one

# A graph and the arrays of its inputs.
Case = tuple[Graph, list[np.ndarray]]
Fails = Callable[[Graph, list[np.ndarray]], bool]


def smallest(graph: Graph, arrays: Sequence[np.ndarray], fails: Fails) -> Case:
    """Reduces a failing graph greedily, as long as it fails.

    Args:
        graph: a CORE graph without states (see `as_function`), on which `fails` is true.
        arrays: one an input.
        fails: whether a graph on arrays still shows the failure; what it raises counts as no.

    Returns:
        A graph of one output whose earlier nodes do not fail, and its arrays. Operands of the
        output that play no part in the failure are inputs that hold their values.

    Example:
        >>> from kgraph import ops
        >>> x = input_node((2,), name="x")
        >>> y = ops.exp(ops.tanh(ops.sin(x) + 1) * 2)
        >>> def has_tanh(graph, arrays):
        ...     return any(n.op.name == "tanh" for n in graph.nodes)
        >>> small, _ = smallest(Graph((x,), (("y", y),)), [np.ones(2, "float32")], has_tanh)
        >>> [n.op.name for n in small.nodes]
        ['input', 'tanh']
    """
    reduction = _Reduction(fails)
    case = reduction.first_failing_node(graph, list(arrays))
    return reduction.fewer_rows(*reduction.cut_operands(*case))


def simplest_values(graph: Graph, arrays: Sequence[np.ndarray], fails: Fails) -> Case:
    """Makes the arrays of a failing graph simpler, as long as it fails: single elements, ones.

    Args:
        graph: a CORE graph without states, on which `fails` is true.
        arrays: one an input.
        fails: as for `smallest`.

    Returns:
        The graph, on scalars where it works element by element, and simple arrays.

    Example:
        >>> x = input_node((2,), name="x")
        >>> graph = Graph((x,), (("y", x * 0),))
        >>> def finds_nan(graph, arrays):
        ...     return bool(np.isnan(interpret(graph, arrays)[0][0]).any())
        >>> simplest_values(graph, [np.array([np.nan, 5.0], "float32")], finds_nan)[1]
        [array(nan, dtype=float32)]
    """
    reduction = _Reduction(fails)
    case = reduction.single_elements(graph, list(arrays))
    return reduction.simpler_elements(*case)


@dataclass(frozen=True)
class _Reduction:
    fails: Fails

    def holds(self, graph: Graph, arrays: list[np.ndarray]) -> bool:
        try:
            return self.fails(graph, arrays)
        except Exception:  # another failure than the one that is looked for
            return False

    def first_failing_node(self, graph: Graph, arrays: list[np.ndarray]) -> Case:
        """The graph of the first node, operands first, that fails by itself."""
        for node in graph.nodes:
            if node.inputs and len(node.types) == 1:
                case = _only_used(_with_output(graph, node), arrays)
                if self.holds(*case):
                    return case
        for name, node in graph.outputs:
            case = _only_used(Graph(graph.inputs, ((name, node),), (), graph.stage), arrays)
            if self.holds(*case):
                return case
        return graph, arrays

    def cut_operands(self, graph: Graph, arrays: list[np.ndarray]) -> Case:
        """Replaces nodes by inputs that hold their values, those next to the output first."""
        case = graph, arrays
        tried: set[Node] = set()
        while True:
            graph, arrays = case
            inner = [n for n in graph.nodes[::-1] if n.inputs and n not in tried]
            inner = [n for n in inner if n not in dict(graph.outputs).values()]
            for node in inner:
                tried.add(node)
                if len(node.types) > 1 or is_const(node):
                    continue
                smaller = _cut(graph, arrays, node)
                if self.holds(*smaller):
                    case = smaller
                    break
            else:
                return case

    def fewer_rows(self, graph: Graph, arrays: list[np.ndarray]) -> Case:
        """Makes symbolic sizes 1, one after the other."""
        for name in graph.symbols:
            dim = Dim.symbol(name)
            places = [[i for i, d in enumerate(n.shape) if d == dim] for n in graph.inputs]
            fewer = [
                a[tuple(slice(1) if i in axes else slice(None) for i in range(a.ndim))]
                for a, axes in zip(arrays, places, strict=True)
            ]
            if self.holds(graph, fewer):
                arrays = fewer
        return graph, arrays

    def single_elements(self, graph: Graph, arrays: list[np.ndarray]) -> Case:
        """The graph on scalars, or on as many axes of size 1, at the first place where it fails."""
        shape = np.broadcast_shapes(*[a.shape for a in arrays]) if _broadcast(arrays) else None
        if shape is None or not shape or 0 in shape:
            return graph, arrays
        wide = [np.broadcast_to(a, shape) for a in arrays]
        for single in ((), (1,) * len(shape)):
            leaves = [input_node(single, n.dtype, n.name) for n in graph.inputs]
            try:
                roots = substitute([n for _, n in graph.outputs], dict(zip(graph.inputs, leaves)))
            except KGraphError:
                continue  # not element by element
            outputs = tuple((name, n) for (name, _), n in zip(graph.outputs, roots))
            small = Graph(tuple(leaves), outputs, (), graph.stage)
            for place in itertools.islice(np.ndindex(*shape), PLACES):
                fed = [np.array(a[place]).reshape(single) for a in wide]
                if self.holds(small, fed):
                    return small, fed
        return graph, arrays

    def simpler_elements(self, graph: Graph, arrays: list[np.ndarray]) -> Case:
        """Whole arrays, then single elements, are made one or zero."""
        for i in range(len(arrays)):
            for simple in (1, 0):
                arrays = self.try_array(graph, arrays, i, np.full_like(arrays[i], simple))
            for place in itertools.islice(np.ndindex(*arrays[i].shape), PLACES):
                for simple in (1, 0):
                    changed = arrays[i].copy()
                    changed[place] = simple
                    arrays = self.try_array(graph, arrays, i, changed)
        return graph, arrays

    def try_array(
        self, graph: Graph, arrays: list[np.ndarray], index: int, array: np.ndarray
    ) -> list[np.ndarray]:
        """The arrays with another one in its place if they still fail."""
        changed = [*arrays[:index], array, *arrays[index + 1 :]]
        return changed if self.holds(graph, changed) else arrays


def _broadcast(arrays: list[np.ndarray]) -> bool:
    try:
        np.broadcast_shapes(*[a.shape for a in arrays])
    except ValueError:
        return False
    return True


def _with_output(graph: Graph, node: Node) -> Graph:
    return Graph(graph.inputs, (("y", node),), (), graph.stage)


def _only_used(graph: Graph, arrays: list[np.ndarray]) -> Case:
    """Without the inputs that nothing reads, and their arrays."""
    small = trimmed(graph)
    fed = dict(zip(graph.inputs, arrays, strict=True))
    return small, [fed[n] for n in small.inputs]


def _cut(graph: Graph, arrays: list[np.ndarray], node: Node) -> Case:
    (value,), _ = interpret(_with_output(graph, node), arrays)
    name, taken = f"value of {node.op.name}", {n.name for n in graph.inputs}
    names = itertools.chain([name], (f"{name} {i}" for i in itertools.count(2)))
    leaf = input_node(node.shape, node.dtype, next(n for n in names if n not in taken))
    table: Mapping[Node, Node] = {node: leaf}
    roots = substitute([n for _, n in graph.outputs], table)
    outputs = tuple((name, n) for (name, _), n in zip(graph.outputs, roots, strict=True))
    new = Graph((*graph.inputs, leaf), outputs, (), graph.stage)
    return _only_used(new, [*arrays, value])

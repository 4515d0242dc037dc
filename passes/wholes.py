"""Nodes that lie one behind the other in one tensor, and what is done alike to all of them.

A pass plans wholes: it seeds one, and every op that does the same to each of its parts is planned
to be done to the whole instead. Nothing is built before the plan is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from kgraph import ops
from kgraph.ir.attributes import attribute_key
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node, build
from kgraph.ops.base import Elementwise
from kgraph.ops.joining import pieces
from kgraph.passes.planned import Lookup, Replacement, reaches
from kgraph.passes.products import fixed, is_product

ROWS, COLUMNS = 0, -1


@dataclass(eq=False)
class Whole:
    """Nodes that lie one behind the other in one tensor.

    Attributes:
        parts: the old nodes, in their order in the whole.
        axis: `ROWS` or `COLUMNS`.
        build: makes the whole.
        anchors: the old nodes after which it is made.
        made: what `build` returned.
    """

    parts: tuple[Node, ...]
    axis: int
    build: Callable[[Lookup], Node]
    anchors: tuple[Node, ...]
    made: Node | None = None

    def make(self, lookup: Lookup) -> Node:
        """The whole; made once."""
        if self.made is None:
            self.made = self.build(lookup)
        return self.made

    def part(self, index: int) -> Callable[[Lookup], Node]:
        """What makes the view of one part."""
        sizes = [p.shape[self.axis] for p in self.parts]
        axis = self.axis % self.parts[0].ndim
        return lambda lookup: pieces(self.make(lookup), sizes, axis)[index]


@dataclass(frozen=True)
class Twins:
    """Nodes that do the same to all parts of a whole, and how to do it to the whole."""

    nodes: tuple[Node, ...]
    needs: tuple[Node, ...]
    build: Callable[[Lookup], Node]


class Merger:
    """The wholes that are planned so far."""

    def __init__(self, graph: Graph, axis: int) -> None:
        self.graph, self.axis = graph, axis
        self.plan: dict[Node, Replacement] = {}
        self.places: dict[Node, tuple[Whole, int]] = {}
        self.depth = _depths(graph)
        # Whether all parts of each whole have one depth, so that no whole can need itself.
        self.level = True

    def seed(self, twins: Twins) -> bool:
        """Merges products, and all that is done alike to them; says whether it could."""
        if not self._may_merge(twins):
            return False
        queue = [twins]
        while queue:
            twins = queue.pop()
            if self._may_merge(twins):
                queue.extend(self._followers(self._merge(twins)))
        return True

    def replace(self, node: Node, needs: tuple[Node, ...], make: Callable[[Lookup], Node]) -> None:
        """Plans another form of a single node, unless it would need itself."""
        if self._may_merge(Twins((node,), needs, make)):
            self.plan[node] = Replacement(needs, make)

    def place(self, whole: Whole) -> None:
        """Notes where the parts of a whole lie."""
        self.places.update({n: (whole, i) for i, n in enumerate(whole.parts)})

    def _may_merge(self, twins: Twins) -> bool:
        """Whether the nodes are free, and the whole would not need itself."""
        if any(n in self.plan for n in twins.nodes):
            return False
        depths = {self.depth[n] for n in twins.nodes}
        level = len(depths) == 1 and all(self.depth[n] < min(depths) for n in twins.needs)
        if self.level and level:
            return True
        if reaches(twins.needs, frozenset(twins.nodes), self.plan):
            return False
        self.level = self.level and level
        return True

    def _merge(self, twins: Twins) -> Whole:
        nodes = twins.nodes
        whole = Whole(nodes, self.axis, twins.build, nodes[:1])
        for i, node in enumerate(nodes):
            others = tuple(n for n in nodes if n is not node)
            self.plan[node] = Replacement(twins.needs, whole.part(i), others)
        self.place(whole)
        return whole

    # -- what follows --------------------------------------------------------------------------
    def _followers(self, whole: Whole) -> Iterator[Twins]:
        """Users of the parts that do the same to each of them."""
        tables: list[dict[Any, list[Node]]] = []
        for i, part in enumerate(whole.parts):
            table: dict[Any, list[Node]] = {}
            for user in dict.fromkeys(self.graph.users[part]):
                key = self._deed(user, i)
                if key is not None:
                    table.setdefault(key, []).append(user)
            tables.append(table)
        for key in tables[0]:
            for nodes in zip(*[table.get(key, []) for table in tables]):
                if len(set(nodes)) == len(nodes):
                    yield self._twins(nodes)

    def _deed(self, node: Node, index: int) -> Any:
        """What a node does to part `index`, the same for each part; None if it is not known."""
        if node.op is ops.reshape:
            kept = _kept_shape(node, self.axis)
            return None if kept is None else (node.op, self.places[node.inputs[0]][0], kept)
        if node.op is ops.matmul:
            known = self.axis == ROWS and is_product(node) and node.inputs[0] in self.places
            return (node.op, self.places[node.inputs[0]][0], node.inputs[1]) if known else None
        if not isinstance(node.op, Elementwise) and node.op not in (ops.where, ops.cast):
            return None
        operands = [self._role(node, operand, index) for operand in node.inputs]
        attrs = tuple(sorted((k, attribute_key(v)) for k, v in node.attrs.items()))
        return None if None in operands else (node.op, attrs, *operands)

    def _role(self, node: Node, operand: Node, index: int) -> Any:
        """How an operand of an elementwise op varies from part to part."""
        axis, place = self.axis, self.places.get(operand)
        full = operand.ndim == node.ndim and operand.shape[axis] == node.shape[axis]
        if place is not None and full and place[1] == index:
            return place[0]
        across = operand.ndim > 0 and all(d == 1 for d in operand.shape[:-1])
        if axis == COLUMNS and across and operand.shape[-1] == node.shape[-1] and fixed(operand):
            return "fixed", operand.ndim
        return operand if _is_constant_along(operand, node, axis) else None

    def _twins(self, nodes: tuple[Node, ...]) -> Twins:
        if nodes[0].op is ops.reshape:
            whole = self.places[nodes[0].inputs[0]][0]
            return Twins(nodes, whole.anchors, reshaped(whole, nodes, self.axis))
        sources = [self._source(operands) for operands in zip(*[n.inputs for n in nodes])]
        needs = tuple(dict.fromkeys(n for some, _ in sources for n in some))
        op, attrs = nodes[0].op, nodes[0].attrs

        def make(lookup: Lookup) -> Node:
            return build(op, tuple(f(lookup) for _, f in sources), attrs)

        return Twins(nodes, needs, make)

    def _source(
        self, operands: tuple[Node, ...]
    ) -> tuple[tuple[Node, ...], Callable[[Lookup], Node]]:
        """The old nodes behind one operand of twins, and what makes that of the whole."""
        places = [self.places.get(n) for n in operands]
        first, shared = places[0], operands[0]
        if first is not None and places == [(first[0], i) for i in range(len(operands))]:
            return first[0].anchors, first[0].make
        if all(n is shared for n in operands) and not _varies(shared, self.axis):
            return (shared,), lambda lookup: lookup(shared)
        return operands, lambda f: ops.concatenate([f(n) for n in operands], axis=-1)


def _varies(operand: Node, axis: int) -> bool:
    return axis == COLUMNS and operand.ndim > 0 and operand.shape[-1] != 1


def _is_constant_along(operand: Node, node: Node, axis: int) -> bool:
    """Whether an operand of an elementwise op is the same all along an axis of the result."""
    if axis == COLUMNS:
        return operand.ndim == 0 or operand.shape[-1] == 1
    return operand.ndim < node.ndim or operand.shape[0] == 1


def _kept_shape(node: Node, axis: int) -> Any:
    """The sizes of a reshape that are equal for all parts of a whole along the axis, or None."""
    if node.ndim == 0:
        return None
    if axis == ROWS:
        return node.shape[1:]
    return node.shape[:-1] if node.shape[-1:] == node.inputs[0].shape[-1:] else None


def reshaped(whole: Whole, nodes: Sequence[Node], axis: int) -> Callable[[Lookup], Node]:
    """What builds the whole of nodes that are reshapes of the parts of a whole."""
    total: Any = sum((n.shape[axis] for n in nodes), start=0)  # type: ignore[misc]
    rest = nodes[0].shape
    shape = (total, *rest[1:]) if axis == ROWS else (*rest[:-1], total)
    return lambda lookup: ops.reshape(whole.make(lookup), shape)


def _depths(graph: Graph) -> dict[Node, int]:
    """Node -> the length of the longest way down from it; what a node needs is less deep."""
    depth: dict[Node, int] = {}
    for node in graph.nodes:
        depth[node] = 1 + max((depth[n] for n in node.inputs), default=0)
    return depth

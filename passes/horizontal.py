"""Matrix products side by side become one: those that share an operand, and what follows them.

    x @ W1, x @ W2  ->  x @ [W1 | W2], the parts are views         (queries, keys and values)
    x1 @ W, x2 @ W  ->  [x1; x2] @ W, the parts are views          (a layer shared by two branches)

What is done alike to all parts is then done to the whole: biases, activations, the next product
with a shared weight. A sum of products or of column sums of all parts is one over the whole, as in
the gradient of a shared weight.

What pays was measured with OpenBLAS on one core, from 1 to 1024 rows. Fixed weights are joined once
a call, and one product then takes 0.4 to 0.99 times as long as several of less than 256 columns.
Weights that the graph updates would be joined in every step, which takes 1.0 to 1.4 times as long
at 32 and 128 rows; so they stay apart, and so do their gradients x.T @ dY (1.0 to 1.7 times as
long, as the updates then read strided parts) and sums of dY @ W.T. Rows are joined where the parts
are computed straight into the whole (0.5 to 0.99); copying inputs together eats that up (to 1.3).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kgraph import ops
from kgraph.ir.attributes import attribute_key
from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node, build
from kgraph.ops.base import Elementwise
from kgraph.ops.joining import pieces
from kgraph.passes.planned import Lookup, PlannedRewrite, PlannedRule, Replacement, reaches
from kgraph.passes.products import bindings, fixed, is_computed, is_product, is_steady
from kgraph.passes.rules import Rule

# A product is merged if it is narrower than this, or has fewer multiplications.
NARROW, SMALL = 256, 4_000_000
ROWS, COLUMNS = 0, -1


@dataclass(eq=False)
class _Whole:
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
class _Twins:
    """Nodes that do the same to all parts of a whole, and how to do it to the whole."""

    nodes: tuple[Node, ...]
    needs: tuple[Node, ...]
    build: Callable[[Lookup], Node]


class _Merger:
    """The wholes that are planned so far."""

    def __init__(self, graph: Graph, axis: int) -> None:
        self.graph, self.axis = graph, axis
        self.plan: dict[Node, Replacement] = {}
        self.places: dict[Node, tuple[_Whole, int]] = {}
        self.depth = _depths(graph)
        # Whether all parts of each whole have one depth, so that no whole can need itself.
        self.level = True

    def seed(self, twins: _Twins) -> bool:
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
        if self._may_merge(_Twins((node,), needs, make)):
            self.plan[node] = Replacement(needs, make)

    def place(self, whole: _Whole) -> None:
        """Notes where the parts of a whole lie."""
        self.places.update({n: (whole, i) for i, n in enumerate(whole.parts)})

    def _may_merge(self, twins: _Twins) -> bool:
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

    def _merge(self, twins: _Twins) -> _Whole:
        nodes = twins.nodes
        whole = _Whole(nodes, self.axis, twins.build, nodes[:1])
        for i, node in enumerate(nodes):
            others = tuple(n for n in nodes if n is not node)
            self.plan[node] = Replacement(twins.needs, whole.part(i), others)
        self.place(whole)
        return whole

    # -- what follows --------------------------------------------------------------------------
    def _followers(self, whole: _Whole) -> Iterator[_Twins]:
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

    def _twins(self, nodes: tuple[Node, ...]) -> _Twins:
        if nodes[0].op is ops.reshape:
            whole = self.places[nodes[0].inputs[0]][0]
            return _Twins(nodes, whole.anchors, _reshaped(whole, nodes, self.axis))
        sources = [self._source(operands) for operands in zip(*[n.inputs for n in nodes])]
        needs = tuple(dict.fromkeys(n for some, _ in sources for n in some))
        op, attrs = nodes[0].op, nodes[0].attrs

        def make(lookup: Lookup) -> Node:
            return build(op, tuple(f(lookup) for _, f in sources), attrs)

        return _Twins(nodes, needs, make)

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


def _reshaped(whole: _Whole, nodes: Sequence[Node], axis: int) -> Callable[[Lookup], Node]:
    total: Any = sum((n.shape[axis] for n in nodes), start=0)  # type: ignore[misc]
    rest = nodes[0].shape
    shape = (total, *rest[1:]) if axis == ROWS else (*rest[:-1], total)
    return lambda lookup: ops.reshape(whole.make(lookup), shape)


# -- seeds -------------------------------------------------------------------------------------
def _sharing(graph: Graph, index: int) -> dict[Node, list[Node]]:
    """Operand -> the products that have it on that side and are worth merging."""
    found: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        if is_product(node):
            found.setdefault(node.inputs[index], []).append(node)
    several = {x: [n for n in nodes if _worth(n)] for x, nodes in found.items() if len(nodes) > 1}
    return {x: nodes for x, nodes in several.items() if len(nodes) > 1}


def _worth(node: Node) -> bool:
    """Whether one product of several such is notably faster than they are."""
    rows, inner = node.inputs[0].shape
    sizes = (rows, inner, node.shape[1])
    m, k, n = (evaluate(d, next(bindings(sizes))) for d in sizes)
    return n < NARROW or m * k * n < SMALL


def plan_columns(graph: Graph) -> Mapping[Node, Replacement]:
    """Products of one operand with several fixed weights."""
    merger = _Merger(graph, COLUMNS)
    for x, nodes in _sharing(graph, 0).items() if is_steady(graph) else ():
        nodes = [n for n in nodes if fixed(n.inputs[1])]
        if len(nodes) > 1 and not fixed(x):
            merger.seed(_wide(x, tuple(nodes)))
    return merger.plan


def _wide(x: Node, nodes: tuple[Node, ...]) -> _Twins:
    weights = tuple(n.inputs[1] for n in nodes)

    def make(lookup: Lookup) -> Node:
        return ops.matmul(lookup(x), ops.concatenate([lookup(w) for w in weights], axis=1))

    return _Twins(nodes, (x, *weights), make)


def plan_rows(graph: Graph) -> Mapping[Node, Replacement]:
    """Products of several computed operands with one weight, and sums over all of them."""
    merger = _Merger(graph, ROWS)
    for weight, nodes in _sharing(graph, 1).items():
        for group in _independent(merger, nodes):
            if len(group) > 1:
                _merge_tall(merger, tuple(_aligned(merger, group)), weight)
    if merger.plan:
        _merge_sums(merger)
    return merger.plan


def _merge_tall(merger: _Merger, nodes: tuple[Node, ...], weight: Node) -> None:
    laid = _laid_out(merger, tuple(n.inputs[0] for n in nodes))
    if not laid:
        return
    whole = laid[-1]
    twins = _Twins(nodes, (*whole.anchors, weight), lambda f: ops.matmul(whole.make(f), f(weight)))
    for other in laid:
        merger.place(other)
    if not merger.seed(twins):
        for node in (n for other in laid for n in other.parts):
            del merger.places[node]


def _laid_out(merger: _Merger, operands: tuple[Node, ...]) -> list[_Whole]:
    """Wholes of operands whose kernels can write them there, or of what they are reshapes of.

    The last one is that of the operands; there is none where they would have to be copied.
    """
    sources = tuple(n.inputs[0] if n.op is ops.reshape else n for n in operands)
    alike = len({n.shape[1:] for n in sources}) == 1
    free = all(is_computed(n) and n not in merger.places for n in sources)
    if not (free and alike and len(set(sources)) == len(sources)):
        return []
    joined = _Whole(sources, ROWS, lambda f: ops.concatenate([f(n) for n in sources]), sources)
    if sources == operands:
        return [joined]
    return [joined, _Whole(operands, ROWS, _reshaped(joined, operands, ROWS), sources)]


def _aligned(merger: _Merger, nodes: list[Node]) -> list[Node]:
    """The products in the order of the wholes whose parts they meet, so that more can follow.

    A backward pass comes to the branches in another order than the forward one did.
    """
    order = {node: _branch(merger, node) for node in nodes}
    if None in order.values() or len(set(order.values())) < len(nodes):
        return nodes
    return sorted(nodes, key=lambda node: order[node] or 0)


def _branch(merger: _Merger, node: Node) -> int | None:
    """Which part of wholes stands beside a product or beside its operand elsewhere."""
    for near in (node.inputs[0], node):
        for user in merger.graph.users[near]:
            for operand in user.inputs:
                source = operand.inputs[0] if operand.op is ops.transpose else operand
                if source is not near and source in merger.places:
                    return merger.places[source][1]
    return None


def _independent(merger: _Merger, nodes: list[Node]) -> list[list[Node]]:
    """Groups of nodes of which none needs another: those above equally many of them."""
    if len({merger.depth[n] for n in nodes}) == 1:
        return [nodes]
    members, level = frozenset(nodes), dict[Node, int]()
    for node in merger.graph.nodes:
        below = max((level[n] for n in node.inputs), default=0)
        level[node] = below + (node in members)
    groups: dict[int, list[Node]] = {}
    for node in nodes:
        groups.setdefault(level[node], []).append(node)
    return list(groups.values())


def _depths(graph: Graph) -> dict[Node, int]:
    """Node -> the length of the longest way down from it; what a node needs is less deep."""
    depth: dict[Node, int] = {}
    for node in graph.nodes:
        depth[node] = 1 + max((depth[n] for n in node.inputs), default=0)
    return depth


# -- sums over all parts -----------------------------------------------------------------------
def _merge_sums(merger: _Merger) -> None:
    """x1.T @ g1 + x2.T @ g2 and sum(g1, 0) + sum(g2, 0), over all parts of wholes x and g."""
    inside = set[Node]()
    for node in reversed(merger.graph.nodes):
        if node.op is ops.add and node not in inside:
            terms = _terms(merger.graph, node, inside)
            found = _whole_sum(merger, terms)
            if found is not None:
                merger.replace(node, *found)


def _terms(graph: Graph, root: Node, inside: set[Node]) -> list[Node]:
    """What a tree of additions adds up; the additions that only it needs are noted as inside."""
    outputs, terms, stack = frozenset(graph.roots), list[Node](), [root]
    while stack:
        for operand in stack.pop().inputs:
            alone = len(graph.users[operand]) == 1 and operand not in outputs
            if operand.op is ops.add and alone and operand.type == root.type:
                inside.add(operand)
                stack.append(operand)
            else:
                terms.append(operand)
    return terms


def _whole_sum(
    merger: _Merger, terms: Sequence[Node]
) -> tuple[tuple[Node, ...], Callable[[Lookup], Node]] | None:
    first = terms[0]
    if first.op is ops.sum and first.attrs["axis"] == (0,):
        attrs = first.attrs
        whole = _common(
            merger, [t.inputs[0] for t in terms if t.op is ops.sum and t.attrs == attrs]
        )
        if whole is None or len(whole.parts) != len(terms):
            return None
        return whole.anchors, lambda f: build(ops.sum, (whole.make(f),), attrs)
    if not all(is_product(t) and t.inputs[0].op is ops.transpose for t in terms):
        return None
    left = _common(merger, [t.inputs[0].inputs[0] for t in terms])
    right = _common(merger, [t.inputs[1] for t in terms])
    if left is None or right is None:
        return None
    # The k-th term is made of the same part of both.
    places = merger.places
    if any(places[t.inputs[0].inputs[0]][1] != places[t.inputs[1]][1] for t in terms):
        return None
    needs = (*left.anchors, *right.anchors)
    return needs, lambda f: ops.matmul(ops.transpose(left.make(f)), right.make(f))


def _common(merger: _Merger, nodes: Sequence[Node]) -> _Whole | None:
    """The whole of which the nodes are all parts, each once."""
    places = [merger.places.get(n) for n in nodes]
    whole = places[0][0] if places and places[0] is not None else None
    if whole is None or len(nodes) != len(whole.parts):
        return None
    indices = {place[1] for place in places if place is not None and place[0] is whole}
    return whole if len(indices) == len(nodes) else None


MERGE_PRODUCTS: tuple[Rule, ...] = (
    PlannedRule("merge-columns", plan_columns, "rounding"),
    PlannedRule("merge-rows", plan_rows, "rounding"),
)


@dataclass(frozen=True)
class MergeProducts(PlannedRewrite):
    """Makes one product of several that share an operand, and goes on with what follows alike.

    Example:
        >>> import numpy as np
        >>> from kgraph.ir import Graph, Variable, input_node
        >>> x = input_node((5, 2), name="x")
        >>> u, v = (Variable(np.ones((2, n), "float32"), name=f"w{n}") for n in (3, 4))
        >>> graph = Graph((x,), (("u", ops.matmul(x, u)), ("v", ops.matmul(x, v))))
        >>> [n.op.name for n in MergeProducts().run(graph).nodes if n.op is ops.matmul]
        ['matmul']
    """

    rules: tuple[Rule, ...] = field(default=MERGE_PRODUCTS, repr=False)

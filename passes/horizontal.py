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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from kgraph import ops
from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node, build
from kgraph.passes.planned import Lookup, PlannedRewrite, PlannedRule, Replacement
from kgraph.passes.products import bindings, fixed, is_computed, is_product, is_steady
from kgraph.passes.rules import Rule
from kgraph.passes.wholes import COLUMNS, ROWS, Merger, Twins, Whole, reshaped

# A product is merged if it is narrower than this, or has fewer multiplications.
NARROW, SMALL = 256, 4_000_000


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
    merger = Merger(graph, COLUMNS)
    for x, nodes in _sharing(graph, 0).items() if is_steady(graph) else ():
        nodes = [n for n in nodes if fixed(n.inputs[1])]
        if len(nodes) > 1 and not fixed(x):
            merger.seed(_wide(x, tuple(nodes)))
    return merger.plan


def _wide(x: Node, nodes: tuple[Node, ...]) -> Twins:
    weights = tuple(n.inputs[1] for n in nodes)

    def make(lookup: Lookup) -> Node:
        return ops.matmul(lookup(x), ops.concatenate([lookup(w) for w in weights], axis=1))

    return Twins(nodes, (x, *weights), make)


def plan_rows(graph: Graph) -> Mapping[Node, Replacement]:
    """Products of several computed operands with one weight, and sums over all of them."""
    merger = Merger(graph, ROWS)
    for weight, nodes in _sharing(graph, 1).items():
        for group in _independent(merger, nodes):
            if len(group) > 1:
                _merge_tall(merger, tuple(_aligned(merger, group)), weight)
    if merger.plan:
        _merge_sums(merger)
    return merger.plan


def _merge_tall(merger: Merger, nodes: tuple[Node, ...], weight: Node) -> None:
    laid = _laid_out(merger, tuple(n.inputs[0] for n in nodes))
    if not laid:
        return
    whole = laid[-1]
    twins = Twins(nodes, (*whole.anchors, weight), lambda f: ops.matmul(whole.make(f), f(weight)))
    for other in laid:
        merger.place(other)
    if not merger.seed(twins):
        for node in (n for other in laid for n in other.parts):
            del merger.places[node]


def _laid_out(merger: Merger, operands: tuple[Node, ...]) -> list[Whole]:
    """Wholes of operands whose kernels can write them there, or of what they are reshapes of.

    The last one is that of the operands; there is none where they would have to be copied.
    """
    sources = tuple(n.inputs[0] if n.op is ops.reshape else n for n in operands)
    alike = len({n.shape[1:] for n in sources}) == 1
    free = all(is_computed(n) and n not in merger.places for n in sources)
    if not (free and alike and len(set(sources)) == len(sources)):
        return []
    joined = Whole(sources, ROWS, lambda f: ops.concatenate([f(n) for n in sources]), sources)
    if sources == operands:
        return [joined]
    return [joined, Whole(operands, ROWS, reshaped(joined, operands, ROWS), sources)]


def _aligned(merger: Merger, nodes: list[Node]) -> list[Node]:
    """The products in the order of the wholes whose parts they meet, so that more can follow.

    A backward pass comes to the branches in another order than the forward one did.
    """
    order = {node: _branch(merger, node) for node in nodes}
    if None in order.values() or len(set(order.values())) < len(nodes):
        return nodes
    return sorted(nodes, key=lambda node: order[node] or 0)


def _branch(merger: Merger, node: Node) -> int | None:
    """Which part of wholes stands beside a product or beside its operand elsewhere."""
    for near in (node.inputs[0], node):
        for user in merger.graph.users[near]:
            for operand in user.inputs:
                source = operand.inputs[0] if operand.op is ops.transpose else operand
                if source is not near and source in merger.places:
                    return merger.places[source][1]
    return None


def _independent(merger: Merger, nodes: list[Node]) -> list[list[Node]]:
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


# -- sums over all parts -----------------------------------------------------------------------
def _merge_sums(merger: Merger) -> None:
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
    merger: Merger, terms: Sequence[Node]
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


def _common(merger: Merger, nodes: Sequence[Node]) -> Whole | None:
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

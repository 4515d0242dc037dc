"""Chains of matrix products, reassociated by dynamic programming on their estimated time.

(A @ B) @ C is A @ (B @ C); a transposed product is the product of the transposes in reverse. Sizes
that are symbols must not matter: the order that is taken is better at the hint and no worse at both
ends. A product that several others read counts for each of them in part, and may go only if all of
them can do without it, as in the gradients of x @ (A @ B).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kgraph import ops
from kgraph.errors import InferenceError
from kgraph.ir.dim import evaluate, product
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.ir.types import broadcast_shapes
from kgraph.passes.planned import Lookup, Replacement
from kgraph.passes.products import GAIN, bindings, fixed, is_steady, product_time

# Operands of a chain that are ordered together.
MAX_OPERANDS = 12


@dataclass(frozen=True)
class _Leaf:
    """An operand of a chain, to be transposed or not."""

    node: Node
    flipped: bool

    def made(self, lookup: Lookup) -> Node:
        """The operand as it stands in the chain."""
        node = lookup(self.node)
        return ops.swapaxes(node, -1, -2) if self.flipped else node


@dataclass
class _Chain:
    """A tree of products: its operands from left to right and the products themselves.

    Attributes:
        products: how many products it has.
        tree: nested pairs of operand numbers, as the products stand in the graph.
        readers: numbers (first, last) of the operands of a product -> how many products read it.
        shared: (product that others read as well, its reader in this chain).
        inner: the nodes that disappear with another order.
    """

    leaves: list[_Leaf] = field(default_factory=list)
    readers: dict[tuple[int, int], int] = field(default_factory=dict)
    shared: list[tuple[Node, Node]] = field(default_factory=list)
    inner: list[Node] = field(default_factory=list)
    products: int = 0
    tree: Any = None


class _Reader:
    """Reads chains off a graph."""

    def __init__(self, graph: Graph) -> None:
        self.graph, self.roots = graph, frozenset(graph.roots)
        # Products that must stay, because not all of their readers can do without them.
        self.staying: set[Node] = set()

    def read(self, root: Node) -> _Chain:
        """The chain that ends in a product."""
        chain = _Chain(products=1)
        chain.tree = self._sides(root, False, chain)
        return chain

    def readers(self, product: Node) -> set[Node] | None:
        """The products that read a product or its transpose; None if anything else does."""
        found, stack = set[Node](), [product]
        while stack:
            node = stack.pop()
            if node in self.roots:
                return None
            for user in self.graph.users[node]:
                if user.op is ops.matmul:
                    found.add(user)
                elif node is product and user.op is ops.transpose and _swaps_matrices(user):
                    stack.append(user)
                else:
                    return None
        return found

    def _sides(self, node: Node, flipped: bool, chain: _Chain) -> Any:
        order = (1, 0) if flipped else (0, 1)
        return tuple([self._side(node, index, flipped, chain) for index in order])

    def _side(self, reader: Node, index: int, flipped: bool, chain: _Chain) -> Any:
        operand = reader.inputs[index]
        product = operand.inputs[0] if operand.op is ops.transpose else operand
        opens = product.op is ops.matmul and chain.products < MAX_OPERANDS - 1
        if not opens or not _associates(reader, index, operand, product):
            return self._leaf(chain, operand, flipped)
        readers = None if product in self.staying else self.readers(product)
        if readers is None:
            return self._leaf(chain, operand, flipped)
        first, chain.products = len(chain.leaves), chain.products + 1
        sides = self._sides(product, flipped != (operand is not product), chain)
        chain.readers[first, len(chain.leaves) - 1] = len(readers)
        if len(readers) > 1:
            chain.shared.append((product, reader))
        else:
            chain.inner += [product] if operand is product else [operand, product]
        return sides

    def _leaf(self, chain: _Chain, node: Node, flipped: bool) -> int:
        chain.leaves.append(_Leaf(node, flipped))
        return len(chain.leaves) - 1


def _swaps_matrices(node: Node) -> bool:
    axes = node.attrs["axes"]
    return len(axes) > 1 and axes == (*range(len(axes) - 2), len(axes) - 1, len(axes) - 2)


def _associates(node: Node, index: int, operand: Node, inside: Node) -> bool:
    """Whether an operand that is a product may be taken apart: (P @ Q) @ R = P @ (Q @ R).

    Vectors stand at the ends of a chain only, and not beside leading axes: a column that comes out
    of a product would be a row of the next one.
    """
    if operand is not inside and not _swaps_matrices(operand):
        return False
    ranks = [n.ndim for n in (*node.inputs, *inside.inputs)]
    if min(ranks) >= 2:
        return True
    end = inside.inputs[1 - index]
    return max(ranks) == 2 and (operand is not inside or end.ndim == 2)


@dataclass(frozen=True)
class _Sizes:
    """What products of neighbours in a chain cost, with numbers for all sizes."""

    leads: list[tuple[int, ...]]
    edges: list[int]
    free: list[bool]

    def time(self, first: int, split: int, last: int) -> int:
        """Multiplying the product of first..split by that of split+1..last."""
        if all(self.free[first : last + 1]):
            return 0
        lead = product(broadcast_shapes(*self.leads[first : last + 1]))
        edges = self.edges
        return int(lead) * product_time(edges[first], edges[split + 1], edges[last + 1])

    def uniform(self) -> bool:
        """Whether all orders take the same time."""
        return not any(self.free) and len(set(self.edges)) == len(set(self.leads)) == 1

    def of_tree(self, tree: Any, readers: Mapping[tuple[int, int], int]) -> int:
        """The time of all products of a tree, in part of those that have several readers."""
        return self._walk(tree, readers)[2]

    def _walk(self, tree: Any, readers: Mapping[tuple[int, int], int]) -> tuple[int, int, int]:
        if isinstance(tree, int):
            return tree, tree, 0
        (first, split, left), (_, last, right) = (self._walk(t, readers) for t in tree)
        time = left + right + self.time(first, split, last)
        return first, last, time // readers.get((first, last), 1)

    def best(self) -> Any:
        """The tree of the least time."""
        count = len(self.free)
        table: dict[tuple[int, int], tuple[int, Any]] = {(i, i): (0, i) for i in range(count)}
        for length in range(1, count):
            for first in range(count - length):
                last = first + length
                choices = []
                for split in range(first, last):
                    (a, left), (b, right) = table[first, split], table[split + 1, last]
                    choices.append((a + b + self.time(first, split, last), split, (left, right)))
                total, _, tree = min(choices, key=lambda choice: choice[:2])
                table[first, last] = total, tree
        return table[0, count - 1][1]


def _sizes_of(chain: _Chain, binding: Mapping[str, int], steady: bool) -> _Sizes:
    leads, edges = [], []
    for i, leaf in enumerate(chain.leaves):
        shape = [evaluate(d, binding) for d in leaf.node.shape]
        if leaf.node.ndim == 1:
            shape = [1, *shape] if i == 0 else [*shape, 1]
        rows, columns = reversed(shape[-2:]) if leaf.flipped else shape[-2:]
        leads.append(tuple(shape[:-2]))
        edges += [rows, columns] if i == 0 else [columns]
    return _Sizes(leads, edges, [steady and fixed(leaf.node) for leaf in chain.leaves])


def _better_tree(chain: _Chain, steady: bool) -> Any:
    """Another order of the products that pays, or None."""
    if len(chain.leaves) < 3 or not _broadcasts(chain):
        return None
    sizes = [d for leaf in chain.leaves for d in leaf.node.shape]
    best, wanted = None, GAIN
    for binding in bindings(sizes):
        known = _sizes_of(chain, binding, steady)
        if known.uniform():
            return None
        best = known.best() if best is None else best
        if wanted * known.of_tree(best, {}) > known.of_tree(chain.tree, chain.readers):
            return None
        wanted = 1
    return best


def _multiply(tree: Any, leaves: Sequence[Node]) -> Node:
    if isinstance(tree, int):
        return leaves[tree]
    return ops.matmul(*[_multiply(t, leaves) for t in tree])


def plan_chains(graph: Graph) -> dict[Node, Replacement]:
    """The chains of products that another order makes faster."""
    reader, steady = _Reader(graph), is_steady(graph)
    while True:
        plan: dict[Node, Replacement] = {}
        covered, left = set[Node](), dict[Node, set[Node]]()
        for node in reversed(graph.nodes):
            chain = reader.read(node) if node.op is ops.matmul and node not in covered else None
            tree = _better_tree(chain, steady) if chain is not None else None
            if chain is None or tree is None:
                continue
            plan[node] = _reordered(chain, tree)
            covered.update(chain.inner)
            for shared, user in chain.shared:
                left.setdefault(shared, set()).add(user)
        staying = {node for node, users in left.items() if users != reader.readers(node)}
        if not staying:
            return plan
        reader.staying |= staying


def _broadcasts(chain: _Chain) -> bool:
    """Whether the leading axes of any neighbours fit together."""
    try:
        broadcast_shapes(*[leaf.node.shape[:-2] for leaf in chain.leaves])
    except InferenceError:
        return False
    return True


def _reordered(chain: _Chain, tree: Any) -> Replacement:
    leaves = tuple(chain.leaves)

    def make(lookup: Lookup) -> Node:
        return _multiply(tree, [leaf.made(lookup) for leaf in leaves])

    return Replacement(tuple(leaf.node for leaf in leaves), make, tuple(chain.inner))

"""Transposes around ops that do not care: a whole cluster changes its layout where fewer are left.

A cluster is a connected set of ops of one rank that are elementwise or follow their axes
(`axes.py`). It may be computed with its axes in another order: then what it reads is transposed by
that order and what it gives transposed back, and those that meet their inverse vanish, as do those
in front of a reduction. The order is taken from the transposes around the cluster, and only if
their number drops: that ends, and keeps a transpose that somebody else reads anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from kgraph import ops
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node, build
from kgraph.passes.axes import REDUCED, Order, moves_with_axes, reduced, renamed
from kgraph.passes.planned import Lookup, Plan, PlannedRewrite, PlannedRule, Replacement
from kgraph.passes.rules import Rule
from kgraph.passes.values import shaped

# A transpose of a node by an order of its axes.
Key = tuple[Node, Order]
Users = Mapping[Node, tuple[Node, ...]]


def composed(inner: Order, outer: Order) -> Order:
    """The axes of a transpose by `inner` and then by `outer`."""
    return tuple([inner[axis] for axis in outer])


def inverse(order: Order) -> Order:
    """The axes that undo a transpose."""
    return tuple(sorted(range(len(order)), key=order.__getitem__))


def keeps_order(shape: tuple[object, ...], order: Order) -> bool:
    """Whether the elements lie as before, because only axes of size 1 have moved."""
    long = [axis for axis in order if shape[axis] != 1]
    return long == sorted(long)


def transposed(node: Node, order: Order) -> Node:
    """The node by another order of axes, as a reshape where that is the same."""
    if keeps_order(node.shape, order):
        return shaped(node, node.type.with_shape(tuple(node.shape[a] for a in order)))
    return ops.transpose(node, order)


@dataclass(eq=False)
class _Cluster:
    """Ops of one rank that move with their axes and read each other.

    Args:
        nodes: its nodes, operands first.
        users: who reads what in the graph.
        roots: what the graph gives.
    """

    nodes: tuple[Node, ...]
    users: Users
    roots: frozenset[Node]
    # Node -> what it is in the new layout.
    moved: dict[Node, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.inside = frozenset(self.nodes)
        self.rank = self.nodes[0].ndim
        operands = dict.fromkeys(o for n in self.nodes for o in n.inputs if o.ndim)
        self.read = [o for o in operands if o not in self.inside]
        # Nodes that others read -> those others.
        self.given = {
            n: tuple(dict.fromkeys(u for u in self.users[n] if u not in self.inside))
            for n in self.nodes
        }
        beside = (*self.read, *(u for users in self.given.values() for u in users))
        self.transposes = frozenset(
            n for n in beside if n.op is ops.transpose and n.ndim == self.rank
        )

    def source(self, operand: Node) -> Key:
        """What an operand is a transpose of, and by which axes; itself where it is none."""
        if operand.op is ops.transpose and operand.ndim == self.rank:
            return operand.inputs[0], operand.attrs["axes"]
        return operand, tuple(range(self.rank))

    def orders(self) -> Iterable[Order]:
        """The layouts in which a transpose would vanish."""
        read = (inverse(o.attrs["axes"]) for o in self.read if o in self.transposes)
        users = (u for users in self.given.values() for u in users)
        return dict.fromkeys((*read, *(u.attrs["axes"] for u in users if u in self.transposes)))

    def left(self, order: Order) -> set[Key]:
        """The transposes in and around the cluster when it is computed in that order."""
        found: set[Key] = set()
        back = inverse(order)
        for operand in self.read:
            source, axes = self.source(operand)
            padded = (1,) * (self.rank - source.ndim) + source.shape
            total = composed(axes, order)
            if source in self.inside:
                padded, total = tuple(source.shape[a] for a in order), composed(back, total)
            if not keeps_order(padded, total):
                found.add((source, total))
            elsewhere = operand in self.roots or not self.inside.issuperset(self.users[operand])
            if source is not operand and source not in self.inside and elsewhere:
                found.add((source, axes))
        shape_of = {n: tuple(n.shape[a] for a in order) for n in self.given}
        for node, users in self.given.items():
            for axes in self._wanted(node, users, order):
                total = composed(back, axes)
                if not keeps_order(shape_of[node], total):
                    found.add((node, total))
        return found

    def _wanted(self, node: Node, users: tuple[Node, ...], order: Order) -> set[Order]:
        """By which orders of axes the rest of the graph reads a node that lies in this one."""
        others = [u for u in users if u not in self.transposes]
        plain = [u for u in others if reduced(u, order) is None]
        wanted = {
            u.attrs["axes"]
            for u in users
            if u in self.transposes
            and (u in self.roots or not self.inside.issuperset(self.users[u]))
        }
        return wanted | ({tuple(range(self.rank))} if plain or node in self.roots else set())

    def best(self) -> Order | None:
        """The order that leaves the fewest transposes, if they are fewer than now."""
        if not self.transposes:
            return None
        now = len(self.left(tuple(range(self.rank))))
        count, order = min(
            ((len(self.left(o)), o) for o in self.orders()), key=lambda c: c[0], default=(now, ())
        )
        return order if count < now else None

    def replacements(self, order: Order) -> Plan:
        """What stands for the nodes of the cluster and for the transposes that read them."""
        back, plan = inverse(order), {}
        for node in self.nodes:
            plan[node] = self._replacement(node, order)
            for user in self.given[node]:
                if user in self.transposes:
                    axes = composed(back, user.attrs["axes"])
                    plan[user] = Replacement((node,), self._seen(node, axes), (node,))
        return plan

    def _seen(self, node: Node, axes: Order) -> Callable[[Lookup], Node]:
        """What builds the moved node as a transpose shows it."""
        return lambda lookup: transposed(self.moved[node], axes)

    def _replacement(self, node: Node, order: Order) -> Replacement:
        def make(lookup: Lookup) -> Node:
            operands = tuple([self._operand(o, lookup, order) for o in node.inputs])
            self.moved[node] = build(node.op, operands, renamed(node, order))
            return transposed(self.moved[node], inverse(order))

        needs = tuple(self.source(o)[0] if o.ndim else o for o in node.inputs)
        return Replacement(needs, make)

    def _operand(self, operand: Node, lookup: Lookup, order: Order) -> Node:
        """An operand in the new layout."""
        if not operand.ndim:
            return lookup(operand)
        source, axes = self.source(operand)
        total = composed(axes, order)
        if source in self.inside:
            return transposed(self.moved[source], composed(inverse(order), total))
        full = (1,) * (self.rank - source.ndim) + source.shape
        return transposed(shaped(lookup(source), source.type.with_shape(full)), total)


def _plan(graph: Graph) -> Plan:
    """The clusters that lose a transpose; of two that share one, the first."""
    if not any(n.op is ops.transpose for n in graph.nodes):
        return {}
    plan: dict[Node, Replacement] = {}
    place = {n: i for i, n in enumerate(graph.nodes)}
    seen: set[Node] = set()
    taken: set[Node] = set()
    roots = frozenset(graph.roots)
    for node in graph.nodes:
        if node.op is not ops.transpose:
            continue
        for start in (*node.inputs, *graph.users[node]):
            if start in seen or not _is_member(start, node.ndim):
                continue
            members = _connected(start, graph.users)
            seen |= members
            cluster = _Cluster(tuple(sorted(members, key=place.__getitem__)), graph.users, roots)
            order = None if taken.intersection(cluster.transposes) else cluster.best()
            if order is not None:
                taken.update(cluster.transposes)
                plan.update(cluster.replacements(order))
    return plan


def _is_member(node: Node, rank: int) -> bool:
    return moves_with_axes(node) and node.ndim == rank


def _connected(start: Node, users: Users) -> set[Node]:
    """All nodes of one rank that move with their axes and read each other, directly or not."""
    found, stack = {start}, [start]
    while stack:
        node = stack.pop()
        for other in (*node.inputs, *users[node]):
            if other not in found and _is_member(other, start.ndim):
                found.add(other)
                stack.append(other)
    return found


# What is added up afterwards lies otherwise in memory, so sums may round otherwise.
TRANSPOSES: tuple[Rule, ...] = (
    *REDUCED,
    PlannedRule("move-transposes", _plan, kind="rounding"),
)


@dataclass(frozen=True)
class Transposes(PlannedRewrite):
    """Computes what does not care in the layout in which fewest transposes are left.

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((2, 3, 4), name="x")
        >>> there = ops.transpose(x, (2, 0, 1))
        >>> back = ops.transpose(ops.tanh(there) * 2, (1, 2, 0))
        >>> print(Transposes().run(Graph((x,), (("y", back),))))
        graph core
        input %0 'x' : f32[2, 3, 4]
        %1 = tanh(%0) : f32[2, 3, 4]  # ...
        %2 = const(2.0) : f32[]
        %3 = multiply(%1, %2) : f32[2, 3, 4]  # ...
        output 'y' %3
    """

    rules: tuple[Rule, ...] = field(default=TRANSPOSES, repr=False)

    def run_level(self, graph: Graph) -> Graph:
        """The graph with no cluster left that would lose a transpose."""
        while True:
            new = super().run_level(graph)
            if _count(new) >= _count(graph):
                return graph
            graph = new


def _count(graph: Graph) -> int:
    return sum(n.op is ops.transpose for n in graph.nodes)

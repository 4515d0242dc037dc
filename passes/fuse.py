"""Fuse: elementwise regions, with a product before and reductions behind, become one op each.

The op runs in blocks that fit the cache, so what lies between its instructions is never written to
memory. Values that others need become outputs of the op: nothing is computed twice. What may be
fused is decided here, by structure; the runtime takes apart again what is too small to pay.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from kgraph.errors import PassError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import item
from kgraph.ir.node import Node, build, rebuild
from kgraph.ir.origin import Lineage, making
from kgraph.ops.fused import fused
from kgraph.ops.linalg import matmul
from kgraph.ops.reductions import Reduction
from kgraph.passes.journal import Journal, current_journal
from kgraph.passes.manager import Pass
from kgraph.passes.prepared import prepared_nodes
from kgraph.passes.regions import Limits, find_regions
from kgraph.passes.rules import admitted_kinds

TAILS = ("none", "exact", "all")
ELEMENTWISE, PRODUCT, REDUCTION = "fuse-elementwise", "fuse-product", "fuse-reduction"


@dataclass(frozen=True)
class Fuse(Pass):
    """Makes one op of each region of elementwise nodes of one shape.

    Args:
        heads: whether a matrix product that only the region reads becomes part of it.
        tails: which reductions of the region's values become part of it: "none", "exact" for those
            that give the same bits in blocks, or "all". Parts of a sum that are joined in another
            order would make results depend on sizes and cost as much time.
        siblings: whether regions that share an operand of their shape are joined.
        max_instructions: how many elementwise ops a region may have.
        max_operands: how many different values it may read.
        numerics: "strict", "safe" or "fast" instead of `config.numerics`.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> x, w, b = (input_node(s, name=n) for n, s in zip("xwb", ((4, 3), (3, 5), (5,))))
        >>> graph = Fuse().run(Graph((x, w, b), (("y", ops.relu(x @ w + b)),)))
        >>> [n.op.name for n in graph.nodes]
        ['input', 'input', 'input', 'fused']
    """

    gives: ClassVar[Stage] = Stage.FUSED

    heads: bool = True
    tails: str = "exact"
    siblings: bool = True
    max_instructions: int = 60
    max_operands: int = 48
    numerics: str | None = None

    def __post_init__(self) -> None:
        if self.tails not in TAILS:
            raise ValueError(explain("unknown tails", expected=", ".join(TAILS), got=self.tails))

    @property
    def rule_names(self) -> tuple[str, ...]:
        """One rule for regions alone, one for each kind of neighbour they may take in."""
        return ELEMENTWISE, PRODUCT, REDUCTION

    def run(self, graph: Graph) -> Graph:
        """The fused graph, at the last stage."""
        journal = current_journal() or Journal()
        finder = _Finder(self, graph, journal)
        left = journal.tank.left
        regions = [r for r in finder.regions() if r.rule not in journal.excluded][:left]
        builder = _Builder(self.name, regions)
        roots = builder.run(graph.roots)
        for region in regions:
            new = builder.made[region.nodes]
            journal.fired(region.rule, region.kind, region.nodes[-1], new, region.nodes, (new,))
        return graph.with_roots(roots, stage=Stage.FUSED)


@dataclass(frozen=True)
class _Region:
    """Nodes that become one op.

    Args:
        nodes: the head if there is one, the elementwise nodes, the reductions.
        results: those of them that others need.
        rule, kind: what is reported.
    """

    nodes: tuple[Node, ...]
    results: tuple[Node, ...]
    rule: str
    kind: str

    @property
    def operands(self) -> tuple[Node, ...]:
        """What the region reads, in order of first use."""
        read = dict.fromkeys(i for n in self.nodes for i in n.inputs)
        members = set(self.nodes)
        return tuple(i for i in read if i not in members)


class _Finder:
    """Finds the regions of a graph, each with its head and its tails."""

    def __init__(self, options: Fuse, graph: Graph, journal: Journal) -> None:
        self.options, self.graph, self.journal = options, graph, journal
        self.heads = options.heads and PRODUCT not in journal.excluded
        self.tails = options.tails != "none" and REDUCTION not in journal.excluded
        self.admitted = admitted_kinds(options.numerics)
        self.users = graph.users
        self.place = {node: i for i, node in enumerate(graph.nodes)}
        self.roots = frozenset(graph.roots)
        self.prepared = prepared_nodes(graph)
        self.states = {value: state for state, value in graph.updates}

    def regions(self) -> list[_Region]:
        """All regions of more than one node."""
        options = self.options
        limits = Limits(options.max_instructions, options.max_operands, options.siblings)
        bodies = find_regions(self.graph, limits, self.prepared)
        found = map(self._region, bodies)
        return [region for region in found if len(region.nodes) > 1]

    def _region(self, body: list[Node]) -> _Region:
        members = set(body)
        heads = self._head(body, members) if self.heads else []
        tails = self._tails(body) if self.tails else []
        members.update((*heads, *tails))
        nodes = (*heads, *self._in_order(body), *tails)
        results = tuple(
            n for n in nodes if n in self.roots or any(u not in members for u in self.users[n])
        )
        rule = REDUCTION if tails else PRODUCT if heads else ELEMENTWISE
        kind = "rounding" if any(_tail_kind(t) == "rounding" for t in tails) else "exact"
        return _Region(nodes, results, rule, kind)

    def _head(self, body: Sequence[Node], members: set[Node]) -> list[Node]:
        """The last product that a single node of the region reads, and nobody else."""
        found = []
        for operand in dict.fromkeys(i for n in body for i in n.inputs):
            if operand.op is not matmul or operand.shape != body[0].shape:
                continue
            reason = self._objection(operand, body, members)
            if reason is None:
                found.append(operand)
            else:
                self.journal.refused(PRODUCT, reason, operand)
        return sorted(found, key=self.place.__getitem__)[-1:]

    def _objection(self, head: Node, body: Sequence[Node], members: set[Node]) -> str | None:
        if head in self.roots or len(set(self.users[head])) != 1:
            return "others read the product"
        if (head in self.prepared) != (body[0] in self.prepared):
            return "the product is the same in every run"
        # The product would be computed in a buffer of its own, and wait for the state's readers.
        return "the region updates a state" if members & self.states.keys() else None

    def _tails(self, body: Sequence[Node]) -> list[Node]:
        found: dict[Node, None] = {}
        for node in body:
            for user in self.users[node]:
                if not isinstance(user.op, Reduction) or not user.attrs["axis"]:
                    continue
                kind = _tail_kind(user)
                if kind not in self.admitted:
                    reason = f"a {kind} rule, which numerics does not admit"
                    self.journal.refused(REDUCTION, reason, user)
                elif kind == "exact" or self.options.tails == "all":
                    found[user] = None
                else:
                    self.journal.refused(REDUCTION, "only exact ones unless tails='all'", user)
        return list(found)

    def _in_order(self, body: list[Node]) -> list[Node]:
        """The body, where a state's new value waits until the old one has been read."""
        members = set(body)
        waits: dict[Node, set[Node]] = {}
        for node in body:
            if node in self.states:
                readers = members.intersection(self.users.get(self.states[node], ()))
                waits[node] = readers - {node}
        if not any(waits.values()):
            return body
        for node in body:
            waits[node] = waits.get(node, set()) | members.intersection(node.inputs)
        return _ordered(body, waits)


def _ordered(body: Sequence[Node], waits: Mapping[Node, set[Node]]) -> list[Node]:
    """The body in its own order as far as no node comes before one that it waits for.

    Where waiting would be for ever, the body stays as it is, and the state is copied.
    """
    users: dict[Node, list[Node]] = {node: [] for node in body}
    for node, early in waits.items():
        for other in early:
            users[other].append(node)
    place = {node: i for i, node in enumerate(body)}
    left = {node: len(early) for node, early in waits.items()}
    ready = [place[node] for node in body if not left[node]]
    done = []
    while ready:
        done.append(body[heapq.heappop(ready)])
        for user in users[done[-1]]:
            left[user] -= 1
            if not left[user]:
                heapq.heappush(ready, place[user])
    return done if len(done) == len(body) else list(body)


def _tail_kind(node: Node) -> str:
    """How exact a reduction by blocks is.

    Rows of a block are reduced as they would be alone, but BLAS, which adds up floats, may take
    rows four at a time; and parts of a column are joined in another order.
    """
    x = node.inputs[0]
    if not x.type.is_float:
        return "exact"
    # Its own `reduce`, rather than a product with ones.
    plain = type(node.op) is Reduction
    return "exact" if plain and 0 not in node.attrs["axis"] else "rounding"


class _Builder:
    """Rebuilds a graph with its regions contracted."""

    def __init__(self, pass_name: str, regions: Iterable[_Region]) -> None:
        self.pass_name = pass_name
        self.region = {node: region for region in regions for node in region.nodes}
        self.done: dict[Node, Node] = {}
        # Nodes of a region -> the op that took their place.
        self.made: dict[tuple[Node, ...], Node] = {}
        # What the attributes of an op are made of -> an op that has them.
        self.alike: dict[tuple[Any, ...], Node] = {}

    def run(self, roots: Sequence[Node]) -> list[Node]:
        """The new roots."""
        stack = list(reversed(roots))
        needs: dict[Node, tuple[Node, ...]] = {}
        while stack:
            node = stack[-1]
            if node in self.done:
                stack.pop()
                continue
            region = self.region.get(node)
            if node not in needs:
                needs[node] = region.operands if region else node.inputs
            missing = [n for n in needs[node] if n not in self.done]
            if any(n in needs for n in missing):
                raise PassError(f"the region of {node!r} needs what is computed from it")
            if missing:
                stack.extend(reversed(missing))
            elif region:
                self._contract(region, needs[node])
            else:
                self.done[node] = rebuild(node, tuple([self.done[n] for n in node.inputs]))
        return [self.done[root] for root in roots]

    def _contract(self, region: _Region, operands: Sequence[Node]) -> None:
        numbers = {n: i for i, n in enumerate((*operands, *region.nodes))}
        results = tuple([numbers[n] for n in region.results])
        last = region.results[-1].origin
        sources = tuple(n.name for n in region.nodes)
        step = Lineage(self.pass_name, region.rule, sources)
        origin = last.made_by((*last.lineage, step))
        inputs = tuple([self.done[n] for n in operands])
        key = (results, *[(n.op, n.named, *[numbers[i] for i in n.inputs]) for n in region.nodes])
        known = self.alike.get(key)
        if known is not None:
            new = rebuild(known, inputs, origin)
        else:
            program = tuple([instruction(n, numbers) for n in region.nodes])
            new = build(fused, inputs, {"program": program, "results": results}, origin)
            self.alike[key] = new
        self.made[region.nodes] = new
        if len(region.results) == 1:
            self.done[region.results[0]] = new
            return
        for index, node in enumerate(region.results):
            with making(node.origin):
                self.done[node] = item(new, index)


def instruction(node: Node, numbers: Mapping[Node, int]) -> tuple[Any, ...]:
    """A node as an instruction of a program.

    Args:
        node: an elementwise node, a product or a reduction.
        numbers: of the values that it reads.

    Returns:
        (op name, operand numbers, sorted (name, value) pairs).

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> instruction(x * x, {x: 0})
        ('multiply', (0, 0), ())
    """
    pairs = tuple(sorted(node.attrs.items()))
    return node.op.name, tuple(numbers[i] for i in node.inputs), pairs

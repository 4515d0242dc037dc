"""Which elementwise nodes may become one: regions of one shape that nothing leaves and re-enters.

Every node gets a level: the highest of its operands', and one more where an edge leaves elementwise
nodes of one shape. Nodes of one shape and one level that hang together are a region. A path that
left a region would come back at a higher level, so every region is convex; and as every edge that
leaves a region leads to a higher level, all of them may be contracted together without a circle.

A node stands on the lowest level that it can have. Where all its users stand on higher ones it may
move up to them: `1 - y * y` of a tanh then waits for the gradient that it multiplies, and what is
kept meanwhile is `y`, which others need anyway, instead of one more tensor.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.ops.program import is_elementwise

# The family of what is not elementwise or has no axes.
_NONE = -1


@dataclass(frozen=True)
class Limits:
    """How large a region may be.

    Args:
        instructions: ops.
        operands: different values that it reads.
        siblings: whether regions of one level that share an operand are joined.
    """

    instructions: int
    operands: int
    siblings: bool


def find_regions(graph: Graph, limits: Limits, prepared: Collection[Node]) -> list[list[Node]]:
    """Disjoint sets of elementwise nodes that may be contracted together.

    Args:
        graph: a graph of primitive ops.
        limits: how large a region may be.
        prepared: the nodes that are computed once for many runs, apart from the others.

    Returns:
        The regions, sets of one node included, each in the graph's order; ordered by first node.
    """
    table = _Table(graph, prepared)
    table.find_levels()
    table.move_up()
    regions = table.components(limits.siblings)
    pieces = [piece for region in regions for piece in table.split(region, limits)]
    return [[graph.nodes[i] for i in piece] for piece in sorted(pieces)]


class _Table:
    """A graph as numbers: nodes by their place in the graph's order.

    Attributes:
        family: node -> number of its shape, `_NONE` for what cannot be in a region.
        level: node -> its level.
    """

    def __init__(self, graph: Graph, prepared: Collection[Node]) -> None:
        self.nodes = graph.nodes
        place = {node: i for i, node in enumerate(graph.nodes)}
        self.inputs = [tuple(place[p] for p in node.inputs) for node in graph.nodes]
        self.users: list[list[int]] = [[] for _ in graph.nodes]
        for i, operands in enumerate(self.inputs):
            for p in dict.fromkeys(operands):
                self.users[p].append(i)
        self.is_root = [False] * len(graph.nodes)
        for root in graph.roots:
            self.is_root[place[root]] = True
        self.family = self._families(graph, prepared)
        self.level = [0] * len(graph.nodes)

    def _families(self, graph: Graph, prepared: Collection[Node]) -> list[int]:
        numbers: dict[object, int] = {}
        found = []
        for node in graph.nodes:
            if node.inputs and is_elementwise(node.op) and node.ndim:
                key = (node.shape, node in prepared)
                found.append(numbers.setdefault(key, len(numbers)))
            else:
                found.append(_NONE)
        return found

    def find_levels(self) -> None:
        """The lowest level of every node."""
        family, level = self.family, self.level
        for i, operands in enumerate(self.inputs):
            own, highest = family[i], 0
            for p in operands:
                leaves = family[p] != _NONE and family[p] != own
                highest = max(highest, level[p] + leaves)
            level[i] = highest

    # -- moving up -----------------------------------------------------------------------------
    def move_up(self) -> None:
        """Moves nodes to the level of their users where that keeps no more memory alive."""
        groups: dict[tuple[int, int], list[int]] = {}
        for i, family in enumerate(self.family):
            if family != _NONE:
                groups.setdefault(self._group(i), []).append(i)
        for key in sorted(groups, reverse=True):
            # Users on higher levels have found their places already.
            goal = self._goals(groups[key])
            if goal:
                for part in self._joined(goal, siblings=False):
                    if self._saves(part):
                        for i in part:
                            self.level[i] = goal[i]

    def _goals(self, group: Sequence[int]) -> dict[int, int]:
        """Node -> the level of its users, for those that may leave the group's level."""
        goal: dict[int, int] = {}
        for i in reversed(group):
            users = self.users[i]
            if self.is_root[i] or any(self.family[u] != self.family[i] for u in users):
                continue
            highest = min((goal.get(u, self.level[u]) for u in users), default=self.level[i])
            if highest > self.level[i]:
                goal[i] = highest
        return goal

    def _saves(self, part: Sequence[int]) -> bool:
        """Whether moving nodes stores fewer bytes, and keeps no more of them alive."""
        moved = set(part)
        stored = sum(self._width(i) for i in part if not moved.issuperset(self.users[i]))
        group = self._group(part[0])
        newly = kept = 0
        for p in {p for i in part for p in self.inputs[i]} - moved:
            same_shape = self.nodes[p].types[0].shape == self.nodes[part[0]].shape
            if not self.inputs[p] or not same_shape or self.is_root[p]:
                continue
            others = [u for u in self.users[p] if u not in moved]
            if self._group(p) == group and all(self._group(u) == group for u in others):
                newly += self._width(p)
            elif not others:
                kept += self._width(p)
        return newly < stored and newly + kept <= stored

    def _group(self, i: int) -> tuple[int, int]:
        return self.level[i], self.family[i]

    def _width(self, i: int) -> int:
        return self.nodes[i].types[0].itemsize

    # -- regions -------------------------------------------------------------------------------
    def components(self, siblings: bool) -> list[list[int]]:
        """The regions: what hangs together on one level of one family."""
        groups: dict[tuple[int, int], list[int]] = {}
        for i, family in enumerate(self.family):
            if family != _NONE:
                groups.setdefault(self._group(i), []).append(i)
        return [part for group in groups.values() for part in self._joined(group, siblings)]

    def _joined(self, group: Iterable[int], siblings: bool) -> list[list[int]]:
        """Parts of a group that are joined by edges, or by an operand of their shape."""
        leader = {i: i for i in group}

        def find(i: int) -> int:
            while leader[i] != i:
                leader[i] = leader[leader[i]]
                i = leader[i]
            return i

        reader: dict[int, int] = {}
        for i in leader:
            for p in self.inputs[i]:
                if p in leader:
                    leader[find(i)] = find(p)
                elif siblings and self.nodes[p].types[0].shape == self.nodes[i].shape:
                    leader[find(i)] = find(reader.setdefault(p, i))
        parts: dict[int, list[int]] = {}
        for i in sorted(leader):
            parts.setdefault(find(i), []).append(i)
        return list(parts.values())

    def split(self, region: Sequence[int], limits: Limits) -> list[list[int]]:
        """Cuts a region that is too large; pieces in the graph's order make no circle."""
        pieces: list[list[int]] = []
        members: set[int] = set()
        operands: set[int] = set()
        for i in region:
            read = operands | {p for p in self.inputs[i] if p not in members}
            full = len(members) >= limits.instructions or len(read) > limits.operands
            if not pieces or full:
                pieces.append([])
                members, read = set(), set(self.inputs[i])
            pieces[-1].append(i)
            members.add(i)
            operands = read
        return pieces

"""Levels: what lies directly in one cluster, and the edges between these units, contracted.

A *unit* of a level is a box or a cluster of it; the level of an edge is the innermost cluster that
holds both ends (None outside of all).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

from kgraph.tools.viz.model import Edge, GraphView, ancestors, by_id

# Links that say nothing about the order of boxes.
UNORDERED = ("shared", "control")


@dataclass
class Level:
    """The units of one cluster in order of first appearance, and the edges between them."""

    units: list[str] = field(default_factory=list)
    edges: list[tuple[str, str, Edge]] = field(default_factory=list)


def levels_of(view: GraphView) -> dict[str | None, Level]:
    """Cluster, or None for the outside -> its level.

    Args:
        view: any view.

    Example:
        >>> from kgraph.tools.viz.model import Box, Cluster
        >>> boxes = Box("a", "op", "op", "a"), Box("b", "op", "op", "b", cluster="c0")
        >>> view = GraphView("", "ops", "core", {}, boxes, (Edge("a", "b"),),
        ...                  (Cluster("c0", "c", "scope", "c"),))
        >>> [(s, d) for s, d, _ in levels_of(view)[None].edges]
        [('a', 'c0')]
    """
    found: dict[str | None, Level] = {None: Level()}
    chains = chains_of(view)
    placed: set[str] = set()
    for chain in chains.values():
        for unit, level in itertools.pairwise(chain):
            if unit is None or unit in placed:
                break
            placed.add(unit)
            found.setdefault(level, Level()).units.append(unit)
    for edge in view.edges:
        one, two = chains[edge.source], chains[edge.target]
        i, j = meeting(one, two)
        source, target = one[i], two[j]
        if source and target and source != target:
            found[one[i + 1]].edges.append((source, target, edge))
    return found


def chains_of(view: GraphView) -> dict[str, list[str | None]]:
    """Box -> itself, the clusters around it from the inside out, and None for what is outside."""
    table = by_id(view.clusters)
    around = {c: [*ancestors(table, c), None] for c in table} | {None: [None]}
    return {box.id: [box.id, *around[box.cluster]] for box in view.boxes}


def meeting(one: Sequence[str | None], two: Sequence[str | None]) -> tuple[int, int]:
    """Where in two chains the units are that lie on the same level, which comes next in both."""
    i, j = len(one) - 1, len(two) - 1
    while i > 0 and j > 0 and one[i] == two[j]:
        i, j = i - 1, j - 1
    return i, j


def pieces_of(
    one: Sequence[str | None], two: Sequence[str | None]
) -> list[tuple[str | None, str | None, str | None]]:
    """The way from one chain's box to the other's: (level, from unit, to unit).

    None is the border of a level instead of a unit.
    """
    i, j = meeting(one, two)
    out = [(one[k + 1], one[k], None) for k in range(i)]
    into = [(two[k + 1], None, two[k]) for k in reversed(range(j))]
    return [*out, (one[i + 1], one[i], two[j]), *into]


def in_order(level: Level) -> tuple[list[str], bool]:
    """The units with sources before targets, and whether that was possible.

    Where units depend on one another in a circle, the first in order of appearance goes first.
    """
    place = {unit: i for i, unit in enumerate(level.units)}
    users: dict[str, list[str]] = {unit: [] for unit in level.units}
    needed = dict.fromkeys(level.units, 0)
    for source, target, edge in level.edges:
        if edge.kind not in UNORDERED:
            users[source].append(target)
            needed[target] += 1
    ready = [place[u] for u in level.units if not needed[u]]
    order: list[str] = []
    done: set[str] = set()
    straight, first = True, 0
    while len(order) < len(level.units):
        if not ready:
            straight = False
            while level.units[first] in done:
                first += 1
            ready.append(first)
        unit = level.units[heapq.heappop(ready)]
        if unit in done:
            continue
        done.add(unit)
        order.append(unit)
        for user in users[unit]:
            needed[user] -= 1
            if not needed[user] and user not in done:
                heapq.heappush(ready, place[user])
    return order, straight


def representatives(view: GraphView) -> dict[str, str]:
    """Box -> the outermost closed cluster around it, or itself."""
    table = by_id(view.clusters)
    found = {}
    for box in view.boxes:
        closed = [c for c in ancestors(table, box.cluster) if not table[c].open]
        found[box.id] = closed[-1] if closed else box.id
    return found

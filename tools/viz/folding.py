"""Folding: equal blocks in a row are shown once, with their number.

Per level, units are put in order and cut where everything passes through one unit. The pieces
between cuts get a structural hash; the longest runs of equal pieces, or of equal groups of pieces,
become one block. Names of layers do not count, so blocks of their own weights are equal. What is
not known: blocks that all read something from outside, such as a mask, are never folded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kgraph.tools.viz.levels import Level, in_order, levels_of
from kgraph.tools.viz.model import Box, Cluster, GraphView, ancestors, by_id, outer_first

# Shorter runs stay as they are, and blocks of more pieces are not looked for.
FEWEST, LONGEST = 3, 12


@dataclass(frozen=True)
class Run:
    """Equal blocks of units in a row on one level."""

    level: str | None
    blocks: tuple[tuple[str, ...], ...]

    @property
    def dropped(self) -> frozenset[str]:
        """The units of all blocks but the first."""
        return frozenset(u for block in self.blocks[1:] for u in block)


def fold_repeats(view: GraphView) -> GraphView:
    """Replaces runs of equal blocks by their first one, in a cluster that says how many they are.

    Args:
        view: any view.

    Returns:
        The smaller view, or the same one.
    """
    levels = levels_of(view)
    hashes = _structures(view, levels)
    crossing = _crossing(view)
    runs = [r for name, level in levels.items() for r in _runs(name, level, hashes, crossing)]
    table = by_id(view.clusters)
    # What lies inside of a copy goes with it.
    dropped = {unit for run in runs for unit in run.dropped}
    runs = [r for r in runs if not dropped & set(ancestors(table, r.level))]
    return _without(view, runs) if runs else view


def _crossing(view: GraphView) -> tuple[set[str], set[str]]:
    """Units with edges from outside of their level, and to there."""
    table = by_id(view.clusters)
    chains = {b.id: [b.id, *ancestors(table, b.cluster)] for b in view.boxes}
    entered: set[str] = set()
    left: set[str] = set()
    for edge in view.edges:
        one, two = chains[edge.source], chains[edge.target]
        common = sum(1 for a, b in zip(reversed(one), reversed(two)) if a == b)
        # The outermost unit that does not hold both ends meets the other one on its own level.
        left.update(one[: len(one) - common - 1])
        entered.update(two[: len(two) - common - 1])
    return entered, left


def _structures(view: GraphView, levels: Mapping[str | None, Level]) -> dict[str, str]:
    """Unit -> a digest of what it is, names and numbers of calls apart; inner clusters first."""
    found = {b.id: _digest(_looks(b)) for b in view.boxes}
    for cluster in reversed(view.clusters):
        level = levels.get(cluster.id, Level())
        units = {u: i for i, u in enumerate(level.units)}
        edges = sorted((units[s], e.output, units[d], e.operand, e.kind) for s, d, e in level.edges)
        label = cluster.label if cluster.kind == "loop" else ""
        found[cluster.id] = _digest((cluster.kind, label, [found[u] for u in units], edges))
    return found


def _looks(box: Box) -> tuple[Any, ...]:
    label = box.label if box.kind in ("op", "arg", "result") else ""
    # A layer that is called again is the same one, which no copy can say.
    return (box.kind, box.op, label, box.types, box.details, box.activation, box.params,
            box.trainable, box.id if box.sharing else None)  # fmt: skip


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode("utf-8", "backslashreplace")).hexdigest()


def _runs(
    name: str | None,
    level: Level,
    hashes: Mapping[str, str],
    crossing: tuple[set[str], set[str]],
) -> list[Run]:
    order, straight = in_order(level)
    if not straight or len(order) < FEWEST:
        return []
    pieces = _pieces(order, level)
    looks = _looks_of_pieces(pieces, level, hashes)
    entered, left = crossing
    for i, piece in enumerate(pieces):
        inner = piece[:-1] if i == len(pieces) - 1 else piece
        if (i and entered & set(piece)) or left & set(inner):
            looks[i] = f"piece {i}"  # equal to no other
    found, start = [], 0
    while start < len(pieces):
        length, count = _longest(looks, start)
        if count >= FEWEST:
            rows = [pieces[start + k * length : start + (k + 1) * length] for k in range(count)]
            found.append(Run(name, tuple(tuple(u for p in row for u in p) for row in rows)))
        start += length * count
    return found


def _pieces(order: Sequence[str], level: Level) -> list[list[str]]:
    """The units between cuts; each piece ends with the unit that everything passes through."""
    place = {unit: i for i, unit in enumerate(order)}
    reach = list(range(len(order)))
    for source, target, _ in level.edges:
        a, b = sorted((place[source], place[target]))
        reach[a] = max(reach[a], b)
    found: list[list[str]] = [[]]
    before = 0
    for i, unit in enumerate(order):
        found[-1].append(unit)
        # No edge from before `unit` goes past it, and `unit` goes on.
        if before <= i < reach[i]:
            found.append([])
        before = max(before, reach[i])
    return [piece for piece in found if piece]


def _looks_of_pieces(
    pieces: Sequence[Sequence[str]], level: Level, hashes: Mapping[str, str]
) -> list[str]:
    """Digest of each piece and of its edges; what comes in does so from the end of the last one."""
    at = {u: (i, k) for i, piece in enumerate(pieces) for k, u in enumerate(piece)}
    edges: list[list[Any]] = [[] for _ in pieces]
    for source, target, edge in level.edges:
        (i, k), (j, m) = at[source], at[target]
        kind = (edge.output, edge.operand, edge.kind)
        edges[j].append((k if i == j else -1, m, *kind))
    return [
        _digest(([hashes[u] for u in piece], sorted(edges[i]))) for i, piece in enumerate(pieces)
    ]


def _longest(looks: Sequence[str], start: int) -> tuple[int, int]:
    """Length of a block and how often it stands in a row from `start` on, to cover the most."""
    best = (1, 1)
    for length in range(1, LONGEST + 1):
        count = 1
        block = looks[start : start + length]
        while looks[start + count * length : start + (count + 1) * length] == block:
            count += 1
        if count >= FEWEST and length * count > best[0] * best[1]:
            best = (length, count)
    return best


def _without(view: GraphView, runs: Sequence[Run]) -> GraphView:
    """Takes the copies out and hangs what the last ones fed on the first ones."""
    table = by_id(view.clusters)
    gone = {unit for run in runs for unit in run.dropped}
    stands: dict[str, str] = {}
    members = _members(view, table)
    for run in runs:
        for one, two in zip(run.blocks[-1], run.blocks[0], strict=True):
            stands |= dict(zip(members[one], members[two], strict=True))
    kept = [b for b in view.boxes if not gone & {b.id, *ancestors(table, b.cluster)}]
    ids = {b.id for b in kept}
    edges = []
    for edge in view.edges:
        moved = edge
        if edge.source not in ids and edge.target in ids:
            moved = replace(edge, source=stands.get(edge.source, edge.source))
        if moved.source in ids and moved.target in ids:
            edges.append(moved)
    clusters = [c for c in view.clusters if not gone & {c.id, *ancestors(table, c.parent)}]
    return _wrapped(replace(view, boxes=tuple(kept), edges=tuple(edges)), clusters, runs)


def _members(view: GraphView, table: Mapping[str, Cluster]) -> dict[str, list[str]]:
    """Unit -> its boxes; those of two equal units are equal one by one."""
    found: dict[str, list[str]] = {}
    for box in view.boxes:
        for unit in (box.id, *ancestors(table, box.cluster)):
            found.setdefault(unit, []).append(box.id)
    return found


def _wrapped(view: GraphView, clusters: Sequence[Cluster], runs: Sequence[Run]) -> GraphView:
    """Says how often each first block stands: on its cluster, or on a new one around its units."""
    boxes, table = by_id(view.boxes), by_id(clusters)
    for run in runs:
        first, count = run.blocks[0], len(run.blocks)
        if first[0] in table and len(first) == 1:
            table[first[0]] = replace(table[first[0]], repeat=count)
            continue
        label = (boxes.get(first[0]) or table[first[0]]).label
        above = f"{table[run.level].path}/" if run.level is not None else ""
        made = Cluster(f"r{first[0]}", label, "repeat", above + label, run.level, repeat=count)
        table[made.id] = made
        for unit in first:
            if unit in boxes:
                boxes[unit] = replace(boxes[unit], cluster=made.id)
            else:
                table[unit] = replace(table[unit], parent=made.id)
    return replace(view, boxes=tuple(boxes.values()), clusters=outer_first(table))

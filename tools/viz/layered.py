"""One level of a picture in layers: ranks, an order with few crossings, coordinates, routes.

After Sugiyama, Tagawa and Toda (1981): every rank is a row of units, sorted by where their
neighbours are (barycentres). Lines slant between rows only. What passes rows goes straight down in
a channel through all of them, the nearest that no unit and no other line takes.
"""

from __future__ import annotations

import bisect
import functools
import itertools
import operator
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

SWEEPS = 8
# Between rows, between rows and the border, between units, and between ends of lines on a unit.
ROW_GAP, BORDER_GAP, GAP, SPREAD = 34.0, 14.0, 22.0, 22.0
# Channels lie in columns of this width; beside units and other channels one more stays free.
COLUMN = 5.0
Point = tuple[float, float]


@dataclass(eq=False)
class Link:
    """An edge on a level, from the foot of a unit to the top of a later one.

    Args:
        tensor: links of one tensor from one unit share a channel.
        source, target: the units; None is the border of the level.
        out, into: where on them, from the left; the layout moves `into` if it is `free`.
        top, foot: found by the layout: the first row that it passes, and the row where it ends.
        x: found: its channel, or where it crosses the border.
        route: found: its points.
    """

    tensor: Hashable
    source: str | None
    target: str | None
    out: float = 0.0
    into: float = 0.0
    free: bool = False
    top: int = 0
    foot: int = 0
    x: float = 0.0
    route: list[Point] = field(default_factory=list)


@dataclass
class Sheet:
    """A finished level: left upper corners of the units, top and foot of the rows, its size."""

    places: dict[str, Point] = field(default_factory=dict)
    rows: list[Point] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def layered(units: Sequence[str], sizes: Mapping[str, Point], links: Sequence[Link]) -> Sheet:
    """Lays a level out from top to bottom, with its left upper corner at 0, 0.

    Args:
        units: each before those that links lead to from it.
        sizes: width and height of each unit.
        links: between units and the border; they get their places and routes.

    Example:
        >>> link = Link("tensor", "a", "b", 5, 5)
        >>> sheet = layered("ab", {"a": (10, 5), "b": (10, 5)}, [link])
        >>> sheet.places["b"], link.route[0], link.route[-1]
        ((0.0, 39.0), (5.0, 5.0), (5.0, 39.0))
    """
    level = Level(units, sizes, links)
    level.order()
    level.settle()
    level.find_channels()
    level.fasten()
    return level.sheet()


Pulls = dict[str, list[tuple[str, float]]]  # unit -> (another, how far right of it to be)


def ranks_of(units: Sequence[str], above: Pulls, below: Pulls) -> dict[str, int]:
    """The longest path to each unit; what nothing leads to stands just above its first user."""
    ranks: dict[str, int] = {}
    for unit in units:
        ranks[unit] = max((ranks[other] + 1 for other, _ in above[unit]), default=0)
    for unit in reversed(units):
        if below[unit] and not above[unit]:
            ranks[unit] = min(ranks[other] for other, _ in below[unit]) - 1
    return ranks


class Level:
    """Rows of units, and the left side of each."""

    def __init__(
        self, units: Sequence[str], sizes: Mapping[str, Point], links: Sequence[Link]
    ) -> None:
        self.sizes, self.links = sizes, links
        self.above: Pulls = {unit: [] for unit in units}
        self.below: Pulls = {unit: [] for unit in units}
        for link in links:
            if link.source and link.target:
                self.above[link.target].append((link.source, link.out - link.into))
                self.below[link.source].append((link.target, link.into - link.out))
        ranks = ranks_of(units, self.above, self.below)
        self.rows: list[list[str]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
        for unit in units:
            self.rows[ranks[unit]].append(unit)
        for link in links:
            link.top = ranks[link.source] + 1 if link.source else 0
            link.foot = ranks[link.target] if link.target else len(self.rows)
        self.x = dict.fromkeys(units, 0.0)
        for row in self.rows:
            self.put(row, dict.fromkeys(row, (0.0, 1.0)))

    def order(self) -> None:
        """Sorts the rows, down and up in turn, and keeps the best order met."""
        fewest, best = self.crossings(), ([list(row) for row in self.rows], dict(self.x))
        for sweep in range(SWEEPS):
            if not fewest:
                break
            self._sweep(*((self.above, 1), (self.below, -1))[sweep % 2], sort=True)
            count = self.crossings()
            if count < fewest:
                fewest, best = count, ([list(row) for row in self.rows], dict(self.x))
        self.rows, self.x = best

    def crossings(self) -> int:
        """How many pairs of links between the same two rows cross."""
        total = 0
        gaps: dict[tuple[int, int], list[Point]] = {}
        for e in self.links:
            if e.source and e.target:
                ends = self.x[e.source] + e.out, self.x[e.target] + e.into
                gaps.setdefault((e.top, e.foot), []).append(ends)
        for gap in gaps.values():
            seen: list[float] = []
            for _, end in sorted(gap):
                at = bisect.bisect_right(seen, end)
                total += len(seen) - at
                seen.insert(at, end)
        return total

    def settle(self) -> None:
        """Puts every unit near its neighbours, in the order that the rows have."""
        both = {unit: [*self.above[unit], *self.below[unit]] for unit in self.above}
        down, up = (self.above, 1), (self.below, -1)
        # At the end what is between two rows goes to the middle, then chains become straight.
        for pulls, way in (down, up, down, up, (both, 1), down):
            self._sweep(pulls, way)

    def _sweep(self, pulls: Pulls, way: int, sort: bool = False) -> None:
        """Moves row after row to where its neighbours in `pulls` want it."""
        for row in self.rows[::way]:
            wanted = {}
            for unit in row:
                places = [self.x[other] + shift for other, shift in pulls[unit]]
                wanted[unit] = (self.x[unit], 0.01)  # what nobody pulls gives way
                if places:
                    wanted[unit] = (sum(places) / len(places), len(places))
            if sort:
                row.sort(key=lambda unit: wanted[unit][0] + self.sizes[unit][0] / 2)
            self.put(row, wanted)

    def put(self, row: Sequence[str], wanted: Mapping[str, Point]) -> None:
        """Puts units as near as their order allows to (place, weight): isotonic regression."""
        offsets = [0.0, *itertools.accumulate(self.sizes[unit][0] + GAP for unit in row)]
        pools: list[tuple[float, float, int]] = []  # of units side by side
        for unit, offset in zip(row, offsets):
            place, weight = wanted[unit]
            pool = (place - offset) * weight, weight, 1
            while pools and pools[-1][0] / pools[-1][1] > pool[0] / pool[1]:
                pool = tuple(map(operator.add, pools.pop(), pool))
            pools.append(pool)
        places = [total / weight for total, weight, count in pools for _ in range(count)]
        self.x.update(zip(row, map(operator.add, places, offsets)))

    def find_channels(self) -> None:
        """Finds a channel for each tensor that passes rows; those that pass few choose first."""
        tensors: dict[object, list[Link]] = {}
        for link in self.links:
            if link.source:
                link.x = self.x[link.source] + link.out
            elif link.target:
                link.x = self.x[link.target] + link.into
            tensors.setdefault((link.tensor, link.source), []).append(link)
        left = min(self.x.values(), default=0.0) - 2 * COLUMN * (len(tensors) + 2)
        used = [0] * len(self.rows)  # columns as bits
        for rank, row in enumerate(self.rows):
            for unit in row:
                near = self.x[unit] - left
                used[rank] |= _columns(near, near + self.sizes[unit][0])
        spans = [(e[0].top, max(link.foot for link in e), e) for e in tensors.values()]
        for top, foot, links in sorted(spans, key=lambda span: span[1] - span[0]):
            if top < foot:
                x = _nearest(functools.reduce(operator.or_, used[top:foot]), links[0].x - left)
                taken = _columns(x, x)
                used[top:foot] = [bits | taken for bits in used[top:foot]]
                for link in links:
                    if top < link.foot:
                        link.x = left + x

    def fasten(self) -> None:
        """Deals out the free places on each unit by where the lines come from."""
        free: dict[str, list[Link]] = {}
        for link in self.links:
            if link.target and link.free:
                free.setdefault(link.target, []).append(link)
        for unit, links in free.items():
            links.sort(key=lambda link: link.x)
            for place, link in enumerate(links):
                link.into = spread(self.sizes[unit][0], place, len(links))
                if link.foot == 0:  # a line from the border to the first row is straight
                    link.x = self.x[unit] + link.into

    def sheet(self) -> Sheet:
        """The finished level."""
        found, at = Sheet(), BORDER_GAP * any(link.source is None for link in self.links)
        left = min([*self.x.values(), *(link.x for link in self.links)], default=0.0)
        for row in self.rows:
            height = max(self.sizes[unit][1] for unit in row)
            for unit in row:
                x, (wide, high) = self.x[unit] - left, self.sizes[unit]
                found.places[unit] = x, at + (height - high) / 2
                found.width = max(found.width, x + wide)
            found.rows.append((at, at + height))
            found.height = at + height
            at += height + ROW_GAP
        found.height += BORDER_GAP * any(link.target is None for link in self.links)
        for link in self.links:
            link.x -= left
            found.width = max(found.width, link.x)
            link.route = self._route(link, found)
        return found

    def _route(self, link: Link, sheet: Sheet) -> list[Point]:
        """Straight down through rows, slanting between them."""
        points, end = [(link.x, 0.0)], [(link.x, sheet.height)]
        if link.source:
            x, y = sheet.places[link.source]
            x, y = x + link.out, y + self.sizes[link.source][1]
            points = [(x, y), (x, sheet.rows[link.top - 1][1])]
        if link.top < link.foot:
            points += (link.x, sheet.rows[link.top][0]), (link.x, sheet.rows[link.foot - 1][1])
        if link.target:
            x, y = sheet.places[link.target]
            end = [(x + link.into, sheet.rows[link.foot][0]), (x + link.into, y)]
        return points + end


def _columns(left: float, right: float) -> int:
    """The columns from one place to another and one more on both sides, as bits."""
    return (1 << int(right / COLUMN) + 2) - (1 << int(left / COLUMN) - 1)


def _nearest(used: int, x: float) -> float:
    """The place next to x that lies in no used column."""
    column = int(x / COLUMN)
    right = ~used >> column
    right = (right & -right).bit_length() - 1
    left = column + 1 - (~used & (1 << column) - 1).bit_length()
    return x + COLUMN * (right if right <= left else -left)


def spread(width: float, place: int, count: int) -> float:
    """The place of one of several ends on a side, around its middle."""
    return width / 2 + (place - (count - 1) / 2) * min(SPREAD, width / (count + 1))

"""One level of a picture in layers: ranks, an order with few crossings, coordinates, routes.

After Sugiyama, Tagawa and Toda (1981): edges go from rank to rank, long ones through dummies, and
each rank is a row. Barycentres order the rows; places in a row are the least squares distance from
the neighbours that keep the order, found by pooling adjacent violators. Everything is iterative and
depends on the order of its arguments alone.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SWEEPS, MANY = 8, 4000
# Between rows, below a row of ports, between boxes, and between lines that pass a row.
ROW_GAP, PORT_GAP, GAP, DUMMY = 34.0, 14.0, 22.0, 10.0
Point = tuple[float, float]


@dataclass(frozen=True)
class Link:
    """An edge between two units; offsets say where on them it is fastened, from the left."""

    source: str
    target: str
    out: float
    into: float


@dataclass
class Sheet:
    """A finished level: left upper corners of the units, a route a link, and the size of all."""

    places: dict[str, Point] = field(default_factory=dict)
    routes: list[list[Point]] = field(default_factory=list)
    rows: list[tuple[float, float]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def layered(
    units: Sequence[str],
    sizes: Mapping[str, Point],
    links: Sequence[Link],
    first: Sequence[str] = (),
    last: Sequence[str] = (),
) -> Sheet:
    """Lays a level out from top to bottom.

    Args:
        units: in an order where most links point forwards; those that do not are routed upwards.
        sizes: width and height of each unit.
        links: between units.
        first, last: units of a row above and below all others.

    Returns:
        Places and routes; a route goes from the source's border to the target's.

    Example:
        >>> sheet = layered(["a", "b"], {"a": (10, 5), "b": (10, 5)}, [Link("a", "b", 5, 5)])
        >>> sheet.routes[0][0], sheet.routes[0][-1]
        ((5.0, 5.0), (5.0, 39.0))
    """
    place = {unit: i for i, unit in enumerate([*first, *units, *last])}
    ranks = _ranks(units, links, place, first, last)
    lines = [_Line(number, link, ranks, place) for number, link in enumerate(links)]
    lines = [line for line in lines if line.steps]
    rows: list[list[Any]] = [[] for _ in range(max(ranks.values(), default=-1) + 1)]
    for unit in place:
        rows[ranks[unit]].append(unit)
    for line in lines:
        for rank, dummy in line.dummies:
            rows[rank].append(dummy)
    _Ordering(rows, lines, sizes).run()
    return _placed(rows, lines, sizes, len(links))


def _ranks(
    units: Sequence[str],
    links: Sequence[Link],
    place: Mapping[str, int],
    first: Sequence[str],
    last: Sequence[str],
) -> dict[str, int]:
    """The longest path to each unit; what nothing leads to stands just above its first user."""
    above: dict[str, list[str]] = {unit: [] for unit in units}
    below: dict[str, list[str]] = {unit: [] for unit in units}
    for link in links:
        upper, lower = sorted((link.source, link.target), key=place.__getitem__)
        if upper in above and lower in above and upper != lower:
            above[lower].append(upper)
            below[upper].append(lower)
    ranks: dict[str, int] = {}
    for unit in units:
        ranks[unit] = max((ranks[u] + 1 for u in above[unit]), default=int(bool(first)))
    for unit in reversed(units):
        if below[unit] and not above[unit]:
            ranks[unit] = min(ranks[user] for user in below[unit]) - 1
    lowest = max(ranks.values(), default=-1 + bool(first))
    return dict.fromkeys(first, 0) | ranks | dict.fromkeys(last, lowest + 1)


class _Line:
    """A link as steps from row to row: (upper item, offset on it, lower item, offset)."""

    def __init__(
        self, number: int, link: Link, ranks: Mapping[str, int], place: Mapping[str, int]
    ) -> None:
        self.number = number
        self.upward = place[link.source] > place[link.target]
        ends = [(link.source, link.out), (link.target, link.into)]
        (top, out), (bottom, into) = ends[::-1] if self.upward else ends
        self.dummies = [(r, (number, r)) for r in range(ranks[top] + 1, ranks[bottom])]
        items: list[tuple[Any, float]] = [(top, out), *((d, 0.0) for _, d in self.dummies)]
        items.append((bottom, into))
        self.top = ranks[top]
        self.steps = [(*a, *b) for a, b in itertools.pairwise(items)] if top != bottom else []


class _Ordering:
    """Sorts the rows by barycentres, down and up in turn, and keeps the best order met."""

    def __init__(
        self, rows: list[list[Any]], lines: Sequence[_Line], sizes: Mapping[str, Point]
    ) -> None:
        self.rows, self.sizes = rows, sizes
        self.above: dict[Any, list[tuple[Any, float]]] = {i: [] for row in rows for i in row}
        self.below: dict[Any, list[tuple[Any, float]]] = {i: [] for row in rows for i in row}
        for line in lines:
            for top, out, bottom, into in line.steps:
                self.below[top].append((bottom, self._part(bottom, into)))
                self.above[bottom].append((top, self._part(top, out)))

    def _part(self, item: Any, offset: float) -> float:
        """Where on an item, as a part of its width."""
        return offset / self.sizes[item][0] if item in self.sizes and self.sizes[item][0] else 0.5

    def run(self) -> None:
        fewest, best = self.crossings(), [list(row) for row in self.rows]
        # A level of very many lines is not worth the time: nobody follows them one by one.
        for sweep in range(SWEEPS if len(self.above) < MANY else 2):
            if not fewest:
                break
            down = sweep % 2 == 0
            ranks = range(1, len(self.rows)) if down else range(len(self.rows) - 2, -1, -1)
            for rank in ranks:
                self._sort(self.rows[rank], self.rows[rank - 1 if down else rank + 1], down)
            count = self.crossings()
            if count < fewest:
                fewest, best = count, [list(row) for row in self.rows]
        self.rows[:] = best

    def _sort(self, row: list[Any], fixed: Sequence[Any], down: bool) -> None:
        at = {item: i for i, item in enumerate(fixed)}
        table = self.above if down else self.below

        def centre(pair: tuple[int, Any]) -> float:
            found = [at[other] + part for other, part in table[pair[1]]]
            return sum(found) / len(found) if found else pair[0] + 0.5

        row[:] = [item for _, item in sorted(enumerate(row), key=centre)]

    def crossings(self) -> int:
        """How many pairs of steps cross."""
        total = 0
        for row, lower in zip(self.rows, self.rows[1:]):
            at = {item: i for i, item in enumerate(lower)}
            seen: list[float] = []
            for item in row:
                ends = sorted(at[other] + part for other, part in self.below[item])
                total += sum(len(seen) - bisect.bisect_right(seen, end) for end in ends)
                for end in ends:
                    bisect.insort(seen, end)
        return total


def _placed(
    rows: Sequence[Sequence[Any]],
    lines: Sequence[_Line],
    sizes: Mapping[str, Point],
    count: int,
) -> Sheet:
    """Coordinates for the ordered rows."""
    box = {item: sizes.get(item, (0.0, 0.0)) for row in rows for item in row}
    x = _across(rows, lines, box)
    left = min(x.values(), default=0.0)
    sheet = Sheet(routes=[[] for _ in range(count)])
    top, gap = 0.0, 0.0
    heights = [max((box[item][1] for item in row), default=0.0) for row in rows]
    for rank, (row, height) in enumerate(zip(rows, heights, strict=True)):
        sheet.rows.append((top, top + height))
        for item in row:
            x[item] -= left
            if item in sizes:
                sheet.places[item] = (x[item], top + (height - box[item][1]) / 2)
                sheet.width = max(sheet.width, x[item] + box[item][0])
            else:
                sheet.width = max(sheet.width, x[item])
        gap = ROW_GAP if height and all(heights[rank : rank + 2]) else PORT_GAP
        top += height + gap
    sheet.height = max(top - gap, 0.0)
    for line in lines:
        route = _route(line, x, sheet, box)
        sheet.routes[line.number] = route[::-1] if line.upward else route
    return sheet


def _route(
    line: _Line, x: Mapping[Any, float], sheet: Sheet, box: Mapping[Any, Point]
) -> list[Point]:
    """Straight down through each row, slanting between rows: past every box."""
    points: list[Point] = []
    for i, (top, out, bottom, into) in enumerate(line.steps):
        rank = line.top + i
        if top in sheet.places and box[top][1]:
            points.append((x[top] + out, sheet.places[top][1] + box[top][1]))
        points.append((x[top] + out, sheet.rows[rank][1]))
        points.append((x[bottom] + into, sheet.rows[rank + 1][0]))
        if bottom in sheet.places:
            points.append((x[bottom] + into, sheet.places[bottom][1]))
    return points


def _across(
    rows: Sequence[Sequence[Any]], lines: Sequence[_Line], box: Mapping[Any, Point]
) -> dict[Any, float]:
    """The left side of every item: near its neighbours, in the order of its row."""
    above: dict[Any, list[tuple[Any, float, float]]] = {item: [] for row in rows for item in row}
    below: dict[Any, list[tuple[Any, float, float]]] = {item: [] for row in rows for item in row}
    for line in lines:
        for top, out, bottom, into in line.steps:
            # Dummies are held hard, so that long edges are straight.
            weight = 1.0 + 3 * (isinstance(top, tuple) + isinstance(bottom, tuple))
            below[top].append((bottom, into - out, weight))
            above[bottom].append((top, out - into, weight))
    x: dict[Any, float] = {}
    for row in rows:
        at = 0.0
        for item in row:
            x[item] = at
            at += box[item][0] + _gap(item, item)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0 or sweep == SWEEPS - 1
        order = range(len(rows)) if down else range(len(rows) - 1, -1, -1)
        # The last two: what is between two rows goes to the middle, then chains become straight.
        tables = {SWEEPS - 2: (above, below), SWEEPS - 1: (above,)}.get(
            sweep, ((above,), (below,))[sweep % 2]
        )
        for rank in order:
            _settle(rows[rank], tables, x, box)
    return x


def _gap(one: Any, two: Any) -> float:
    return DUMMY if isinstance(one, tuple) or isinstance(two, tuple) else GAP


def _settle(
    row: Sequence[Any],
    tables: Sequence[Mapping[Any, Sequence[tuple[Any, float, float]]]],
    x: dict[Any, float],
    box: Mapping[Any, Point],
) -> None:
    """Moves a row as near as possible to where its neighbours want it (isotonic regression)."""
    offsets, pools, at = [], [], 0.0
    for i, item in enumerate(row):
        if i:
            at += box[row[i - 1]][0] + _gap(row[i - 1], item)
        offsets.append(at)
        pulls = [(x[other] + shift, w) for table in tables for other, shift, w in table[item]]
        weight = sum(w for _, w in pulls) or 0.01
        wanted = sum(p * w for p, w in pulls) / weight if pulls else x[item]
        pools.append([(wanted - at) * weight, weight, 1])
        while len(pools) > 1 and pools[-2][0] / pools[-2][1] > pools[-1][0] / pools[-1][1]:
            total, heavy, count = pools.pop()
            pools[-1] = [pools[-1][0] + total, pools[-1][1] + heavy, pools[-1][2] + count]
    values = [total / weight for total, weight, count in pools for _ in range(int(count))]
    for item, value, offset in zip(row, values, offsets, strict=True):
        x[item] = value + offset

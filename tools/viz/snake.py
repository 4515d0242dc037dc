"""Long pictures in columns: after so many rows a picture goes on beside itself.

Edges from the foot of one column to the head of the next go around it, each on a track of its own.
"""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Callable, Collection, Mapping

from kgraph.tools.viz.layered import Link, Point, Sheet

GUTTER, TRACK = 30.0, 6.0


def wrapped(sheet: Sheet, links: Collection[Link], sizes: Mapping[str, Point], rows: int) -> Sheet:
    """The sheet in columns; the routes of its links go with it.

    Args:
        sheet: a finished level.
        links: of it.
        sizes: width and height of its units.
        rows: of a column.

    Returns:
        A new sheet, or the same one if it fits into one column.

    Example:
        >>> from kgraph.tools.viz.layered import layered
        >>> size = {name: (10.0, 5.0) for name in "abcd"}
        >>> links = [Link(a, a, b, 5, 5) for a, b in ("ab", "bc", "cd")]
        >>> places = wrapped(layered("abcd", size, links), links, size, 2).places
        >>> places["a"][1] == places["c"][1], places["a"][0] < places["c"][0]
        (True, True)
    """
    if len(sheet.rows) <= rows:
        return sheet
    tops = [top for top, _ in sheet.rows]

    def column(y: float) -> int:
        return max(bisect.bisect_right(tops, y + 1e-9) - 1, 0) // rows

    count = -(-len(sheet.rows) // rows)
    crossing = [0] * count  # tracks between a column and the next
    for link in links:
        for (_, y), (_, below) in itertools.pairwise(link.route):
            for c in range(*sorted((column(y), column(below)))):
                crossing[c] += 1
    low = [float("inf")] * count
    high = [float("-inf")] * count
    for unit, (x, y) in sheet.places.items():
        c = column(y)
        low[c], high[c] = min(low[c], x), max(high[c], x + sizes.get(unit, (0, 0))[0])
    for link in links:
        for x, y in link.route:
            low[column(y)], high[column(y)] = min(low[column(y)], x), max(high[column(y)], x)
    columns = _Columns(sheet, rows, column, crossing, low, high)
    for link in links:
        link.route = columns.route(link.route)
    places = {unit: columns.moved(place) for unit, place in sheet.places.items()}
    return Sheet(places, sheet.rows, columns.width, columns.height)


class _Columns:
    """Where the columns stand, and how far the tracks between them are used."""

    def __init__(
        self,
        sheet: Sheet,
        rows: int,
        column: Callable[[float], int],
        crossing: list[int],
        low: list[float],
        high: list[float],
    ) -> None:
        self.column = column
        self.used = [0] * len(crossing)
        self.head = GUTTER + TRACK * max(crossing)
        self.shift: list[Point] = []
        self.foot: list[float] = []
        self.gutter: list[float] = []
        at = 0.0
        for c, more in enumerate(crossing):
            first = sheet.rows[c * rows][0]
            last = sheet.rows[min((c + 1) * rows, len(sheet.rows)) - 1][1]
            self.shift.append((at - low[c], self.head - first))
            self.foot.append(self.head + last - first)
            at += high[c] - low[c] + GUTTER / 2
            self.gutter.append(at)
            at += TRACK * more + GUTTER / 2
        self.width = at - GUTTER - TRACK * crossing[-1]
        self.height = max(self.foot) + self.head

    def moved(self, point: Point) -> Point:
        dx, dy = self.shift[self.column(point[1])]
        return point[0] + dx, point[1] + dy

    def route(self, points: list[Point]) -> list[Point]:
        """A route with its ways around the ends of columns."""
        found = [self.moved(points[0])] if points else []
        for before, point in itertools.pairwise(points):
            c = self.column(before[1])
            if self.column(point[1]) > c:
                track = TRACK * self.used[c]
                self.used[c] += 1
                x, y = self.moved(point)
                down, up = self.foot[c] + GUTTER / 2 + track, self.head - GUTTER / 2 - track
                gutter = self.gutter[c] + track
                found += [(found[-1][0], down), (gutter, down), (gutter, up), (x, up), (x, y)]
            else:
                found.append(self.moved(point))
        return found

"""Places in a picture, with what the layout of levels does not know: calls and edges to oneself.

Each call of a shared layer leaves its box at a place of its own. An edge from a box to itself goes
out at its side, which gets more room.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kgraph.tools.viz.model import Box, Edge, GraphView, by_id
from kgraph.tools.viz.nested import arrange
from kgraph.tools.viz.picture import Picture, Point, Rect

# How far an edge to oneself goes out, and that with its label.
_OUT, _ROOM = 11.0, 56.0


def place(
    view: GraphView,
    sizes: Mapping[str, Point],
    titles: Mapping[str, float],
    rankdir: str = "TB",
    wrap: int | None = None,
) -> Picture:
    """Finds places for the boxes, clusters and edges of a view; see `arrange`.

    Returns:
        The picture; routes are in the order of the edges.
    """
    loops = [i for i, edge in enumerate(view.edges) if edge.source == edge.target]
    boxes, calls = by_id(view.boxes), dict[str, int]()
    for edge in view.edges:
        calls[edge.source] = max(calls.get(edge.source, 1), edge.calls[0])
    straight = [_apart(e, boxes) for e in view.edges if e.source != e.target]
    around = {view.edges[i].source for i in loops}
    flat = rankdir in ("LR", "RL")
    more = (0.0, _ROOM) if flat else (_ROOM, 0.0)
    wider = {
        id: (w + 2 * more[0], h + 2 * more[1]) if id in around else (w, h)
        for id, (w, h) in sizes.items()
    }
    ends = tuple(replace(b, types=b.types * calls.get(b.id, 1)) for b in view.boxes)
    picture = arrange(
        replace(view, boxes=ends, edges=tuple(straight)), wider, titles, rankdir, wrap
    )
    for id in around:
        x, y, w, h = picture.boxes[id]
        picture.boxes[id] = (x + more[0], y + more[1], w - 2 * more[0], h - 2 * more[1])
    numbers: dict[str, list[int]] = {}
    for i in loops:
        numbers.setdefault(view.edges[i].source, []).append(i)
    for i in loops:  # in ascending order, so that each lands at its own place
        row = numbers[view.edges[i].source]
        rect = picture.boxes[view.edges[i].source]
        picture.routes.insert(i, _loop(rect, row.index(i), len(row), flat))
    return picture


def _apart(edge: Edge, boxes: Mapping[str, Box]) -> Edge:
    """An edge that leaves its box at the place of its call."""
    places = len(boxes[edge.source].types)
    return replace(edge, output=edge.output + places * max(edge.calls[0] - 1, 0))


def _loop(rect: Rect, number: int, count: int, flat: bool) -> list[Point]:
    """The way of one of several edges from a box to itself: at its right side, or below."""
    x, y, w, h = rect
    long = w if flat else h
    first, last = (long * (number + part) / count for part in (0.75, 0.25))
    if flat:
        low = y + h
        return [(x + first, low), (x + first, low + _OUT), (x + last, low + _OUT), (x + last, low)]
    right = x + w
    return [(right, y + first), (right + _OUT, y + first), (right + _OUT, y + last),
            (right, y + last)]  # fmt: skip

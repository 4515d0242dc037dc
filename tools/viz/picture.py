"""A finished picture: where everything is, turned into its direction; links beside boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kgraph.tools.viz.model import Edge

Point = tuple[float, float]
Rect = tuple[float, float, float, float]


@dataclass
class Picture:
    """Where everything is: left, top, width and height of boxes and clusters; a route an edge.

    A link between two calls of one layer has an empty route if others stand between them.
    """

    boxes: dict[str, Rect] = field(default_factory=dict)
    clusters: dict[str, Rect] = field(default_factory=dict)
    routes: list[list[Point]] = field(default_factory=list)
    width: float = 0.0
    height: float = 0.0


def turned(picture: Picture, rankdir: str) -> Picture:
    """A picture from top to bottom in another direction: TB, BT, LR or RL.

    Example:
        >>> turned(Picture({"a": (0, 0, 2, 1)}, width=9, height=5), "RL").boxes
        {'a': (4, 0, 1, 2)}
    """
    if rankdir == "TB":
        return picture
    flip, swap = rankdir in ("BT", "RL"), rankdir in ("LR", "RL")

    def turn(rect: Rect) -> Rect:
        x, y, w, h = rect
        y = picture.height - y - h if flip else y
        return (y, x, h, w) if swap else (x, y, w, h)

    return Picture(
        {name: turn(rect) for name, rect in picture.boxes.items()},
        {name: turn(rect) for name, rect in picture.clusters.items()},
        [[turn((*point, 0.0, 0.0))[:2] for point in route] for route in picture.routes],
        *turn((0.0, 0.0, picture.width, picture.height))[2:],
    )


def beside(boxes: Mapping[str, Rect], edge: Edge) -> list[Point]:
    """A straight link between neighbours in a row; none where another box is between them."""
    left, right = sorted((boxes[edge.source], boxes[edge.target]))
    start, end = left[0] + left[2], right[0]
    low, high = max(left[1], right[1]), min(left[1] + left[3], right[1] + right[3])
    y = (low + high) / 2
    if low >= high or start >= end:
        return []
    if any(r[0] < end and start < r[0] + r[2] and r[1] <= y <= r[1] + r[3] for r in boxes.values()):
        return []
    points = [(start, y), (end, y)]
    return points if left == boxes[edge.source] else points[::-1]


def simplified(points: Sequence[Point]) -> list[Point]:
    """A route without points that are there twice or on a line straight down."""
    kept: list[Point] = []
    for point in points:
        if len(kept) > 1 and kept[-2][0] == kept[-1][0] == point[0]:
            kept.pop()
        if not kept or point != kept[-1]:
            kept.append(point)
    return kept

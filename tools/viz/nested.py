"""Clusters in clusters: each is laid out for itself, inside ones first, and is then one unit.

An edge is in pieces: from its source to the border of the cluster around it, between units, and
from a border to its target. The layout of a cluster says where on its border an edge goes through.
"""

from __future__ import annotations

from collections.abc import Mapping

from kgraph.tools.viz.layered import Link, Point, Sheet, layered, spread
from kgraph.tools.viz.levels import chains_of, in_order, levels_of, meeting, pieces_of
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.picture import Picture, beside, simplified, turned
from kgraph.tools.viz.snake import wrapped

PAD, TITLE = 14.0, 20.0
# Direction -> where the top of the finished picture is while it is laid out from top to bottom.
_TITLE_SIDE = {"TB": "top", "BT": "bottom", "LR": "left", "RL": "left"}


def arrange(
    view: GraphView,
    sizes: Mapping[str, Point],
    titles: Mapping[str, float],
    rankdir: str = "TB",
    wrap: int | None = None,
) -> Picture:
    """Finds places for the boxes, clusters and edges of a view.

    Args:
        view: with all its clusters open; see `visible`.
        sizes: width and height of each box.
        titles: least width of each cluster.
        rankdir: TB, BT, LR or RL.
        wrap: rows after which a long picture goes on in a new column.

    Returns:
        The picture, with its left upper corner at 0, 0.
    """
    flat = rankdir in ("LR", "RL")
    nest = _Nest(view, {k: (h, w) if flat else (w, h) for k, (w, h) in sizes.items()})
    for cluster in reversed(view.clusters):
        nest.lay(cluster.id)
        nest.frame(cluster.id, titles[cluster.id], rankdir)
    nest.lay(None)
    if wrap:
        links = nest.links[None].values()
        nest.sheets[None] = wrapped(nest.sheets[None], links, nest.sizes, wrap)
    return turned(nest.picture(), rankdir)


class _Nest:
    """The levels of a view: their units in order, the links between them, and their sheets."""

    def __init__(self, view: GraphView, sizes: dict[str, Point]) -> None:
        self.view, self.sizes = view, sizes
        self.outputs = {box.id: max(len(box.types), 1) for box in view.boxes}
        self.orders = {name: in_order(level)[0] for name, level in levels_of(view).items()}
        # Level -> number of an edge -> its piece there.
        self.links: dict[str | None, dict[int, Link]] = {name: {} for name in self.orders}
        self.upward: set[int] = set()
        self.ways = self._cut()
        self.sheets: dict[str | None, Sheet] = {}
        self.inner: dict[str | None, Point] = {}  # cluster -> where in it its sheet begins

    def _cut(self) -> list[list[str | None]]:
        """Cuts the edges into pieces; for each the levels of these, in order.

        What leads to an earlier unit is laid out as if it came from there.
        """
        chains = chains_of(self.view)
        place: dict[str | None, int] = {
            unit: i for order in self.orders.values() for i, unit in enumerate(order)
        }
        ways = []
        for number, edge in enumerate(self.view.edges):
            one, two = chains[edge.source], chains[edge.target]
            i, j = meeting(one, two)
            tensor: object = (edge.source, edge.output)
            if place[one[i]] > place[two[j]]:
                self.upward.add(number)
                tensor, one, two = number, two, one
            pieces = pieces_of(one, two) if edge.kind != "shared" else []
            for level, start, end in pieces:
                self.links[level][number] = Link(tensor, start, end)
            ways.append([level for level, _, _ in pieces])
        return ways

    def lay(self, name: str | None) -> None:
        """Lays one level out; its clusters are done."""
        for number, link in self.links[name].items():
            start, end = link.source, link.target
            if start in self.inner:
                link.out = self.inner[start][0] + self.links[start][number].x
            elif start is not None:
                count = 1 if number in self.upward else self.outputs[start]
                output = min(self.view.edges[number].output, count - 1)
                link.out = spread(self.sizes[start][0], output, count)
            if end in self.inner:
                link.into = self.inner[end][0] + self.links[end][number].x
            elif end is not None:
                link.into, link.free = self.sizes[end][0] / 2, True
        links = list(self.links[name].values())
        self.sheets[name] = layered(self.orders[name], self.sizes, links)

    def frame(self, name: str, title: float, rankdir: str) -> None:
        """The size of a cluster around its sheet, with room for its title."""
        left, top, right, bottom = (
            PAD + TITLE * (_TITLE_SIDE[rankdir] == side)
            for side in ("left", "top", "right", "bottom")
        )
        sheet = self.sheets[name]
        width, height = sheet.width + left + right, sheet.height + top + bottom
        if rankdir in ("LR", "RL"):
            height = max(height, title)
        elif width < title:
            left, width = left + (title - width) / 2, title
        self.inner[name], self.sizes[name] = (left, top), (width, height)

    def picture(self) -> Picture:
        """Everything at its place."""
        found = Picture(width=self.sheets[None].width, height=self.sheets[None].height)
        origin: dict[str | None, Point] = {None: (0.0, 0.0)}

        def moved(level: str | None, point: Point) -> Point:
            return origin[level][0] + point[0], origin[level][1] + point[1]

        for cluster in self.view.clusters:
            id, level = cluster.id, cluster.parent
            corner = moved(level, self.sheets[level].places[id])
            found.clusters[id] = (*corner, *self.sizes[id])
            origin[id] = corner[0] + self.inner[id][0], corner[1] + self.inner[id][1]
        for box in self.view.boxes:
            corner = moved(box.cluster, self.sheets[box.cluster].places[box.id])
            found.boxes[box.id] = (*corner, *self.sizes[box.id])
        for number, (edge, way) in enumerate(zip(self.view.edges, self.ways, strict=True)):
            route = [moved(name, p) for name in way for p in self.links[name][number].route]
            if number in self.upward:
                route.reverse()
            found.routes.append(simplified(route) if way else beside(found.boxes, edge))
        return found

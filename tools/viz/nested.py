"""Clusters in clusters: each is laid out for itself, inside ones first, and is then one unit.

An edge that leaves a cluster does so through a port on its border, which is a unit of the cluster's
last row, and one that comes in through a port of the first row. So on every level edges go between
rows only, and no edge goes through a box.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kgraph.tools.viz.layered import MANY, Link, Point, Sheet, layered
from kgraph.tools.viz.levels import Level, in_order, levels_of
from kgraph.tools.viz.model import Edge, GraphView, ancestors, by_id
from kgraph.tools.viz.snake import wrapped

PAD, TITLE, SPREAD = 14.0, 20.0, 22.0
Rect = tuple[float, float, float, float]
# Direction -> where the top of the finished picture is while it is laid out from top to bottom.
_TITLE_SIDE = {"TB": "top", "BT": "bottom", "LR": "left", "RL": "left"}


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
    turned = {k: (h, w) if flat else (w, h) for k, (w, h) in sizes.items()}
    work = _Work(view, turned, titles, rankdir)
    for cluster in reversed(view.clusters):
        work.lay(cluster.id)
    work.lay(None)
    if wrap:
        work.sheets[None] = wrapped(work.sheets[None], work.sizes, wrap)
    return _turned(work.picture(), rankdir)


class _Work:
    """The sheets of the levels that are done."""

    def __init__(
        self, view: GraphView, sizes: Mapping[str, Point], titles: Mapping[str, float], rankdir: str
    ) -> None:
        self.view, self.sizes, self.titles = view, dict(sizes), titles
        self.side, self.flat = _TITLE_SIDE[rankdir], rankdir in ("LR", "RL")
        self.levels = levels_of(view)
        table = by_id(view.clusters)
        self.chains = {b.id: [b.id, *ancestors(table, b.cluster)] for b in view.boxes}
        self.sheets: dict[str | None, Sheet] = {}
        self.inner: dict[str | None, Point] = {None: (0.0, 0.0)}  # where a cluster's sheet begins
        self.numbers: dict[tuple[str | None, int], int] = {}  # of the route on a sheet
        self.anchors = _anchors(view, sizes)
        empty = {None: Level()}
        self.orders = {n: in_order(level)[0] for n, level in (empty | self.levels).items()}
        self.places = {n: {u: i for i, u in enumerate(o)} for n, o in self.orders.items()}
        self.ports = [self._port_names(edge) for edge in view.edges]
        self.passing = self._passing()

    def _passing(self) -> dict[str | None, list[tuple[int, str, str]]]:
        """Level -> the pieces of edges there: (number of the edge, from unit, to unit)."""
        found: dict[str | None, list[tuple[int, str, str]]] = {n: [] for n in (None, *self.levels)}
        for number, edge in enumerate(self.view.edges):
            if edge.kind != "shared":
                for level, start, end in self._pieces(number):
                    found[level].append((number, start, end))
        return found

    def _meeting(self, edge: Edge) -> tuple[int, int]:
        """How far up the chains of its ends an edge has its only piece between units."""
        one, two = self.chains[edge.source], self.chains[edge.target]
        i, j = len(one) - 1, len(two) - 1
        while i > 0 and j > 0 and one[i] == two[j]:
            i, j = i - 1, j - 1
        return i, j

    def _port_names(self, edge: Edge) -> tuple[str, str]:
        """The ports by which an edge leaves and enters clusters.

        An edge that goes upwards leaves through the first row and comes in through the last one;
        those ports begin with a caret behind the bracket.
        """
        one, two = self.chains[edge.source], self.chains[edge.target]
        i, j = self._meeting(edge)
        order = self.places[one[i + 1] if i + 1 < len(one) else None]
        up = "^" if order[one[i]] > order[two[j]] else "."
        return f">{up}{edge.source}.{edge.output}", f"<{up}{edge.source}.{edge.output}"

    def _pieces(self, number: int) -> list[tuple[str | None, str, str]]:
        """The levels that an edge passes, from its source on: (level, from unit, to unit)."""
        edge, (leave, enter) = self.view.edges[number], self.ports[number]
        one, two = self.chains[edge.source], self.chains[edge.target]
        i, j = self._meeting(edge)
        out = [(one[k + 1], one[k], leave) for k in range(i)]
        meeting = one[i + 1] if i + 1 < len(one) else None
        into = [(two[k + 1], enter, two[k]) for k in range(j - 1, -1, -1)]
        return [*out, (meeting, one[i], two[j]), *into]

    def lay(self, name: str | None) -> None:
        """Lays one level out; its clusters are done."""
        order = self.orders[name]
        ports = dict.fromkeys(u for _, *ends in self.passing[name] for u in ends if u[0] in "<>")
        sizes = {u: self.sizes[u] for u in order} | dict.fromkeys(ports, (0.0, 0.0))
        first = [p for p in ports if p[:2] in ("<.", ">^")]
        last = [p for p in ports if p[:2] in (">.", "<^")]
        for attempt in range(2):
            keys = self._links(name)
            links = {key: i for i, key in enumerate(dict.fromkeys(keys.values()))}
            sheet = layered(order, sizes, list(links), first, last)
            routes = {number: sheet.routes[links[link]] for number, link in keys.items()}
            if attempt or len(keys) >= MANY or not self._uncross(keys, routes):
                break
        self.sheets[name] = sheet
        self.numbers |= {(name, number): links[link] for number, link in keys.items()}
        if name is not None:
            self._frame(name, sheet)

    def _links(self, name: str | None) -> dict[int, Link]:
        """Edge -> its piece on a level; edges that share a tensor may share the piece."""
        found = {}
        for number, start, end in self.passing[name]:
            out, into = self._offset(start, number, True), self._offset(end, number, False)
            found[number] = Link(start, end, out, into)
        return found

    def _uncross(self, keys: Mapping[int, Link], routes: Mapping[int, list[Point]]) -> bool:
        """Sorts the ends at each box by where the edges come from; whether that changed any."""
        ends: dict[str, list[int]] = {}
        for number, link in keys.items():
            if link.target in self.chains and len(routes[number]) > 2:
                ends.setdefault(link.target, []).append(number)
        changed = False
        for numbers in ends.values():
            places = [self.anchors[n][1] for n in numbers]
            sources = sorted(numbers, key=lambda n: (routes[n][-3][0], n))
            for number, place in zip(sources, sorted(places), strict=True):
                changed = changed or self.anchors[number][1] != place
                self.anchors[number] = (self.anchors[number][0], place)
        return changed

    def _offset(self, unit: str, number: int, leaves: bool) -> float:
        """Where an edge is fastened on a unit, from its left side."""
        if unit[0] in "<>":
            return 0.0
        if unit not in self.inner:
            return self.anchors[number][0 if leaves else 1]
        port = self.ports[number][0 if leaves else 1]
        return self.inner[unit][0] + self.sheets[unit].places[port][0]

    def _frame(self, name: str, sheet: Sheet) -> None:
        """The size of a cluster around its sheet, with room for its title."""
        left, top, right, bottom = (
            PAD + TITLE * (self.side == side) for side in ("left", "top", "right", "bottom")
        )
        width, height = sheet.width + left + right, sheet.height + top + bottom
        if self.flat:
            height = max(height, self.titles[name])
        else:
            more = max(self.titles[name] - width, 0.0)
            left, width = left + more / 2, width + more
        self.inner[name], self.sizes[name] = (left, top), (width, height)

    def picture(self) -> Picture:
        """Everything at its place."""
        origin: dict[str | None, Point] = {None: (0.0, 0.0)}
        found = Picture(width=self.sheets[None].width, height=self.sheets[None].height)
        for cluster in self.view.clusters:
            x, y = self._at(origin, cluster.parent, cluster.id)
            found.clusters[cluster.id] = (x, y, *self.sizes[cluster.id])
            left, top = self.inner[cluster.id]
            origin[cluster.id] = (x + left, y + top)
        for box in self.view.boxes:
            found.boxes[box.id] = (*self._at(origin, box.cluster, box.id), *self.sizes[box.id])
        for number, edge in enumerate(self.view.edges):
            if edge.kind == "shared":
                found.routes.append(_beside(found.boxes, edge))
            else:
                found.routes.append(self._route(number, origin))
        return found

    def _at(self, origin: Mapping[str | None, Point], level: str | None, unit: str) -> Point:
        x, y = self.sheets[level].places[unit]
        return origin[level][0] + x, origin[level][1] + y

    def _route(self, number: int, origin: Mapping[str | None, Point]) -> list[Point]:
        points: list[Point] = []
        for level, _, _ in self._pieces(number):
            dx, dy = origin[level]
            piece = self.sheets[level].routes[self.numbers[level, number]]
            points += [(x + dx, y + dy) for x, y in piece]
        return simplified(points)


def _anchors(view: GraphView, sizes: Mapping[str, Point]) -> list[tuple[float, float]]:
    """For each edge, where it leaves its source and where it comes into its target."""
    outputs = {b.id: max(len(b.types), 1) for b in view.boxes}
    incoming: dict[str, list[int]] = {}
    for number, edge in enumerate(view.edges):
        if edge.kind != "shared":
            incoming.setdefault(edge.target, []).append(number)
    place = {n: (i, len(row)) for row in incoming.values() for i, n in enumerate(row)}
    found = []
    for number, edge in enumerate(view.edges):
        wide = sizes[edge.source][0]
        out = _spread(wide, min(edge.output, outputs[edge.source] - 1), outputs[edge.source])
        i, count = place.get(number, (0, 1))
        found.append((out, _spread(sizes[edge.target][0], i, count)))
    return found


def _spread(width: float, place: int, count: int) -> float:
    """The place of one of several ends on a side, around its middle."""
    return width / 2 + (place - (count - 1) / 2) * min(SPREAD, width / (count + 1))


def _beside(boxes: Mapping[str, Rect], edge: Edge) -> list[Point]:
    """A straight link between neighbours in a row; none where another box is between them."""
    one, two = boxes[edge.source], boxes[edge.target]
    left, right = sorted((one, two))
    low, high = max(one[1], two[1]), min(one[1] + one[3], two[1] + two[3])
    if low >= high or left[0] + left[2] >= right[0]:
        return []
    y = (low + high) / 2
    for x0, y0, width, height in boxes.values():
        inside = left[0] + left[2] < x0 + width and x0 < right[0]
        if inside and y0 <= y <= y0 + height and (x0, y0) not in (one[:2], two[:2]):
            return []
    points = [(left[0] + left[2], y), (right[0], y)]
    return points if left == one else points[::-1]


def simplified(points: Sequence[Point]) -> list[Point]:
    """Without points that are twice there or on a line straight down."""
    kept: list[Point] = []
    for point in points:
        if kept and point == kept[-1]:
            continue
        if len(kept) > 1 and kept[-2][0] == kept[-1][0] == point[0]:
            kept.pop()
        kept.append(point)
    return kept


def _turned(picture: Picture, rankdir: str) -> Picture:
    """The picture in its direction."""
    if rankdir == "TB":
        return picture
    flip, swap = rankdir in ("BT", "RL"), rankdir in ("LR", "RL")
    high = picture.height

    def point(at: Point) -> Point:
        x, y = at[0], high - at[1] if flip else at[1]
        return (y, x) if swap else (x, y)

    def rect(r: Rect) -> Rect:
        x, y, w, h = r[0], high - r[1] - r[3] if flip else r[1], r[2], r[3]
        return (y, x, h, w) if swap else (x, y, w, h)

    size = (picture.height, picture.width) if swap else (picture.width, picture.height)
    return Picture(
        {k: rect(r) for k, r in picture.boxes.items()},
        {k: rect(r) for k, r in picture.clusters.items()},
        [[point(p) for p in route] for route in picture.routes],
        *size,
    )

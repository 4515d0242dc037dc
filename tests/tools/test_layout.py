"""The own layout: nothing overlaps, edges go past boxes and end at borders, the same every time."""

from __future__ import annotations

import itertools
import random

import networkx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from viz_models import MODELS

from kgraph.passes.lower import lower
from kgraph.tools.training_step import training_graph
from kgraph.tools.viz import build_view, visible
from kgraph.tools.viz.layered import Level, Link, layered
from kgraph.tools.viz.looks import look_of, operand_types
from kgraph.tools.viz.model import Box, Cluster, Edge, GraphView, ancestors, by_id
from kgraph.tools.viz.nested import arrange
from kgraph.tools.viz.picture import Picture, Rect

NEAR = 1e-6
DIRECTIONS = ("TB", "BT", "LR", "RL")


def overlap(a: Rect, b: Rect) -> bool:
    return (a[0] + a[2] > b[0] + NEAR and b[0] + b[2] > a[0] + NEAR
            and a[1] + a[3] > b[1] + NEAR and b[1] + b[3] > a[1] + NEAR)  # fmt: skip


def inside(a: Rect, b: Rect) -> bool:
    return (b[0] <= a[0] + NEAR and b[1] <= a[1] + NEAR and a[0] + a[2] <= b[0] + b[2] + NEAR
            and a[1] + a[3] <= b[1] + b[3] + NEAR)  # fmt: skip


def on_border(point: tuple[float, float], r: Rect) -> bool:
    x, y = point
    across, down = r[0] - NEAR <= x <= r[0] + r[2] + NEAR, r[1] - NEAR <= y <= r[1] + r[3] + NEAR
    at_side = min(abs(x - r[0]), abs(x - r[0] - r[2])) < NEAR
    at_end = min(abs(y - r[1]), abs(y - r[1] - r[3])) < NEAR
    return across and down and (at_side or at_end)


def cuts(a: tuple[float, float], b: tuple[float, float], r: Rect) -> bool:
    """Whether a segment goes through the inner part of a rectangle (Liang and Barsky, 1984)."""
    x, y, w, h = r[0] + 1, r[1] + 1, r[2] - 2, r[3] - 2
    first, last = 0.0, 1.0
    dx, dy = b[0] - a[0], b[1] - a[1]
    for step, room in ((-dx, a[0] - x), (dx, x + w - a[0]), (-dy, a[1] - y), (dy, y + h - a[1])):
        if step == 0:
            if room < 0:
                return False
        elif step < 0:
            first = max(first, room / step)
        else:
            last = min(last, room / step)
    return first < last


def check(view: GraphView, picture: Picture) -> None:
    """What holds for every picture."""
    boxes, table = picture.boxes, by_id(view.clusters)
    assert set(boxes) == {b.id for b in view.boxes}
    rects = list(boxes.items())
    for i, (_, one) in enumerate(rects):
        assert inside(one, (0, 0, picture.width, picture.height))
        assert not any(overlap(one, two) for _, two in rects[i + 1 :])
    for box in view.boxes:
        around = ancestors(table, box.cluster)
        assert all(inside(boxes[box.id], picture.clusters[c]) for c in around)
        others = set(picture.clusters) - set(around)
        assert not any(overlap(boxes[box.id], picture.clusters[c]) for c in others)
    for edge, route in zip(view.edges, picture.routes, strict=True):
        if edge.kind == "shared" and not route:
            continue
        assert on_border(route[0], boxes[edge.source])
        assert on_border(route[-1], boxes[edge.target])
        for a, b in itertools.pairwise(route):
            # A link between neighbours may touch nothing but their sides.
            assert not any(cuts(a, b, r) for r in boxes.values()), (edge, route)


def sizes_of(view: GraphView) -> dict[str, tuple[float, float]]:
    given_types = operand_types(view)
    looks = {b.id: look_of(b, given=given_types.get(b.id, ())) for b in view.boxes}
    return {name: (look.width, look.height) for name, look in looks.items()}


def drawn(view: GraphView, rankdir: str = "TB", wrap: int | None = None) -> None:
    view = visible(view)
    titles = dict.fromkeys((c.id for c in view.clusters), 90.0)
    check(view, arrange(view, sizes_of(view), titles, rankdir, wrap))


@pytest.mark.parametrize("name", MODELS)
def test_pictures_of_models(name):
    model = MODELS[name]()
    for rankdir in DIRECTIONS:
        drawn(build_view(model.graph, costs=False), rankdir)
    if name != "deep":
        drawn(build_view(lower(model.graph), costs=False))
        drawn(build_view(lower(model.graph), depth=1, costs=False), "LR")


def test_a_training_step_with_loops():
    graph = training_graph(MODELS["recurrent"]())
    for depth in (0, 1, 2, 9):
        drawn(build_view(graph, view="step", depth=depth, costs=False))


@pytest.mark.parametrize("wrap", [1, 7, 40])
def test_long_pictures_in_columns(wrap):
    for rankdir in ("TB", "LR"):
        drawn(build_view(MODELS["deep"](60).graph, fold=False, costs=False), rankdir, wrap)
    drawn(build_view(MODELS["residual"](9).graph, fold=False, costs=False), "TB", wrap)


@st.composite
def views(draw: st.DrawFn, most: int = 40) -> GraphView:
    """Boxes in random clusters with edges from earlier boxes to later ones, also twice."""
    count = draw(st.integers(1, most))
    seed = random.Random(draw(st.integers(0, 1 << 30)))
    clusters: list[Cluster] = []
    for i in range(draw(st.integers(0, 6))):
        above = seed.choice([None, *clusters])
        clusters.append(Cluster(f"c{i}", f"c{i}", "scope", f"c{i}", above and above.id))
    homes = [None, *(c.id for c in clusters)]
    boxes = [Box(f"n{i}", "op", "op", "x" * seed.randint(1, 30), cluster=seed.choice(homes))
             for i in range(count)]  # fmt: skip
    edges = [Edge(*sorted(seed.sample(range(count), 2)), 0, k) for k in range(
        seed.randint(0, 2 * count) if count > 1 else 0)]  # fmt: skip
    named = [Edge(f"n{e.source}", f"n{e.target}", 0, e.operand) for e in edges]
    used = {c for b in boxes for c in ancestors(by_id(clusters), b.cluster)}
    kept = tuple(c for c in clusters if c.id in used)
    return GraphView("", "ops", "core", {}, tuple(boxes), tuple(named), kept)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(views(), st.sampled_from(DIRECTIONS), st.sampled_from([None, None, 3]))
def test_any_graph_in_any_clusters(view, rankdir, wrap):
    drawn(view, rankdir, wrap)


def drawn_crossings(links: list[Link]) -> int:
    """How many pairs of pieces of routes cross; lines of one tensor lie on one another."""
    pieces = {(a, b) for link in links for a, b in itertools.pairwise(link.route)}
    count = 0
    for ((x, y), (p, q)), ((u, v), (s, t)) in itertools.combinations(sorted(pieces), 2):
        if v < q and y < t:  # they share some height
            one = ((p - x) * (v - y) - (q - y) * (u - x)) * ((p - x) * (t - y) - (q - y) * (s - x))
            two = ((s - u) * (y - v) - (t - v) * (x - u)) * ((s - u) * (q - v) - (t - v) * (p - u))
            count += one < -NEAR and two < -NEAR
    return count


def random_crossings(links: list[Link], seed: random.Random) -> int:
    """How many cross if units, and lines at the rows they pass, stand in any order."""
    place: dict[object, float] = {}
    gaps: dict[int, list[tuple[float, float]]] = {}
    for number, link in enumerate(links):
        way = [link.source, *((number, row) for row in range(link.top, link.foot)), link.target]
        at = [place.setdefault(item, seed.random()) for item in way]
        for row, ends in enumerate(itertools.pairwise(at), link.top):
            gaps.setdefault(row, []).append(ends)
    pairs = (pair for gap in gaps.values() for pair in itertools.combinations(gap, 2))
    return sum((a - c) * (b - d) < 0 for (a, b), (c, d) in pairs)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(2, 120), st.integers(0, 1 << 30))
def test_ranks_increase_and_crossings_shrink(count, number):
    seed = random.Random(number)
    units = [f"n{i}" for i in range(count)]
    pairs = {tuple(sorted(seed.sample(range(count), 2))) for _ in range(2 * count)}
    sizes = dict.fromkeys(units, (10.0, 10.0))
    links, again = (
        [Link((a, b), f"n{a}", f"n{b}", 5.0, 5.0, True) for a, b in sorted(pairs)] for _ in "ab"
    )
    sheet = layered(units, sizes, links)
    assert set(sheet.places) == set(units)
    for link in links:
        assert sheet.places[link.source][1] < sheet.places[link.target][1]
    assert layered(units, sizes, again) == sheet
    assert [link.route for link in again] == [link.route for link in links]
    # Against a random order at most half of the crossings are left, where there were many.
    before = random_crossings(links, seed)
    assert drawn_crossings(links) <= 0.5 * before or before < 4 * count


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(2, 120), st.integers(0, 1 << 30))
def test_sweeps_never_add_crossings(count, number):
    seed = random.Random(number)
    links = []
    for a in range(count):
        near = range(count + a // 10 * 10, count + a // 10 * 10 + 12)
        links += [Link((a, b), f"n{a}", f"n{b}", 5.0, 5.0) for b in seed.sample(near, 2)]
    units = [f"n{i}" for i in range(2 * count + 12)]
    level = Level(units, dict.fromkeys(units, (10.0, 10.0)), links)
    for row in level.rows:
        seed.shuffle(row)
        level.put(row, dict.fromkeys(row, (0.0, 1.0)))
    before = level.crossings()
    level.order()
    assert level.crossings() <= before
    assert level.crossings() <= 0.5 * before or before < 4 * count


def test_crossings_are_counted():
    links = [Link(0, "a", "d", 5, 5), Link(1, "b", "c", 5, 5)]
    level = Level("abcd", dict.fromkeys("abcd", (10.0, 10.0)), links)
    assert level.rows == [["a", "b"], ["c", "d"]]
    assert level.crossings() == 1
    level.order()
    assert level.crossings() == 0


def test_a_long_chain_and_a_wide_star():
    units = [f"n{i}" for i in range(20_000)]
    links = [Link(a, a, b, 5.0, 5.0) for a, b in itertools.pairwise(units)]
    sheet = layered(units, dict.fromkeys(units, (10.0, 10.0)), links)
    assert len(sheet.rows) == 20_000
    assert {x for x, _ in sheet.places.values()} == {0.0}
    star = [Link(u, u, units[-1], 5.0, 5.0, True) for u in units[:4000]]
    sheet = layered([*units[:4000], units[-1]], dict.fromkeys(units, (10.0, 10.0)), star)
    assert len(sheet.rows) == 2


def test_what_depends_on_itself_is_drawn():
    """Two clusters that use one another, as a layer called twice around another one."""
    boxes = [Box("n0", "op", "a", "a", cluster="c0"), Box("n1", "op", "b", "b", cluster="c1"),
             Box("n2", "op", "c", "c", cluster="c0")]  # fmt: skip
    clusters = (Cluster("c0", "x", "scope", "x"), Cluster("c1", "y", "scope", "y"))
    edges = (Edge("n0", "n1"), Edge("n1", "n2"), Edge("n2", "n0", kind="control"))
    drawn(GraphView("", "ops", "core", {}, tuple(boxes), edges, clusters))


def test_disconnected_parts_are_all_there():
    boxes = tuple(Box(f"n{i}", "op", "op", "op") for i in range(12))
    drawn(GraphView("", "ops", "core", {}, boxes))
    drawn(GraphView("", "ops", "core", {}))


def test_ranks_are_networkx_longest_paths():
    units = [f"n{i}" for i in range(30)]
    graph = networkx.gnp_random_graph(30, 0.1, seed=5, directed=True)
    links = [Link(a, f"n{a}", f"n{b}", 1, 1) for a, b in graph.edges if a < b]
    level = Level(units, dict.fromkeys(units, (10.0, 10.0)), links)
    dag = networkx.DiGraph((link.source, link.target) for link in links)
    assert len(level.rows) - 1 == networkx.dag_longest_path_length(dag)

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
from kgraph.tools.training_step import training_step
from kgraph.tools.viz import build_view, visible
from kgraph.tools.viz.layered import Link, _Line, _Ordering, _ranks, layered
from kgraph.tools.viz.looks import look_of, operand_types
from kgraph.tools.viz.model import Box, Cluster, Edge, GraphView, ancestors, by_id
from kgraph.tools.viz.nested import Picture, Rect, arrange

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
    graph = training_step(MODELS["recurrent"]()).report.source
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


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(2, 120), st.integers(0, 1 << 30))
def test_ranks_increase_and_crossings_shrink(count, number):
    seed = random.Random(number)
    units = [f"n{i}" for i in range(count)]
    pairs = {tuple(sorted(seed.sample(range(count), 2))) for _ in range(2 * count)}
    links = [Link(f"n{a}", f"n{b}", 5.0, 5.0) for a, b in sorted(pairs)]
    sizes = dict.fromkeys(units, (10.0, 10.0))
    sheet = layered(units, sizes, links)
    assert set(sheet.places) == set(units)
    for link in links:
        assert sheet.places[link.source][1] < sheet.places[link.target][1]
    assert layered(units, sizes, links) == sheet
    place = {u: i for i, u in enumerate(units)}
    ranks = _ranks(units, links, place, (), ())
    lines = [_Line(i, link, ranks, place) for i, link in enumerate(links)]
    rows = [[u for u in units if ranks[u] == r] for r in range(max(ranks.values()) + 1)]
    for line in lines:
        for rank, dummy in line.dummies:
            rows[rank].append(dummy)
    for row in rows:
        seed.shuffle(row)
    ordering = _Ordering(rows, lines, sizes)
    before = ordering.crossings()
    ordering.run()
    assert ordering.crossings() <= before
    # From a random order, sweeps leave at most half of what there was, where there was much.
    assert ordering.crossings() <= 0.5 * before or before < 4 * count


def test_crossings_are_counted():
    units = ["a", "b", "c", "d"]
    links = [Link("a", "d", 5, 5), Link("b", "c", 5, 5)]
    place = {u: i for i, u in enumerate(units)}
    ranks = _ranks(units, links, place, (), ())
    lines = [_Line(i, link, ranks, place) for i, link in enumerate(links)]
    rows = [["a", "b"], ["c", "d"]]
    ordering = _Ordering(rows, lines, dict.fromkeys(units, (10.0, 10.0)))
    assert ordering.crossings() == 1
    ordering.run()
    assert ordering.crossings() == 0


def test_a_long_chain_and_a_wide_star():
    units = [f"n{i}" for i in range(20_000)]
    links = [Link(a, b, 5.0, 5.0) for a, b in itertools.pairwise(units)]
    sheet = layered(units, dict.fromkeys(units, (10.0, 10.0)), links)
    assert len(sheet.rows) == 20_000
    assert {x for x, _ in sheet.places.values()} == {0.0}
    star = [Link(u, units[-1], 5.0, 5.0) for u in units[:4000]]
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
    links = [Link(f"n{a}", f"n{b}", 1, 1) for a, b in graph.edges if a < b]
    place = {u: i for i, u in enumerate(units)}
    ranks = _ranks(units, links, place, (), ())
    dag = networkx.DiGraph((link.source, link.target) for link in links)
    assert max(ranks.values()) == networkx.dag_longest_path_length(dag)

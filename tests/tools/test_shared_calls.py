"""Layers that are called more than once: one box whose edges say the call, or a box a call."""

from __future__ import annotations

import re

import pytest
from viz_models import nested, siamese

from kgraph.layers import Add, Dense, Input
from kgraph.models import Model, Sequential
from kgraph.tools.viz import (
    Style,
    build_view,
    to_dot,
    to_json,
    to_mermaid,
    to_svg,
    to_text,
    visible,
)
from kgraph.tools.viz.model import GraphView


def circular() -> Model:
    """A layer after itself, and after one that comes after it."""
    x = Input((4,), name="x")
    f, g = Dense(4, name="f"), Dense(4, name="g")
    return Model(x, Dense(2, name="top")(f(g(f(f(x))))), name="circular")


def inside_and_outside() -> Model:
    """A model that is called alone and inside of another one, which is called twice."""
    encoder = Sequential([Dense(4, input_dim=4, name="e1")], name="encoder")
    y = Input((4,), name="y")
    middle = Model(y, Dense(4, name="post")(encoder(y)), name="middle")
    x = Input((4,), name="x")
    return Model(x, Add(name="sum")([middle(x), middle(encoder(x))]), name="outer")


def calls(view: GraphView) -> set[tuple[str, str, tuple[int, int]]]:
    labels = {b.id: b.label for b in view.boxes}
    return {(labels[e.source], labels[e.target], e.calls) for e in view.edges}


def test_one_box_whose_edges_say_the_call():
    view = build_view(siamese().graph)
    [reader] = [b for b in view.boxes if b.label == "reader"]
    assert reader.sharing == (0, 2)
    assert {e for e in calls(view) if "reader" in e[:2]} == {
        ("left", "reader", (0, 1)),
        ("right", "reader", (0, 2)),
        ("reader", "both", (1, 0)),
        ("reader", "both", (2, 0)),
    }
    assert "shared: calls #1 to #2" in to_svg(view)
    assert ">#2<" in to_svg(view)
    assert '" #2"' in to_dot(view)
    assert '#35;2"' in to_mermaid(view)
    assert "reader (Dense) (see n2) #2" in to_text(view)
    assert '"calls": [2, 0]' in to_json(view)


def test_a_nested_model_is_drawn_once():
    view = build_view(nested().graph)
    assert [(c.label, c.box.sharing) for c in view.clusters] == [
        ("middle", (0, 2)),
        ("encoder", None),
    ]
    assert len(view.boxes) == 7
    assert {e for e in calls(view) if any(e[2])} == {
        ("a", "pre", (0, 1)),
        ("b", "pre", (0, 2)),
        ("e2", "sum", (1, 0)),
        ("e2", "sum", (2, 0)),
    }
    closed = visible(build_view(nested().graph, depth=0))
    middle = next(b for b in closed.boxes if b.kind == "model")
    assert (middle.params, middle.hidden, middle.sharing) == (96, 3, (0, 2))


def test_a_model_inside_of_another_one_and_alone():
    view = build_view(inside_and_outside().graph)
    [inner] = [b for b in view.boxes if b.label == "e1"]
    assert inner.sharing is None  # its model is
    shared = {c.label: c.box.sharing for c in view.clusters}
    assert shared == {"encoder": (0, 2), "middle": (0, 2)}
    found = calls(view)
    assert ("e1", "e1", (1, 2)) in found
    assert {e for e in found if e[0] == "e1" and e[1] == "post"} == {("e1", "post", (2, 0))}


@pytest.mark.parametrize("rankdir", ["TB", "LR"])
@pytest.mark.parametrize("make", [circular, inside_and_outside, siamese, nested])
def test_pictures(make, rankdir):
    view = build_view(make().graph)
    text = to_svg(view, Style(rankdir=rankdir))
    assert text.count('class="edge"') == len(view.edges)
    size = [float(n) for n in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', text).groups()]
    for x, y in re.findall(r'<text x="([\d.-]+)" y="([\d.-]+)"', text):
        assert -16 <= float(x) < size[0]
        assert -60 <= float(y) < size[1]


def test_edges_to_oneself_go_out_and_come_back():
    view = build_view(circular().graph)
    assert ("f", "f", (1, 2)) in calls(view)
    group = next(
        g for g in to_svg(view).split("<g ") if g.startswith('class="edge" data-ends="n1 n1"')
    )
    assert "#1 → #2" in group
    points = re.findall(r"[ML]([\d.]+) ([\d.]+)", group)
    assert len(points) == 4
    assert points[0][0] == points[-1][0] < points[1][0]
    closed = visible(build_view(inside_and_outside().graph, depth=0))
    assert [e for e in closed.edges if e.source == e.target] == []


def test_different_shapes_are_said():
    f = Dense(3, name="f")
    a, b = Input((4,), name="a"), Input((5, 4), name="b")
    [box] = [x for x in build_view(Model([a, b], [f(a), f(b)]).graph).boxes if x.kind == "layer"]
    assert [str(t) for t in box.types] == ["f32[batch, 3]"]
    assert box.details == ("f32[batch, 5, 3]",)

"""The own SVG: well formed, nothing outside of its box, any name as text, colours one can read."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from viz_models import MODELS, named, nested, recurrent, siamese

from kgraph.ir import Graph, Variable, input_node
from kgraph.ir.origin import Origin, making
from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.tools.training_step import training_graph
from kgraph.tools.viz import Style, build_view, to_mermaid, to_svg, to_text, visible
from kgraph.tools.viz.looks import DARK, LIGHT, SHOWN, edge_label, look_of
from kgraph.tools.viz.memory_svg import memory_svg
from kgraph.tools.viz.text import clean, short, width

SVG = "{http://www.w3.org/2000/svg}"
AWKWARD = [
    "<&>\"'{}|:\\n", "line\nbreak\ttab", "漢字 é ß", "\\N \\G \\l", "&lt;b&gt; &#10;",
    "<b>bold</b>", "a" * 200, "x\x1b[31m\u202e", "-->", "</svg><script>alert(1)</script>", "end",
    "subgraph", "%% {init}", "\ud800", "`code`", "#35;",
]  # fmt: skip


def named_graph(name: str) -> Graph:
    x = input_node((2,), name=name)
    weight = Variable(np.ones(2), name=name, dtype="float32")
    with making(Origin(None, name)):
        y = x * weight
    return Graph((x,), ((name, y),), ((weight, y + y),))


def check(text: str) -> ElementTree.Element:
    """Parses, and checks that every text lies in the rectangle of its box."""
    assert not re.search(r"\bnan\b|\binf\b", re.sub(r"<t(itle|ext).*?</t\1>", "", text, flags=re.S))
    root = ElementTree.fromstring(text)
    assert {e.tag.removeprefix(SVG) for e in root.iter()} <= {
        "svg", "title", "defs", "marker", "path", "rect", "g", "text",
    }  # fmt: skip
    for group in root.iter(f"{SVG}g"):
        if "box" not in group.get("class", "").split():
            continue
        assert group.find(f"{SVG}title").text
        rect = group.find(f"{SVG}rect")
        x, y, w, h = (float(rect.get(k)) for k in ("x", "y", "width", "height"))
        for line in group.iter(f"{SVG}text"):
            size = float(line.get("font-size", 10.5))
            left = float(line.get("x"))
            bold = line.get("font-weight") == "bold"
            assert x <= left
            assert left + width(line.text or "", size, bold) <= x + w + 0.2
            assert y <= float(line.get("y")) - size * 0.7
            assert float(line.get("y")) + size * 0.2 <= y + h
    return root


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("splines", ["polyline", "curved", "straight", "ortho"])
def test_every_model(name, splines):
    view = build_view(MODELS[name]().graph, name, costs=False)
    root = check(to_svg(view, Style(splines=splines, theme="dark", rankdir="LR")))
    groups = [g for g in root.iter(f"{SVG}g") if "box" in g.get("class", "").split()]
    assert [g.get("id") for g in groups] == [b.id for b in visible(view).boxes]


@pytest.mark.parametrize("show", [*SHOWN, "all", "none"])
def test_what_boxes_say(show):
    chosen = {"all": frozenset(SHOWN), "none": frozenset()}.get(show, frozenset([show]))
    view = build_view(siamese().graph)
    text = to_svg(view, Style(chosen))
    check(text)
    texts = "\n".join(t.text or "" for t in ElementTree.fromstring(text).iter(f"{SVG}text"))
    assert ("reader" in texts) == (show in ("names", "all"))
    assert ("[batch, 4]" in texts) == (show in ("shapes", "all"))
    assert ("f32" in texts) == (show in ("dtypes", "all"))
    assert ("relu" in texts) == (show in ("acts", "all"))
    assert ("parameters" in texts) == (show in ("params", "all"))
    assert ("flops" in texts) == (show in ("costs", "all"))
    assert ("viz_models.py" in texts) == (show in ("source", "all"))
    assert bool(re.search(r"^T$", texts, re.M)) == (show in ("trainable", "all"))


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names(name):
    for view in (build_view(named_graph(name), name), build_view(named(name).graph, name)):
        text = to_svg(view)
        text.encode("utf-8")
        root = check(text)
        words = [t.text for t in root.iter(f"{SVG}text")]
        assert words.count(short(name)) >= 2  # the title and a box
        assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800]", text)


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names_in_text_and_mermaid(name):
    for view in (build_view(named_graph(name), name), build_view(named(name).graph, name)):
        check_mermaid(to_mermaid(view))
        text = to_text(view)
        assert clean(name) in text
        assert len(text.splitlines()) == len(text.split("\n")) - 1, "a name made a line of its own"
        text.encode("utf-8")


LABEL = r'"(?:[\w \-.,:/()\[\]=+×→…]|#\d+;|<br/>|[^\x00-\x7f])+"'
LINES = [
    r"flowchart (TD|BT|LR|RL)", rf" +subgraph [cr]\w+\[{LABEL}\]", r" +end",
    rf" +\w+\[{LABEL}\]:::\w+", rf" +\w+ (-->|-\.->|-\.-)(\|{LABEL}\|)? \w+",
    r"  classDef \w+ fill:#\w+,color:#fff,stroke:#\w+",
]  # fmt: skip


def check_mermaid(text: str) -> None:
    """Every line is one of a flowchart; subgraphs are closed; ends of edges exist."""
    depth, nodes = 0, set()
    for line in text.rstrip("\n").split("\n"):
        assert any(re.fullmatch(pattern, line) for pattern in LINES), line
        depth += line.lstrip().startswith("subgraph ") - (line.strip() == "end")
        assert depth >= 0
        found = re.match(r" +(\w+)\[", line)
        nodes |= {found[1]} if found else set()
    assert depth == 0
    for one, two in re.findall(r"^ +(\w+) -\S*?(?:\|.*\|)? (\w+)$", text, re.M):
        assert {one, two} <= nodes


@pytest.mark.parametrize("name", MODELS)
def test_mermaid_of_every_model(name):
    model = MODELS[name]()
    check_mermaid(to_mermaid(build_view(model.graph, costs=False), Style(rankdir="LR")))
    check_mermaid(to_mermaid(build_view(lower(model.graph), costs=False)))


def test_text_says_each_node_once():
    view = build_view(training_graph(recurrent()), view="step", costs=False)
    text = to_text(view)
    ids = re.findall(r"^ *(?:- )?.*? ?(n\d\w*|out\d+|up\d+)(?: × \d+)?(?::|$|  \[)", text, re.M)
    assert set(ids) >= {b.id for b in visible(view).boxes if b.kind != "update"}
    assert "(see n" in text


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_colours_can_be_read(theme):
    """WCAG 2: 4.5 for text, 3 for lines."""
    assert all(contrast(color, "#ffffff") >= 4.5 for color in theme.bands.values())
    assert contrast(theme.ink, theme.body) >= 4.5
    assert contrast(theme.faint, theme.frame) >= 4.5
    assert contrast(theme.line, theme.page) >= 3


def test_colour_is_never_the_only_sign():
    frozen = MODELS["frozen"]()
    looks = [look_of(b) for b in build_view(frozen.graph).boxes]
    assert [look.tag for look in looks] == ["", "T", "F", "T", ""]
    shared = next(b for b in build_view(siamese().graph, calls=True).boxes if b.sharing)
    assert "shared: call 1 of 2" in look_of(shared).rows


def test_closed_clusters_and_bundles():
    view = visible(build_view(nested().graph, depth=0))
    middle = next(b for b in view.boxes if b.kind == "model")
    assert "3 inside" in look_of(middle).rows
    step = visible(build_view(training_graph(siamese()), view="step", depth=0))
    boxes = {b.id: b for b in step.boxes}
    labels = [edge_label(e, boxes[e.source]) for e in step.edges]
    assert any(re.fullmatch(r"\d+ tensors", label) for label in labels)


def test_sizes():
    view = build_view(siamese().graph)
    root = ElementTree.fromstring(to_svg(view, Style(size=(200.0, 100.0))))
    assert float(root.get("width")) <= 200.05
    assert float(root.get("height")) <= 100.05
    assert root.get("viewBox") == ElementTree.fromstring(to_svg(view)).get("viewBox")


def test_the_memory_view():
    graph = optimize(training_graph(siamese()))[0]
    view = build_view(graph, "a <title>", view="memory", costs=False)
    root = ElementTree.fromstring(memory_svg(view))
    buffers = [g for g in root.iter(f"{SVG}g") if g.get("class") == "buffer"]
    assert len(buffers) == len(view.memory.items)
    assert "lower bound" in memory_svg(view)


def test_widths_of_letters():
    assert width("", 10) == 0
    assert width("iiii", 10) < width("MMMM", 10) < width("漢漢漢漢", 10)
    assert width("漢", 10) == 20.0
    assert width("é", 10) == 10.0
    assert width("abc", 10, bold=True) > width("abc", 10)

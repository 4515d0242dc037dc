"""Pictures: the same graph gives the same one, nothing is lost, and any name survives."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree

import graphviz
import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, const, input_node
from kgraph.ir.origin import Lineage, Origin, making, scope
from kgraph.layers import Add, Dense, Input
from kgraph.models import Model
from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.tools.viz import build_view, render, to_dot, to_json
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.scopes import MAX_DEPTH

AWKWARD = [
    "<&>\"'{}|:\\n",
    "line\nbreak\ttab", "漢字 é ß", "\\N \\G \\l", "&lt;b&gt; &#10;", "<b>bold</b>",
    "a" * 200, '"];evil[label="x', "\x1b[31m\u202e", "-->", "</svg><script>", "", "x\\", "%s %d {}",
]  # fmt: skip


def shared_model() -> Model:
    left, right = Input((8,), name="left"), Input((8,), name="right")
    reader = Dense(4, activation="relu", name="reader")
    both = Add(name="both")([reader(left), reader(right)])
    return Model([left, right], [Dense(2, name="a")(both), Dense(1, name="b")(both)], name="m")


def core_graph() -> Graph:
    x = input_node((Dim.symbol("batch"), 4), name="x")
    weight = Variable(np.zeros((4, 3)), name="encoder/dense/kernel", dtype="float32")
    count = Variable(0, name="count", trainable=False)
    with scope("encoder"), scope("dense"):
        y = ops.tanh(x @ weight) * 0.5 + np.arange(3, dtype="float32")
    values, places = ops.top_k(y + y, 2)
    return Graph((x,), (("v", values), ("p", places)), ((count, count + 1),))


def by_label(view: GraphView, label: str) -> list:
    return [box for box in view.boxes if box.label == label]


def test_layers_and_shared_calls():
    view = build_view(shared_model().graph, "m", calls=True)
    assert [b.kind for b in view.boxes] == ["input"] * 2 + ["layer"] * 5 + ["output"] * 2
    one, two = by_label(view, "reader")
    assert (one.sharing, two.sharing) == ((1, 2), (2, 2))
    assert (one.type, one.params, one.trainable) == ("Dense", 36, True)
    assert one.activation == "relu"
    assert [str(t) for t in one.types] == ["f32[batch, 4]"]
    assert re.fullmatch(r"test_viz\.py:\d+", str(one.source))
    links = [e for e in view.edges if e.kind == "shared"]
    assert [(e.source, e.target) for e in links] == [(one.id, two.id)]
    assert len([e for e in view.edges if e.kind == "data"]) == 8
    assert view.symbols == {"batch": 32}


def test_frozen_layers_say_so():
    model = shared_model()
    model.get_layer("reader").trainable = False
    assert "36 parameters, frozen" in to_dot(build_view(model.graph))


def test_ops_in_frames():
    view = build_view(core_graph())
    assert [(c.label, c.parent) for c in view.clusters] == [("encoder", None), ("dense", "c0")]
    assert {b.label for b in view.boxes if b.cluster == "c1"} == {
        "encoder/dense/kernel", "matmul", "tanh", "multiply", "constant", "add",
    }  # fmt: skip
    assert "operand 2 = 0.5" in by_label(view, "multiply")[0].details
    assert by_label(view, "top_k")[0].details == ("k = 2",)
    assert by_label(view, "count")[0].details == ("frozen",)


def test_edges_keep_operands_and_outputs_apart():
    view = build_view(core_graph())
    (top,) = by_label(view, "top_k")
    assert [(e.output, e.target, str(e.type)) for e in view.edges if e.source == top.id] == [
        (0, "out0", "f32[batch, 2]"),
        (1, "out1", "i64[batch, 2]"),
    ]
    double = by_label(view, "add")[1]
    assert [e.operand for e in view.edges if e.target == double.id] == [0, 1]


def test_lineage_and_source():
    label = Origin(None, "", "/home/me/model.py", 31, (Lineage("a", "one"), Lineage("b", "two")))
    x = input_node((2,), name="x")
    with making(label):
        y = ops.tanh(x)
    view = build_view(Graph((x,), (("y", y),)))
    (box,) = by_label(view, "tanh")
    assert (str(box.source), box.lineage) == ("model.py:31", ("b/two", "a/one"))
    assert "made by b/two <- a/one" in to_dot(view)


def test_deep_paths_become_one_frame():
    x = input_node((2,), name="x")
    with making(Origin(None, "/".join("abcdefghijklmno"))):
        y = ops.tanh(x)
    view = build_view(Graph((x,), (("y", y),)))
    assert len(view.clusters) == MAX_DEPTH
    assert view.clusters[-1].path == "/".join("abcdefghijklmno"[:MAX_DEPTH])


@pytest.mark.parametrize("make", [core_graph, lambda: shared_model().graph])
def test_equal_graphs_give_equal_pictures(make):
    one, two = build_view(make(), "t"), build_view(make(), "t")
    assert to_dot(one) == to_dot(two)
    assert to_json(one) == to_json(two)


def awkward_graph(name: str) -> Graph:
    x = input_node((2,), name=name)
    weight = Variable(np.ones(2), name=name, dtype="float32")
    with making(Origin(None, name)):
        y = x * weight
    return Graph((x,), ((name, y),), ((weight, y + y),))


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_names(name, tmp_path):
    view = build_view(awkward_graph(name), name)
    assert json.loads(to_json(view))["nodes"][0]["label"] == (name or "input")
    source = to_dot(view)
    assert "javascript" not in source
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", source)
    if shutil.which("dot") is None:
        return
    picture = ElementTree.fromstring(render(view, "svg", engine="dot").data)
    texts = ["".join(t.itertext()) for t in picture.iter("{http://www.w3.org/2000/svg}text")]
    shown = re.sub(r"[\x00-\x1f\u202e]", lambda m: repr(m[0])[1:-1], name)
    wanted = shown if len(shown) <= 40 else shown[:39] + "…"
    # Graphviz writes spaces as no-break spaces.
    words = [t.replace("\xa0", " ").strip() for t in texts]
    assert words.count(wanted.strip()) >= (3 if name else 0)
    assert len(list(picture.iter("{http://www.w3.org/2000/svg}script"))) == 0


def test_every_stage_can_be_drawn():
    graph = lower(shared_model().graph)
    for each in (graph, optimize(graph)[0], Graph((), ())):
        view = build_view(each)
        assert to_dot(view).startswith("digraph kgraph {")
        if shutil.which("dot"):
            assert render(view, "svg").data.startswith(b"<?xml")


def test_dot_takes_the_source():
    """Graphviz agrees on the number of nodes and edges; parallel edges are kept."""
    view = build_view(core_graph())
    if shutil.which("dot") is None:
        return
    plain = subprocess.run(
        ["dot", "-Tplain"], input=to_dot(view), capture_output=True, text=True, check=True
    )
    kinds = [line.split(" ", 1)[0] for line in plain.stdout.split("\n")]
    assert kinds.count("node") == len(view.boxes)
    assert kinds.count("edge") == len(view.edges)
    assert plain.stderr == ""


def test_large_graphs_get_cheap_settings():
    x = y = input_node((2,), name="x")
    for _ in range(350):
        y = ops.tanh(ops.exp(y))
    view = build_view(Graph((x,), (("y", y),)), depth=9, fold=False)
    assert "splines=line" in to_dot(view)
    assert "splines=polyline" in to_dot(build_view(core_graph()))


def test_constants_of_one_element_stand_in_the_box():
    x = input_node((1,), name="x")
    odd = const(np.array([[-np.nan]], "float32"))
    view = build_view(Graph((x,), (("y", x + odd),)))
    assert by_label(view, "add")[0].details == ("operand 2 = nan",)


def test_graphviz_is_the_package_that_writes_dot():
    assert graphviz.escape("\\N") in to_dot(build_view(awkward_graph("\\N"), "\\N"))


def test_a_fused_op_lists_what_it_is_made_of():
    x = input_node((2, 3), name="x")
    graph, _ = optimize(Graph((x,), (("y", ops.relu(ops.exp(x) + x)),)))
    (box,) = [b for b in build_view(graph).boxes if b.label == "fused"]
    assert box.details == ("exp + add + relu",)

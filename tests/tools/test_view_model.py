"""The view model: what is a box, what lies in which cluster, what a first look shows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import jsonschema
import numpy as np
import pytest
from viz_models import MODELS, bidirectional, deep, doubled, nested, recurrent, residual, siamese

import kgraph
from kgraph import ops
from kgraph.errors import StageError
from kgraph.ir import Graph, TensorType, const, input_node
from kgraph.layers import Add, Concatenate, Dense, Input
from kgraph.models import Model
from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.tools.stages import at_stage
from kgraph.tools.training_step import training_graph
from kgraph.tools.viz import build_view, to_json, visible
from kgraph.tools.viz.json_view import SCHEMA
from kgraph.tools.viz.model import GraphView, ancestors, by_id
from kgraph.tools.viz.opening import MOST

VALIDATOR = jsonschema.Draft202012Validator(json.loads(SCHEMA.read_text()))


def check(view: GraphView) -> dict:
    """What holds for every view; returns its JSON."""
    boxes, clusters = by_id(view.boxes), by_id(view.clusters)
    assert len(boxes) == len(view.boxes)
    assert len(clusters) == len(view.clusters)
    assert all(e.source in boxes and e.target in boxes for e in view.edges)
    assert {b.cluster for b in view.boxes} <= {*clusters, None}
    seen: set[str | None] = {None}
    for cluster in view.clusters:
        assert cluster.parent in seen
        seen.add(cluster.id)
    holding = {c for b in view.boxes for c in ancestors(clusters, b.cluster)}
    assert holding == set(clusters), "no cluster is empty"
    document = json.loads(to_json(view))
    VALIDATOR.validate({**document, **{key: unseen(document[key]) for key in ("nodes", "edges")}})
    return document


SEEN: set[str] = set()


def unseen(items: list[dict]) -> list[dict]:
    """Items that no view before this held: the schema of each is the same, and takes its time."""
    texts = {json.dumps(item): item for item in items}
    new = [item for text, item in texts.items() if text not in SEEN]
    SEEN.update(texts)
    return new


@pytest.mark.parametrize("name", MODELS)
def test_every_view_of_every_model_is_valid(name):
    model = MODELS[name]()
    source = lower(model.graph)
    optimized = optimize(source)[0]
    views = [(model.graph, "layers"), (source, "ops"), (optimized, "ops"), (optimized, "fused"),
             (optimized, "memory")]  # fmt: skip
    for graph, which in views:
        for depth in (None, 0, 1, 99):
            view = build_view(graph, view=which, depth=depth)
            check(view)
            seen = visible(view)
            ids = {b.id for b in seen.boxes}
            assert all({e.source, e.target} <= ids for e in seen.edges)
            assert {b.cluster for b in seen.boxes} <= {*by_id(seen.clusters), None}


def test_nothing_is_lost():
    """Layers, ops and parameters of the view are those of the model."""
    model = residual()
    view = build_view(model.graph, fold=False)
    assert sum(b.kind == "layer" for b in view.boxes) == len(model.layers) - 1
    assert sum(b.params or 0 for b in view.boxes) == model.count_params()
    graph = lower(model.graph)
    view = build_view(graph, fold=False)
    names = Counter(n.op.name for n in graph.nodes)
    shown = Counter(b.op for b in view.boxes)
    assert all(shown[name] == names[name] for name in ("matmul", "add", "relu", "state", "input"))


def test_nested_models_are_clusters():
    view = build_view(nested().graph, calls=True)
    paths = [(c.path, c.kind, c.box.sharing, c.box.params) for c in view.clusters]
    assert paths == [
        ("middle", "model", (1, 2), 96),
        ("middle/encoder", "model", (1, 2), 76),
        ("middle", "model", (2, 2), 96),
        ("middle/encoder", "model", (2, 2), 76),
    ]
    boxes = by_id(view.boxes)
    into = {e.target: e.source for e in view.edges if e.kind == "data"}
    assert boxes["n2_1"].label == "pre"
    assert boxes[into["n2_1"]].label == "a"  # right through the border of the model
    assert boxes["n2_2_1"].label == "e1"
    assert into["n2_2_1"] == "n2_1"
    assert boxes["n2_2_1"].sharing == (1, 2)
    closed = visible(build_view(nested().graph, depth=0, calls=True))
    assert [b.label for b in closed.boxes] == ["a", "b", "middle", "middle", "sum", "sum"]
    middle = by_id(closed.boxes)["c0"]
    assert (middle.op, middle.params, middle.hidden, middle.sharing) == ("Model", 96, 3, (1, 2))


def test_inputs_of_a_nested_model_go_by_name():
    a, b = Input((2,), name="a"), Input((3,), name="b")
    inner = Model({"second": b, "first": a}, Concatenate(name="both")([a, b]), name="inner")
    p, q = Input((2,), name="p"), Input((3,), name="q")
    view = build_view(Model([p, q], inner({"first": p, "second": q})).graph)
    (both,) = [b for b in view.boxes if b.label == "both"]
    boxes = by_id(view.boxes)
    sources = {e.operand: boxes[e.source].label for e in view.edges if e.target == both.id}
    assert sources == {0: "p", 1: "q"}


def test_a_loop_is_a_cluster_with_its_body():
    view = build_view(lower(recurrent().graph))
    (loop,) = [c for c in view.clusters if c.kind == "loop"]
    assert (loop.path, loop.label) == ("lstm/scan × 5", "scan × 5")
    inside = [b for b in view.boxes if b.cluster == loop.id]
    assert [b.label for b in inside if b.kind == "arg"] == ["const 1", "carry 1", "carry 2", "x 1"]
    assert [b.label for b in inside if b.kind == "result"] == ["next carry 1", "next carry 2"]
    assert {"matmul", "sigmoid", "tanh"} <= {b.op for b in inside}
    turns = [e for e in view.edges if e.kind == "control"]
    labels = {b.id: b.label for b in view.boxes}
    assert [(labels[e.source], labels[e.target]) for e in turns] == [
        ("next carry 1", "carry 1"),
        ("next carry 2", "carry 2"),
    ]
    shut = visible(build_view(lower(recurrent().graph), depth=1))
    (box,) = [b for b in shut.boxes if b.kind == "loop"]
    assert box.hidden == len(inside)
    assert "length = 5" in box.details
    assert not any("Body" in line for b in view.boxes for line in b.details)


def test_a_fused_region_is_a_cluster_of_its_members():
    x = input_node((2, 3), name="x")
    graph, _ = optimize(Graph((x,), (("y", ops.relu(ops.exp(x) + x)),)))
    view = build_view(graph, view="fused")
    (region,) = view.clusters
    assert [b.label for b in view.boxes if b.cluster == region.id] == ["exp", "add", "relu"]
    edges = [(e.source, e.target, e.operand) for e in view.edges]
    assert edges == [("n0", "n1_0", 0), ("n1_0", "n1_1", 0), ("n0", "n1_1", 1),
                     ("n1_1", "n1_2", 0), ("n1_2", "out0", 0)]  # fmt: skip
    assert region.box.lineage[0].startswith("fuse/")


@pytest.mark.parametrize("stage", ["core", "fused"])
def test_a_training_step_has_phases(stage):
    graph = at_stage(training_graph(recurrent()), stage)
    view = build_view(graph, view="step")
    check(view)
    phases = {c.label: c.id for c in view.clusters if c.kind == "phase"}
    assert set(phases) == {"forward", "loss", "backward", "metric", "update"}
    table = by_id(view.clusters)
    for box in view.boxes:
        if box.kind == "op":
            assert phases[box.role] in ancestors(table, box.cluster)
    assert {b.role for b in view.boxes} >= {"input", "param", "state", *phases}
    weight = next(b for b in view.boxes if b.label == "lstm/kernel" and b.kind == "state")
    assert table[weight.cluster].path == "forward/lstm"
    assert any(e.kind == "grad" for e in view.edges)
    closed = visible(build_view(graph, view="step", depth=0))
    assert {b.label for b in closed.boxes if b.kind == "phase"} == set(phases)


def test_memory_is_rectangles_that_never_meet():
    view = build_view(optimize(training_graph(siamese()))[0], view="memory", dims={"batch": 4})
    memory = view.memory
    document = check(view)
    assert document["memory"]["arena"] == memory.arena >= memory.lower_bound
    assert max(r.offset + r.size for r in memory.items) <= memory.arena
    for i, one in enumerate(memory.items):
        assert 0 <= one.start <= one.end < memory.steps
        for two in memory.items[i + 1 :]:
            apart = one.end < two.start or two.end < one.start
            assert apart or one.offset + one.size <= two.offset or (
                two.offset + two.size <= one.offset
            )  # fmt: skip
    ids = {b.id for b in view.boxes}
    assert all(r.id in ids for r in memory.items if r.id)
    with pytest.raises(StageError, match="lower it first"):
        build_view(siamese().graph, view="memory")
    with pytest.raises(ValueError, match="unknown view"):
        build_view(siamese().graph, view="nothing")


def folded(model: Model, **options) -> list[tuple[str, int]]:
    view = build_view(model.graph, **options)
    check(view)
    return [(c.label, c.repeat) for c in view.clusters]


def test_equal_blocks_in_a_row_are_folded():
    assert folded(deep(50)) == [("dense_0", 50)]
    assert folded(deep(2)) == []
    assert folded(deep(50), fold=False) == []
    view = build_view(residual(6).graph)
    (block,) = view.clusters
    assert (block.kind, block.repeat) == ("repeat", 6)
    assert [b.label for b in view.boxes if b.cluster == block.id] == ["one_0", "two_0", "sum_0"]
    boxes = by_id(view.boxes)
    (last,) = [e for e in view.edges if boxes[e.target].kind == "layer" and
               boxes[e.target].label == "head"]  # fmt: skip
    assert boxes[last.source].label == "sum_0"
    closed = visible(build_view(residual(6).graph, depth=0))
    (box,) = [b for b in closed.boxes if b.kind == "repeat"]
    assert (box.params, box.hidden) == (6 * 144, 18)


def test_clusters_in_a_row_are_folded():
    view = build_view(lower(deep(50).graph))
    assert [(c.label, c.kind, c.repeat) for c in view.clusters] == [("dense_0", "scope", 50)]
    assert len(view.boxes) == 2 + 5


def test_what_is_not_equal_is_not_folded():
    x = y = Input((4,), name="x")
    shared = Dense(4, name="shared")
    for _ in range(5):
        y = shared(y)
    assert folded(Model(x, y)) == []
    y, outputs = x, []
    for i in range(5):
        y = Dense(4, name=f"d{i}")(y)
        outputs.append(y)
    assert folded(Model(x, outputs)) == []
    y = x
    for i in range(5):
        y = Dense(4, activation=("relu", "tanh")[i % 2], name=f"e{i}")(y)
    assert folded(Model(x, y)) == []
    inner = Input((4,), name="inner")
    z = inner
    for i in range(5):
        z = Add(name=f"a{i}")([z, x])
    assert folded(Model([inner, x], z)) == []


def test_a_first_look_has_at_most_300_boxes():
    model = deep(350)
    for graph in (model.graph, lower(model.graph)):
        view = build_view(graph, fold=False, costs=False)
        check(view)
        seen = visible(view)
        assert 0 < len(seen.boxes) <= MOST
        assert sum(b.hidden or 1 for b in seen.boxes) == len(view.boxes)


def test_ten_thousand_nodes_are_grouped():
    x = y = input_node((2,), name="x")
    for i in range(5000):
        y = ops.tanh(y) if i % 7 else ops.exp(y)
        y = ops.relu(y)
    view = build_view(Graph((x,), (("y", y),)), costs=False, fold=False)
    seen = visible(view)
    assert len(view.boxes) == 10_002
    assert [c.kind for c in view.clusters] == ["part"] * 100
    assert len(seen.boxes) == 100
    assert all(e.count == 1 for e in seen.edges)  # a chain passes one tensor from part to part


def test_bundles_count_their_tensors():
    x = Input((4,), name="x")
    inner = Model(x, [Dense(2, name="p")(x), Dense(2, name="q")(x)], name="inner")
    y = Input((4,), name="y")
    view = visible(build_view(Model(y, Add(name="sum")(inner(y))).graph, depth=0))
    labels = {b.id: b.label for b in view.boxes if b.kind != "output"}
    counts = {(labels.get(e.source), labels.get(e.target)): e.count for e in view.edges}
    assert sorted(counts.values()) == [1, 2, 2]
    assert counts["inner", "sum"] == 2


def test_parallel_edges_stay():
    view = build_view(doubled().graph)
    (box,) = [b for b in view.boxes if b.kind == "layer"]
    assert [e.operand for e in view.edges if e.target == box.id] == [0, 1]


def test_a_wrapper_says_what_it_wraps():
    view = build_view(bidirectional().graph)
    (box,) = [b for b in view.boxes if b.kind == "layer"]
    assert box.details == ("around LSTM",)


def test_a_number_may_be_an_output():
    x = input_node((2,), name="x")
    graph = Graph((x,), (("zero", const(np.float32(0.0))), ("y", ops.tanh(x))))
    document = check(build_view(graph))
    (zero,) = [n for n in document["nodes"] if n["label"] == "zero"]
    assert zero["details"] == ["operand 1 = 0.0"]


def test_work_is_estimated():
    view = build_view(siamese().graph, dims={"batch": 10}, calls=True)
    reader = next(b for b in view.boxes if b.label == "reader")
    # matmul 2 * 10 * 8 * 4, bias and relu 10 * 4 each
    assert reader.work.flops == 2 * 10 * 8 * 4 + 2 * 10 * 4
    both = next(
        b for b in build_view(siamese().graph, dims={"batch": 10}).boxes if b.label == "reader"
    )
    assert both.work.flops == 2 * reader.work.flops
    assert both.types == reader.types == (TensorType((10, 4), "float32"),)
    assert all(b.work is None for b in build_view(siamese().graph, costs=False).boxes)


SCRIPT = """
import sys
from viz_models import MODELS
from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.tools.training_step import training_graph
from kgraph.tools.viz import build_view, to_dot, to_json
sys.stdout.reconfigure(encoding="utf-8")
for name in ("nested", "headlines", "residual", "odd_names"):
    model = MODELS[name]()
    view = build_view(model.graph)
    print(to_json(view), to_dot(view))
    print(to_json(build_view(optimize(lower(model.graph))[0], view="fused")))
    print(to_json(build_view(training_graph(model), view="step")))
"""


def test_pictures_are_the_same_in_every_process():
    root = Path(kgraph.__file__).parents[1]
    paths = os.pathsep.join([str(root), str(Path(__file__).parent)])
    texts = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "77")
    ]
    assert len(texts[0]) > 10_000
    assert texts[0] == texts[1]

"""kgraph JSON: equal graphs as equal bytes, back again, with arrays beside it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_graphs import BATCH, rich_graph

from kgraph import ops
from kgraph.errors import KGraphError, ParseError
from kgraph.ir import API, Graph, Stage, Variable, build, const, input_node
from kgraph.ir.deserialize import VERSIONS
from kgraph.ir.origin import scope
from kgraph.ir.serialize import VERSION, dumps, load, loads, save
from kgraph.ir.verify import verify

DATA = Path(__file__).parents[1] / "data"


def small(value: float = 1.0) -> Graph:
    x = input_node((BATCH, 2), name="x")
    weight = Variable(np.full((2, 3), value, "float32"), name="w")
    return Graph((x,), (("y", ops.tanh(x @ weight)),), ((weight, weight * 0.5),))


def test_the_document():
    with scope("dense_1"):
        document = dumps(small())
    assert json.loads(document) == {
        "kgraph": 2,
        "stage": "core",
        "layers": [],
        "bodies": [],
        "nodes": [
            {"op": "input", "attrs": {"name": "x"}, "types": ["f32[batch, 2]"]},
            {"op": "state", "attrs": {"name": "w", "trainable": True}, "types": ["f32[2, 3]"]},
            {"op": "matmul", "inputs": [0, 1], "types": ["f32[batch, 3]"], "scope": "dense_1"},
            {"op": "tanh", "inputs": [2], "types": ["f32[batch, 3]"], "scope": "dense_1"},
            {
                "op": "const",
                "attrs": {"value": {"array": "f32[]", "data": [0.5]}},
                "types": ["f32[]"],
            },
            {"op": "multiply", "inputs": [1, 4], "types": ["f32[2, 3]"], "scope": "dense_1"},
        ],
        "inputs": [0],
        "outputs": [["y", 3]],
        "updates": [[1, 5]],
    }
    assert all(len(line) < 200 for line in document.split("\n"))


@pytest.mark.parametrize("graph", [small(), rich_graph(), Graph((), (), (), Stage.FUSED)])
def test_back_and_forth(graph):
    document = dumps(graph)
    again = loads(document)
    assert dumps(again) == document
    assert again.stage is graph.stage
    assert loads(document.encode()) != graph or not graph.nodes
    verify(again)


def test_equal_graphs_give_equal_bytes():
    assert dumps(rich_graph()) == dumps(rich_graph())
    with scope("elsewhere"):
        moved = small()
    assert dumps(moved) != dumps(small())
    assert dumps(moved, labels=False) == dumps(small(), labels=False)


def test_labels_come_back():
    with scope("model"), scope("dense"):
        graph = small()
    node = loads(dumps(graph)).outputs[0][1]
    assert node.origin.scope == "model/dense"


def test_constants_that_outlive_their_model_do_not_carry_its_labels():
    with scope("first"):
        one = const(np.float32(123.5))
    x = input_node((), name="x")
    assert "first" not in dumps(Graph((x,), (("y", x + one),)))


def test_files(tmp_path):
    graph = rich_graph()
    graph = Graph(graph.inputs, (*graph.outputs, ("c", const(np.arange(9999.0)))), graph.updates)
    for name in ("a.json", "b.json"):
        save(graph, tmp_path / name)
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.json", "a.npz", "b.json", "b.npz"]
    again = load(tmp_path / "a.json")
    assert dumps(again) == dumps(graph)
    assert again.outputs[-1][1] is graph.outputs[-1][1]
    for old, new in zip(graph.states, again.states, strict=True):
        assert (old.name, old.trainable, old.dtype) == (new.name, new.trainable, new.dtype)
        np.testing.assert_array_equal(old.value, new.value)
        assert old.value is not new.value
        new.assign(np.zeros(new.shape))


def test_a_graph_without_arrays_needs_no_npz(tmp_path):
    x = input_node((2,), name="x")
    save(Graph((x,), (("y", x + 1.0),)), tmp_path / "g.json")
    assert os.listdir(tmp_path) == ["g.json"]
    assert load(tmp_path / "g.json").outputs[0][0] == "y"


def test_without_values_variables_start_at_zero():
    graph = loads(dumps(small(7.0)))
    assert graph.states[0].numpy().tolist() == [[0, 0, 0], [0, 0, 0]]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "g.json"
    save(small(), path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    x = input_node((2,), name="x")
    unwritable = build(API["tanh"], (x,), {"note": 1 + 2j})
    with pytest.raises(KGraphError, match=r"(?s)attribute note of tanh.*complex"):
        save(Graph((x,), (("y", unwritable),)), path)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@given(st.lists(st.floats(), max_size=4), st.sampled_from(["float16", "float32", "float64"]))
def test_constants_keep_their_bits(values, dtype):
    with np.errstate(all="ignore"):
        array = np.array(values, "float64").astype(dtype)
    graph = Graph((), (("c", const(array)),))
    assert loads(dumps(graph)) == graph


@given(
    st.recursive(
        st.one_of(
            st.none(),
            st.booleans(),
            st.integers(-(2**64) + 1, 2**64 - 1),
            st.floats(),
            st.text(max_size=5),
        ),
        lambda inner: st.lists(inner, max_size=3).map(tuple),
        max_leaves=6,
    )
)
def test_attributes_keep_kind_and_bits(value):
    x = input_node((2,), name="x")
    node = build(API["tanh"], (x,), {"note": value, "at": BATCH * 2, "as": x.type})
    again = loads(dumps(Graph((x,), (("y", node),))))
    same = build(API["tanh"], (again.inputs[0],), {"note": value, "at": BATCH * 2, "as": x.type})
    assert again.outputs[0][1] is same


def test_stored_files_of_every_version_load():
    """A new version needs a stored file of the old one."""
    assert max(VERSIONS) == VERSION
    for version in VERSIONS:
        graph = load(DATA / f"graph_v{version}.json")
        assert len(graph) == 11
        assert graph.states[0].numpy().tolist() == [[0.5, -1.0], [2.0, 0.25], [1.0, 1.0]]
        assert graph.stage is Stage.CORE
        assert graph.symbols == ("batch",)


def test_a_missing_npz_is_named(tmp_path):
    save(small(), tmp_path / "g.json")
    (tmp_path / "g.npz").unlink()
    with pytest.raises(ParseError, match=r"(?s)\.npz.*at: /nodes/1/value/npz"):
        load(tmp_path / "g.json")

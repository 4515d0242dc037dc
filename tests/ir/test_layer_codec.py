"""Layers in JSON through the codec, here with the smallest layer there can be."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from ir_graphs import BATCH

from kgraph import ops
from kgraph.errors import KGraphError, ParseError
from kgraph.ir import Graph, Node, Stage, Variable, input_node
from kgraph.ir import layer_codec as codecs
from kgraph.ir.call import layer_call
from kgraph.ir.parser import parse
from kgraph.ir.printer import anchors
from kgraph.ir.serialize import dumps, load, loads, save
from kgraph.ir.verify import verify


class Scale:
    """Multiplies by its only weight."""

    def __init__(self, name: str, value: float = 0.0) -> None:
        self.name, self.factor = name, Variable(value, name=f"{name}/factor")

    def __call__(self, x: Node, times: int = 1) -> Node:
        return layer_call(Record(self, (x.type,), (None,), times), (x,))


@dataclass(eq=False)
class Record:
    layer: Scale
    types: tuple[Any, ...]
    mask_types: tuple[Any, ...]
    times: int


class Codec:
    def encode(self, layer: Any) -> Mapping[str, Any]:
        return {"class_name": "Scale", "config": {"name": layer.name}}

    def decode(self, data: Mapping[str, Any]) -> Any:
        return {"Scale": Scale}[data["class_name"]](**data["config"])

    def weights(self, layer: Any) -> Sequence[Variable]:
        return [layer.factor]

    def encode_call(self, call: Any) -> Any:
        return {"times": call.times}

    def decode_call(self, layer: Any, inputs: tuple[Node, ...], data: Any) -> Node:
        return layer(*inputs, **data)


@pytest.fixture(autouse=True)
def _codec(monkeypatch):
    monkeypatch.setattr(codecs, "_CODECS", [])
    codecs.register_layer_codec(Codec())


def shared() -> Graph:
    """One layer called twice, another once, and a weight used outside its layer."""
    x = input_node((BATCH,), name="x")
    one, two = Scale("one", 2.0), Scale("two", 3.0)
    y = one(two(one(x), times=4) * one.factor)
    return Graph((x,), (("y", y),), (), Stage.LAYERS)


def test_layers_are_stored_once_and_calls_each():
    document = json.loads(dumps(shared()))
    assert document["layers"] == [
        {"class_name": "Scale", "config": {"name": "one"}},
        {"class_name": "Scale", "config": {"name": "two"}},
    ]
    calls = [n["call"] for n in document["nodes"] if n["op"] == "layer_call"]
    assert [c["layer"] for c in calls] == [0, 1, 0]
    assert [c["arguments"]["times"] for c in calls] == [1, 4, 1]
    assert {"op": "state", "weight": [0, 0], "types": ["f32[]"]} in document["nodes"]


def test_back_and_forth():
    graph = loads(dumps(shared()))
    verify(graph)
    assert dumps(graph) == dumps(shared())
    calls = [n for n in graph.nodes if n.op.name == "layer_call"]
    layers = [n.attrs["call"].layer for n in calls]
    assert layers[0] is layers[2]
    assert graph.states == (layers[0].factor,)


def test_weights_lie_beside_the_file(tmp_path):
    save(shared(), tmp_path / "m.json")
    graph = load(tmp_path / "m.json")
    calls = [n for n in graph.nodes if n.op.name == "layer_call"]
    assert [float(n.attrs["call"].layer.factor.value) for n in calls] == [2, 3, 2]
    with np.load(tmp_path / "m.npz") as arrays:
        assert sorted(arrays) == ["layer0.0", "layer1.0"]


def test_text_needs_the_table_for_calls():
    graph = shared()
    assert "layer_call(%0) {call=<Scale 'one'>} : f32[batch]" in str(graph)
    assert parse(str(graph), anchors(graph)) == graph
    with pytest.raises(ParseError, match="table of leaves"):
        parse(str(graph))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"class_name": "Scale", "config": {"name": "one"}',
            '"class_name": "os.system"',
            r"(?s)KeyError: 'os.system'.*at: /layers/0",
        ),
        ('{"layer": 1,', '{"layer": 7,', "(?s)no such layer.*at: /nodes/2/call/layer"),
        ('"times": 4', '"size": 4', r"(?s)TypeError.*at: /nodes/2"),
        ('"weight": [0, 0]', '"weight": [0, 1]', r"(?s)no such weight.*at: /nodes/3/weight/1"),
        ('"weight": [0, 0]', '"weight": [0]', r"(?s)two elements.*at: /nodes/3"),
    ],
)
def test_bad_documents(old, new, message):
    document = dumps(shared())
    assert old in document
    with pytest.raises(ParseError, match=message):
        loads(document.replace(old, new))


def test_a_decoder_that_makes_another_call_is_refused(monkeypatch):
    monkeypatch.setattr(Codec, "decode_call", lambda self, layer, inputs, data: ops.tanh(*inputs))
    with pytest.raises(ParseError, match="did not make the call"):
        loads(dumps(shared()))


def test_without_a_codec_layers_cannot_be_written(monkeypatch):
    graph = shared()
    monkeypatch.setattr(codecs, "_CODECS", [])
    with pytest.raises(KGraphError, match=r"import kgraph\.layers"):
        dumps(graph)

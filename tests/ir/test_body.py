"""Bodies: closed, compared by content, bound, printed, stored, and refused when they are wrong."""

from __future__ import annotations

import copy
import gc
import json
import weakref
from dataclasses import replace

import numpy as np
import pytest
from ir_graphs import BATCH

from kgraph import ops
from kgraph.errors import InferenceError, ParseError, UndecidableError, VerifyError
from kgraph.ir import Dim, Graph, Stage, TensorType, Variable, build, const, input_node, size
from kgraph.ir.attributes import attribute_key, bind_attributes
from kgraph.ir.body import MAX_DEPTH, Body, all_bodies
from kgraph.ir.leaves import RNG_STEP, arg, item
from kgraph.ir.parser import parse
from kgraph.ir.printer import anchors, to_text
from kgraph.ir.serialize import dumps, load, loads, save
from kgraph.ir.verify import verify
from kgraph.runtime.interp import interpret

ROW = TensorType((BATCH, 2), "float32")


def double(type_=ROW):
    return Body((type_,), (arg(0, type_) * 2.0,))


def loop(x, body, length=3):
    return build(ops.scan, (x,), {"body": body, "carry": 1, "length": length})


def nested_graph():
    """A loop in a loop, a large constant in a body, symbolic sizes in attributes of a body."""
    x = input_node((BATCH, 2), name="x")
    a = arg(0, ROW)
    inner = loop(a, double())
    total = ops.sum(ops.multiply(const(np.arange(600, dtype="float32")), 1e-3))
    flat = ops.reshape(ops.reshape(inner, (2 * BATCH,)), (BATCH, 2))
    scaled = flat * ops.cast(size(BATCH), "float32") + total
    body = Body((ROW, ROW), (scaled, ops.tanh(a), arg(1, ROW)))
    xs = ops.stack([x, x + 1.0])
    node = build(ops.scan, (x, xs), {"body": body, "carry": 1, "xs": 1})
    return Graph((x,), (("last", item(node, 0)), ("ys", item(node, 1)), ("x", loop(x, double()))))


# -- what a body is ----------------------------------------------------------------------------
def test_equal_bodies_are_equal_and_make_one_node():
    x = input_node((BATCH, 2), name="x")
    assert double() == double()
    assert hash(double()) == hash(double())
    assert double() != Body((ROW, ROW), double().outputs)
    assert double() != Body((ROW,), (arg(0, ROW) * 2.5,))
    assert loop(x, double()) is loop(x, double())
    assert copy.deepcopy(double()) == double()
    with pytest.raises(AttributeError, match="immutable"):
        double().outputs = ()


def test_keys_keep_no_body_alive():
    body = Body((ROW,), (ops.tanh(arg(0, ROW)) * 0.123,))
    key, node = attribute_key(body), weakref.ref(body.outputs[0])
    del body
    gc.collect()
    assert node() is None
    assert key[0] == "Body"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (lambda: input_node((2,), name="x"), "x = input.* may not stand in a body"),
        (lambda: Variable(1.0, name="v"), "Variable v: .* may not stand in a body"),
        (lambda: build(RNG_STEP), "rng_step.* may not stand in a body"),
        (lambda: arg(1, ROW), "arg 1 in a body of 1 parameters"),
        (lambda: arg(-1, ROW), "arg -1 in a body"),
        (lambda: arg(0, TensorType((2,), "float32")), r"arg 0 is f32\[2\], but .*f32\[batch, 2\]"),
        (lambda: ops.top_k(arg(0, ROW), 1)[0].inputs[0], "has several outputs"),
    ],
)
def test_bodies_are_closed(output, message):
    with pytest.raises(InferenceError, match=message):
        Body((ROW,), (output(),))


def test_nesting_is_bounded():
    body = double()
    while body.depth < MAX_DEPTH:
        body = Body((ROW,), (loop(arg(0, ROW), body, 1),))
    x = input_node((BATCH, 2), name="x")
    graph = Graph((x,), (("y", loop(x, body, 1)),))
    verify(graph)
    assert interpret(graph, [np.ones((1, 2))])[0][0].tolist() == [[2.0, 2.0]]
    assert loads(dumps(graph)).outputs[0][1].attrs["body"] == body
    with pytest.raises(InferenceError, match="more than 16 deep"):
        Body((ROW,), (loop(arg(0, ROW), body, 1),))


def test_symbols_get_their_numbers_inside():
    graph = nested_graph()
    node = graph.outputs[0][1].inputs[0]
    body = node.attrs["body"]
    assert body.symbols == {"batch"}
    bound = bind_attributes(node.attrs, {"batch": 5})["body"]
    assert bound == body.bind({"batch": 5})
    assert not bound.symbols
    assert bound.parameters == (TensorType((5, 2), "float32"),) * 2
    assert bound.inner[0].parameters == bound.parameters[:1]
    assert bound.bind({"batch": 7}) is bound
    assert body.map(lambda d: d) == body
    renamed = body.bind({"batch": Dim.symbol("rows")})
    assert renamed.symbols == {"rows"}
    assert graph.symbols == ("batch",)
    x = np.ones((4, 2), "float32")
    assert interpret(graph, [x])[0][2].tolist() == (x * 8).tolist()


def test_a_long_body():
    y = arg(0, ROW)
    for _ in range(2000):
        y = ops.tanh(y) + arg(1, ROW)
    body = Body((ROW, ROW), (y,))
    x = input_node((BATCH, 2), name="x")
    graph = Graph(
        (x,),
        (("y", build(ops.scan, (x, x), {"body": body, "consts": 1, "carry": 1, "length": 2})),),
    )
    verify(graph)
    again = loads(dumps(graph))
    assert again.outputs[0][1].attrs["body"] == body
    assert parse(to_text(graph), anchors(graph)) == graph


# -- verify ------------------------------------------------------------------------------------
def test_verify_looks_into_bodies():
    x = input_node((BATCH, 2), name="x")
    with pytest.raises(VerifyError, match="arg stands outside of any body"):
        verify(Graph((), (("y", arg(0, ROW)),)))
    fused = build(ops.fused, (arg(0, ROW),), {"program": (("tanh", (0,), ()),), "results": (1,)})
    graph = Graph((x,), (("y", loop(x, Body((ROW,), (fused,)))),))
    with pytest.raises(VerifyError, match=r"(?s)fused does not belong to stage CORE.*> .*scan"):
        verify(graph)
    verify(replace(graph, stage=Stage.FUSED))
    inside = Body((ROW,), (loop(arg(0, ROW), Body((ROW,), (fused,))),))
    with pytest.raises(VerifyError, match="fused does not belong"):
        verify(Graph((x,), (("y", loop(x, inside)),)))


def test_verify_finds_a_body_that_was_broken():
    x = input_node((BATCH, 2), name="x")
    body = double()
    graph = Graph((x,), (("y", loop(x, body)),))
    object.__setattr__(body, "outputs", (x,))
    object.__setattr__(body, "nodes", (x,))
    with pytest.raises(VerifyError, match="a body of scan is not closed"):
        verify(Graph((x,), (("y", loop(x, body)),)))
    assert graph


# -- text and JSON -----------------------------------------------------------------------------
def test_what_it_looks_like():
    x = input_node((BATCH, 2), name="x")
    graph = Graph((x,), (("y", loop(x, double())),))
    lines = [line.split("  #")[0] for line in str(graph).split("\n")]
    assert lines == [
        "graph core",
        "input %0 'x' : f32[batch, 2]",
        "body !0 : f32[batch, 2]",
        "  %1 = const(2.0) : f32[]",
        "  %2 = multiply(%0, %1) : f32[batch, 2]",
        "end %2",
        "%1 = scan(%0) {body=!0, carry=1, consts=0, length=3, reverse=False, xs=0} : f32[batch, 2]",
        "output 'y' %1",
    ]


def test_text_and_json_both_ways(tmp_path):
    graph = nested_graph()
    assert len(all_bodies(graph.nodes)) == 2
    assert parse(to_text(graph), anchors(graph)) == graph
    save(graph, tmp_path / "g.json")
    for again in (parse(to_text(graph, None)), loads(dumps(graph)), load(tmp_path / "g.json")):
        assert dumps(again, labels=False) == dumps(graph, labels=False)
        pairs = zip(again.nodes, graph.nodes, strict=True)
        assert all(a.attrs["body"] == b.attrs["body"] for a, b in pairs if a.op is ops.scan)
        x = np.arange(6.0, dtype="float32").reshape(3, 2)
        for a, b in zip(interpret(again, [x])[0], interpret(graph, [x])[0], strict=True):
            np.testing.assert_array_equal(a, b)
    assert graph.to_networkx().number_of_nodes() == len(graph)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("end %2", "end %9", "%9 is not defined above"),
        ("end %2", "output 'z' %2", "holds nodes only"),
        ("end %2", "end %2\nend %2", "no body begins above"),
        ("body !0 :", "body !1 :", "body !0 is not defined above"),
        ("end %2", "end %2\nbody !0 : f32[batch, 2]", "!0 stands twice"),
        ("%1 = const(2.0)", "input %1 'z'", "holds nodes only"),
        ("%1 = const(2.0)", "%1 = rng_step : i64[]\n%3 = const(2.0)", None),
        ("body !0 : f32[batch, 2]", "body !0 : f32[2]", "but the type is"),
        ("multiply(%0, %1)", "multiply(%0, @w)", "@w is not defined above"),
    ],
)
def test_bad_text(old, new, message):
    x = input_node((BATCH, 2), name="x")
    text = str(Graph((x,), (("y", loop(x, double())),)))
    assert old in text
    with pytest.raises(ParseError, match=message):
        parse(text.replace(old, new, 1))


def test_text_that_ends_in_a_body():
    with pytest.raises(ParseError, match="body !0 is not closed by `end`"):
        parse("graph core\nbody !0\n%0 = const(1.0) : f32[]")


def document():
    x = input_node((BATCH, 2), name="x")
    inner = Body((ROW,), (loop(arg(0, ROW), double()),))
    return json.loads(dumps(Graph((x,), (("y", loop(x, inner)),))))


@pytest.mark.parametrize(
    ("path", "value", "where", "message"),
    [
        ("bodies/0/parameters/0", "f32[2]", "/bodies/0/nodes/1/types", "comes to f32\\[2\\]"),
        ("bodies/0/parameters/0", "f32[2", "/bodies/0/parameters/0", "not a tensor type"),
        ("bodies/0/parameters", [], "/bodies/0/nodes/1/inputs/1", "comes later"),
        ("bodies/0/outputs/0", 9, "/bodies/0/outputs/0", "does not exist"),
        ("bodies/0/outputs/0", True, "/bodies/0/outputs/0", "number is needed"),
        ("bodies/0/outputs", 3, "/bodies/0/outputs", "an array is needed"),
        ("bodies/0/extra", 3, "/bodies/0/extra", "unknown key"),
        ("bodies/0/nodes/0", {"op": "rng_step", "types": ["i64[]"]}, "/bodies/0/nodes/0/op",
         "may not stand in a body"),
        ("bodies/0/nodes/0", {"op": "input", "attrs": {"name": "z"}, "types": ["f32[]"]},
         "/bodies/0/nodes/0/op", "input may not stand"),
        ("bodies/0/nodes/0", {"op": "state", "attrs": {"name": "z", "trainable": True},
         "types": ["f32[]"]}, "/bodies/0/nodes/0/op", "state may not stand"),
        ("bodies/0/nodes/0", {"op": "arg", "attrs": {"index": 5, "type": {"type": "f32[]"}},
         "types": ["f32[]"]}, "/bodies/0", "arg 5 in a body of 1"),
        ("bodies/0/nodes/0", {"op": "arg", "attrs": {"index": "a", "type": 3},
         "types": ["f32[]"]}, "/bodies/0/nodes/0", "needs an index and a type"),
        ("bodies/1/nodes/0/attrs/body", {"body": 1}, "/bodies/1/nodes/0/attrs/body/body",
         "no such body"),
        ("nodes/1/attrs/body", {"body": -1}, "/nodes/1/attrs/body/body", "no such body"),
        ("nodes/1/attrs/body", {"body": True}, "/nodes/1/attrs/body/body", "no such body"),
        ("nodes/1/attrs/body", "x", "/nodes/1", "must be a Body"),
        ("nodes/1/attrs/carry", 2, "/nodes/1", "2 carries"),
        ("nodes/1/attrs/carry", -1, "/nodes/1", "-1 carries"),
        ("nodes/1/attrs/carry", "x", "/nodes/1", "invalid literal"),
        ("nodes/1/attrs/length", -2, "/nodes/1", "negative"),
        ("nodes/1/attrs/length", None, "/nodes/1", "length must be a size"),
        ("nodes/1", {"op": "arg", "attrs": {"index": 0, "type": {"type": "f32[]"}},
         "types": ["f32[]"]}, "", "arg stands outside"),
        ("bodies", {}, "/bodies", "an array is needed"),
    ],
)  # fmt: skip
def test_hostile_json(path, value, where, message):
    data = document()
    *parents, last = [int(p) if p.isdigit() else p for p in path.split("/")]
    place = data
    for key in parents:
        place = place[key]
    place[last] = value
    with pytest.raises(ParseError, match=message) as caught:
        loads(json.dumps(data))
    assert f"at: {where}" in str(caught.value) or not where


def test_json_with_bodies_nested_too_deeply():
    data = document()
    first = data["bodies"][1]
    for number in range(2, 30):
        row = json.loads(json.dumps(first))
        row["nodes"][0]["attrs"]["body"] = {"body": number - 1}
        data["bodies"].append(row)
    with pytest.raises(ParseError, match=r"(?s)more than 16 deep.*at: /bodies/16"):
        loads(json.dumps(data))


def test_numbers_take_the_place_of_symbols_and_the_last_are_kept():
    batch = Dim.symbol("batch")
    row = TensorType((batch, 2), "float32")
    body = Body((row,), (ops.broadcast_to(ops.sum(arg(0, row)), (batch, 2)),))
    three = body.numbered({"batch": 3, "other": 1})
    assert three == body.bind({"batch": 3})
    assert three.parameters == (TensorType((3, 2), "float32"),)
    assert three.numbered({}) is three
    assert body.numbered({"batch": 3}) is three
    assert body.numbered({"batch": 4}).parameters == (TensorType((4, 2), "float32"),)
    assert body.numbered({"batch": 3}) == three
    with pytest.raises(UndecidableError, match="batch"):
        body.numbered({})

"""The text form: what it looks like, and that reading it gives the graph back."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ir_graphs import BATCH, rich_graph

from kgraph import ops
from kgraph.errors import ParseError
from kgraph.ir import Dim, Graph, Stage, TensorType, Variable, const, floor_divide, input_node
from kgraph.ir.attributes import attribute_key, freeze
from kgraph.ir.origin import Lineage, Origin, making
from kgraph.ir.parser import parse, parse_value
from kgraph.ir.printer import anchors, show_value, to_text


def without_comments(text: str) -> str:
    return "\n".join(re.sub(r"  # .*", "", line) for line in text.split("\n"))


def test_what_a_graph_looks_like():
    x = input_node((BATCH, 3), name="x")
    kernel = Variable(np.zeros((3, 2)), name="dense_1/kernel", dtype="float32")
    steps = Variable(0, name="steps", trainable=False)
    label = Origin(None, "dense_1", "/home/me/model.py", 31, (Lineage("simplify", "add-zero"),))
    with making(label):
        y = ops.sum(ops.matmul(x, kernel), axis=1)
    graph = Graph((x,), (("y", y),), ((steps, steps + 1),))
    assert str(graph) == (
        "graph core\n"
        "input %0 'x' : f32[batch, 3]\n"
        "state @dense_1/kernel : f32[3, 2]\n"
        "state @steps frozen : i32[]\n"
        "%2 = matmul(%0, @dense_1/kernel) : f32[batch, 2]  "
        "# dense_1 model.py:31 <- simplify/add-zero\n"
        "%3 = sum(%2) {axis=(1,), keepdims=False} : f32[batch]  "
        "# dense_1 model.py:31 <- simplify/add-zero\n"
        "%5 = const(1) : i32[]\n"
        "%6 = add(@steps, %5) : i32[]" + str(graph).split("i32[]")[3].split("\n")[0] + "\n"
        "output 'y' %3\n"
        "update @steps %6"
    )


def test_parsing_gives_the_very_nodes():
    graph = rich_graph()
    for elide in (16, None):
        text = to_text(graph, elide)
        again = parse(text, anchors(graph, elide))
        assert again == graph
        assert all(a is b for a, b in zip(again.nodes, graph.nodes, strict=True))


def test_parsing_without_a_table_gives_an_equal_graph():
    graph = rich_graph()
    text = without_comments(to_text(graph, None))
    again = parse(text)
    assert without_comments(to_text(again, None)) == text
    assert again != graph
    assert [v.trainable for v in again.states] == [v.trainable for v in graph.states]
    assert [v.name for v in again.states] == [v.name for v in graph.states]
    assert [n.name for n in again.inputs] == [n.name for n in graph.inputs]


def test_stages_and_empty_graphs():
    for stage in Stage:
        graph = Graph((), (), (), stage)
        assert parse(to_text(graph)) == graph


def test_the_same_text_twice():
    assert to_text(rich_graph()) == to_text(rich_graph())


def test_comments_and_blank_lines_do_not_matter():
    text = "\n# a graph\ngraph core  # stage\n\n  input %0 'x' : f32[2]# here\noutput 'y' %0  \n"
    assert parse(text).outputs[0][1].shape == (2,)


def test_labels_cannot_break_the_text():
    x = input_node((2,), name="x\n%9 = y' \\ # {")
    with making(Origin("n\nn", "a\noutput 'b' %0", "f\n.py", 3)):
        y = ops.tanh(x * 31.5)
    graph = Graph((x,), (("out\n'\"#", y),))
    assert parse(to_text(graph), anchors(graph)) == graph


NAMES = st.text(max_size=12)


@given(st.lists(NAMES, min_size=2, max_size=4))
def test_any_names_survive(names):
    states = [Variable(0.0, name=name) for name in names]
    x = input_node((), name=names[0])
    graph = Graph((x,), ((names[1], x * states[0]),), tuple((s, s + x) for s in states))
    again = parse(to_text(graph))
    assert [v.name for v in again.states] == [v.name for v in graph.states]
    assert (again.inputs[0].name, again.outputs[0][0]) == (x.name, names[1])
    assert parse(to_text(graph), anchors(graph)) == graph


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        [
            Dim.symbol("batch"),
            2 * Dim.symbol("e5") - 1,
            -Dim.symbol("b"),
            2 * floor_divide(3 * floor_divide(Dim.symbol("h") + 1, 2) + 2, 4) - 1,
            TensorType((), "bool"),
            TensorType((Dim.symbol("n"), 3), "float64"),
        ]
    ),
    st.sampled_from(["float16", "float32", "float64"]).flatmap(
        lambda d: st.lists(st.floats(width=16), max_size=4).map(lambda v: np.array(v, d))
    ),
    st.lists(st.integers(0, 255), max_size=4).map(lambda v: np.array(v, "uint8")),
)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=8)


@given(VALUES)
def test_attributes_survive_with_type_and_bits(value):
    frozen = freeze(value)
    assert attribute_key(parse_value(show_value(frozen, None))) == attribute_key(frozen)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_constants_survive_with_all_bits(dtype):
    rng = np.random.default_rng(0)
    bits = rng.integers(0, 256, 40 * np.dtype(dtype).itemsize, dtype=np.uint8)
    values = [
        bits.view(dtype),
        np.array([-0.0, np.nan, np.inf, -np.inf, 0.1, 1e-45], dtype),
        np.array(-np.nan, dtype),
        np.zeros((0, 3), dtype),
    ]
    with np.errstate(all="ignore"):
        graph = Graph((), tuple((str(i), const(v)) for i, v in enumerate(values)))
    assert parse(to_text(graph, None)) == graph


def test_undeclared_inputs_and_layer_records_need_the_table():
    x = input_node((2,), name="x")
    graph = Graph((), (("y", ops.tanh(x)),))
    text = to_text(graph)
    assert "<undeclared>" in text
    with pytest.raises(ParseError, match="table of leaves"):
        parse(text)
    assert parse(text, anchors(graph)).outputs == graph.outputs


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nonsense", "not a line"),
        ("%1 = tanh(%0)", "wrong form"),
        ("%1 = tanh(%7) : f32[2]", "%7 is not defined"),
        ("%1 = tanh(%1) : f32[2]", "%1 is not defined"),
        ("%1 = tanh(%0,%0) : f32[2]", "%0,%0 is not defined"),
        ("%1 = tanh(%0, %0) : f32[2]", "takes 1"),
        ("%1 = evil(%0) : f32[2]", "unknown op"),
        ("%0 = tanh(%0) : f32[2]", "stands twice"),
        ("%1 = tanh(%0) : f32[3]", "the type is f32"),
        ("%1 = tanh(%0) : f33[2]", "not a tensor type"),
        ("%1 = sum(%0) {axis} : f32[]", "attributes"),
        ("%1 = sum(%0) {axis=(0,} : f32[]", "not a value"),
        ("%1 = sum(%0) {axis=(,)} : f32[]", "unexpected"),
        ("%1 = sum(%0) {axis=(0 1)} : f32[]", "expected , or"),
        ("%1 = sum(%0) {axis=0, axis=0} : f32[]", "attributes"),
        ("%1 = sum(%0) {axis=" + "(" * 40 + ")" * 40 + "} : f32[]", "unexpected"),
        ("%1 = sum(%0) {axis=0 keepdims=True} : f32[]", "attributes"),
        ("%1 = sum(%0) {axis='a'} : f32[]", "axis must be"),
        ("%1 = sum(%0) {axis=<0>} : f32[]", "table of leaves"),
        ("%1 = const(1, 2) : f32[2]", "floats"),
        ("%1 = const(1.0) : f32[2]", "2 elements"),
        ("%1 = const(1e999) : f32[1]", "does not fit"),
        ("%1 = const(300) : u8[1]", "does not fit"),
        ("%1 = const(b64'AAAA') : f32[2]", "bytes"),
        ("%1 = const(b64'!') : f32[2]", "base64"),
        ("%1 = const(<4 elements>) : f32[4]", "table of leaves"),
        ("%1 = const(1.0) : f32[n]", "symbolic"),
        ("graph core", "one line"),
        ("state @w : f32[n]", "symbolic"),
        ("state @w : f32[9999999999, 999]", "bytes"),
        ("output 'z' %3", "not defined"),
        ("output z %0", "wrong form"),
        ("update %0 %0", "not a state"),
        ("update @q %0", "not defined"),
    ],
)
def test_lines_that_cannot_be_read(line, message):
    text = f"graph core\ninput %0 'x' : f32[2]\n{line}\n"
    with pytest.raises(ParseError, match=re.escape(message)) as caught:
        parse(text)
    assert "line 3" in str(caught.value)


def test_a_text_needs_a_header():
    for text in ("", "input %0 'x' : f32[2]", "%0 = rng_step : i64[]"):
        with pytest.raises(ParseError, match="graph"):
            parse(text)
    with pytest.raises(ParseError, match="unknown stage"):
        parse("graph soup")


@given(st.text(alphabet="%@'\"(){}=:#<>,~\\ \nabgraph01[]f32", max_size=60))
def test_any_text_is_read_or_refused(text):
    for whole in (text, f"graph core\ninput %0 'x' : f32[2]\n%1 = sum(%0) {text}"):
        try:
            parse(whole)
        except ParseError:
            continue

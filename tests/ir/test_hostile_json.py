"""Documents from strangers: a graph or a ParseError that says where, never anything else."""

from __future__ import annotations

import io
import json
import re
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ir_graphs import rich_graph

from kgraph import ops
from kgraph.errors import ParseError
from kgraph.ir import Graph, Variable, const, input_node
from kgraph.ir.serialize import dumps, load, loads, save
from kgraph.ir.strict_json import pointer, read_json

GOOD = {
    "kgraph": 1,
    "stage": "core",
    "layers": [],
    "nodes": [
        {"op": "input", "attrs": {"name": "x"}, "types": ["f32[2, 3]"]},
        {"op": "state", "attrs": {"name": "w", "trainable": True}, "types": ["f32[3]"]},
        {"op": "const", "attrs": {"value": {"array": "f32[3]", "data": [1.0, 2.0, 3.0]}},
         "types": ["f32[3]"]},
        {"op": "sum", "inputs": [0], "attrs": {"axis": [0], "keepdims": False},
         "types": ["f32[3]"]},
        {"op": "add", "inputs": [3, 1], "types": ["f32[3]"]},
    ],
    "inputs": [0],
    "outputs": [["y", 4]],
    "updates": [[1, 4]],
}  # fmt: skip


def changed(path: str, value: object) -> str:
    """GOOD with the value at a JSON pointer replaced; `...` removes it."""
    document = json.loads(json.dumps(GOOD))
    *parents, last = [int(p) if p.isdigit() else p for p in path.split("/")[1:]]
    place = document
    for key in parents:
        place = place[key]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(document)


def test_the_unchanged_document_is_good():
    assert len(loads(json.dumps(GOOD))) == 4


@pytest.mark.parametrize(
    ("path", "value", "where", "message"),
    [
        ("/kgraph", 3, "/kgraph", "version 3"),
        ("/kgraph", True, "/kgraph", "version"),
        ("/kgraph", ..., "/", "'kgraph' is missing"),
        ("/stage", "soup", "/stage", "layers, core, fused"),
        ("/stage", ["core"], "/stage", "stage"),
        ("/extra", 1, "/extra", "unknown key"),
        ("/nodes", {}, "/nodes", "an array is needed"),
        ("/nodes", ..., "/", "'nodes' is missing"),
        ("/nodes/3", 7, "/nodes/3", "an object is needed"),
        ("/nodes/3/op", "evil", "/nodes/3/op", "unknown op: 'evil'"),
        ("/nodes/3/op", 5, "/nodes/3/op", "a string is needed"),
        ("/nodes/3/extra", 5, "/nodes/3/extra", "unknown key"),
        ("/nodes/3/inputs/0", 4, "/nodes/3/inputs/0", "comes later"),
        ("/nodes/3/inputs/0", 3, "/nodes/3/inputs/0", "cycle"),
        ("/nodes/3/inputs/0", 99, "/nodes/3/inputs/0", "does not exist"),
        ("/nodes/3/inputs/0", -1, "/nodes/3/inputs/0", "number is needed"),
        ("/nodes/3/inputs/0", True, "/nodes/3/inputs/0", "number is needed"),
        ("/nodes/3/inputs/0", 0.0, "/nodes/3/inputs/0", "number is needed"),
        ("/nodes/3/inputs/0", "0", "/nodes/3/inputs/0", "number is needed"),
        ("/nodes/3/inputs/0", None, "/nodes/3/inputs/0", "number is needed"),
        ("/nodes/3/inputs", 0, "/nodes/3/inputs", "an array is needed"),
        ("/nodes/4/inputs", [3], "/nodes/4", "takes 2 operands"),
        ("/nodes/4/inputs", [3] * 5, "/nodes/4", "takes 2 operands"),
        ("/nodes/3/types/0", "f32[4]", "/nodes/3/types", "comes to f32[3]"),
        ("/nodes/3/types/0", "f64[3]", "/nodes/3/types", "comes to f32[3]"),
        ("/nodes/3/types/0", "f32[3", "/nodes/3/types/0", "not a tensor type"),
        ("/nodes/3/types/0", None, "/nodes/3/types/0", "a string is needed"),
        ("/nodes/3/types", [], "/nodes/3/types", "comes to f32[3]"),
        ("/nodes/0/types", [], "/nodes/0/types", "one type"),
        ("/nodes/0/attrs/uid", 1, "/nodes/0/attrs/uid", "unknown key"),
        ("/nodes/0/attrs/name", 1, "/nodes/0/attrs/name", "a string is needed"),
        ("/nodes/1/attrs/trainable", 1, "/nodes/1/attrs/trainable", "true or false"),
        ("/nodes/1/attrs", ..., "/nodes/1/attrs", "an object is needed"),
        ("/nodes/1/types/0", "f32[n]", "/nodes/1", "symbolic"),
        ("/nodes/1/types/0", "f32[99999999999]", "/nodes/1/types/0", "bytes"),
        ("/nodes/1/types/0", "f32[99999999999999999999, 0]", "/nodes/1", "dimension"),
        ("/nodes/1/types/0", "f32[" + "1, " * 70 + "1]", "/nodes/1", "dim"),
        ("/nodes/1/weight", [0, 0], "/nodes/1/weight/0", "no such layer"),
        ("/nodes/1/value", {"array": "f32[3]", "npz": "../../etc"}, "/nodes/1/value/npz", ".npz"),
        ("/nodes/1/value", {"array": "f32[3]", "data": [1.0]}, "/nodes/1/value", "3 elements"),
        ("/nodes/1/value", {"array": "f32[3]", "data": [1, 2, 3]}, "/nodes/1/value", "floats"),
        ("/nodes/1/value", {"array": "f32[2]", "data": [1.0, 2.0]}, "/nodes/1/types", "f32[2]"),
        ("/nodes/2/attrs/value/data/0", "1", "/nodes/2/attrs/value", "floats"),
        ("/nodes/2/attrs/value/data/0", True, "/nodes/2/attrs/value", "floats"),
        ("/nodes/2/attrs/value/data/0", 1e300, "/nodes/2/attrs/value", "does not fit"),
        ("/nodes/2/attrs/value/array", "f32[9999999999]", "/nodes/2/attrs/value", "elements"),
        ("/nodes/2/attrs/value", {"array": "f32[3]", "base64": "AAAA"}, "/nodes/2/attrs/value",
         "12 bytes"),
        ("/nodes/2/attrs/value", {"array": "f32[3]", "base64": "?"}, "/nodes/2/attrs/value",
         "base64"),
        ("/nodes/2/attrs/value", {"array": "f32[3]"}, "/nodes/2/attrs/value/npz", ".npz"),
        ("/nodes/2/attrs/value", {"pickle": "x"}, "/nodes/2/attrs/value/pickle", "one key"),
        ("/nodes/2/attrs/value", {"dim": "a", "type": "f32[]"}, "/nodes/2/attrs/value", "one key"),
        ("/nodes/2/attrs/value", "x", "/nodes/2", "not a tensor"),
        ("/nodes/2/attrs", {}, "/nodes/2", "KeyError"),
        ("/nodes/3/attrs", [], "/nodes/3/attrs", "an object"),
        ("/nodes/3/attrs/axis", ["a"], "/nodes/3", "axis must be"),
        ("/nodes/3/attrs/axis", [99], "/nodes/3", "out of bounds"),
        ("/nodes/3/attrs/axis", {"dim": "a**b"}, "/nodes/3/attrs/axis", "not a dimension"),
        ("/nodes/3/attrs/axis", {"dim": 3}, "/nodes/3/attrs/axis/dim", "a string"),
        ("/nodes/3/attrs/axis", {"type": "x"}, "/nodes/3/attrs/axis", "not a tensor type"),
        ("/nodes/3/attrs/axis", {"float": "zz"}, "/nodes/3/attrs/axis", "hexadecimal"),
        ("/nodes/3/attrs/axis", {"float": "00"}, "/nodes/3/attrs/axis", "8 bytes"),
        ("/nodes/3/scope", 1, "/nodes/3/scope", "a string"),
        ("/nodes/3/name", [], "/nodes/3/name", "a string"),
        ("/nodes/3/op", "layer_call", "/nodes/3/call", "an object is needed"),
        ("/inputs", [], "", "not declared"),
        ("/inputs", [3], "", "not an input"),
        ("/inputs", [0, 0], "", "twice"),
        ("/inputs", [77], "/inputs/0", "does not exist"),
        ("/outputs", [["y", 4], ["y", 3]], "", "two outputs are called 'y'"),
        ("/outputs/0", ["y"], "/outputs/0", "two elements"),
        ("/outputs/0", [1, 4], "/outputs/0/0", "a string"),
        ("/outputs/0", ["y", 9], "/outputs/0/1", "does not exist"),
        ("/updates", [[1, 4], [1, 4]], "", "updated twice"),
        ("/updates/0", [0, 4], "/updates/0/0", "not a state"),
        ("/updates/0", [1, 0], "", "another type"),
        ("/layers", [{"class_name": "Dense"}], "/layers/0", "kgraph.layers"),
    ],
)  # fmt: skip
def test_faults_are_named_and_located(path, value, where, message, monkeypatch):
    monkeypatch.setattr("kgraph.ir.layer_codec._CODECS", [])
    with pytest.raises(ParseError) as caught:
        loads(changed(path, value))
    text = str(caught.value)
    assert message in text
    if where:
        assert re.search(rf"  at: {re.escape(where)}$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": 1, "b": {"c": [1, {"d": 1, "d": 2}]}}', r"'d' stands twice\n  at: /b/c/1"),
        ('{"a": [1, NaN]}', r"NaN is not a JSON number\n  at: /a/1"),
        ('{"a": -Infinity}', r"-Infinity .*\n  at: /a"),
        ('{"a": 1e999}', r"1e999 is too large a number\n  at: /a"),
        ('{"a/~": 18446744073709551616}', r"64 bits\n  at: /a~1~0"),
        ('{"a": -' + "9" * 100_000 + "}", r"64 bits\n  at: /a"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ('{"a": 1', r"not JSON: .*\n  at: line 1, column 8"),
        ("", "not JSON"),
        ("\ufeff{}", "not JSON"),
        ("{'a': 1}", "not JSON"),
        ('{"a": 1,}', "not JSON"),
        (b'{"a": "\xff"}', "byte 7 is not UTF-8"),
        ('{"a": 1} {"b": 2}', "not JSON"),
    ],
)
def test_json_that_readers_disagree_on(text, message):
    with pytest.raises(ParseError, match=f"(?s){message}"):
        read_json(text)
    with pytest.raises(ParseError):
        loads(text)


def test_limits_are_inclusive():
    assert read_json(f"[{2**64 - 1}, {-(2**64) + 1}]") == [2**64 - 1, -(2**64) + 1]
    assert pointer([]) == ""


@pytest.mark.parametrize("text", ["[]", "3", "null", '"kgraph"', "{}", '{"class_name": "Model"}'])
def test_other_documents(text):
    with pytest.raises(ParseError):
        loads(text)


def test_layer_calls_need_the_layers_package(monkeypatch):
    monkeypatch.setattr("kgraph.ir.layer_codec._CODECS", [])
    document = json.loads(changed("/layers", [{"class_name": "Dense"}]))
    with pytest.raises(ParseError, match=r"import kgraph.layers\n.*at: /layers/0"):
        loads(json.dumps(document))


def big_file(tmp_path):
    x = input_node((300,), name="x")
    weight = Variable(np.arange(300, dtype="float32"), name="w")
    graph = Graph((x,), (("y", x * weight + const(np.arange(300.0, dtype="float32"))),))
    save(graph, tmp_path / "g.json")
    return tmp_path / "g.json", tmp_path / "g.npz"


def rewrite_member(path, name, data, compress=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path) as file:
        members = {n: file.read(n) for n in file.namelist()}
    members[name] = data
    with zipfile.ZipFile(path, "w", compress) as file:
        for member, content in members.items():
            file.writestr(member, content)


def npy(array: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, **options)
    return stream.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        npy(np.arange(299, dtype="float32")),
        npy(np.arange(300, dtype="int32")),
        npy(np.arange(300, dtype="float32").reshape(3, 100)),
        npy(np.array([{"a": 1}] * 300, dtype=object), allow_pickle=True),
        npy(np.arange(300, dtype="float32"))[:-1],
        npy(np.arange(300, dtype="float32")) + b"x",
        npy(np.arange(300, dtype="float32"), version=(2, 0)),
        npy(np.arange(300, dtype="float32")).replace(b"(300,)", b"(9" + b"9" * 3 + b",)"),
        npy(np.arange(300, dtype=">f4")),
    ],
)
def test_arrays_are_compared_before_they_are_read(tmp_path, data):
    document, arrays = big_file(tmp_path)
    rewrite_member(arrays, "1.value.npy", data)
    with pytest.raises(ParseError, match="at: /nodes/1/value"):
        load(document)


def test_compressed_and_broken_archives(tmp_path):
    document, arrays = big_file(tmp_path)
    rewrite_member(arrays, "extra.npy", b"", zipfile.ZIP_DEFLATED)
    with pytest.raises(ParseError, match="compressed"):
        load(document)
    arrays.write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(ParseError, match=r"g\.npz"):
        load(document)


def test_a_flipped_byte_is_noticed(tmp_path):
    document, arrays = big_file(tmp_path)
    data = bytearray(arrays.read_bytes())
    data[400] ^= 1
    arrays.write_bytes(data)
    with pytest.raises(ParseError, match="CRC"):
        load(document)


TEXT = dumps(rich_graph())
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 99),
    st.floats(),
    st.text(max_size=3),
    st.sampled_from(
        [
            [],
            {},
            "f32[batch]",
            "f32[0]",
            2**63,
            {"dim": "batch"},
            {"type": "i64[]"},
            {"array": "f32[]", "data": [1.0]},
            [[[]]],
            "layer_call",
            "state",
            "const",
        ]
    ),
)


@settings(max_examples=150)
@given(st.data())
def test_mutated_documents_are_read_or_refused(data):
    """One value anywhere in a good document is replaced by something else."""
    document = json.loads(TEXT)
    place, keys = document, list(document)
    while True:
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, (dict, list)) or not inner or data.draw(st.booleans()):
            break
        place, keys = inner, list(inner) if isinstance(inner, dict) else list(range(len(inner)))
    place[key] = data.draw(JUNK)
    try:
        again = loads(json.dumps(document))
    except ParseError:
        return
    dumps(again)


@settings(max_examples=100)
@given(
    st.integers(0, len(TEXT)), st.text(alphabet='{}[]",:0123ae.-', max_size=4), st.integers(0, 5)
)
def test_damaged_texts_are_read_or_refused(at, insertion, removed):
    try:
        loads(TEXT[:at] + insertion + TEXT[at + removed :])
    except ParseError:
        return


def test_wide_documents_are_refused():
    """Quadratic work on 200,000 operands would take minutes."""
    document = json.loads(json.dumps(GOOD))
    document["nodes"][4]["inputs"] = [3] * 200_000
    with pytest.raises(ParseError, match="takes 2 operands"):
        loads(json.dumps(document))


def test_loading_runs_no_code():
    """The document's strings are looked up in tables and never imported or evaluated."""
    for name in ("__import__", "os.system", "kgraph.ir.op", "../add", "add\x00"):
        with pytest.raises(ParseError, match="unknown op"):
            loads(changed("/nodes/4/op", name))
    assert ops.add is loads(json.dumps(GOOD)).outputs[0][1].op

"""Reads kgraph JSON; every fault becomes a `ParseError` with a JSON pointer.

The document may come from a stranger. Nothing in it is trusted: indices point backwards only, ops
are looked up by name, sizes are compared before memory is taken, and whatever an op says against
its attributes is caught.
"""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, KGraphError, ParseError, VerifyError, explain
from kgraph.ir.arrays import element_count, from_base64, from_numbers
from kgraph.ir.attributes import Constant
from kgraph.ir.body import Body
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.dim import parse_dim
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.layer_codec import layer_codec
from kgraph.ir.leaves import INPUT, arg, input_node
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op, find_op
from kgraph.ir.origin import Origin
from kgraph.ir.strict_json import pointer, read_json
from kgraph.ir.types import TensorType, parse_type
from kgraph.ir.variable import STATE, Variable
from kgraph.ir.verify import verify

VERSIONS = (1, 2)
_MAX_STATE_BYTES, _MAX_NESTING = 4 << 30, 16
_NO_LABEL = Origin()
_NOT_IN_BODIES = ("input", "state", "rng_step", "layer_call", "mask_of")
_DOCUMENT = {"kgraph", "stage", "layers", "bodies", "nodes", "inputs", "outputs", "updates"}
_BODY = {"parameters", "nodes", "outputs"}
_NODE = {"op", "types", "inputs", "attrs", "call", "weight", "value", "scope", "name"}
_ONE_KEY = "an object must have one key: float, dim, type, body or array"

# Gives the array of a `{"array": type, ...}` object of the document.
ReadArray = Callable[[TensorType, str], np.ndarray]


class _FaultError(Exception):
    """A fault at `path` below the value that is being read."""

    kind = "structure"

    def __init__(self, message: str, *path: object) -> None:
        super().__init__(message)
        self.message, self.path = message, path

    def under(self, *prefix: object) -> _FaultError:
        return type(self)(self.message, *prefix, *self.path)


class _VersionFaultError(_FaultError):
    kind = "version"


class _TypeFaultError(_FaultError):
    kind = "type"


class _ValuesFaultError(_FaultError):
    kind = "values"


def read_graph(text: str | bytes, arrays: Mapping[str, ReadArray]) -> Graph:
    """The graph of a document.

    Args:
        text: kgraph JSON.
        arrays: name in the npz -> its reader.

    Raises:
        ParseError: the document is not a valid graph.
    """
    document = read_json(text)
    try:
        graph = _Reader(document, arrays).graph()
        verify(graph)
    except _FaultError as bad:
        message = explain(bad.message, where=pointer(bad.path) or "/")
        raise ParseError(message, bad.kind) from bad.__cause__
    except VerifyError as error:
        raise ParseError(f"the document is not a valid graph: {error}") from None
    return graph


def read_arrays(path: str | os.PathLike[str]) -> dict[str, ReadArray]:
    """Readers of the arrays in an npz; none when there is no such file.

    Members must be stored uncompressed, as NumPy writes them, so that no small file claims to hold
    large arrays.
    """
    if not Path(path).exists():
        return {}
    try:
        # Open as long as its readers live: its list of members is read once, not once an array.
        file = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as error:
        raise ParseError(explain(f"cannot read {Path(path).name}", got=error), "values") from None

    def read(type_: TensorType, name: str) -> np.ndarray:
        return _member(file, f"{name}.npy", type_)

    return {name.removesuffix(".npy"): read for name in file.namelist()}


def _member(file: zipfile.ZipFile, name: str, type_: TensorType) -> np.ndarray:
    """One array, after its header was compared with the type."""
    info = file.getinfo(name)
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{name} is compressed")
    wanted = element_count(type_) * type_.itemsize
    if not wanted <= info.file_size <= wanted + 65536:
        raise ValueError(f"{name} has {info.file_size} bytes, but {type_} needs {wanted}")
    stream = io.BytesIO(file.read(info))
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"{name} has a header of version {version}")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    if shape != type_.shape or dtype != np.dtype(type_.dtype) or fortran:
        raise ValueError(f"{name} holds {dtype}{list(shape)}, but the document says {type_}")
    data = stream.read()
    if len(data) != wanted:
        raise ValueError(f"{name} is cut short")
    return np.frombuffer(data, type_.dtype).reshape(shape)


class _Reader:
    """One document; nodes are made in the order of their numbers."""

    def __init__(self, document: Any, arrays: Mapping[str, ReadArray]) -> None:
        _keys(document, _DOCUMENT, _DOCUMENT - {"layers", "bodies"})
        version = document["kgraph"]
        if type(version) is not int or version not in VERSIONS:
            known = ", ".join(map(str, VERSIONS))
            raise _VersionFaultError(
                f"version {version!r} is not one that this kgraph reads ({known})", "kgraph"
            )
        self.document, self.arrays = document, arrays
        self.nodes: list[Node] = []
        self.count = 0  # how many the graph, or the body that is being read, will have
        self.bodies: list[Body] = []
        self.layers: list[Any] = []
        self.state_bytes = 0

    def graph(self) -> Graph:
        stages = {stage.value: stage for stage in Stage}
        if self.document["stage"] not in list(stages):
            raise _FaultError(f"unknown stage, expected one of {', '.join(stages)}", "stage")
        for index, data in enumerate(_list(self.document.get("layers", []), "layers")):
            self.layers.append(_located(self.layer, data, "layers", index))
        for index, data in enumerate(_list(self.document.get("bodies", []), "bodies")):
            self.bodies.append(_located(self.body, data, "bodies", index))
        self.read_nodes(_list(self.document["nodes"], "nodes"), [])
        rows = {key: _list(self.document[key], key) for key in ("inputs", "outputs", "updates")}
        inputs = [_located(self.find, n, "inputs", i) for i, n in enumerate(rows["inputs"])]
        outputs = [_located(self.output, p, "outputs", i) for i, p in enumerate(rows["outputs"])]
        updates = [_located(self.update, p, "updates", i) for i, p in enumerate(rows["updates"])]
        stage = stages[self.document["stage"]]
        return Graph(tuple(inputs), tuple(outputs), tuple(updates), stage)

    def read_nodes(self, rows: list[Any], before: list[Node]) -> None:
        self.nodes, self.count = before, len(before) + len(rows)
        for index, data in enumerate(rows):
            self.nodes.append(_located(self.node, data, "nodes", index))

    def body(self, data: Any) -> Body:
        _keys(data, _BODY, _BODY)
        rows = _list(data["parameters"], "parameters")
        types = [_located(_type, t, "parameters", i) for i, t in enumerate(rows)]
        rows = _list(data["nodes"], "nodes")
        for index, row in enumerate(rows):
            if isinstance(row, dict) and row.get("op") in _NOT_IN_BODIES:
                raise _FaultError(f"{row['op']} may not stand in a body", "nodes", index, "op")
        self.read_nodes(rows, [arg(i, t) for i, t in enumerate(types)])
        numbers = _list(data["outputs"], "outputs")
        return Body(types, [_located(self.find, n, "outputs", i) for i, n in enumerate(numbers)])

    def layer(self, data: Any) -> Any:
        fields = dict(_kind(data, dict))
        stored = fields.pop("weights", None)
        codec = layer_codec()
        layer = codec.decode(fields)
        if stored is not None:
            weights = codec.weights(layer)
            if len(_list(stored, "weights")) != len(weights):
                raise _FaultError(
                    f"the layer has {len(weights)} weights, not {len(stored)}", "weights"
                )
            for index, (variable, value) in enumerate(zip(weights, stored, strict=True)):
                variable.assign(_located(self.array, value, "weights", index))
        return layer

    def node(self, data: Any) -> Node:
        _keys(data, _NODE, {"op", "types"})
        op = _located(_op, data["op"], "op")
        inputs = self.operands(_list(data.get("inputs", []), "inputs"))
        types = _list(data["types"], "types")
        expected = tuple([_located(_type, t, "types", i) for i, t in enumerate(types)])
        node = self.make(op, inputs, data, expected)
        if node.types != expected:
            stored, got = (", ".join(map(str, types)) for types in (expected, node.types))
            told = f"{op.name} is stored as {stored or 'nothing'} but comes to {got}"
            raise _TypeFaultError(told, "types")
        return node

    def operands(self, numbers: list[Any]) -> tuple[Node, ...]:
        nodes = self.nodes
        for index, number in enumerate(numbers):
            if type(number) is not int or not 0 <= number < len(nodes):
                _located(self.find, number, "inputs", index)
        return tuple([nodes[number] for number in numbers])

    def make(
        self, op: Op, inputs: tuple[Node, ...], data: Any, types: tuple[TensorType, ...]
    ) -> Node:
        if op is STATE:
            return self.state(data, types)
        if op is LAYER_CALL:
            return self.call(inputs, data)
        stored = _kind(data.get("attrs", {}), dict, "attrs")
        attrs = {k: _located(self.value, v, "attrs", k) for k, v in stored.items()}
        if op is INPUT:
            _keys(stored, {"name"}, {"name"}, "attrs")
            name = _kind(stored["name"], str, "attrs", "name")
            return input_node(_one(types).shape, _one(types).dtype, name)
        label = _NO_LABEL
        if "scope" in data or "name" in data:
            scope = _kind(data.get("scope", ""), str, "scope")
            label = Origin(_kind(data["name"], str, "name") if "name" in data else None, scope)
        return build(op, inputs, attrs, label)

    def state(self, data: Any, types: tuple[TensorType, ...]) -> Variable:
        if "weight" in data:
            layer, index = _pair(data["weight"])
            if type(layer) is not int or not 0 <= layer < len(self.layers):
                raise _FaultError("there is no such layer", "weight", 0)
            weights = layer_codec().weights(self.layers[layer])
            if type(index) is not int or not 0 <= index < len(weights):
                raise _FaultError("there is no such weight", "weight", 1)
            return weights[index]
        attrs, type_ = data.get("attrs"), _one(types)
        _keys(attrs, {"name", "trainable"}, {"name", "trainable"}, "attrs")
        self.state_bytes += element_count(type_) * type_.itemsize
        if self.state_bytes > _MAX_STATE_BYTES:
            raise _FaultError(f"the variables need more than {_MAX_STATE_BYTES} bytes", "types", 0)
        if "value" in data:
            value = _located(self.array, data["value"], "value")
        else:
            value = np.zeros(type_.shape, type_.dtype)  # type: ignore[arg-type]
        trainable = _kind(attrs["trainable"], bool, "attrs", "trainable")
        return Variable(value, _kind(attrs["name"], str, "attrs", "name"), trainable=trainable)

    def call(self, inputs: tuple[Node, ...], data: Any) -> Node:
        call = data.get("call")
        _keys(call, {"layer", "arguments"}, {"layer", "arguments"}, "call")
        number = call["layer"]
        if type(number) is not int or not 0 <= number < len(self.layers):
            raise _FaultError("there is no such layer", "call", "layer")
        node = layer_codec().decode_call(self.layers[number], inputs, call["arguments"])
        if node.op is not LAYER_CALL or node.inputs != inputs:
            raise _FaultError("the layer did not make the call that is stored", "call")
        return node

    def value(self, value: Any, depth: int = 0) -> Any:
        """An attribute: JSON values as they are, marked objects as what they stand for."""
        if isinstance(value, list):
            if depth == _MAX_NESTING:
                raise _FaultError("nested too deeply")
            return tuple(self.value(v, depth + 1) for v in value)
        if not isinstance(value, dict):
            return value
        if "array" in value:
            return Constant(self.array(value))
        if len(value) != 1:
            raise _FaultError(_ONE_KEY)
        ((mark, text),) = value.items()
        if mark == "body":
            return self.find_body(text)
        readers: dict[str, Callable[[str], Any]] = {
            "float": _float,
            "dim": parse_dim,
            "type": parse_type,
        }
        if mark not in readers:
            raise _FaultError(_ONE_KEY, mark)
        return readers[mark](_kind(text, str, mark))

    def find_body(self, number: Any) -> Body:
        if type(number) is not int or not 0 <= number < len(self.bodies):
            raise _FaultError("there is no such body before this one", "body")
        return self.bodies[number]

    def array(self, data: Any) -> np.ndarray:
        _keys(data, {"array", "data", "base64", "npz"}, {"array"})
        type_ = _located(_type, data["array"], "array")
        if "data" in data:
            return from_numbers(_list(data["data"], "data"), type_)
        if "base64" in data:
            return from_base64(_kind(data["base64"], str, "base64"), type_)
        name = data.get("npz")
        if not isinstance(name, str) or name not in self.arrays:
            held = f"its array {name!r}, {type_}, is not in the .npz beside the document"
            raise _ValuesFaultError(held, "npz")
        try:
            return self.arrays[name](type_, name)
        except (ValueError, OSError) as error:
            raise _ValuesFaultError(str(error), "npz") from error

    def find(self, number: Any) -> Node:
        if type(number) is not int or number < 0:
            raise _FaultError("a node's number is needed")
        if number >= len(self.nodes):
            where = "comes later (a cycle?)" if number < self.count else "does not exist"
            raise _FaultError(f"node {number} {where}")
        return self.nodes[number]

    def output(self, pair: Any) -> tuple[str, Node]:
        name, number = _pair(pair)
        return _kind(name, str, 0), _located(self.find, number, 1)

    def update(self, pair: Any) -> tuple[Variable, Node]:
        state, number = _pair(pair)
        variable = _located(self.find, state, 0)
        if not isinstance(variable, Variable):
            raise _FaultError("not a state", 0)
        return variable, _located(self.find, number, 1)


def _located(function: Callable[[Any], Any], value: Any, *path: object) -> Any:
    """Calls `function`; whatever it says against the value is a fault at `path`."""
    try:
        return function(value)
    except _FaultError as bad:
        raise bad.under(*path) from bad.__cause__
    except InferenceError as error:
        raise _TypeFaultError(str(error), *path) from error
    except (KGraphError, ValueError, OSError) as error:
        raise _FaultError(str(error), *path) from error
    except Exception as error:
        raise _FaultError(f"{type(error).__name__}: {error}", *path) from error


def _keys(data: Any, allowed: set[str], required: set[str], *path: object) -> None:
    for key in sorted(required - set(_kind(data, dict, *path))):
        raise _FaultError(f"key {key!r} is missing", *path)
    for key in data:
        if key not in allowed:
            raise _FaultError("unknown key", *path, key)


def _kind(value: Any, kind: type, *path: object) -> Any:
    if type(value) is not kind:
        names = {dict: "an object", list: "an array", str: "a string", bool: "true or false"}
        raise _FaultError(f"{names[kind]} is needed, got {value!r}"[:200], *path)
    return value


def _list(value: Any, *path: object) -> list[Any]:
    return _kind(value, list, *path)


def _pair(value: Any) -> tuple[Any, Any]:
    if len(_list(value)) != 2:
        raise _FaultError(f"two elements are needed, got {len(value)}")
    return value[0], value[1]


def _one(types: tuple[TensorType, ...]) -> TensorType:
    if len(types) != 1:
        raise _FaultError("one type is needed here", "types")
    return types[0]


def _op(name: Any) -> Op:
    return find_op(_kind(name, str))


def _type(text: Any) -> TensorType:
    return parse_type(_kind(text, str))


def _float(text: str) -> float:
    data = bytes.fromhex(text)
    if len(data) != 8:
        raise _FaultError("8 bytes in hexadecimal are needed")
    return float(np.frombuffer(data, ">f8")[0])

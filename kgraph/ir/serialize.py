"""kgraph JSON: a graph of any stage as a versioned document, equal graphs as equal bytes.

    {"kgraph": 2, "stage": "core", "layers": [], "bodies": [],
     "nodes": [
      {"op": "input", "attrs": {"name": "x"}, "types": ["f32[batch, 3]"]},
      {"op": "tanh", "inputs": [0], "types": ["f32[batch, 3]"]}],
     "inputs": [0], "outputs": [["y", 1]], "updates": []}

A node's id is its index; it reads only nodes before it. Types are stored on every node: on leaves
they are the truth, elsewhere they are compared with what the op infers. `scope` and `name` are
labels and may be left out. Values of variables and large constants lie in an `.npz` beside the
file. Only registered ops load, so no file runs code. A body is {"parameters": types, "nodes": ...,
"outputs": numbers}, where its nodes number its parameters first; `{"body": 0}` as an attribute is
the first one, and a body holds only bodies before it.

Journal of versions (files of every one must load; tests/data holds one of each):
    1  2026-11-21  first version.
    2  2026-11-30  "bodies".
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgraph.errors import KGraphError, explain
from kgraph.ir.arrays import array_type, to_base64, to_numbers
from kgraph.ir.attributes import Constant
from kgraph.ir.body import Body, all_bodies
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.deserialize import read_arrays, read_graph
from kgraph.ir.dim import Dim
from kgraph.ir.files import atomic_write
from kgraph.ir.graph import Graph
from kgraph.ir.layer_codec import layer_codec
from kgraph.ir.leaves import INPUT
from kgraph.ir.node import Node
from kgraph.ir.printer import ordered, ordered_body
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable

VERSION = 2
# Constants of at most this many bytes stay in the JSON.
INLINE_BYTES = 1024


def dumps(graph: Graph, *, labels: bool = True) -> str:
    """The graph as kgraph JSON in one text.

    Args:
        graph: a graph of any stage. A LAYERS graph needs `kgraph.layers` imported.
        labels: whether to write names and layer paths. Without them, graphs that compute the same
            in the same way give the same bytes whatever their nodes are called.

    Returns:
        The document. Large constants are in it; values of variables are not.

    Raises:
        KGraphError: an attribute has no JSON form.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> loads(dumps(Graph((x,), (("y", x),)))).outputs
        (('y', <x = input: f32[2]>),)
    """
    return _Writer(graph, None, labels).document()


def loads(text: str | bytes) -> Graph:
    """Reads what `dumps` wrote; variables without stored values start at zero.

    Raises:
        ParseError: the text is not a valid graph; the message has the place as a JSON pointer.
    """
    return read_graph(text, {})


def save(graph: Graph, path: str | os.PathLike[str], *, labels: bool = True) -> None:
    """Writes `path`, and beside it an `.npz` with values of variables and large constants.

    Args:
        graph: a graph of any stage.
        path: the JSON file, for instance `model.json`; the arrays go to `model.npz`.
        labels: as for `dumps`.
    """
    target = Path(path)
    arrays: dict[str, np.ndarray] = {}
    document = _Writer(graph, arrays, labels).document()
    with contextlib.ExitStack() as files:  # both are complete before one replaces an older file
        if arrays:
            beside = files.enter_context(atomic_write(target.with_suffix(".npz")))
            np.savez(beside, **arrays)  # type: ignore[arg-type]
        files.enter_context(atomic_write(target)).write(document.encode("ascii"))


def load(path: str | os.PathLike[str]) -> Graph:
    """Reads what `save` wrote.

    Raises:
        ParseError: the file is not a valid graph, or its `.npz` is missing or does not fit.
    """
    target = Path(path)
    return read_graph(target.read_bytes(), read_arrays(target.with_suffix(".npz")))


class _Writer:
    """One document; `arrays` collects what goes to the npz, None keeps constants in the text."""

    def __init__(self, graph: Graph, arrays: dict[str, np.ndarray] | None, labels: bool) -> None:
        self.graph, self.arrays, self.labels = graph, arrays, labels
        self.nodes = ordered(graph)
        self.ids = {node: number for number, node in enumerate(self.nodes)}
        self.prefix = ""  # of the names that arrays of the nodes have in the npz
        self.bodies = {body: number for number, body in enumerate(all_bodies(self.nodes))}
        self.layers: dict[Any, int] = {}
        self.weights: dict[Variable, tuple[int, int]] = {}
        for node in self.nodes:
            if node.op is LAYER_CALL:
                self.note_layer(node.attrs["call"].layer)

    def note_layer(self, layer: Any) -> None:
        """Numbers layers in the order of their first call."""
        if layer in self.layers:
            return
        number = self.layers[layer] = len(self.layers)
        for index, variable in enumerate(layer_codec().weights(layer)):
            self.weights.setdefault(variable, (number, index))

    def document(self) -> str:
        ids, graph = self.ids, self.graph
        head = {"kgraph": VERSION, "stage": graph.stage.value}
        parts = [
            f"{key}: {value}"
            for key, value in (
                ('"layers"', _rows([self.layer(layer) for layer in self.layers])),
                ('"bodies"', _rows([self.body(body) for body in self.bodies])),
                ('"nodes"', _rows([self.node(node) for node in self.nodes])),
                ('"inputs"', _dump([ids[n] for n in graph.inputs])),
                ('"outputs"', _dump([[name, ids[n]] for name, n in graph.outputs])),
                ('"updates"', _dump([[ids[v], ids[n]] for v, n in graph.updates])),
            )
        ]
        return _dump(head)[:-1] + ",\n" + ",\n".join(parts) + "}\n"

    def layer(self, layer: Any) -> dict[str, Any]:
        data = dict(layer_codec().encode(layer))
        if self.arrays is not None:
            number = self.layers[layer]
            data["weights"] = [
                self.store(f"layer{number}.{i}", v.value)
                for i, v in enumerate(layer_codec().weights(layer))
            ]
        return data

    def body(self, body: Body) -> dict[str, Any]:
        outer, nodes = self.ids, ordered_body(body)
        self.ids = {node: number for number, node in enumerate(nodes)}
        self.prefix = f"body{self.bodies[body]}."
        data = {
            "parameters": [str(t) for t in body.parameters],
            "nodes": [self.node(node) for node in nodes[len(body.parameters) :]],
            "outputs": [self.ids[node] for node in body.outputs],
        }
        self.ids, self.prefix = outer, ""
        return data

    def node(self, node: Node) -> dict[str, Any]:
        data: dict[str, Any] = {"op": node.op.name}
        if node.inputs:
            data["inputs"] = [self.ids[i] for i in node.inputs]
        if isinstance(node, Variable):
            data |= self.state(node)
        elif node.op is INPUT:
            data["attrs"] = {"name": node.attrs["name"]}
        elif node.op is LAYER_CALL:
            call = node.attrs["call"]
            arguments = layer_codec().encode_call(call)
            data["call"] = {"layer": self.layers[call.layer], "arguments": arguments}
        elif node.attrs:
            data["attrs"] = {k: self.value(v, node, k) for k, v in node.attrs.items()}
        data["types"] = [str(t) for t in node.types]
        # Leaves without a uid are shared by all models of the process, so their labels would
        # depend on what was built before.
        if self.labels and node.inputs:
            labels = {"scope": node.origin.scope, "name": node.origin.name}
            data |= {key: label for key, label in labels.items() if label}
        return data

    def state(self, state: Variable) -> dict[str, Any]:
        if state in self.weights:
            return {"weight": list(self.weights[state])}
        data: dict[str, Any] = {
            "attrs": {"name": state.attrs["name"], "trainable": bool(state.trainable)}
        }
        if self.arrays is not None:
            data["value"] = self.store(f"{self.ids[state]}.value", state.value)
        return data

    def store(self, key: str, array: np.ndarray) -> dict[str, str]:
        """Puts an array into the npz; the document says its type and where it is."""
        if self.arrays is None:
            return {"array": str(array_type(array)), "base64": to_base64(array)}
        self.arrays[key] = array
        return {"array": str(array_type(array)), "npz": key}

    def value(self, value: Any, node: Node, name: str) -> Any:
        """An attribute as a JSON value; objects with one key mark what JSON has no type for."""
        if value is None or type(value) in (bool, str):
            return value
        if type(value) is int and -(1 << 64) < value < (1 << 64):
            return value
        if type(value) is float:
            exact = to_numbers(np.array(value))
            return value if exact and np.isfinite(value) else {"float": _bits(value)}
        if isinstance(value, tuple):
            return [self.value(v, node, f"{name}.{i}") for i, v in enumerate(value)]
        if isinstance(value, Dim):
            return {"dim": repr(value)}
        if isinstance(value, TensorType):
            return {"type": str(value)}
        if isinstance(value, Body):
            return {"body": self.bodies[value]}
        if isinstance(value, Constant):
            return self.constant(value.array, f"{self.prefix}{self.ids[node]}.{name}")
        raise KGraphError(
            explain(
                f"attribute {name} of {node.op.name} has no JSON form",
                got=f"{type(value).__name__} {value!r}"[:200],
                where=node.origin.where,
            )
        )

    def constant(self, array: np.ndarray, key: str) -> dict[str, Any]:
        if array.nbytes > INLINE_BYTES:
            return self.store(key, array)
        numbers = to_numbers(array) if np.isfinite(array).all() else None
        if numbers is None:
            return {"array": str(array_type(array)), "base64": to_base64(array)}
        return {"array": str(array_type(array)), "data": numbers}


def _bits(value: float) -> str:
    return np.array(value, ">f8").tobytes().hex()


def _dump(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(", ", ": "))


def _rows(rows: Sequence[Any]) -> str:
    return "[\n" + ",\n".join(map(_dump, rows)) + "]" if rows else "[]"

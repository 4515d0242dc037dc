"""Models as plain data in Keras 2.3's layout: `get_config` and `to_json`.

Calls that Keras 2.3 can express are written its way; calls with tensors in other places than a
list of inputs are written as Keras 3 does. A raw op between layers is an entry of class
`Operation` that holds a small kgraph JSON graph.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.leaves import INPUT, LEAVES, input_node, items
from kgraph.ir.node import Node
from kgraph.ir.serialize import dumps
from kgraph.ir.variable import Variable
from kgraph.layers.serialization import serialize
from kgraph.layers.structure import Slot, leaves_of, map_structure, pack
from kgraph.models.topology import Topology, unit_of
from kgraph.passes.lower import rebuild_with

KERAS_VERSION = "2.3.1"
# Keras 2 readers convert the kernels of files from backends that they know to differ.
BACKEND = "tensorflow"
OPERATION = "Operation"


def network_config(
    name: str, network: Any, describe: Callable[[Any], dict[str, Any]] = serialize
) -> dict[str, Any]:
    """The configuration of a functional model.

    Args:
        name: the model's name.
        network: its `Network`.
        describe: layer -> its class and configuration.
    """
    topology = network.topology
    return {
        "name": name,
        "layers": [_entry(owner, topology, describe) for owner in topology.owners],
        "input_layers": _references(network.input_structure, network.inputs, topology),
        "output_layers": _references(network.output_structure, network.outputs, topology),
    }


def model_document(model: Any) -> dict[str, Any]:
    """What `to_json` writes."""
    return {
        **serialize(model),
        "keras_version": KERAS_VERSION,
        "backend": BACKEND,
    }


def to_json(document: Mapping[str, Any], **options: Any) -> str:
    """JSON of a configuration; NumPy values become numbers and lists."""
    return json.dumps(document, default=_plain, **options)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if callable(value) and hasattr(value, "__name__"):
        return value.__name__
    raise TypeError(explain("A configuration holds what JSON cannot express", got=repr(value)))


def _references(structure: Any, tensors: Any, topology: Topology) -> Any:
    references = [list(topology.reference(t)) for t in tensors]
    return [references[0]] if isinstance(structure, Slot) else pack(structure, references)


def _entry(
    owner: Any, topology: Topology, describe: Callable[[Any], dict[str, Any]]
) -> dict[str, Any]:
    """One layer or raw op with its calls in this model."""
    name = topology.names[owner]
    if isinstance(owner, Node):
        config = {"name": name, "graph": _op_graph(owner)}
        calls = [[[*topology.reference(t), {}] for t in _tensor_operands(owner)]]
        return {"name": name, "class_name": OPERATION, "config": config, "inbound_nodes": calls}
    calls = [_call(unit, topology) for unit in topology.units[owner] if unit.op is not INPUT]
    return {"name": name, **describe(owner), "inbound_nodes": calls}


def _call(unit: Node, topology: Topology) -> Any:
    """One call: a list of [layer, node, tensor, kwargs] where Keras 2 can say it."""
    call = unit.attrs["call"]
    args, kwargs = call.arguments
    inputs = args[0]
    slots = leaves_of(kwargs, _is_slot)
    flat = isinstance(inputs, (list, tuple)) and len(inputs) > 1 and all(map(_is_slot, inputs))
    if len(args) == 1 and not slots and (flat or _is_slot(inputs)):
        kwargs = _serializable(call.layer.name, kwargs)
        return [[*topology.reference(t), kwargs] for t in call.inputs]
    return {
        "args": [_tensors(argument, call, topology) for argument in args],
        "kwargs": _tensors(kwargs, call, topology),
    }


def _is_slot(value: Any) -> bool:
    return isinstance(value, Slot)


def _tensors(argument: Any, call: Any, topology: Topology) -> Any:
    def reference(value: Any) -> Any:
        if not isinstance(value, Slot):
            return value
        tensor = call.inputs[value.index]
        config = {
            "shape": [d if isinstance(d, int) else None for d in tensor.shape],
            "dtype": tensor.dtype,
            "keras_history": list(topology.reference(tensor)),
        }
        return {"class_name": "__keras_tensor__", "config": config}

    return map_structure(reference, argument)


def _serializable(name: str, kwargs: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(kwargs)
    except TypeError:
        warnings.warn(
            f"Layer {name} was passed non-serializable keyword arguments: {kwargs}. "
            "They will not be included in the serialized model (and thus will be missing at "
            "deserialization time).",
            stacklevel=2,
        )
        return {}
    return kwargs


def _tensor_operands(op: Node) -> list[Node]:
    """The operands of a raw op that come from layers or other ops, each once."""
    tensors = (t for t in op.inputs if t.op is INPUT or unit_of(t).op.name not in LEAVES)
    return list(dict.fromkeys(tensors))


def _op_graph(op: Node) -> dict[str, Any]:
    """A raw op alone, on inputs of its own, as kgraph JSON."""
    operands = _tensor_operands(op)
    fresh = {t: input_node(t.shape, t.dtype, f"x{i}") for i, t in enumerate(operands)}
    if any(isinstance(t, Variable) for t in op.inputs):
        raise ValueError(
            explain(
                f"{op.op.name} reads a variable outside of any layer, which cannot be saved",
                where=op.origin.where,
                hint="make the variable with add_weight of a Layer and use it in its `call`",
            )
        )
    alone = rebuild_with(op, tuple(fresh.get(t, t) for t in op.inputs), {}, op.origin)
    outputs = tuple((f"y{i}", n) for i, n in enumerate(items(alone)))
    return json.loads(dumps(Graph(tuple(fresh.values()), outputs, (), Stage.LAYERS), labels=False))

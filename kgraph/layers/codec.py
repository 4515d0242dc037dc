"""How kgraph JSON writes layers and their calls, for `kgraph.ir.serialize`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph.errors import KGraphError, explain
from kgraph.ir.leaves import ITEM
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable
from kgraph.layers.serialization import deserialize, serialize
from kgraph.layers.structure import Slot, is_node, leaves_of, pack

_PLAIN = (bool, int, float, str, type(None))


class Codec:
    """Layers as Keras configurations, calls as structures with `{"slot": i}` for tensors."""

    def encode(self, layer: Any) -> Mapping[str, Any]:
        """Class, arguments, and the shapes that the layer was built for."""
        built = layer.get_build_config()
        data = serialize(layer)
        return data if built is None else {**data, "build_config": built}

    def decode(self, data: Mapping[str, Any]) -> Any:
        """The layer, built if it was."""
        layer = deserialize({k: v for k, v in data.items() if k != "build_config"})
        if data.get("build_config") is not None:
            layer.build_from_config(data["build_config"])
        return layer

    def weights(self, layer: Any) -> Sequence[Variable]:
        """All variables of the layer."""
        return layer.weights

    def encode_call(self, call: Any) -> Any:
        """The arguments; None for one tensor alone."""
        args, kwargs = call.arguments
        if args == (Slot(0),) and not kwargs:
            return None
        return {"args": _encode(args, call), "kwargs": _encode(kwargs, call)}

    def decode_call(self, layer: Any, inputs: tuple[Node, ...], data: Any) -> Node:
        """The node of a new call with these arguments."""
        arguments = {"args": [{"slot": 0}], "kwargs": {}} if data is None else data
        args = pack(_decode(arguments["args"]), inputs)
        kwargs = pack(_decode(arguments["kwargs"]), inputs)
        tensor = leaves_of(layer(*args, **kwargs), is_node)[0]
        return tensor.inputs[0] if tensor.op is ITEM else tensor


def _encode(value: Any, call: Any) -> Any:
    if isinstance(value, Slot):
        return {"slot": value.index}
    if isinstance(value, (list, tuple)):
        return [_encode(v, call) for v in value]
    if isinstance(value, Mapping):
        return {"dict": {str(k): _encode(v, call) for k, v in value.items()}}
    if isinstance(value, _PLAIN):
        return value
    raise KGraphError(
        explain(f"An argument of a call of layer {call.layer.name} has no JSON form", got=value)
    )


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return [_decode(v) for v in value]
    if not isinstance(value, Mapping):
        return value
    if set(value) == {"slot"}:
        return Slot(value["slot"])
    return {k: _decode(v) for k, v in value.get("dict", value).items()}

"""How JSON writes and reads layers, which the IR does not know: `kgraph.layers` fills this in.

A LAYERS graph stores each layer once and each call of it as a `layer_call` node:

    "layers": [{"class_name": "Dense", "config": {...}, ...}]            <- encode(layer)
    {"op": "layer_call", "inputs": [3], "call": {"layer": 0, "arguments": <JSON>}, ...}
                                                     ^ encode_call(record)

Importing `kgraph.layers` calls `register_layer_codec(codec)` once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from kgraph.errors import KGraphError, explain
from kgraph.ir.call import LayerCall
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable


class LayerCodec(Protocol):
    """Turns layers and their calls into JSON values and back."""

    def encode(self, layer: Any) -> Mapping[str, Any]:
        """The layer as a JSON object with keys that `decode` understands, `class_name` and
        `config` among them; never a key called `weights`."""
        ...

    def decode(self, data: Mapping[str, Any]) -> Any:
        """The layer that was encoded, built if it was, so that `weights` gives its variables.

        Any exception means that the data is bad. It must not run code that the data names.
        """
        ...

    def weights(self, layer: Any) -> Sequence[Variable]:
        """All variables of the layer, in an order that `decode` keeps."""
        ...

    def encode_call(self, call: LayerCall) -> Any:
        """What the call got besides its input nodes, as a JSON value (None if nothing)."""
        ...

    def decode_call(self, layer: Any, inputs: tuple[Node, ...], data: Any) -> Node:
        """Calls the layer on the nodes again; returns the `layer_call` node itself."""
        ...


_CODECS: list[LayerCodec] = []


def register_layer_codec(codec: LayerCodec) -> None:
    """Makes `codec` the one that reads and writes layers."""
    _CODECS[:] = [codec]


def layer_codec() -> LayerCodec:
    """The registered codec.

    Raises:
        KGraphError: `kgraph.layers` was not imported.
    """
    if not _CODECS:
        raise KGraphError(
            explain("a graph with layers cannot be read or written", hint="import kgraph.layers")
        )
    return _CODECS[-1]

"""Calls of layers as nodes of a LAYERS graph, and the masks that they give.

The IR knows layers only through `LayerCall`: `passes/lower.py` asks it to inline itself, JSON asks
it for its configuration. Each call is a node of its own, even of the same layer on the same tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol

from kgraph.errors import InferenceError
from kgraph.ir.context import CallContext
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op, register
from kgraph.ir.types import TensorType


class LayerCall(Protocol):
    """One call of a layer, compared by identity."""

    @property
    def layer(self) -> Any:
        """The layer that is called."""

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Types of the outputs."""

    @property
    def mask_types(self) -> tuple[TensorType | None, ...]:
        """Types of the outputs' masks, None where there is none."""

    @property
    def taps(self) -> tuple[Node, ...]:
        """Tensors before the call that lowering must keep apart from what they lower to.

        A gradient with respect to one does not count the users of a tensor that lowers to the same.
        """

    def invoke(
        self, inputs: tuple[Node, ...], masks: tuple[Node | None, ...], context: CallContext
    ) -> tuple[tuple[Node, ...], tuple[Node | None, ...]]:
        """Builds the call's ops on other inputs: its outputs and their masks."""


class LayerCallOp(Op):
    """A call of a layer; attribute `call` is its record."""

    name = "layer_call"
    stages: ClassVar[tuple[str, ...]] = ("LAYERS",)

    def infer_node(
        self, inputs: tuple[Node, ...], attrs: Mapping[str, Any]
    ) -> tuple[TensorType, ...]:
        return attrs["call"].types


class MaskOfOp(Op):
    """The mask of output `index` of a layer call."""

    name = "mask_of"
    stages: ClassVar[tuple[str, ...]] = ("LAYERS",)

    def infer_node(
        self, inputs: tuple[Node, ...], attrs: Mapping[str, Any]
    ) -> tuple[TensorType, ...]:
        mask_type = inputs[0].attrs["call"].mask_types[attrs["index"]]
        if mask_type is None:
            raise InferenceError(f"output {attrs['index']} of {inputs[0]!r} has no mask")
        return (mask_type,)


LAYER_CALL, MASK_OF = register(LayerCallOp()), register(MaskOfOp())


def layer_call(call: LayerCall, inputs: tuple[Node, ...]) -> Node:
    """The node of a call; `items(node)` are its outputs."""
    return build(LAYER_CALL, inputs, {"call": call})


def mask_of(node: Node, index: int = 0) -> Node:
    """The mask of an output of a call."""
    return build(MASK_OF, (node,), {"index": index})

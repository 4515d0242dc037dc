"""Calls of layers: what was called with what, and what a layer can tell about its own calls.

A record is frozen and lives in the graph, as attribute `call` of its `layer_call` node. The layer
keeps only the list of its records, for Keras's `input`, `output`, `get_input_at` and the like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

from kgraph.ir.call import LAYER_CALL, mask_of
from kgraph.ir.context import CallContext
from kgraph.ir.leaves import INPUT, ITEM
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType
from kgraph.layers.structure import (
    Slot,
    is_node,
    leaves_of,
    map_structure,
    pack,
    unpack_singleton,
)

Shape = tuple[int | None, ...]
History = tuple[Any, int, int]


def keras_shape(node: Node) -> Shape:
    """The shape as Keras shows it: None for what is not known."""
    return node._keras_shape


@dataclass(frozen=True, eq=False)
class Call:
    """One call of a layer; compared by identity.

    Args:
        layer: what was called.
        arguments: (args, kwargs) with a `Slot` for each tensor.
        inputs: the tensors, in the order of the slots.
        result: the structure that the call returned, with a `Slot` for each output.
        types: types of the outputs.
        mask_types: types of the outputs' masks, None where there is none.
        index: position among the layer's calls.
    """

    layer: Any
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    inputs: tuple[Node, ...]
    result: Any
    types: tuple[TensorType, ...]
    mask_types: tuple[TensorType | None, ...]
    index: int
    taps: ClassVar[tuple[Node, ...]] = ()

    def invoke(
        self, inputs: tuple[Node, ...], masks: tuple[Node | None, ...], context: CallContext
    ) -> tuple[tuple[Node, ...], tuple[Node | None, ...]]:
        """Builds the call's ops on other inputs: its outputs and their masks."""
        args, kwargs = pack(self.arguments, inputs)
        mask = map_structure(
            lambda v: masks[v.index] if isinstance(v, Slot) else None, self.arguments[0][0]
        )
        kwargs = self.layer.with_masks(args, kwargs, dict(zip(inputs, masks, strict=True)).get)
        outputs, out_masks = self.layer.run_call(args, kwargs, mask, context)
        return leaves_of(outputs, is_node), out_masks


class InputCall:
    """The record of an input layer: no inputs, one output."""

    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})
    inputs: tuple[Node, ...] = ()
    index = 0

    def __init__(self, layer: Any, output: Node) -> None:
        self.layer, self.output = layer, output


def call_of(tensor: Node) -> Any:
    """The record of the call that a tensor comes from, or None for inputs and other ops."""
    node = tensor.inputs[0] if tensor.op is ITEM else tensor
    return node.attrs["call"] if node.op is LAYER_CALL else None


def history_of(tensor: Node) -> History | None:
    """Keras's `(layer, node_index, tensor_index)` of a tensor, or None if no layer made it."""
    call = call_of(tensor)
    if call is not None:
        return call.layer, call.index, tensor.attrs.get("index", 0) if tensor.op is ITEM else 0
    return tensor.origin.history if tensor.op is INPUT else None


def mask_of_tensor(tensor: Node) -> Node | None:
    """The mask that the layer which made a tensor gave it, or None."""
    call = call_of(tensor)
    if call is None:
        return None
    node, index = (
        (tensor, 0) if tensor.op is LAYER_CALL else (tensor.inputs[0], tensor.attrs["index"])
    )
    return mask_of(node, index) if call.mask_types[index] is not None else None


class CallHistory:
    """What a layer knows about its calls, under Keras 2's names and with its messages."""

    name: str
    _inbound_nodes: list[tuple[Any, tuple[Node, ...]]]

    @property
    def inbound_nodes(self) -> list[Any]:
        """The records of the layer's calls."""
        return [call for call, _ in self._inbound_nodes]

    def get_input_at(self, node_index: int) -> Any:
        """The input tensor(s) of a call.

        Args:
            node_index: number of the call, from 0.

        Returns:
            A tensor, or a list of them.

        Example:
            >>> from kgraph.layers import Dense, Input
            >>> a, b, shared = Input((3,)), Input((3,)), Dense(2)
            >>> y, z = shared(a), shared(b)
            >>> shared.get_input_at(1) is b
            True
        """
        return unpack_singleton(self._call_at(node_index, "input")[0].inputs)

    def get_output_at(self, node_index: int) -> Any:
        """The output tensor(s) of a call.

        Args:
            node_index: number of the call, from 0.

        Returns:
            A tensor, or a list of them.

        Example:
            >>> from kgraph.layers import Dense, Input
            >>> a, b, shared = Input((3,)), Input((3,)), Dense(2)
            >>> y, z = shared(a), shared(b)
            >>> shared.get_output_at(1) is z
            True
        """
        return unpack_singleton(self._call_at(node_index, "output")[1])

    def get_input_shape_at(self, node_index: int) -> Any:
        """The input shape(s) of a call.

        Args:
            node_index: number of the call, from 0.

        Returns:
            A shape with None for the batch, or a list of them.

        Example:
            >>> from kgraph.layers import Activation, Input
            >>> shared = Activation("relu")
            >>> y, z = shared(Input((3,))), shared(Input((5,)))
            >>> shared.get_input_shape_at(1)
            (None, 5)
        """
        call = self._call_at(node_index, "input shape")[0]
        return unpack_singleton([keras_shape(n) for n in call.inputs])

    def get_output_shape_at(self, node_index: int) -> Any:
        """The output shape(s) of a call.

        Args:
            node_index: number of the call, from 0.

        Returns:
            A shape with None for the batch, or a list of them.

        Example:
            >>> from kgraph.layers import Activation, Input
            >>> shared = Activation("relu")
            >>> y, z = shared(Input((3,))), shared(Input((5,)))
            >>> shared.get_output_shape_at(0)
            (None, 3)
        """
        return unpack_singleton(
            [keras_shape(n) for n in self._call_at(node_index, "output shape")[1]]
        )

    def get_input_mask_at(self, node_index: int) -> Any:
        """The mask(s) of the inputs of a call, None where there is none."""
        call = self._call_at(node_index, "input mask")[0]
        return unpack_singleton([mask_of_tensor(n) for n in call.inputs])

    def get_output_mask_at(self, node_index: int) -> Any:
        """The mask(s) of the outputs of a call, None where there is none."""
        outputs = self._call_at(node_index, "output mask")[1]
        return unpack_singleton([mask_of_tensor(n) for n in outputs])

    @property
    def input(self) -> Any:
        """The input tensor(s) of a layer that was called once."""
        self._require_one_call("layer input", "get_input_at(node_index)")
        return self.get_input_at(0)

    @property
    def output(self) -> Any:
        """The output tensor(s) of a layer that was called once."""
        if not self._inbound_nodes:
            raise AttributeError(f"Layer {self.name} has no inbound nodes.")
        self._require_one_call("layer output", "get_output_at(node_index)")
        return self.get_output_at(0)

    @property
    def input_mask(self) -> Any:
        """The input mask(s) of a layer that was called once."""
        self._require_one_call("layer input mask", "get_input_mask_at(node_index)")
        return self.get_input_mask_at(0)

    @property
    def output_mask(self) -> Any:
        """The output mask(s) of a layer that was called once."""
        self._require_one_call("layer output mask", "get_output_mask_at(node_index)")
        return self.get_output_mask_at(0)

    @property
    def input_shape(self) -> Any:
        """The input shape(s), if all calls agree."""
        return self._common_shape("input", self.get_input_shape_at)

    @property
    def output_shape(self) -> Any:
        """The output shape(s), if all calls agree."""
        return self._common_shape("output", self.get_output_shape_at)

    def _call_at(self, index: int, what: str) -> tuple[Any, tuple[Node, ...]]:
        calls = self._inbound_nodes
        if not calls:
            raise RuntimeError(f"The layer has never been called and thus has no defined {what}.")
        if not -len(calls) <= index < len(calls):
            raise ValueError(
                f"Asked to get {what} at node {index}, "
                f"but the layer has only {len(calls)} inbound nodes."
            )
        return calls[index]

    def _require_one_call(self, what: str, instead: str) -> None:
        if len(self._inbound_nodes) > 1:
            raise AttributeError(
                f"Layer {self.name} has multiple inbound nodes, hence the notion of "
                f'"{what}" is ill-defined. Use `{instead}` instead.'
            )
        if not self._inbound_nodes:
            kind = what.removeprefix("layer ")
            raise AttributeError(f"Layer {self.name} is not connected, no {kind} to return.")

    def _common_shape(self, kind: str, shape_at: Any) -> Any:
        if not self._inbound_nodes:
            raise AttributeError(
                f"The layer has never been called and thus has no defined {kind} shape."
            )
        shapes = [shape_at(i) for i in range(len(self._inbound_nodes))]
        if any(s != shapes[0] for s in shapes):
            self._ill_defined_shape(kind)
        return shapes[0]

    def _ill_defined_shape(self, kind: str) -> NoReturn:
        raise AttributeError(
            f'The layer "{self.name} has multiple inbound nodes, with different {kind} shapes. '
            f'Hence the notion of "{kind} shape" is ill-defined for the layer. '
            f"Use `get_{kind}_shape_at(node_index)` instead."
        )

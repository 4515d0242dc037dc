"""Gradients as calls in the graph, of losses that may still hold calls of layers.

Such a gradient is differentiated when the graph around it is lowered, in the phase of that graph,
so that it sees the dropout masks that the loss saw.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir import CallContext, Node, TensorType
from kgraph.ir.call import layer_call
from kgraph.ir.context import current_context
from kgraph.ir.leaves import items
from kgraph.layers.base import Layer
from kgraph.layers.structure import Slot
from kgraph.runtime.autodiff import grad
from kgraph.runtime.function import gradients as differentiate


class Gradient(Layer):
    """The owner of a gradient in a graph; it cannot be saved."""

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            explain(
                "A model that contains K.gradients outside of its layers cannot be saved",
                got=self.name,
                hint="compute it in the `call` of a layer, or in K.function",
            )
        )


@dataclass(frozen=True, eq=False)
class GradientCall:
    """The gradient of losses by targets; its operands are (*losses, *targets).

    Args:
        layer: owns it.
        losses: what is differentiated.
        targets: what is differentiated by.
    """

    layer: Gradient
    losses: tuple[Node, ...]
    targets: tuple[Node, ...]
    index = 0

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The operands."""
        return (*self.losses, *self.targets)

    @property
    def arguments(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """One list of all operands."""
        return ([Slot(i) for i in range(len(self.inputs))],), {}

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Those of the targets."""
        return tuple(t.type for t in self.targets)

    @property
    def mask_types(self) -> tuple[TensorType | None, ...]:
        """No gradient has a mask."""
        return (None,) * len(self.targets)

    @property
    def taps(self) -> tuple[Node, ...]:
        """The targets that other nodes compute."""
        return tuple(t for t in self.targets if t.inputs)

    def invoke(
        self, inputs: tuple[Node, ...], masks: tuple[Node | None, ...], context: CallContext
    ) -> tuple[tuple[Node, ...], tuple[Node | None, ...]]:
        """Differentiates what losses and targets became."""
        count = len(self.losses)
        losses, targets = inputs[:count], inputs[count:]
        found = grad(losses, targets)
        slopes = [ops.zeros_like(t) if g is None else g for t, g in zip(targets, found)]
        return tuple(slopes), (None,) * len(targets)


def gradients_of(losses: Sequence[Node], targets: Sequence[Node]) -> list[Node | None]:
    """The gradients of losses, as calls where layers are only recorded.

    Args:
        losses: tensors, whose elements are summed.
        targets: variables or tensors on the way to the losses.

    Returns:
        A tensor like each of the targets, or None where the losses do not depend on it.

    Example:
        >>> from kgraph.ir import Variable
        >>> v = Variable([1.0], "v")
        >>> gradients_of([v * v], [v])
        [<layer_call: f32[1]>]
    """
    if current_context() is not None:
        return grad(losses, targets)
    # One lowering tells which targets the losses depend on, and refuses what has no gradient.
    connected = [g is not None for g in differentiate(losses, targets)]
    wanted = tuple(t for t, found in zip(targets, connected) if found)
    if not wanted:
        return [None] * len(targets)
    layer = Gradient()
    layer.built = True
    call = GradientCall(layer, tuple(losses), wanted)
    outputs = items(layer_call(call, call.inputs))
    layer._inbound_nodes.append((call, outputs))
    slopes = iter(outputs)
    return [next(slopes) if found else None for found in connected]

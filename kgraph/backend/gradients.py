"""Gradients as tensors: `K.gradients` of losses that may still hold calls of layers.

Such a gradient is a call of its own in the graph. It is differentiated when the graph around it is
lowered, in the phase of that graph, so that it sees the dropout masks that the loss saw.
"""

from __future__ import annotations

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


def gradients(loss: Any, variables: Any) -> list[Node | None]:
    """The gradients of a loss.

    Args:
        loss: a tensor, whose elements are summed, or several.
        variables: a variable or tensor on the way to the loss, or several.

    Returns:
        A tensor like each of the variables, or None where the loss does not depend on it.

    Raises:
        TypeError: the loss or a variable is no tensor.

    Example:
        >>> from kgraph.backend.creation import variable
        >>> from kgraph.backend.functions import eval
        >>> x = variable([1.0, 2.0])
        >>> eval(gradients(x * x, x)[0]).tolist()
        [2.0, 4.0]
    """
    losses, targets = _tensors(loss), _tensors(variables)
    if current_context() is not None:
        return grad(losses, targets)
    # One lowering tells which targets the loss depends on, and refuses what has no gradient.
    connected = [g is not None for g in differentiate(losses, targets)]
    wanted = tuple(t for t, found in zip(targets, connected) if found)
    if not wanted:
        return [None] * len(targets)
    layer = Gradient()
    layer.built = True
    call = GradientCall(layer, losses, wanted)
    outputs = items(layer_call(call, call.inputs))
    layer._inbound_nodes.append((call, outputs))
    slopes = iter(outputs)
    return [next(slopes) if found else None for found in connected]


def _tensors(value: Any) -> tuple[Node, ...]:
    given = tuple(value) if isinstance(value, (list, tuple)) else (value,)
    for each in given:
        if not isinstance(each, Node):
            raise TypeError(
                explain(
                    "K.gradients differentiates tensors by variables or tensors",
                    expected="symbolic tensors",
                    got=each,
                    hint="kgraph.grad differentiates plain functions of arrays",
                )
            )
    return given


def stop_gradient(variables: Any) -> Any:
    """The tensor as a constant for gradients.

    Args:
        variables: a tensor or an array, or a list of them.

    Returns:
        Tensors of the same values.

    Example:
        >>> stop_gradient([1.0, 2.0]).tolist()
        [1.0, 2.0]
    """
    if isinstance(variables, (list, tuple)) and any(isinstance(v, Node) for v in variables):
        return type(variables)(ops.stop_gradient(v) for v in variables)
    return ops.stop_gradient(variables)

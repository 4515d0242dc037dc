"""The learning phase: 1 while training, else 0.

A model knows its phase when it is lowered, so inside of layers the phase is a number. Outside it is
a tensor of its own that means whatever phase the graph around it runs in; `K.function` takes it as
an input. `set_learning_phase` fixes the phase of all layers that are called from then on.
"""

from __future__ import annotations

from typing import Any

from kgraph import config, ops
from kgraph.backend.operands import tensor
from kgraph.errors import explain
from kgraph.ir import CallContext, Node, TensorType, const
from kgraph.ir.call import layer_call
from kgraph.ir.context import current_context
from kgraph.layers.base import Layer
from kgraph.layers.node import Call


class LearningPhase(Layer):
    """The phase of the graph that it stands in, a layer without inputs."""

    def call(self, inputs: Any = None, training: bool | None = None) -> Node:
        """1 while training, else 0."""
        del inputs
        return const(int(bool(training)))

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError(
            explain(
                "A model that asks for K.learning_phase() outside of its layers cannot be saved",
                hint="use K.in_train_phase in the `call` of a layer",
            )
        )


class _PhaseCall(Call):
    """The one call of the layer."""

    def invoke(
        self, inputs: tuple[Node, ...], masks: tuple[Node | None, ...], context: CallContext
    ) -> tuple[tuple[Node, ...], tuple[Node | None, ...]]:
        return (self.layer.call(training=context.training),), (None,)


def _make_phase() -> Node:
    layer = LearningPhase(name="keras_learning_phase")
    types: tuple[TensorType, ...] = (TensorType((), "int32"),)
    call = _PhaseCall(layer, ((None,), {}), (), None, types, (None,), 0)
    node = layer_call(call, ())
    layer.built = True
    layer._inbound_nodes.append((call, (node,)))
    return node


PHASE = _make_phase()


def learning_phase() -> Any:
    """Whether the graph trains: 1 or 0.

    Returns:
        An int inside of layers and after `set_learning_phase`; else a tensor, which `K.function`
        takes as one of its inputs.

    Example:
        >>> learning_phase()
        <layer_call: i32[]>
    """
    context = current_context()
    if context is not None:
        return int(context.training)
    return PHASE if config.learning_phase is None else config.learning_phase


def set_learning_phase(value: int) -> None:
    """Fixes the phase of all layers that are called from now on; `clear_session` ends it.

    Args:
        value: 0 or 1.

    Raises:
        ValueError: it is neither.

    Example:
        >>> set_learning_phase(1); learning_phase()
        1
        >>> config.learning_phase = None
    """
    if value not in (0, 1):
        raise ValueError(explain("Expected learning phase to be 0 or 1", got=repr(value)))
    config.learning_phase = int(value)


def in_train_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """x while training, else alt.

    Args:
        x: a tensor, or a function without arguments that returns one.
        alt: another one.
        training: a bool, 0 or 1, or a tensor; default the learning phase.

    Returns:
        A tensor; of arrays, outside of layers and with no phase set, `alt`.

    Example:
        >>> in_train_phase([1.0], [2.0], training=True).tolist()
        [1.0]
    """
    phase = learning_phase() if training is None else training
    if not isinstance(phase, Node):
        return _value(x if phase else alt)
    first, second = _value(x), _value(alt)
    if phase is PHASE and not isinstance(first, Node) and not isinstance(second, Node):
        return second
    return ops.where(ops.cast(phase, "bool"), first, second)


def in_test_phase(x: Any, alt: Any, training: Any = None) -> Any:
    """alt while training, else x.

    Args:
        x: a tensor, or a function without arguments that returns one.
        alt: another one.
        training: a bool, 0 or 1, or a tensor; default the learning phase.

    Returns:
        A tensor.

    Example:
        >>> in_test_phase([1.0], [2.0], training=True).tolist()
        [2.0]
    """
    return in_train_phase(alt, x, training)


def _value(x: Any) -> Any:
    return tensor(x() if callable(x) and not isinstance(x, Node) else x)

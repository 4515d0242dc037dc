"""What a recurrent layer is called with: the sequence, then initial states, then constants.

Symbolic states and constants become inputs of the call, as in Keras: a call of `lstm` with
`initial_state=[h, c]` is a call on `[x, h, c]`, in the graph and in files.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.ir.op import as_node, cast_to
from kgraph.layers.structure import is_node

Shape = tuple[Any, ...]


def join_inputs(
    name: str, inputs: Any, initial_state: Any, constants: Any
) -> tuple[Any, dict[str, Any], int | None]:
    """Brings the arguments of a call into the form in which they are recorded.

    Args:
        name: of the layer.
        inputs: the sequence, alone or at the head of a list of all inputs.
        initial_state: states, one alone or a list, or None.
        constants: the same for constants.

    Returns:
        The inputs, the keyword arguments (states and constants that are arrays), and the number of
        constants if `constants` said it.

    Raises:
        ValueError: symbolic tensors and arrays are mixed, or states come from two places.
    """
    states, fixed = as_list(initial_state), as_list(constants)
    count = None if constants is None else len(fixed)
    given = [*states, *fixed]
    if not given:
        return inputs, {}, count
    if isinstance(inputs, (list, tuple)):
        if len(inputs) > 1:
            raise ValueError(
                explain(
                    f"Layer {name} got a list of inputs, and `initial_state` or `constants` too",
                    expected="[x, *states, *constants], or x with `initial_state` and `constants`",
                    got=f"a list of {len(inputs)} and {len(given)} more tensors",
                )
            )
        (inputs,) = inputs
    symbolic = [is_node(v) for v in given]
    if all(symbolic):
        return [inputs, *given], {}, count
    if any(symbolic):
        raise ValueError(
            explain(
                "The initial state or constants of an RNN layer cannot be specified with a mix of "
                'Keras tensors and non-Keras tensors (a "Keras tensor" is a tensor that was '
                "returned by a Keras layer, or by `Input`)",
                got=", ".join("tensor" if s else "array" for s in symbolic),
                where=f"layer {name}",
            )
        )
    arrays = {"initial_state": states or None, "constants": fixed or None}
    return inputs, {k: v for k, v in arrays.items() if v is not None}, count


def split_inputs(
    inputs: Any, initial_state: Any, constants: Any, count: int
) -> tuple[Any, list[Any], list[Any]]:
    """The sequence, the states and the constants of a call.

    Args:
        inputs: as recorded: the sequence, or a list of all.
        initial_state: states that are not among the inputs.
        constants: constants that are not among the inputs.
        count: number of constants at the end of the list.
    """
    states, fixed = as_list(initial_state), as_list(constants)
    if not isinstance(inputs, (list, tuple)):
        return inputs, states, fixed
    sequence, *rest = inputs
    cut = len(rest) - (0 if fixed else count)
    return sequence, states or rest[:cut], fixed or rest[cut:]


def as_list(value: Any) -> list[Any]:
    """None, a tensor, or a list of tensors as a list."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]


def check_states(
    name: str, states: Sequence[Any], shapes: Sequence[Shape], batch: Any, dtype: str
) -> list[Node]:
    """The states of a call as tensors of the batch's size.

    Args:
        name: of the layer.
        states: tensors or arrays.
        shapes: of the states without the batch.
        batch: the number of rows, a number or symbolic.
        dtype: of the computation.

    Raises:
        ValueError: their number or a shape is wrong.
    """
    if len(states) != len(shapes):
        raise ValueError(
            explain(
                f"Layer {name} expects {len(shapes)} state(s), "
                f"but was passed {len(states)} initial state(s)",
                expected=f"states of shapes {[('batch', *s) for s in shapes]}",
            )
        )
    found = []
    for i, (value, shape) in enumerate(zip(states, shapes, strict=True)):
        node = cast_to(as_node(value), dtype)
        if node.shape[1:] != shape or (
            isinstance(batch, int) and isinstance(node.shape[0], int) and node.shape[0] != batch
        ):
            raise ValueError(
                explain(
                    f"State {i} is incompatible with layer {name}",
                    expected=f"shape {(batch, *shape)}",
                    got=node.type,
                )
            )
        found.append(ops.ensure_shape(node, (batch, *shape)))
    return found

"""What a cell is: any object with `call(inputs, states)` and `state_size`, a layer or not.

`state_size` is an int, or a list with an int or a shape for each state.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir.op import as_node
from kgraph.layers.base import Layer
from kgraph.layers.call_shapes import call_parameters
from kgraph.layers.recurrent_inputs import as_list

Shape = tuple[Any, ...]


class ZeroStart:
    """The part of a cell whose states start from zeros."""

    dtype: str

    def get_initial_state(self, batch_size: Any, dtype: str | None = None) -> list[Any]:
        """Zeros, one tensor a state.

        Args:
            batch_size: number of rows, a number or symbolic.
            dtype: default the cell's.
        """
        return zero_states(state_shapes(self), batch_size, dtype or self.dtype)


def check_cell(cell: Any) -> None:
    """Refuses what is no cell.

    Raises:
        ValueError: it has no `call` or no `state_size`.
    """
    for needed in ("call", "state_size"):
        if not hasattr(cell, needed):
            raise ValueError(
                explain(
                    f"A cell of an RNN has no `{needed}`",
                    expected="`call(inputs, states)`, which returns the output and the list of new "
                    "states, and `state_size`, an int or a list of ints",
                    got=cell,
                )
            )


def state_shapes(cell: Any) -> list[Shape]:
    """The shapes of the cell's states without the batch."""
    sizes = cell.state_size
    return [as_shape(s) for s in as_list(sizes)]


def output_shape(cell: Any) -> Shape:
    """The shape of the cell's output without the batch; by default that of the first state."""
    size = getattr(cell, "output_size", None)
    return state_shapes(cell)[0] if size is None else as_shape(size)


def as_shape(size: Any) -> Shape:
    """A size or a shape as a shape."""
    whole = isinstance(size, (int, np.integer))
    return (int(size),) if whole else tuple(size)


def build_cell(cell: Any, path: str, shape: Shape, constants: Sequence[Shape]) -> None:
    """Makes the weights of a cell that is a layer.

    Args:
        cell: the cell.
        path: where its weights lie.
        shape: of the inputs of one step, with the batch.
        constants: shapes of the constants.
    """
    if isinstance(cell, Layer) and not cell.built:
        takes = constants and "constants" in call_parameters(type(cell).call)
        cell._weight_scope = path
        cell._build_with([[shape, *constants] if takes else shape])


def call_cell(
    cell: Any, inputs: Any, states: Sequence[Any], constants: Any, training: bool | None
) -> tuple[Any, list[Any]]:
    """One step of a cell.

    Args:
        cell: the cell.
        inputs: of the step.
        states: the states.
        constants: tensors for a cell that takes `constants`, or None.
        training: for a cell that takes it.

    Returns:
        The output and the new states.
    """
    known = call_parameters(type(cell).call)
    named = {"constants": constants} if constants and "constants" in known else {}
    if "training" in known:
        named["training"] = training
    call = cell if isinstance(cell, Layer) else cell.call
    result = call(inputs, list(states), **named)
    if not isinstance(result, (list, tuple)) or len(result) != 2:
        raise ValueError(
            explain(
                "`call` of a cell of an RNN returned something else than the output and the "
                "list of the new states",
                got=result,
                where=type(cell).__name__,
            )
        )
    output, new = result
    return as_node(output), [as_node(s) for s in as_list(new)]


def own_initial_states(cell: Any, batch: Any, dtype: str) -> list[Any] | None:
    """The states that the cell itself starts from; None if it leaves them to be zeros.

    Args:
        cell: may have `get_initial_state(batch_size, dtype)`, or with one of these; built-in cells
            have one that returns zeros.
        batch: number of rows, a number or symbolic.
        dtype: of the computation.
    """
    make = getattr(type(cell), "get_initial_state", None)
    if make in (None, ZeroStart.get_initial_state):
        return None
    offered = {"batch_size": batch, "dtype": dtype}
    known = call_parameters(type(cell).get_initial_state)
    states = cell.get_initial_state(**{k: v for k, v in offered.items() if k in known})
    return None if states is None else as_list(states)


def zero_states(shapes: Sequence[Shape], batch: Any, dtype: str) -> list[Any]:
    """Zeros for states of these shapes, which are without the batch."""
    return [as_node(ops.full((batch, *s), 0, dtype)) for s in shapes]

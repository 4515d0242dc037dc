"""RNN: a cell repeated over the time steps of a sequence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.ir.op import as_node
from kgraph.ir.types import TensorType
from kgraph.layers.base import Layer
from kgraph.layers.call_shapes import is_shape
from kgraph.layers.cell_protocol import (
    build_cell,
    call_cell,
    check_cell,
    output_shape,
    own_initial_states,
    state_shapes,
    zero_states,
)
from kgraph.layers.lookup import deserialize, serialize
from kgraph.layers.recurrent_cells import RecurrentCell
from kgraph.layers.recurrent_inputs import check_states, join_inputs, split_inputs
from kgraph.layers.recurrent_loop import Loop, trace_step
from kgraph.layers.recurrent_states import StateKeeper
from kgraph.layers.spec import InputSpec, check_shapes
from kgraph.layers.stacked_cells import StackedRNNCells
from kgraph.layers.structure import is_node, leaves_of

Shape = tuple[Any, ...]


class RNN(StateKeeper, Layer):
    """Repeats a cell over the time steps of a sequence of shape (batch, time, features).

    Args:
        cell: an object with `call(inputs, states)`, which returns the output and the new states,
            and `state_size`; or a list of such cells, the lowest first.
        return_sequences: whether to return the outputs of all time steps, or the last one.
        return_state: whether to return the states after the last step too.
        go_backwards: whether to go from the last time step to the first; the outputs come in the
            order of the steps.
        stateful: whether a sample starts from the state in which the same row of the batch before
            ended; the size of the batch must be known.
        unroll: whether to write the steps out instead of looping; their number must be known.
        zero_output_for_mask: whether masked steps put out zeros rather than the previous output;
            only with `return_sequences`.
        **kwargs: what every layer takes; `input_dim` and `input_length` together make the shape.

    Raises:
        ValueError: the cell is none, or sizes that must be known are not.

    Example:
        >>> import numpy as np
        >>> from kgraph.layers import SimpleRNNCell
        >>> cell = SimpleRNNCell(1, None, kernel_initializer="ones", recurrent_initializer="ones")
        >>> layer = RNN(cell, return_sequences=True)
        >>> layer(np.array([[[1.0], [2.0], [3.0]]], "float32")).ravel().tolist()
        [1.0, 3.0, 6.0]
    """

    sequence_spec = InputSpec(min_ndim=3)

    def __init__(
        self,
        cell: Any,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        if kwargs.pop("time_major", False):
            raise ValueError(
                explain(
                    f"{type(self).__name__} does not take sequences with the time first",
                    expected="time_major=False: inputs of shape (batch, time, features)",
                    got="time_major=True",
                    hint="put `Permute`, or `ops.swapaxes(x, 0, 1)`, before and after the layer",
                )
            )
        self._num_constants = int(kwargs.pop("num_constants", None) or 0)
        if "input_dim" in kwargs:
            kwargs.setdefault("input_length", None)
        super().__init__(**kwargs)
        self.cell = StackedRNNCells(cell) if isinstance(cell, (list, tuple)) else cell
        check_cell(self.cell)
        self.return_sequences, self.return_state = bool(return_sequences), bool(return_state)
        self.go_backwards, self.stateful = bool(go_backwards), bool(stateful)
        self.unroll, self.zero_output_for_mask = bool(unroll), bool(zero_output_for_mask)
        self.supports_masking = True
        self.input_spec = None

    # -- shapes, weights, masks ----------------------------------------------------------------
    def build(self, input_shape: Any) -> None:
        sequence, *rest = [input_shape] if is_shape(input_shape) else list(input_shape)
        constants = rest[len(rest) - self._num_constants :]
        step = (sequence[0], *sequence[2:])
        build_cell(self.cell, self._weight_scope or self.name, step, constants)
        if self.stateful:
            self.make_states(sequence[0], self.shapes_of_states(sequence))
        self.sequence_spec = InputSpec(
            ndim=len(sequence), axes={i: d for i, d in enumerate(sequence) if i > 1}
        )
        self.built = True

    def shapes_of_states(self, sequence: Shape) -> list[Shape]:
        """The shapes of the states without the batch, for inputs of this shape."""
        return state_shapes(self.cell)

    def shape_of_output(self, sequence: Shape) -> Shape:
        """The shape of a step's output without the batch, for inputs of this shape."""
        return output_shape(self.cell)

    def compute_output_shape(self, input_shape: Any) -> Any:
        sequence = input_shape if is_shape(input_shape) else input_shape[0]
        batch, time, *_ = sequence
        size = self.shape_of_output(sequence)
        output = (batch, time, *size) if self.return_sequences else (batch, *size)
        if not self.return_state:
            return output
        return [output, *((batch, *s) for s in self.shapes_of_states(sequence))]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        output = mask if self.return_sequences else None
        return [output, *[None] * len(state_shapes(self.cell))] if self.return_state else output

    # -- calling -------------------------------------------------------------------------------
    def __call__(
        self, inputs: Any, initial_state: Any = None, constants: Any = None, **kwargs: Any
    ) -> Any:
        """Calls the layer.

        Args:
            inputs: shape (batch, time, features), or a list [inputs, *initial_state, *constants].
            initial_state: the states to start from, instead of zeros.
            constants: tensors for the cell that are the same at all time steps.
            **kwargs: `mask` of shape (batch, time), and `training`.

        Returns:
            The output, or with `return_state` a list of the output and the states.

        Raises:
            ValueError: the states do not fit, or symbolic tensors and arrays are mixed.
        """
        inputs, arrays, count = join_inputs(self.name, inputs, initial_state, constants)
        if count is not None:
            self._num_constants = count
        return super().__call__(inputs, **arrays, **kwargs)

    def _prepare_call(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        sequence = args[0][0] if isinstance(args[0], (list, tuple)) else args[0]
        check_shapes(self.name, [self.sequence_spec], leaves_of(sequence, is_node))
        super()._prepare_call(args, kwargs)

    def call(
        self,
        inputs: Any,
        mask: Any = None,
        training: bool | None = None,
        initial_state: Any = None,
        constants: Any = None,
    ) -> Any:
        x, states, fixed = split_inputs(inputs, initial_state, constants, self._num_constants)
        x = ops.cast(x, self.dtype)
        mask = mask[0] if isinstance(mask, (list, tuple)) else mask
        if self.unroll and not isinstance(x.shape[1], int):
            raise ValueError(
                explain(
                    "Cannot unroll a RNN if the time dimension is undefined",
                    got=f"layer {self.name} on {x.type}",
                    hint="give the number of time steps to Input, or to input_shape",
                )
            )
        before, from_zeros = self._states_before(x, states)
        xs, call = self._hoisted(x, [as_node(c) for c in fixed], training)
        step_type = TensorType(xs.shape[1:], xs.dtype)
        step = trace_step(call, step_type, [s.type for s in before], self.name)
        loop = Loop(
            step, self.go_backwards, self.return_sequences, self.unroll,
            self.zero_output_for_mask, from_zeros,
        )  # fmt: skip
        output, after = loop.run(xs, before, None if mask is None else _time_first(mask, x))
        if self.stateful:
            self.keep_states(after)
        return [output, *after] if self.return_state else output

    def _states_before(self, x: Any, given: Sequence[Any]) -> tuple[list[Node], bool]:
        """The states before the first step, and whether they are zeros."""
        shapes, batch = self.shapes_of_states(x.shape), x.shape[0]
        states: Sequence[Any] = given
        if not given and self.stateful:
            states = self.states_for(batch)
        elif not given:
            own = own_initial_states(self.cell, batch, x.dtype)
            if own is None:
                return zero_states(shapes, batch, x.dtype), True
            states = own
        return check_states(self.name, states, shapes, batch, x.dtype), False

    def _hoisted(self, x: Any, constants: list[Node], training: bool | None) -> tuple[Any, Any]:
        """What the steps read, time first, and the step that reads it."""
        xs, cell = ops.swapaxes(x, 0, 1), self.cell
        if isinstance(cell, RecurrentCell) and type(cell).call is RecurrentCell.call:
            return cell.project(xs, training), lambda x, s: cell.step(x, s, training)
        return xs, lambda x, s: call_cell(cell, x, s, constants, training)

    @property
    def state_size(self) -> Any:
        """The cell's `state_size`."""
        return self.cell.state_size

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """The states before the first step.

        Args:
            batch_size: number of rows, or as in Keras 2 the inputs themselves.

        Returns:
            One tensor a state.

        Example:
            >>> from kgraph.layers import LSTM
            >>> [s.shape for s in LSTM(3).get_initial_state(2)]
            [(2, 3), (2, 3)]
        """
        rows = batch_size.shape[0] if hasattr(batch_size, "shape") else batch_size
        own = own_initial_states(self.cell, rows, self.dtype)
        shapes = state_shapes(self.cell)
        return zero_states(shapes, rows, self.dtype) if own is None else own

    # -- configuration -------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        return {**self._own_config(), "cell": serialize(self.cell)}

    def _own_config(self) -> dict[str, Any]:
        """The configuration without the cell; what Keras 2 does not know only where it says
        something."""
        config = {
            **super().get_config(),
            "return_sequences": self.return_sequences,
            "return_state": self.return_state,
            "go_backwards": self.go_backwards,
            "stateful": self.stateful,
            "unroll": self.unroll,
        }
        if self.zero_output_for_mask:
            config["zero_output_for_mask"] = True
        if self._num_constants:
            config["num_constants"] = self._num_constants
        return config

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> RNN:
        """The layer that `get_config` describes."""
        if "cell" not in config or not isinstance(config["cell"], Mapping):
            return cls(**config)
        return cls(**{**config, "cell": deserialize(config["cell"], custom_objects)})


def _time_first(mask: Any, x: Any) -> Any:
    """A mask of shape (batch, time) as (time, batch, 1)."""
    node = ops.cast(as_node(mask), "bool")
    if node.ndim != 2:
        raise ValueError(
            explain("The mask of an RNN has a flag for each sample and time step",
                    expected="shape (batch, time)", got=node.type)
        )  # fmt: skip
    return ops.expand_dims(ops.swapaxes(ops.ensure_shape(node, x.shape[:2]), 0, 1), -1)

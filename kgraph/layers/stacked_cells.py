"""StackedRNNCells: several cells as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph.layers.base import Layer
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


class StackedRNNCells(Layer):
    """Cells one on the other: each takes what the one below returned, and has its own states.

    Args:
        cells: objects with `call(inputs, states)` and `state_size`, the lowest first.
        reverse_state_order: whether the states of the highest cell come first, as up to Keras
            2.2.2.
        **kwargs: what every layer takes.

    Raises:
        ValueError: a cell lacks `call` or `state_size`.

    Example:
        >>> from kgraph.layers import GRUCell, LSTMCell
        >>> StackedRNNCells([LSTMCell(3), GRUCell(2)]).state_size
        [(3,), (3,), (2,)]
    """

    def __init__(
        self, cells: Sequence[Any], reverse_state_order: bool = False, **kwargs: Any
    ) -> None:
        for cell in cells:
            check_cell(cell)
        super().__init__(**kwargs)
        self.cells, self.reverse_state_order = list(cells), reverse_state_order

    @property
    def state_size(self) -> list[tuple[int, ...]]:
        """The shapes of all states, cell by cell."""
        return [shape for i in self._order() for shape in state_shapes(self.cells[i])]

    @property
    def output_size(self) -> tuple[int, ...]:
        """The shape of the highest cell's output."""
        return output_shape(self.cells[-1])

    def _order(self) -> list[int]:
        """The numbers of the cells in the order of their states."""
        numbers = list(range(len(self.cells)))
        return numbers[::-1] if self.reverse_state_order else numbers

    def build(self, input_shape: Any) -> None:
        shape, *constants = input_shape if isinstance(input_shape, list) else [input_shape]
        path = self._weight_scope or self.name
        for i, cell in enumerate(self.cells):
            build_cell(cell, f"{path}/cell_{i}", shape, constants)
            shape = (shape[0], *output_shape(cell))
        self.built = True

    def call(  # type: ignore[override]
        self, inputs: Any, states: Any, constants: Any = None, training: bool | None = None
    ) -> Any:
        """One step of all cells.

        Args:
            inputs: shape (batch, features).
            states: the states of all cells, in the order of `state_size`.
            constants: tensors for the cells that take `constants`.
            training: whether dropout is on.

        Returns:
            The highest cell's output, and the list of the new states.
        """
        parts, rest = {}, list(states)
        for i in self._order():
            count = len(state_shapes(self.cells[i]))
            parts[i], rest = rest[:count], rest[count:]
        for i, cell in enumerate(self.cells):
            inputs, parts[i] = call_cell(cell, inputs, parts[i], constants, training)
        return inputs, [state for i in self._order() for state in parts[i]]

    def get_initial_state(self, batch_size: Any, dtype: str | None = None) -> list[Any] | None:
        """The states before the first step.

        Args:
            batch_size: number of rows, a number or symbolic.
            dtype: default the layer's.

        Returns:
            One tensor a state, or None where all cells start from zeros.
        """
        dtype = dtype or self.dtype
        own = [own_initial_states(cell, batch_size, dtype) for cell in self.cells]
        if all(states is None for states in own):
            return None
        zeros = [zero_states(state_shapes(cell), batch_size, dtype) for cell in self.cells]
        made = [z if states is None else states for states, z in zip(own, zeros, strict=True)]
        return [state for i in self._order() for state in made[i]]

    def get_config(self) -> dict[str, Any]:
        reverse = {"reverse_state_order": True} if self.reverse_state_order else {}
        cells = [serialize(cell) for cell in self.cells]
        return {**super().get_config(), "cells": cells, **reverse}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> StackedRNNCells:
        """The cells that `get_config` describes."""
        cells = [deserialize(cell, custom_objects) for cell in config["cells"]]
        return cls(**{**config, "cells": cells})

"""States that a stateful layer carries from one batch to the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.variable import Variable, assign_all
from kgraph.layers.recurrent_inputs import as_list


class _Kept:
    """Holds variables that are no weights, out of sight of what lists the weights."""

    def __init__(self) -> None:
        self.variables: list[Variable] = []


class StateKeeper:
    """The part of a recurrent layer that keeps states between batches."""

    name: str
    dtype: str
    stateful: bool
    add_update: Callable[..., None]

    def __init__(self, **kwargs: Any) -> None:
        self._kept = _Kept()
        super().__init__(**kwargs)

    @property
    def states(self) -> list[Variable] | None:
        """The states that the next batch starts from; None if there are none yet."""
        return list(self._kept.variables) or None

    def make_states(self, batch: Any, shapes: Sequence[tuple[Any, ...]]) -> None:
        """Makes the states, zeros at first.

        Raises:
            ValueError: the size of the batch is not known.
        """
        if not isinstance(batch, int):
            raise ValueError(
                explain(
                    "If a RNN is stateful, it needs to know its batch size. Specify the batch "
                    "size of your input tensors",
                    got=f"layer {self.name} on inputs of batch size {batch}",
                    hint="pass `batch_input_shape` to the first layer of a Sequential, or "
                    "`batch_shape` to Input",
                )
            )
        self._kept.variables = [
            Variable(np.zeros((batch, *shape), self.dtype), f"{self.name}/state_{i}",
                     trainable=False)
            for i, shape in enumerate(shapes)
        ]  # fmt: skip

    def states_for(self, batch: Any) -> list[Variable]:
        """The states for a batch of this size.

        Raises:
            ValueError: it is another one than before.
        """
        expected = self._kept.variables[0].shape[0]
        if isinstance(batch, int) and batch != expected:
            raise ValueError(
                explain(
                    "If a RNN is stateful, all batches have one size",
                    expected=f"layer {self.name}: {expected} rows",
                    got=batch,
                )
            )
        return self._kept.variables

    def keep_states(self, states: Sequence[Any]) -> None:
        """Makes these the states of the next batch."""
        self.add_update(list(zip(self._kept.variables, states, strict=True)))

    def reset_states(self, states: Any = None) -> None:
        """Sets the states back to zeros, or to the given values.

        Args:
            states: an array a state, or one array for a single state; default zeros.

        Raises:
            AttributeError: the layer is not stateful.
            ValueError: the number of arrays or a shape is wrong, or there are no states yet.

        Example:
            >>> from kgraph.layers import SimpleRNN
            >>> layer = SimpleRNN(2, stateful=True)
            >>> y = layer(np.ones((1, 3, 2), "float32"))
            >>> layer.reset_states()
            >>> layer.states[0].numpy().tolist()
            [[0.0, 0.0]]
        """
        if not self.stateful:
            raise AttributeError("Layer must be stateful.")
        kept = self._kept.variables
        arrays = [np.zeros(v.shape) for v in kept] if states is None else as_list(states)
        if len(arrays) != len(kept):
            raise ValueError(
                explain(
                    f"Layer {self.name} expects {len(kept)} states, but it received "
                    f"{len(arrays)} state values",
                    hint=None if kept else "call the layer first, so that it knows its batch size",
                )
            )
        values = [np.asarray(a) for a in arrays]
        for i, (variable, value) in enumerate(zip(kept, values, strict=True)):
            if value.shape != variable.shape:
                raise ValueError(
                    f"State {i} is incompatible with layer {self.name}: "
                    f"expected shape={variable.shape}, found shape={value.shape}"
                )
        assign_all(zip(kept, values, strict=True))

    reset_state = reset_states

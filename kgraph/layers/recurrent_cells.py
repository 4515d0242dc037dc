"""Cells: one step of a recurrent layer. What the built-in ones share.

A built-in cell computes what it takes from the inputs apart from what it takes from the states:
`project` needs no state, so that a layer calls it once for all time steps; `step` does the rest.
Dropout masks are drawn where the step is built, which a layer does once for all time steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import activations, constraints, initializers, ops, regularizers
from kgraph.errors import explain
from kgraph.ir.dim import product
from kgraph.layers.arguments import positive_int
from kgraph.layers.base import Layer
from kgraph.layers.cell_protocol import ZeroStart
from kgraph.ops.random import bernoulli

Shape = tuple[int | None, ...]


class RecurrentCell(ZeroStart, Layer):
    """What the built-in cells share: weights, dropout and the product with the inputs.

    `count` is the number of gates, whose columns lie side by side in the weights; `state_count`
    that of the states, each of shape (batch, units).
    """

    count = 1
    state_count = 1

    def __init__(
        self,
        units: int,
        activation: Any,
        use_bias: bool,
        kernel_initializer: Any,
        recurrent_initializer: Any,
        bias_initializer: Any,
        kernel_regularizer: Any,
        recurrent_regularizer: Any,
        bias_regularizer: Any,
        kernel_constraint: Any,
        recurrent_constraint: Any,
        bias_constraint: Any,
        dropout: float,
        recurrent_dropout: float,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.recurrent_initializer = initializers.get(recurrent_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.recurrent_regularizer = regularizers.get(recurrent_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.recurrent_constraint = constraints.get(recurrent_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.dropout = min(1.0, max(0.0, float(dropout)))
        self.recurrent_dropout = min(1.0, max(0.0, float(recurrent_dropout)))
        self.seed = seed
        self.stream = int(np.random.randint(10**7)) if seed is None else int(seed)

    @property
    def state_size(self) -> Any:
        """The size of the state, or a list of the states' sizes."""
        return self.units if self.state_count == 1 else [self.units] * self.state_count

    @property
    def output_size(self) -> int:
        """The size of the output."""
        return self.units

    # -- weights -------------------------------------------------------------------------------
    def build(self, input_shape: Shape) -> None:
        size = input_shape[-1]
        if size is None:
            raise ValueError(
                explain(
                    f"The last dimension of the inputs to {self.name} should be defined. "
                    "Found `None`.",
                    got=f"inputs of one step of shape {tuple(input_shape)}",
                    hint="give the size of the last axis to Input, or to input_shape",
                )
            )
        self.make_weights((size,), (self.units,))

    def make_weights(self, rows: tuple[int, ...], recurrent_rows: tuple[int, ...]) -> None:
        """Adds the weights; the arguments say what is before the columns of both kernels."""
        width = self.count * self.units
        self.kernel = self._weight("kernel", (*rows, width), self.kernel_initializer)
        self.recurrent_kernel = self._weight(
            "recurrent_kernel", (*recurrent_rows, width), self._tiled(self.recurrent_initializer)
        )
        self.bias = None
        if self.use_bias:
            self.bias = self._weight("bias", self.bias_shape(), self.initial_bias)
        self.built = True

    def _weight(self, name: str, shape: tuple[int, ...], initializer: Any) -> Any:
        kind = "recurrent" if name == "recurrent_kernel" else name
        return self.add_weight(
            name=name,
            shape=shape,
            initializer=initializer,
            regularizer=getattr(self, f"{kind}_regularizer"),
            constraint=getattr(self, f"{kind}_constraint"),
        )

    def bias_shape(self) -> tuple[int, ...]:
        """The shape of the bias."""
        return (self.count * self.units,)

    def initial_bias(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        """What the bias starts from."""
        return np.asarray(self.bias_initializer(tuple(shape), dtype=dtype))

    def _tiled(self, initializer: Any) -> Any:
        """Identity matrices side by side, one a gate, as in Keras 2; else the initializer."""
        if not isinstance(initializer, initializers.Identity) or self.count == 1:
            return initializer

        def identities(shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
            return np.tile(initializer((self.units, self.units), dtype=dtype), (1, self.count))

        return identities

    # -- meaning -------------------------------------------------------------------------------
    def call(  # type: ignore[override]
        self, inputs: Any, states: Any, training: bool | None = None
    ) -> Any:
        """One step.

        Args:
            inputs: shape (batch, features).
            states: the states, each of shape (batch, units).
            training: whether dropout is on.

        Returns:
            The output, of shape (batch, units), and the list of the new states.
        """
        output, new = self.step(self.project(inputs, training), tuple(states), training)
        return output, list(new)

    def project(self, inputs: Any, training: bool | None = None) -> Any:
        """What a step needs of its inputs, for one step or for all of them.

        Args:
            inputs: shape (batch, features) or (time, batch, features).
            training: whether dropout is on.

        Returns:
            Shape (..., batch, gates * units), the gates in the order of `arranged`.
        """
        *lead, size = inputs.shape
        width = self.count * self.units
        kernel, bias = self.arranged(self.kernel), self.input_bias()
        dropped = bool(training) and 0 < self.dropout < 1
        if dropped and self._masks_by_gate():
            result = self._project_by_gate(inputs, kernel)
            return result if bias is None else result + bias
        if dropped:
            kept = self._kept((inputs.shape[-2], size), self.dropout)
            inputs = ops.masked_scale(inputs, kept, 1 / (1 - self.dropout))
        # The narrower side changes the order of its axes: time first is what the loop reads.
        swap = len(lead) == 2 and size > width and not dropped
        rows = ops.swapaxes(inputs, 0, 1) if swap else inputs
        result = ops.matmul(ops.reshape(rows, (product(lead), size)), kernel)
        result = result if bias is None else result + bias
        result = ops.reshape(result, (*rows.shape[:-1], width))
        return ops.swapaxes(result, 0, 1) if swap else result

    def step(self, x: Any, states: tuple[Any, ...], training: bool | None) -> Any:
        """The rest of a step.

        Args:
            x: what `project` returned for the step.
            states: the states.
            training: whether dropout is on.

        Returns:
            The output and the tuple of the new states.
        """
        raise NotImplementedError(type(self).__name__)

    def arranged(self, weight: Any) -> Any:
        """The columns of a kernel or bias in the order that `step` wants."""
        return weight

    def input_bias(self) -> Any:
        """What is added to the product with the inputs, or None."""
        return None if self.bias is None else self.arranged(self.bias)

    def by_gate(self, z: Any) -> Any:
        """(batch, ..., gates * units) as (gates, batch, ..., units).

        A view, but what is computed of it is contiguous, and so is each gate of that; an
        activation along the last axis sees one gate.
        """
        *lead, width = z.shape
        return ops.moveaxis(ops.reshape(z, (*lead, width // self.units, self.units)), -2, 0)

    def recur(self, state: Any, kernel: Any, training: bool | None) -> Any:
        """The product of a state with a recurrent kernel, with a dropout mask for each gate."""
        if not training or not self._masks_by_gate():
            return ops.matmul(state, kernel)
        batch, units = state.shape
        count = kernel.shape[1] // units
        kept = self._kept((count, batch, units), self.recurrent_dropout)
        spread = ops.broadcast_to(state, (count, batch, units))
        dropped = ops.masked_scale(spread, kept, 1 / (1 - self.recurrent_dropout))
        return self._product_by_gate(dropped, kernel)

    def _masks_by_gate(self) -> bool:
        """Each gate has masks of its own if states are dropped, as in Keras 2.2 and Keras 3."""
        return 0 < self.recurrent_dropout < 1

    def _kept(self, shape: Sequence[Any], rate: float) -> Any:
        return bernoulli(shape, 1 - rate, "bool", self.stream)

    def _project_by_gate(self, inputs: Any, kernel: Any) -> Any:
        *lead, size = inputs.shape
        count = self.count
        masks = (count, *[1] * (len(lead) - 1), lead[-1], size)
        kept = self._kept(masks, self.dropout)
        spread = ops.broadcast_to(inputs, (count, *inputs.shape))
        dropped = ops.masked_scale(spread, kept, 1 / (1 - self.dropout))
        rows = ops.reshape(dropped, (count, product(lead), size))
        return ops.reshape(self._product_by_gate(rows, kernel), (*lead, count * self.units))

    def _product_by_gate(self, rows: Any, kernel: Any) -> Any:
        """(gates, rows, n) times the columns of each gate in (n, gates * units), side by side."""
        count, number, size = rows.shape
        blocks = ops.transpose(ops.reshape(kernel, (size, count, self.units)), (1, 0, 2))
        result = ops.transpose(ops.matmul(rows, blocks), (1, 0, 2))
        return ops.reshape(result, (number, count * self.units))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        seed = {} if self.seed is None else {"seed": self.seed}
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "recurrent_initializer": initializers.serialize(self.recurrent_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "recurrent_regularizer": regularizers.serialize(self.recurrent_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "recurrent_constraint": constraints.serialize(self.recurrent_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
            "dropout": self.dropout,
            "recurrent_dropout": self.recurrent_dropout,
            **seed,
        }

"""The gated cells: GRUCell and LSTMCell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import activations, initializers, ops
from kgraph.layers.arguments import implementation_number
from kgraph.layers.recurrent_cells import RecurrentCell


class GatedCell(RecurrentCell):
    """What GRU and LSTM have besides: the activation of the gates, and Keras's `implementation`.

    Keras 2 chooses by `implementation` between several products and one; here the fastest form is
    always taken.
    """

    def __init__(
        self,
        units: int,
        activation: Any,
        recurrent_activation: Any,
        *args: Any,
        implementation: Any = 2,
        **kwargs: Any,
    ) -> None:
        super().__init__(units, activation, *args, **kwargs)
        self.recurrent_activation = activations.get(recurrent_activation)
        self.implementation = implementation_number(implementation)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "recurrent_activation": activations.serialize(self.recurrent_activation),
            "implementation": self.implementation,
        }


class GRUCell(GatedCell):
    """Gated recurrent unit: gates z (update) and r (reset) decide what the state keeps.

    `h = z * h + (1 - z) * candidate`, where the candidate takes the state times r. The columns of
    the weights are z, r, candidate (Cho et al. 2014, arXiv:1406.1078; `reset_after` as in cuDNN).

    Args:
        units: size of the state and of the output.
        activation: of the candidate; function of a tensor, or its name.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: initial values of the kernel, shape (features, 3 * units).
        recurrent_initializer: initial values of the recurrent kernel, shape (units, 3 * units).
        bias_initializer: initial values of the bias, shape (3 * units,), or (2, 3 * units) with
            `reset_after`: one row beside the inputs, one beside the state.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: projection of the kernel after each update.
        recurrent_constraint: projection of the recurrent kernel after each update.
        bias_constraint: projection of the bias after each update.
        dropout: the part of the inputs to drop, the same at all time steps.
        recurrent_dropout: the part of the state to drop, the same at all time steps; each gate
            has masks of its own.
        implementation: accepted for Keras 2.
        reset_after: whether r multiplies after the product with the recurrent kernel (Keras 3's
            default) or before it (Keras 2's).
        seed: an int for the same masks in every process; default drawn from NumPy's global state.
        **kwargs: what every layer takes.

    Example:
        >>> cell = GRUCell(3)
        >>> y, states = cell(np.ones((2, 4), "float32"), [np.zeros((2, 3), "float32")])
        >>> y.shape, len(states)
        ((2, 3), 1)
    """

    count = 3

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        implementation: Any = 2,
        reset_after: bool = False,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout,
            recurrent_dropout, seed, implementation=implementation, **kwargs,
        )  # fmt: skip
        self.reset_after = bool(reset_after)

    def bias_shape(self) -> tuple[int, ...]:
        width = 3 * self.units
        return (2, width) if self.reset_after else (width,)

    def input_bias(self) -> Any:
        if self.bias is None or not self.reset_after:
            return self.bias
        # Beside the gates both biases are only added; the candidate's second one meets r first.
        gates, units = self.bias[1, : 2 * self.units], self.units
        return self.bias[0] + ops.concatenate([gates, ops.zeros_like(self.bias[1, :units])])

    def step(self, x: Any, states: tuple[Any, ...], training: bool | None) -> Any:
        (h,), cut = states, 2 * self.units
        kernel, x = self.recurrent_kernel, self.by_gate(x)
        if self.reset_after:
            product = self.by_gate(self.recur(h, kernel, training))
            z, r = ops.unstack(self.recurrent_activation(x[:2] + product[:2]))
            inner = product[2] if self.bias is None else product[2] + self.bias[1, cut:]
            candidate = self.activation(x[2] + r * inner)
        else:
            product = self.by_gate(self.recur(h, kernel[:, :cut], training))
            z, r = ops.unstack(self.recurrent_activation(x[:2] + product))
            candidate = self.activation(x[2] + self.recur(r * h, kernel[:, cut:], training))
        # z h + (1 - z) c with one product less.
        h = candidate + z * (h - candidate)
        return h, (h,)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reset_after": self.reset_after}


class LSTMCell(GatedCell):
    """Long short-term memory: a carry c that gates i, f, o fill, keep and show.

    `c = f * c + i * g`, `h = o * activation(c)`. The columns of the weights are i, f, g, o, and the
    states h, c (Hochreiter and Schmidhuber 1997; f as in Gers et al. 2000).

    Args:
        units: size of each state and of the output.
        activation: of g and of the carry; function of a tensor, or its name.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: initial values of the kernel, shape (features, 4 * units).
        recurrent_initializer: initial values of the recurrent kernel, shape (units, 4 * units).
        bias_initializer: initial values of the bias, shape (4 * units,).
        unit_forget_bias: whether the bias of f starts from 1 (Jozefowicz et al. 2015).
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: projection of the kernel after each update.
        recurrent_constraint: projection of the recurrent kernel after each update.
        bias_constraint: projection of the bias after each update.
        dropout: the part of the inputs to drop, the same at all time steps.
        recurrent_dropout: the part of h to drop, the same at all time steps; each gate has masks
            of its own.
        implementation: accepted for Keras 2.
        seed: an int for the same masks in every process; default drawn from NumPy's global state.
        **kwargs: what every layer takes.

    Example:
        >>> cell, zeros = LSTMCell(3), np.zeros((2, 3), "float32")
        >>> y, states = cell(np.ones((2, 4), "float32"), [zeros, zeros])
        >>> y.shape, len(states)
        ((2, 3), 2)
    """

    count = 4
    state_count = 2

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
        recurrent_activation: Any = "sigmoid",
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        recurrent_initializer: Any = "orthogonal",
        bias_initializer: Any = "zeros",
        unit_forget_bias: bool = True,
        kernel_regularizer: Any = None,
        recurrent_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        implementation: Any = 2,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, kernel_regularizer, recurrent_regularizer,
            bias_regularizer, kernel_constraint, recurrent_constraint, bias_constraint, dropout,
            recurrent_dropout, seed, implementation=implementation, **kwargs,
        )  # fmt: skip
        self.unit_forget_bias = bool(unit_forget_bias)

    def initial_bias(self, shape: Sequence[int], dtype: str | None = None) -> np.ndarray:
        if not self.unit_forget_bias:
            return super().initial_bias(shape, dtype)
        units = self.units
        return np.concatenate(
            [
                super().initial_bias((units,), dtype),
                initializers.Ones()((units,), dtype=dtype),
                super().initial_bias((2 * units,), dtype),
            ]
        )

    def arranged(self, weight: Any) -> Any:
        # o, i, f, g: the three gates side by side go through one activation.
        cut = 3 * self.units
        return ops.concatenate([weight[..., cut:], weight[..., :cut]], axis=-1)

    def step(self, x: Any, states: tuple[Any, ...], training: bool | None) -> Any:
        h, c = states
        z = self.by_gate(x + self.recur(h, self.arranged(self.recurrent_kernel), training))
        o, i, f = ops.unstack(self.recurrent_activation(z[:3]))
        c = f * c + i * self.activation(z[3])
        h = o * self.activation(c)
        return h, (h, c)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "unit_forget_bias": self.unit_forget_bias}

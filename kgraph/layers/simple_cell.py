"""SimpleRNNCell: a state that is fed back."""

from __future__ import annotations

from typing import Any

from kgraph.layers.recurrent_cells import RecurrentCell


class SimpleRNNCell(RecurrentCell):
    """`h = activation(x @ kernel + bias + h @ recurrent_kernel)`.

    Args:
        units: size of the state and of the output.
        activation: function of a tensor, or its name.
        use_bias: whether there is a bias.
        kernel_initializer: initial values of the kernel, shape (features, units).
        recurrent_initializer: initial values of the recurrent kernel, shape (units, units).
        bias_initializer: initial values of the bias, shape (units,).
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        kernel_constraint: projection of the kernel after each update.
        recurrent_constraint: projection of the recurrent kernel after each update.
        bias_constraint: projection of the bias after each update.
        dropout: the part of the inputs to drop, the same at all time steps.
        recurrent_dropout: the part of the state to drop, the same at all time steps.
        seed: an int for the same masks in every process; default drawn from NumPy's global state.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> cell = SimpleRNNCell(1, activation=None, kernel_initializer="ones")
        >>> y, states = cell(np.ones((1, 2), "float32"), [np.zeros((1, 1), "float32")])
        >>> y.tolist(), len(states)
        ([[2.0]], 1)
    """

    def __init__(
        self,
        units: int,
        activation: Any = "tanh",
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
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            units, activation, use_bias, kernel_initializer, recurrent_initializer,
            bias_initializer, kernel_regularizer, recurrent_regularizer, bias_regularizer,
            kernel_constraint, recurrent_constraint, bias_constraint, dropout, recurrent_dropout,
            seed, **kwargs,
        )  # fmt: skip

    def step(self, x: Any, states: tuple[Any, ...], training: bool | None) -> Any:
        h = self.activation(x + self.recur(states[0], self.recurrent_kernel, training))
        return h, (h,)

"""SimpleRNN, GRU and LSTM: an RNN with a built-in cell, under one constructor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import regularizers
from kgraph.layers.base import Layer
from kgraph.layers.gated_cells import GRUCell, LSTMCell
from kgraph.layers.rnn import RNN
from kgraph.layers.simple_cell import SimpleRNNCell
from kgraph.layers.spec import InputSpec

# Arguments that an RNN takes; the others are the cell's.
_LOOP = (
    "return_sequences", "return_state", "go_backwards", "stateful", "unroll",
    "zero_output_for_mask", "activity_regularizer",
)  # fmt: skip


class OfCell:
    """An attribute of a layer that is its cell's."""

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        return self if layer is None else getattr(layer.cell, self.name)


class BuiltInRNN(RNN):
    """What the three layers share: the cell's attributes and a flat configuration."""

    sequence_spec = InputSpec(ndim=3)
    cell_class: Any = None
    without_effect: tuple[str, ...] = ("use_cudnn",)

    units, activation, use_bias = OfCell(), OfCell(), OfCell()
    kernel_initializer, recurrent_initializer, bias_initializer = OfCell(), OfCell(), OfCell()
    kernel_regularizer, recurrent_regularizer, bias_regularizer = OfCell(), OfCell(), OfCell()
    kernel_constraint, recurrent_constraint, bias_constraint = OfCell(), OfCell(), OfCell()
    dropout, recurrent_dropout, seed = OfCell(), OfCell(), OfCell()

    def _set_up(self, arguments: Mapping[str, Any], kwargs: Mapping[str, Any]) -> None:
        """Makes the cell of the constructor's arguments, and the loop around it."""
        ignored = ("self", "kwargs", *self.without_effect)
        given = {k: v for k, v in arguments.items() if k not in ignored}
        loop = {k: given.pop(k) for k in _LOOP}
        dtype = kwargs.get("dtype") or kwargs.get("input_dtype")
        cell = self.cell_class(**given, dtype=dtype)
        RNN.__init__(self, cell, **loop, **kwargs)

    def get_config(self) -> dict[str, Any]:
        common = Layer.get_config(self.cell)
        cell = {k: v for k, v in self.cell.get_config().items() if k not in common}
        penalty = regularizers.serialize(self.activity_regularizer)
        return {**self._own_config(), **cell, "activity_regularizer": penalty}


class SimpleRNN(BuiltInRNN):
    """A network whose output is fed back: `h = activation(x @ kernel + bias + h @ recurrent)`.

    Args:
        units: size of the state and of the output.
        activation: of the state; function of a tensor, or its name.
        use_bias: whether there is a bias.
        kernel_initializer: initial values of the kernel, shape (features, units).
        recurrent_initializer: initial values of the recurrent kernel, shape (units, units).
        bias_initializer: initial values of the bias, shape (units,).
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each update.
        recurrent_constraint: projection of the recurrent kernel after each update.
        bias_constraint: projection of the bias after each update.
        dropout: the part of the inputs to drop, the same at all time steps.
        recurrent_dropout: the part of the state to drop, the same at all time steps.
        return_sequences: whether to return the outputs of all time steps, or the last one.
        return_state: whether to return the states after the last step too.
        go_backwards: whether to go from the last time step to the first.
        stateful: whether each batch starts from the states in which the one before ended.
        unroll: whether to write the steps out instead of looping.
        seed: of the dropout masks; default drawn from NumPy's global state.
        zero_output_for_mask: whether masked steps put out zeros; only with `return_sequences`.
        implementation: accepted for Keras 1.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> layer = SimpleRNN(1, None, kernel_initializer="ones", recurrent_initializer="ones",
        ...                   return_sequences=True)
        >>> layer(np.array([[[1.0], [2.0], [3.0]]], "float32")).ravel().tolist()
        [1.0, 3.0, 6.0]
    """

    cell_class = SimpleRNNCell
    without_effect = ("implementation",)

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        zero_output_for_mask: bool = False,
        implementation: Any = 2,
        **kwargs: Any,
    ) -> None:
        self._set_up(locals(), kwargs)


class GRU(BuiltInRNN):
    """Gated recurrent unit; `GRUCell` has the equations.

    The default form is Keras 2's, `reset_after=False`.

    Args:
        units: size of the state and of the output.
        activation: of the candidate; function of a tensor, or its name.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: initial values of the kernel, shape (features, 3 * units).
        recurrent_initializer: initial values of the recurrent kernel, shape (units, 3 * units).
        bias_initializer: initial values of the bias, shape (3 * units,) or (2, 3 * units).
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each update.
        recurrent_constraint: projection of the recurrent kernel after each update.
        bias_constraint: projection of the bias after each update.
        dropout: the part of the inputs to drop, the same at all time steps.
        recurrent_dropout: the part of the state to drop, the same at all time steps.
        implementation: accepted for Keras 2.
        return_sequences: whether to return the outputs of all time steps, or the last one.
        return_state: whether to return the states after the last step too.
        go_backwards: whether to go from the last time step to the first.
        stateful: whether each batch starts from the states in which the one before ended.
        unroll: whether to write the steps out instead of looping.
        reset_after: whether the reset gate multiplies after the product with the recurrent
            kernel (Keras 3's default; the bias is then (2, 3 * units)) or before it (Keras 2's).
        seed: of the dropout masks; default drawn from NumPy's global state.
        use_cudnn: accepted for Keras 3.
        zero_output_for_mask: whether masked steps put out zeros; only with `return_sequences`.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> x = np.ones((2, 5, 3), "float32")
        >>> GRU(4)(x).shape, GRU(4, return_sequences=True)(x).shape
        ((2, 4), (2, 5, 4))
    """

    cell_class = GRUCell
    recurrent_activation, implementation, reset_after = OfCell(), OfCell(), OfCell()

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        implementation: Any = 2,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        reset_after: bool = False,
        seed: int | None = None,
        use_cudnn: Any = "auto",
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        self._set_up(locals(), kwargs)


class LSTM(BuiltInRNN):
    """Long short-term memory; `LSTMCell` has the equations.

    It has two states, the output h and the carry c.

    Args:
        units: size of the state and of the output.
        activation: of the new input and of the carry; function of a tensor, or its name.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: initial values of the kernel, shape (features, 4 * units).
        recurrent_initializer: initial values of the recurrent kernel, shape (units, 4 * units).
        bias_initializer: initial values of the bias, shape (4 * units,).
        unit_forget_bias: whether the bias of the forget gate starts from 1.
        kernel_regularizer: penalty on the kernel.
        recurrent_regularizer: penalty on the recurrent kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each update.
        recurrent_constraint: projection of the recurrent kernel after each update.
        bias_constraint: projection of the bias after each update.
        dropout: the part of the inputs to drop, the same at all time steps.
        recurrent_dropout: the part of the state to drop, the same at all time steps.
        implementation: accepted for Keras 2.
        return_sequences: whether to return the outputs of all time steps, or the last one.
        return_state: whether to return the states after the last step too.
        go_backwards: whether to go from the last time step to the first.
        stateful: whether each batch starts from the states in which the one before ended.
        unroll: whether to write the steps out instead of looping.
        seed: of the dropout masks; default drawn from NumPy's global state.
        use_cudnn: accepted for Keras 3.
        zero_output_for_mask: whether masked steps put out zeros; only with `return_sequences`.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> x = np.ones((2, 5, 3), "float32")
        >>> [y.shape for y in LSTM(4, return_state=True)(x)]
        [(2, 4), (2, 4), (2, 4)]
    """

    cell_class = LSTMCell
    recurrent_activation, implementation, unit_forget_bias = OfCell(), OfCell(), OfCell()

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
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        implementation: Any = 2,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        seed: int | None = None,
        use_cudnn: Any = "auto",
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        self._set_up(locals(), kwargs)

"""Recurrent layers of sequences of images: ConvLSTM1D, ConvLSTM2D, ConvLSTM3D."""

from __future__ import annotations

from typing import Any

from kgraph.errors import explain
from kgraph.layers.call_shapes import is_shape
from kgraph.layers.conv_cells import ConvLSTM1DCell, ConvLSTM2DCell, ConvLSTM3DCell
from kgraph.layers.recurrent_layers import BuiltInRNN, OfCell
from kgraph.layers.rnn import Shape
from kgraph.layers.spec import InputSpec

__all__ = [
    "ConvLSTM1D",
    "ConvLSTM1DCell",
    "ConvLSTM2D",
    "ConvLSTM2DCell",
    "ConvLSTM3D",
    "ConvLSTM3DCell",
]


class ConvLSTM(BuiltInRNN):
    """An LSTM whose states are images and whose products are convolutions.

    The inputs are sequences of images, with time after the batch. The inputs of all time steps go
    through one convolution; `ConvLSTMCell` has the rest.

    Args:
        filters: channels of each state and of the output.
        kernel_size: size of a window, an int or one for each spatial axis.
        strides: cells from one window of the inputs to the next.
        padding: of the inputs, "valid" or "same"; that of the state is always "same".
        data_format: "channels_last" or "channels_first"; default the global setting, and
            channels_last for one spatial axis.
        dilation_rate: cells from one cell of a window of the inputs to the next.
        activation: of the new input and of the carry; function of a tensor, or its name.
        recurrent_activation: of the gates.
        use_bias: whether there is a bias.
        kernel_initializer: initial values, shape (*kernel_size, channels, 4 * filters).
        recurrent_initializer: initial values, shape (*kernel_size, filters, 4 * filters).
        bias_initializer: initial values of the bias, shape (4 * filters,).
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
        seed: of the dropout masks; default drawn from NumPy's global state.
        return_sequences: whether to return the outputs of all time steps, or the last one.
        return_state: whether to return the states after the last step too.
        go_backwards: whether to go from the last time step to the first.
        stateful: whether each batch starts from the states in which the one before ended.
        unroll: whether to write the steps out instead of looping.
        zero_output_for_mask: whether masked steps put out zeros; only with `return_sequences`.
        **kwargs: what every layer takes.

    Raises:
        ValueError: arguments do not fit each other, or windows do not fit into the input.
    """

    filters, kernel_size, strides, padding = OfCell(), OfCell(), OfCell(), OfCell()
    data_format, dilation_rate = OfCell(), OfCell()
    recurrent_activation, unit_forget_bias = OfCell(), OfCell()

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
        dilation_rate: Any = 1,
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
        seed: int | None = None,
        return_sequences: bool = False,
        return_state: bool = False,
        go_backwards: bool = False,
        stateful: bool = False,
        unroll: bool = False,
        zero_output_for_mask: bool = False,
        **kwargs: Any,
    ) -> None:
        self._set_up(locals(), kwargs)

    def build(self, input_shape: Any) -> None:
        sequence = input_shape if is_shape(input_shape) else input_shape[0]
        if self.stateful and None in sequence[2:]:
            raise ValueError(
                explain(
                    "If a ConvLSTM is stateful, it needs to know the sizes of its images",
                    got=f"layer {self.name} on inputs of shape {tuple(sequence)}",
                    hint="give all sizes to Input, or to batch_input_shape",
                )
            )
        super().build(input_shape)

    def shapes_of_states(self, sequence: Shape) -> list[Shape]:
        return [self.shape_of_output(sequence)] * 2

    def shape_of_output(self, sequence: Shape) -> Shape:
        cell: Any = self.cell
        step = (sequence[0], *sequence[2:])
        if None in step[1:]:
            return cell.compute_output_shape(step)[1:]
        return cell.state_on(step)


class ConvLSTM1D(ConvLSTM):
    """ConvLSTM of inputs of shape (batch, time, size, channels); see `ConvLSTM`.

    Example:
        >>> import numpy as np
        >>> ConvLSTM1D(3, 2)(np.ones((2, 5, 6, 4), "float32")).shape
        (2, 5, 3)
    """

    sequence_spec = InputSpec(ndim=4)
    cell_class = ConvLSTM1DCell


class ConvLSTM2D(ConvLSTM):
    """ConvLSTM of inputs of shape (batch, time, rows, columns, channels); see `ConvLSTM`.

    Example:
        >>> import numpy as np
        >>> layer = ConvLSTM2D(3, 3, padding="same", return_sequences=True)
        >>> layer(np.ones((2, 5, 6, 7, 1), "float32")).shape
        (2, 5, 6, 7, 3)
    """

    sequence_spec = InputSpec(ndim=5)
    cell_class = ConvLSTM2DCell


class ConvLSTM3D(ConvLSTM):
    """ConvLSTM of inputs of shape (batch, time, depth, rows, columns, channels); see `ConvLSTM`.

    Example:
        >>> ConvLSTM3D(3, 2, strides=2).compute_output_shape((None, 5, 6, 5, 4, 1))
        (None, 3, 2, 2, 3)
    """

    sequence_spec = InputSpec(ndim=6)
    cell_class = ConvLSTM3DCell

"""The cells of ConvLSTM: an LSTM whose products are convolutions."""

from __future__ import annotations

from typing import Any, ClassVar

from kgraph import ops
from kgraph.ir.dim import product
from kgraph.layers.conv_base import WindowLayer
from kgraph.layers.gated_cells import LSTMCell
from kgraph.layers.recurrent_cells import Shape


class ConvLSTMCell(LSTMCell, WindowLayer):
    """One step of a ConvLSTM; ConvLSTM1DCell, 2D and 3D say for how many spatial axes.

    The states h and c are images. What the gates take from the inputs is a convolution, what they
    take from h another one, which moves by one cell and pads so that h keeps its size (Shi et al.
    2015, arXiv:1506.04214, without peepholes).

    Args:
        filters: channels of each state and of the output.
        kernel_size: size of a window, an int or one for each spatial axis.
        strides: cells from one window of the inputs to the next.
        padding: of the inputs, "valid" or "same".
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
        kernel_constraint: projection of the kernel after each update.
        recurrent_constraint: projection of the recurrent kernel after each update.
        bias_constraint: projection of the bias after each update.
        dropout: the part of the inputs to drop; each gate has masks of its own.
        recurrent_dropout: the part of h to drop; each gate has masks of its own.
        seed: an int for the same masks in every process; default drawn from NumPy's global state.
        **kwargs: what every layer takes.

    Raises:
        ValueError: arguments do not fit each other, or windows do not fit into the input.
    """

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
        kernel_constraint: Any = None,
        recurrent_constraint: Any = None,
        bias_constraint: Any = None,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            filters, activation, recurrent_activation, use_bias, kernel_initializer,
            recurrent_initializer, bias_initializer, unit_forget_bias, kernel_regularizer,
            recurrent_regularizer, bias_regularizer, kernel_constraint, recurrent_constraint,
            bias_constraint, dropout, recurrent_dropout, seed=seed, **kwargs,
        )  # fmt: skip
        self.set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self.filters = self.units
        self.input_spec = None  # inputs and states have one
        self._state_shape: Shape = (None,) * (self.rank + 1)

    def build(self, input_shape: Shape) -> None:
        channels = self.input_channels(input_shape)
        self._state_shape = self.compute_output_shape(input_shape)[1:]
        self.make_weights((*self.kernel_size, channels), (*self.kernel_size, self.filters))

    def _tiled(self, initializer: Any) -> Any:
        return initializer

    @property
    def state_size(self) -> Any:
        """The shapes of the states, with None where the inputs decide."""
        return [self._state_shape] * 2

    @property
    def output_size(self) -> Any:
        """The shape of the output, with None where the inputs decide."""
        return self._state_shape

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.shape_with(input_shape, self.filters)

    def state_on(self, input_shape: Any) -> tuple[Any, ...]:
        """The shape of a state without the batch, for inputs of one step; sizes may be symbols."""
        sizes = self.output_sizes(self.spatial(input_shape))
        first = self.data_format == "channels_first"
        return (self.filters, *sizes) if first else (*sizes, self.filters)

    # -- meaning -------------------------------------------------------------------------------
    def project(self, inputs: Any, training: bool | None = None) -> Any:
        """The convolution of the inputs of one step, or of all of them at once.

        Args:
            inputs: the shape of a batch of images, perhaps with an axis of time before.
            training: whether dropout is on.

        Returns:
            Shape (..., batch, *sizes, 4 * filters), the gates in the order of `arranged`.
        """
        x, groups = self.channels_last(inputs), 1
        if training and 0 < self.dropout < 1:
            x, groups = self._dropped(x, self.dropout), self.count
        lead, image = x.shape[: -self.rank - 1], x.shape[-self.rank - 1 :]
        y = ops.convolve(
            ops.reshape(x, (product(lead), *image)), self.arranged(self.kernel), self.input_bias(),
            strides=self.strides, padding=self.padding, dilation=self.dilation_rate, groups=groups,
        )  # fmt: skip
        return ops.reshape(y, (*lead, *y.shape[1:]))

    def recur(self, state: Any, kernel: Any, training: bool | None) -> Any:
        """The convolution of a state, which keeps its size."""
        h, groups = self.channels_last(state), 1
        if training and 0 < self.recurrent_dropout < 1:
            h, groups = self._dropped(h, self.recurrent_dropout), self.count
        return ops.convolve(h, kernel, padding="same", groups=groups)

    def _dropped(self, x: Any, rate: float) -> Any:
        """A copy for each gate side by side, each with a mask of its own for all time steps.

        In a convolution with a group for each gate, a gate's columns see its copy alone.
        """
        copies = ops.concatenate([x] * self.count, axis=-1)
        kept = self._kept(copies.shape[-self.rank - 2 :], rate)
        return ops.masked_scale(copies, kept, 1 / (1 - rate))

    def by_gate(self, z: Any) -> Any:
        gates = super().by_gate(z)
        return ops.moveaxis(gates, -1, 2) if self.data_format == "channels_first" else gates

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for name in ("units", "implementation"):
            del config[name]
        return {**config, "filters": self.filters, **self.window_config()}


class ConvLSTM1DCell(ConvLSTMCell):
    """One step of ConvLSTM1D; see `ConvLSTMCell` for the arguments.

    Example:
        >>> import numpy as np
        >>> h = np.zeros((2, 5, 3), "float32")
        >>> y, states = ConvLSTM1DCell(3, 2)(np.ones((2, 6, 4), "float32"), [h, h])
        >>> y.shape, len(states)
        ((2, 5, 3), 2)
    """

    rank: ClassVar[int] = 1


class ConvLSTM2DCell(ConvLSTMCell):
    """One step of ConvLSTM2D; see `ConvLSTMCell` for the arguments.

    Example:
        >>> cell = ConvLSTM2DCell(3, 2, padding="same")
        >>> cell.compute_output_shape((None, 6, 5, 4))
        (None, 6, 5, 3)
    """

    rank: ClassVar[int] = 2


class ConvLSTM3DCell(ConvLSTMCell):
    """One step of ConvLSTM3D; see `ConvLSTMCell` for the arguments.

    Example:
        >>> cell = ConvLSTM3DCell(3, 2, strides=2)
        >>> cell.compute_output_shape((None, 6, 5, 4, 1))
        (None, 3, 2, 2, 3)
    """

    rank: ClassVar[int] = 3

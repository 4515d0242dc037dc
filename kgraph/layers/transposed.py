"""Transposed convolutions: the gradient of a convolution by its input, as a layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from kgraph import ops
from kgraph.layers.conv_base import Shape, WindowLayer
from kgraph.ops.composite.convolving import Size, transposed_size
from kgraph.ops.windows import normalize_tuple


class ConvTranspose(WindowLayer):
    """Spreads each input cell over a window of the output; the subclasses say for how many axes.

    Args:
        filters: channels of the output.
        kernel_size: size of a window, an int or one for each spatial axis.
        strides: cells of the output from one window to the next.
        padding: "valid" or "same".
        output_padding: cells that are added at the end of each axis, fewer than its stride;
            default what makes outputs `strides` times as large with "same" padding.
        data_format: "channels_last" or "channels_first"; default the global setting, and
            channels_last for one spatial axis.
        dilation_rate: cells from one cell of a window to the next.
        activation: function of a tensor, or its name.
        use_bias: whether there is a bias, one number a filter.
        kernel_initializer: initial values, shape (*kernel_size, filters, channels).
        bias_initializer: initial values of the bias.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each update.
        bias_constraint: projection of the bias after each update.
        **kwargs: what every layer takes.

    Raises:
        ValueError: arguments do not fit each other.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        output_padding: Any = None,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self.set_outputs(filters, activation, use_bias)
        self.set_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.set_weight("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.output_padding = self._checked(output_padding)

    def _checked(self, output_padding: Any) -> tuple[int, ...] | None:
        if output_padding is None:
            return None
        found = normalize_tuple(output_padding, self.rank, "output_padding", allow_zero=True)
        for i, (more, stride) in enumerate(zip(found, self.strides)):
            if more >= stride:
                raise ValueError(
                    "`output_padding` must be strictly less than `strides` for all dimensions. "
                    f"At dimension {i}, `output_padding` is {more} but `strides` is {stride}. "
                    f"Received: output_padding={found}, strides={self.strides}"
                )
        return found

    def build(self, input_shape: Shape) -> None:
        channels = self.require_channels(input_shape)
        shape = (*self.kernel_size, self.filters, channels)
        self.kernel = self.make_weight("kernel", shape)
        self.make_bias((self.filters,))
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = self.channels_last(inputs)
        found = self._geometry(x.shape[1:-1])
        sums = ops.conv_input_grad(
            x,
            self.kernel,
            sizes=tuple(size for size, _ in found),
            strides=self.strides,
            padding=tuple(pair for _, pair in found),
            dilation=self.dilation_rate,
        )
        return self.finish(self.biased(sums))

    def _geometry(self, sizes: Sequence[Any]) -> list[tuple[Size, tuple[int, int]]]:
        extents = self.windows().extents
        more = self.output_padding or (None,) * self.rank
        axes = zip(sizes, extents, self.strides, more)
        return [transposed_size(n, e, s, self.padding, p) for n, e, s, p in axes]

    def output_sizes(self, sizes: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(size for size, _ in self._geometry(sizes))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.shape_with(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            **self.window_config(),
            "output_padding": self.output_padding,
            **self.output_config("kernel", "bias"),
        }


class Conv1DTranspose(ConvTranspose):
    """Transposed convolution over one spatial axis; see `ConvTranspose` for the arguments.

    Example:
        >>> import numpy as np
        >>> layer = Conv1DTranspose(1, 3, strides=2, padding="same", kernel_initializer="ones")
        >>> layer(np.array([[[1.0], [2.0]]], "float32")).ravel().tolist()
        [1.0, 1.0, 3.0, 2.0]
    """

    rank: ClassVar[int] = 1


class Conv2DTranspose(ConvTranspose):
    """Transposed convolution over two spatial axes; see `ConvTranspose` for the arguments.

    Example:
        >>> layer = Conv2DTranspose(8, 3, strides=2, padding="same")
        >>> layer.compute_output_shape((None, 14, 14, 4))
        (None, 28, 28, 8)
    """

    rank: ClassVar[int] = 2


class Conv3DTranspose(ConvTranspose):
    """Transposed convolution over three spatial axes; see `ConvTranspose` for the arguments.

    Example:
        >>> Conv3DTranspose(8, 3, strides=2).compute_output_shape((None, 4, 4, 4, 2))
        (None, 9, 9, 9, 8)
    """

    rank: ClassVar[int] = 3

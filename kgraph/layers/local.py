"""Locally connected layers: convolutions that have weights of their own at each place."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, ClassVar

from kgraph import ops
from kgraph.layers.conv_base import Shape, WindowLayer


def convolve_locally(
    x: Any,
    kernel: Any,
    size: Sequence[int],
    strides: Sequence[int],
    counts: Sequence[int],
    channels_last: bool,
) -> Any:
    """The convolution with a kernel for each place.

    Args:
        x: (batch, *spatial sizes, channels).
        kernel: (places, cells of a window * channels, filters).
        size: of a window.
        strides: cells from one window to the next.
        counts: places along each axis.
        channels_last: whether a row of the kernel is (cell, channel); else (channel, cell), as
            Keras has it with channels first.

    Returns:
        (batch, *counts, filters).

    Example:
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 3, 2)), np.ones((2, 4, 5))
        >>> convolve_locally(x, kernel, (2,), (1,), (2,), True).shape
        (1, 2, 5)
    """
    batch, *_, channels = x.shape
    seen = []
    for tap in itertools.product(*map(range, size)):
        cuts = [slice(t, t + (n - 1) * s + 1, s) for t, n, s in zip(tap, counts, strides)]
        seen.append(x[(slice(None), *cuts)])
    rows = ops.stack(seen, -2 if channels_last else -1)
    rows = ops.reshape(rows, (batch, math.prod(counts), len(seen) * channels))
    sums = ops.matmul(ops.swapaxes(rows, 0, 1), kernel)
    return ops.reshape(ops.swapaxes(sums, 0, 1), (batch, *counts, kernel.shape[-1]))


class LocallyConnected(WindowLayer):
    """A convolution whose kernel differs from place to place; see the subclasses.

    Args:
        filters: channels of the output.
        kernel_size: size of a window, an int or one for each spatial axis.
        strides: cells from one window to the next.
        padding: "valid".
        data_format: "channels_last" or "channels_first"; default the global setting, and
            channels_last for one spatial axis.
        activation: function of a tensor, or its name.
        use_bias: whether there is a bias, one number a place and filter.
        kernel_initializer: initial values, shape (places, cells of a window, filters).
        bias_initializer: initial values of the bias, shape (*places, filters).
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each update.
        bias_constraint: projection of the bias after each update.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the padding is not "valid", or a spatial size of the input is not known.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        data_format: str | None = None,
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
        if str(padding).lower() != "valid":
            raise ValueError(
                f"Invalid border mode for {type(self).__name__} "
                f'(only "valid" is supported): {padding}'
            )
        self.set_windows(kernel_size, strides, padding, data_format, 1)
        self.set_outputs(filters, activation, use_bias)
        self.set_weight("kernel", kernel_initializer, kernel_regularizer, kernel_constraint)
        self.set_weight("bias", bias_initializer, bias_regularizer, bias_constraint)

    def build(self, input_shape: Shape) -> None:
        channels = self.require_channels(input_shape)
        if None in self.spatial(input_shape):
            raise ValueError(
                f"The spatial dimensions of the inputs to a {type(self).__name__} layer should be "
                f"fully-defined, but layer received the inputs shape {input_shape}"
            )
        places = self.spatial(self.compute_output_shape(input_shape))
        known = tuple(n for n in places if n is not None)
        cells = math.prod(self.kernel_size) * channels
        self.kernel = self.make_weight("kernel", (math.prod(known), cells, self.filters))
        self.make_bias((*known, self.filters))
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = self.channels_last(inputs)
        counts = self.output_sizes(x.shape[1:-1])
        last = self.data_format == "channels_last"
        sums = convolve_locally(x, self.kernel, self.kernel_size, self.strides, counts, last)
        return self.finish(self.biased(sums))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.shape_with(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        windows = self.window_config()
        del windows["dilation_rate"]
        return {
            **super().get_config(),
            "filters": self.filters,
            **windows,
            **self.output_config("kernel", "bias"),
        }


class LocallyConnected1D(LocallyConnected):
    """A kernel for each place of one spatial axis; see `LocallyConnected` for the arguments.

    Example:
        >>> LocallyConnected1D(4, 3).compute_output_shape((None, 10, 2))
        (None, 8, 4)
    """

    rank: ClassVar[int] = 1


class LocallyConnected2D(LocallyConnected):
    """A kernel for each place of two spatial axes; see `LocallyConnected` for the arguments.

    Example:
        >>> LocallyConnected2D(4, 3, strides=2).compute_output_shape((None, 9, 9, 2))
        (None, 4, 4, 4)
    """

    rank: ClassVar[int] = 2

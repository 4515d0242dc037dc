"""Depthwise convolutions, which keep channels apart; separable ones, which mix them afterwards."""

from __future__ import annotations

from typing import Any, ClassVar

from kgraph import ops
from kgraph.layers.arguments import positive_int
from kgraph.layers.conv_base import Shape, WindowLayer


class ByChannel(WindowLayer):
    """What depthwise and separable layers share: a kernel (*window, channels, multiplier)."""

    def by_channel(self, inputs: Any, kernel: Any) -> Any:
        """Each channel convolved with filters of its own; output channels c * multiplier + m."""
        *size, channels, multiplier = kernel.shape
        return ops.conv(
            inputs,
            ops.reshape(kernel, (*size, 1, channels * multiplier)),
            self.strides,
            self.padding,
            dilation_rate=self.dilation_rate,
            groups=channels,
        )


class DepthwiseConv(ByChannel):
    """Convolves each channel by itself; the subclasses say over how many axes.

    Args:
        kernel_size: size of a window, an int or one for each spatial axis.
        strides: cells from one window to the next.
        padding: "valid" or "same".
        depth_multiplier: outputs of each channel; those of channel c are c * multiplier + m.
        data_format: "channels_last" or "channels_first"; default the global setting, and
            channels_last for one spatial axis.
        dilation_rate: cells from one cell of a window to the next.
        activation: function of a tensor, or its name.
        use_bias: whether there is a bias, one number an output channel.
        depthwise_initializer: initial values, shape (*kernel_size, channels, depth_multiplier).
        bias_initializer: initial values of the bias.
        depthwise_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        depthwise_constraint: projection of the kernel after each update.
        bias_constraint: projection of the bias after each update.
        **kwargs: what every layer takes.

    Raises:
        ValueError: arguments do not fit each other, or windows do not fit into the input.
    """

    def __init__(
        self,
        kernel_size: Any,
        strides: Any = 1,
        padding: str = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Any = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self.set_outputs(None, activation, use_bias)
        self.set_weight(
            "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )
        self.set_weight("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.depth_multiplier = positive_int("depth_multiplier", depth_multiplier)

    def build(self, input_shape: Shape) -> None:
        channels = self.require_channels(input_shape)
        self.compute_output_shape(input_shape)  # refuses windows that do not fit
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.make_weight("depthwise", shape, "depthwise_kernel")
        self.make_bias((channels * self.depth_multiplier,))
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = self.channels_last(inputs)
        return self.finish(self.biased(self.by_channel(x, self.depthwise_kernel)))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        channels = self.input_channels(input_shape)
        return self.shape_with(input_shape, channels * self.depth_multiplier)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            **self.window_config(),
            "depth_multiplier": self.depth_multiplier,
            **self.output_config("depthwise", "bias"),
        }


class DepthwiseConv1D(DepthwiseConv):
    """Depthwise convolution over one spatial axis; see `DepthwiseConv` for the arguments.

    Example:
        >>> import numpy as np
        >>> layer = DepthwiseConv1D(2, depthwise_initializer="ones")
        >>> layer(np.array([[[1, 10], [2, 20], [3, 30]]], "float32")).tolist()
        [[[3.0, 30.0], [5.0, 50.0]]]
    """

    rank: ClassVar[int] = 1


class DepthwiseConv2D(DepthwiseConv):
    """Depthwise convolution over two spatial axes; see `DepthwiseConv` for the arguments.

    Example:
        >>> DepthwiseConv2D(3, depth_multiplier=2).compute_output_shape((None, 8, 8, 5))
        (None, 6, 6, 10)
    """

    rank: ClassVar[int] = 2


class SeparableConv(ByChannel):
    """A depthwise convolution, then a matrix product over the channels of each cell.

    Args:
        filters: channels of the output.
        kernel_size: size of a window, an int or one for each spatial axis.
        strides: cells from one window to the next.
        padding: "valid", "same", and for one axis "causal".
        data_format: "channels_last" or "channels_first"; default the global setting, and
            channels_last for one spatial axis.
        dilation_rate: cells from one cell of a window to the next.
        depth_multiplier: outputs of each channel before channels are mixed.
        activation: function of a tensor, or its name.
        use_bias: whether there is a bias, one number a filter.
        depthwise_initializer: initial values, shape (*kernel_size, channels, depth_multiplier).
        pointwise_initializer: initial values, shape (1, ..., channels * depth_multiplier, filters).
        bias_initializer: initial values of the bias.
        depthwise_regularizer: penalty on the depthwise kernel.
        pointwise_regularizer: penalty on the pointwise kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        depthwise_constraint: projection of the depthwise kernel after each update.
        pointwise_constraint: projection of the pointwise kernel after each update.
        bias_constraint: projection of the bias after each update.
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
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        depthwise_initializer: Any = "glorot_uniform",
        pointwise_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        depthwise_regularizer: Any = None,
        pointwise_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        depthwise_constraint: Any = None,
        pointwise_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(activity_regularizer=activity_regularizer, **kwargs)
        self.set_windows(kernel_size, strides, padding, data_format, dilation_rate)
        self.set_outputs(filters, activation, use_bias)
        self.set_weight(
            "depthwise", depthwise_initializer, depthwise_regularizer, depthwise_constraint
        )
        self.set_weight(
            "pointwise", pointwise_initializer, pointwise_regularizer, pointwise_constraint
        )
        self.set_weight("bias", bias_initializer, bias_regularizer, bias_constraint)
        self.depth_multiplier = positive_int("depth_multiplier", depth_multiplier)

    def build(self, input_shape: Shape) -> None:
        channels = self.require_channels(input_shape)
        self.compute_output_shape(input_shape)  # refuses windows that do not fit
        shape = (*self.kernel_size, channels, self.depth_multiplier)
        self.depthwise_kernel = self.make_weight("depthwise", shape, "depthwise_kernel")
        shape = (*(1,) * self.rank, channels * self.depth_multiplier, self.filters)
        self.pointwise_kernel = self.make_weight("pointwise", shape, "pointwise_kernel")
        self.make_bias((self.filters,))
        self.built = True

    def call(self, inputs: Any) -> Any:
        apart = self.by_channel(self.channels_last(inputs), self.depthwise_kernel)
        return self.finish(ops.convolve(apart, self.pointwise_kernel, self.bias))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.shape_with(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            **self.window_config(),
            "depth_multiplier": self.depth_multiplier,
            **self.output_config("depthwise", "pointwise", "bias"),
        }


class SeparableConv1D(SeparableConv):
    """Separable convolution over one spatial axis; see `SeparableConv` for the arguments.

    Example:
        >>> SeparableConv1D(4, 3, padding="causal").compute_output_shape((None, 8, 5))
        (None, 8, 4)
    """

    rank: ClassVar[int] = 1
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same", "causal")


class SeparableConv2D(SeparableConv):
    """Separable convolution over two spatial axes; see `SeparableConv` for the arguments.

    Example:
        >>> SeparableConv2D(4, 3, strides=2).compute_output_shape((None, 9, 9, 5))
        (None, 4, 4, 4)
    """

    rank: ClassVar[int] = 2

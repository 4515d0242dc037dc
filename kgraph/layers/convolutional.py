"""Convolutional layers: Conv1D, Conv2D, Conv3D, and under Keras's path all others of their kind."""

from __future__ import annotations

from typing import Any, ClassVar

from kgraph import ops
from kgraph.layers.arguments import positive_int
from kgraph.layers.conv_base import Shape, WindowLayer
from kgraph.layers.depthwise import (
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from kgraph.layers.resizing import (
    Cropping1D,
    Cropping2D,
    Cropping3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from kgraph.layers.transposed import Conv1DTranspose, Conv2DTranspose, Conv3DTranspose

__all__ = [
    "Conv1D",
    "Conv1DTranspose",
    "Conv2D",
    "Conv2DTranspose",
    "Conv3D",
    "Conv3DTranspose",
    "Convolution1D",
    "Convolution1DTranspose",
    "Convolution2D",
    "Convolution2DTranspose",
    "Convolution3D",
    "Convolution3DTranspose",
    "Cropping1D",
    "Cropping2D",
    "Cropping3D",
    "Deconvolution2D",
    "Deconvolution3D",
    "DepthwiseConv1D",
    "DepthwiseConv2D",
    "DepthwiseConvolution1D",
    "DepthwiseConvolution2D",
    "SeparableConv1D",
    "SeparableConv2D",
    "SeparableConvolution1D",
    "SeparableConvolution2D",
    "UpSampling1D",
    "UpSampling2D",
    "UpSampling3D",
    "ZeroPadding1D",
    "ZeroPadding2D",
    "ZeroPadding3D",
]


class Conv(WindowLayer):
    """`activation(conv(x, kernel) + bias)`; Conv1D, Conv2D and Conv3D say for how many axes.

    Args:
        filters: channels of the output.
        kernel_size: size of a window, an int or one for each spatial axis.
        strides: cells from one window to the next.
        padding: "valid", "same" (TensorFlow's), and for Conv1D "causal".
        data_format: "channels_last" or "channels_first"; default the global setting, and
            channels_last for one spatial axis.
        dilation_rate: cells from one cell of a window to the next.
        groups: into how many parts channels and filters are cut that do not see each other.
        activation: function of a tensor, or its name.
        use_bias: whether there is a bias, one number a filter.
        kernel_initializer: initial values, shape (*kernel_size, channels / groups, filters).
        bias_initializer: initial values of the bias.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each update.
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
        groups: int = 1,
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
        self.groups = positive_int("groups", groups)
        if self.filters % self.groups:
            raise ValueError(
                "The number of filters must be evenly divisible by the number of groups. "
                f"Received: groups={self.groups}, filters={self.filters}."
            )

    def build(self, input_shape: Shape) -> None:
        channels = self.require_channels(input_shape)
        if channels % self.groups:
            raise ValueError(
                "The number of input channels must be evenly divisible by the number of groups. "
                f"Received groups={self.groups}, but the input has {channels} channels "
                f"(full input shape is {input_shape})."
            )
        self.compute_output_shape(input_shape)  # refuses windows that do not fit
        shape = (*self.kernel_size, channels // self.groups, self.filters)
        self.kernel = self.make_weight("kernel", shape)
        self.make_bias((self.filters,))
        self.built = True

    def call(self, inputs: Any) -> Any:
        return self.finish(
            ops.convolve(
                self.channels_last(inputs),
                self.kernel,
                self.bias,
                strides=self.strides,
                padding=self.padding,
                dilation=self.dilation_rate,
                groups=self.groups,
            )
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return self.shape_with(input_shape, self.filters)

    def get_config(self) -> dict[str, Any]:
        config = {
            **super().get_config(),
            "filters": self.filters,
            **self.window_config(),
            **self.output_config("kernel", "bias"),
        }
        # Keras 2.3 has no groups and refuses the word.
        return config if self.groups == 1 else {**config, "groups": self.groups}


class Conv1D(Conv):
    """Convolution over one spatial axis; see `Conv` for the arguments.

    Example:
        >>> import numpy as np
        >>> layer = Conv1D(1, 2, padding="causal", kernel_initializer="ones")
        >>> layer(np.ones((1, 3, 1), "float32")).ravel().tolist()
        [1.0, 2.0, 2.0]
    """

    rank: ClassVar[int] = 1
    paddings: ClassVar[tuple[str, ...]] = ("valid", "same", "causal")


class Conv2D(Conv):
    """Convolution over two spatial axes; see `Conv` for the arguments.

    Example:
        >>> Conv2D(32, (3, 3), activation="relu").compute_output_shape((None, 28, 28, 1))
        (None, 26, 26, 32)
    """

    rank: ClassVar[int] = 2


class Conv3D(Conv):
    """Convolution over three spatial axes; see `Conv` for the arguments.

    Example:
        >>> Conv3D(2, 3, strides=2, padding="same").compute_output_shape((None, 8, 8, 7, 1))
        (None, 4, 4, 4, 2)
    """

    rank: ClassVar[int] = 3


Convolution1D, Convolution2D, Convolution3D = Conv1D, Conv2D, Conv3D
Convolution1DTranspose = Conv1DTranspose
Convolution2DTranspose = Deconvolution2D = Conv2DTranspose
Convolution3DTranspose = Deconvolution3D = Conv3DTranspose
SeparableConvolution1D, SeparableConvolution2D = SeparableConv1D, SeparableConv2D
DepthwiseConvolution1D, DepthwiseConvolution2D = DepthwiseConv1D, DepthwiseConv2D

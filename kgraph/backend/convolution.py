"""Convolutions over images and sequences; kernels have Keras's shapes (*window, in, out)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kgraph import ops
from kgraph.backend.operands import as_size, tensor
from kgraph.errors import explain
from kgraph.layers.arguments import normalize_data_format
from kgraph.ops.windows import normalize_tuple


def with_channels_last(function: Callable[[Any], Any], x: Any, data_format: str | None) -> Any:
    """Applies a function of channels-last tensors to a tensor of any format."""
    x = tensor(x)
    if normalize_data_format(data_format) == "channels_last":
        return function(x)
    return ops.moveaxis(function(ops.moveaxis(x, 1, -1)), -1, 1)


def check_padding(name: str, padding: str, allowed: Sequence[str] = ("valid", "same")) -> None:
    """Refuses words that say nothing about padding."""
    if padding not in allowed:
        raise ValueError(
            explain(f"K.{name}: invalid padding", expected=", ".join(allowed), got=repr(padding))
        )


def _conv(
    name: str,
    x: Any,
    kernel: Any,
    strides: Any,
    padding: str,
    data_format: str | None,
    dilation_rate: Any,
    groups: int = 1,
) -> Any:
    kernel = tensor(kernel)
    n = kernel.ndim - 2
    check_padding(name, padding, ("valid", "same", "causal") if n == 1 else ("valid", "same"))
    steps = normalize_tuple(strides, n, "strides")
    dilation = normalize_tuple(dilation_rate, n, "dilation_rate")

    def convolved(images: Any) -> Any:
        return ops.conv(images, kernel, steps, padding, dilation_rate=dilation, groups=groups)

    return with_channels_last(convolved, x, data_format)


def conv1d(
    x: Any,
    kernel: Any,
    strides: int = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: int = 1,
) -> Any:
    """Convolution over one axis, without flipping the kernel.

    Args:
        x: (batch, steps, channels).
        kernel: (window, channels, filters).
        strides: steps from one window to the next.
        padding: "valid", "same" or "causal".
        data_format: "channels_last" or "channels_first"; default the global setting.
        dilation_rate: steps from one cell of a window to the next.

    Returns:
        (batch, new steps, filters).

    Example:
        >>> import numpy as np
        >>> conv1d(np.ones((1, 4, 2)), np.ones((3, 2, 5))).shape
        (1, 2, 5)
    """
    return _conv("conv1d", x, kernel, strides, padding, data_format, dilation_rate)


def conv2d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution over images, without flipping the kernel.

    Args:
        x: images.
        kernel: (rows, columns, channels, filters).
        strides: cells from one window to the next.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default the global setting.
        dilation_rate: cells from one cell of a window to the next.

    Returns:
        Images of as many channels as there are filters.

    Example:
        >>> import numpy as np
        >>> conv2d(np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 5))).shape
        (1, 2, 2, 5)
    """
    return _conv("conv2d", x, kernel, strides, padding, data_format, dilation_rate)


def conv3d(
    x: Any,
    kernel: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1, 1),
) -> Any:
    """Convolution over volumes, without flipping the kernel.

    Args:
        x: volumes.
        kernel: (three sizes of the window, channels, filters).
        strides: cells from one window to the next.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default the global setting.
        dilation_rate: cells from one cell of a window to the next.

    Returns:
        Volumes of as many channels as there are filters.

    Example:
        >>> import numpy as np
        >>> conv3d(np.ones((1, 4, 4, 4, 2)), np.ones((3, 3, 3, 2, 5))).shape
        (1, 2, 2, 2, 5)
    """
    return _conv("conv3d", x, kernel, strides, padding, data_format, dilation_rate)


def _transposed(
    name: str,
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any,
    padding: str,
    data_format: str | None,
    dilation_rate: Any = 1,
) -> Any:
    check_padding(name, padding)
    kernel = tensor(kernel)
    n = kernel.ndim - 2
    steps = normalize_tuple(strides, n, "strides")
    dilation = normalize_tuple(dilation_rate, n, "dilation_rate")
    first = normalize_data_format(data_format) == "channels_first"
    wanted = tuple(output_shape)[2:] if first else tuple(output_shape)[1:-1]
    sizes = tuple(as_size(d) for d in wanted)

    def spread(images: Any) -> Any:
        return ops.conv_input_grad(images, kernel, sizes, steps, padding, dilation)

    return with_channels_last(spread, x, data_format)


def conv2d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """The gradient of `conv2d` by its input: images grow.

    Args:
        x: images.
        kernel: (rows, columns, filters of the result, channels of x).
        output_shape: shape of the result, ints or symbolic; only its spatial sizes count.
        strides: cells of the result from one window to the next.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default the global setting.
        dilation_rate: cells from one cell of a window to the next.

    Returns:
        Images of the sizes of `output_shape`.

    Raises:
        InferenceError: a convolution of such images would not give images of the sizes of x.

    Example:
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 4, 4, 2)), np.ones((3, 3, 5, 2))
        >>> conv2d_transpose(x, kernel, (1, 8, 8, 5), (2, 2), "same").shape
        (1, 8, 8, 5)
    """
    return _transposed(
        "conv2d_transpose", x, kernel, output_shape, strides, padding, data_format, dilation_rate
    )


def conv3d_transpose(
    x: Any,
    kernel: Any,
    output_shape: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """The gradient of `conv3d` by its input: volumes grow.

    Args:
        x: volumes.
        kernel: (three sizes of the window, filters of the result, channels of x).
        output_shape: shape of the result, ints or symbolic; only its spatial sizes count.
        strides: cells of the result from one window to the next.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default the global setting.

    Returns:
        Volumes of the sizes of `output_shape`.

    Raises:
        InferenceError: a convolution of such volumes would not give volumes of the sizes of x.

    Example:
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 2, 2, 2, 2)), np.ones((3, 3, 3, 5, 2))
        >>> conv3d_transpose(x, kernel, (1, 4, 4, 4, 5), (2, 2, 2), "same").shape
        (1, 4, 4, 4, 5)
    """
    return _transposed("conv3d_transpose", x, kernel, output_shape, strides, padding, data_format)


def depthwise_conv2d(
    x: Any,
    depthwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """Convolution of each channel by itself.

    Args:
        x: images.
        depthwise_kernel: (rows, columns, channels, outputs of each channel).
        strides: cells from one window to the next.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default the global setting.
        dilation_rate: cells from one cell of a window to the next.

    Returns:
        Images; output m of channel c is channel c * multiplier + m.

    Example:
        >>> import numpy as np
        >>> depthwise_conv2d(np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 5))).shape
        (1, 2, 2, 10)
    """
    return _depthwise(
        "depthwise_conv2d", x, depthwise_kernel, strides, padding, data_format, dilation_rate
    )


def _depthwise(
    name: str, x: Any, kernel: Any, strides: Any, padding: str, data_format: Any, dilation: Any
) -> Any:
    kernel = tensor(kernel)
    *size, channels, multiplier = kernel.shape
    flat = ops.reshape(kernel, (*size, 1, channels * multiplier))
    return _conv(name, x, flat, strides, padding, data_format, dilation, channels)


def separable_conv1d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A convolution of each channel by itself, then one that mixes the channels of each step.

    Args:
        x: sequences.
        depthwise_kernel: (window, channels, outputs of each channel).
        pointwise_kernel: (1, channels * outputs, filters).
        strides: steps from one window to the next.
        padding: "valid", "same" or "causal".
        data_format: "channels_last" or "channels_first"; default the global setting.
        dilation_rate: steps from one cell of a window to the next.

    Returns:
        Sequences of as many channels as there are filters.

    Example:
        >>> import numpy as np
        >>> x, by_channel, mix = np.ones((1, 4, 2)), np.ones((3, 2, 2)), np.ones((1, 4, 5))
        >>> separable_conv1d(x, by_channel, mix).shape
        (1, 2, 5)
    """
    found = _depthwise(
        "separable_conv1d", x, depthwise_kernel, strides, padding, data_format, dilation_rate
    )
    return _conv("separable_conv1d", found, pointwise_kernel, 1, "valid", data_format, 1)


def separable_conv2d(
    x: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:
    """A convolution of each channel by itself, then one that mixes the channels of each cell.

    Args:
        x: images.
        depthwise_kernel: (rows, columns, channels, outputs of each channel).
        pointwise_kernel: (1, 1, channels * outputs, filters).
        strides: cells from one window to the next.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default the global setting.
        dilation_rate: cells from one cell of a window to the next.

    Returns:
        Images of as many channels as there are filters.

    Example:
        >>> import numpy as np
        >>> x, by_channel = np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 2))
        >>> separable_conv2d(x, by_channel, np.ones((1, 1, 4, 5))).shape
        (1, 2, 2, 5)
    """
    found = _depthwise(
        "separable_conv2d", x, depthwise_kernel, strides, padding, data_format, dilation_rate
    )
    return _conv("separable_conv2d", found, pointwise_kernel, 1, "valid", data_format, 1)

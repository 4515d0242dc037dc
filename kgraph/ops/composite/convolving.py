"""Convolutions by channel, transposed ones, and pooling to a given size."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import Dim
from kgraph.ops.average_pool import average_pool
from kgraph.ops.composite.operands import floats, known_shape, tensor
from kgraph.ops.convolution import conv, conv_input_grad, convolve
from kgraph.ops.indexing import take
from kgraph.ops.max_pool import max_pool
from kgraph.ops.reductions import max as reduce_max
from kgraph.ops.resizing import mix
from kgraph.ops.shapes import reshape, shape_of
from kgraph.ops.windows import normalize_tuple, windows, with_channels_last

Size = int | Dim


def depthwise_conv(inputs: Any, kernel: Any, strides: Any = 1, padding: Any = "valid",
                   data_format: str | None = None, dilation_rate: Any = 1) -> Any:  # fmt: skip
    """Each channel convolved with filters of its own.

    Args:
        inputs: images (n, *sizes, channels).
        kernel: (*window, channels, multiplier).
        strides: cells from one window to the next.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default channels_last.
        dilation_rate: cells from one cell of a window to the next.

    Returns:
        Images; channel c * multiplier + m is that of channel c and its filter m.

    Example:
        >>> depthwise_conv(np.ones((1, 4, 2)), np.ones((2, 2, 3))).shape
        (1, 3, 6)
    """
    kernel = floats(kernel)
    *size, channels, multiplier = known_shape("depthwise_conv", kernel)
    apart = reshape(kernel, (*size, 1, channels * multiplier))
    return conv(inputs, apart, strides, padding, data_format, dilation_rate, channels)


def separable_conv(inputs: Any, depthwise_kernel: Any, pointwise_kernel: Any, strides: Any = 1,
                   padding: Any = "valid", data_format: str | None = None,
                   dilation_rate: Any = 1) -> Any:  # fmt: skip
    """`depthwise_conv`, and then sums over channels.

    Args:
        inputs: images (n, *sizes, channels).
        depthwise_kernel: (*window, channels, multiplier).
        pointwise_kernel: (*ones, channels * multiplier, filters).
        strides: cells from one window to the next.
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; default channels_last.
        dilation_rate: cells from one cell of a window to the next.

    Returns:
        Images with a channel for each filter.

    Example:
        >>> separable_conv(np.ones((1, 4, 2)), np.ones((2, 2, 3)), np.ones((1, 6, 5))).shape
        (1, 3, 5)
    """

    def both(x: Any) -> Any:
        apart = depthwise_conv(x, depthwise_kernel, strides, padding, None, dilation_rate)
        return convolve(apart, floats(pointwise_kernel))

    return with_channels_last(both, floats(inputs), data_format)


def transposed_size(
    size: Size, extent: int, stride: int, padding: str, output_padding: int | None
) -> tuple[Size, tuple[int, int]]:
    """The size of the output, and the padding of the convolution that leads back from it.

    Args:
        size: of the input's axis.
        extent: of the window with its dilation.
        stride: of the window.
        padding: "valid" or "same".
        output_padding: cells more at the end; None for as many as give size * stride ("same"), or
            fill the last stride ("valid").

    Returns:
        The size, and (before, after): as much as TensorFlow's SAME padding of the output.

    Example:
        >>> transposed_size(3, 5, 2, "same", None), transposed_size(3, 2, 3, "valid", None)
        ((6, (1, 2)), (9, (0, 0)))
    """
    if padding == "valid":
        more = max(stride - extent, 0) if output_padding is None else output_padding
        return (size - 1) * stride + extent + more, (0, 0)
    if output_padding is None:
        total, found = max(extent - stride, 0), size * stride
    else:
        total = max(2 * (extent // 2) - output_padding, 0)
        found = (size - 1) * stride + extent - 2 * (extent // 2) + output_padding
    return found, (total // 2, total - total // 2)


def conv_transpose(inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid",
                   output_padding: Any = None, data_format: str | None = None,
                   dilation_rate: Any = 1) -> Any:  # fmt: skip
    """Spreads each cell over a window of the output: the gradient of `conv` by its images.

    Args:
        inputs: images (n, *sizes, channels).
        kernel: (*window, filters, channels).
        strides: cells of the output from one window to the next.
        padding: "valid" or "same".
        output_padding: cells that are added at the end of each axis; default what makes outputs
            `strides` times as large with "same" padding.
        data_format: "channels_last" or "channels_first"; default channels_last.
        dilation_rate: cells from one cell of a window to the next.

    Returns:
        Images with a channel for each filter.

    Example:
        >>> conv_transpose(np.ones((1, 3, 2)), np.ones((2, 4, 2)), 2).shape
        (1, 6, 4)
    """
    kernel = floats(kernel)
    size = known_shape("conv_transpose", kernel)[:-2]
    lie = windows(size, strides, padding, dilation_rate, len(size))
    more: Sequence[Any] = (None,) * len(size)
    if output_padding is not None:
        more = normalize_tuple(output_padding, len(size), "output_padding", allow_zero=True)

    def spread(x: Any) -> Any:
        axes = zip(shape_of(x)[1:-1], lie.extents, lie.strides, more)
        found = [transposed_size(n, e, s, padding, p) for n, e, s, p in axes]
        sizes, pairs = tuple(n for n, _ in found), tuple(pair for _, pair in found)
        return conv_input_grad(x, kernel, sizes, lie.strides, pairs, lie.dilation)

    return with_channels_last(spread, floats(inputs), data_format)


def _adaptive(x: Any, output_size: Any, pool: Callable[..., Any], part: Callable[..., Any]) -> Any:
    """Pools to a size: window i of n covers what lies between i / n and (i + 1) / n of an axis."""
    sizes = shape_of(x)[1:-1]
    wanted = normalize_tuple(output_size, len(sizes), "output_size")
    if any(isinstance(n, Dim) for n in sizes):
        raise InferenceError(
            explain("adaptive pooling needs known spatial sizes", got=sizes,
                    hint="give the input a full shape, or use global pooling")
        )  # fmt: skip
    known: list[Any] = list(sizes)
    if all(n and n % new == 0 for n, new in zip(known, wanted)):
        return pool(x, tuple(n // new for n, new in zip(known, wanted)))
    for axis, (n, new) in enumerate(zip(known, wanted), 1):
        edges = np.arange(new + 1) * n
        x = part(x, edges[:-1] // new, -(-edges[1:] // new), axis)
    return x


def _mean_of_parts(x: Any, starts: np.ndarray, stops: np.ndarray, axis: int) -> Any:
    size: Any = shape_of(x)[axis]
    places = np.arange(size)
    inside = (places >= starts[:, None]) & (places < stops[:, None])
    return mix(x, (inside / inside.sum(1, keepdims=True)).astype(str(x.dtype)), axis)


def _max_of_parts(x: Any, starts: np.ndarray, stops: np.ndarray, axis: int) -> Any:
    # Shorter parts name their last place again, which changes no maximum.
    width = (stops - starts).max()
    places = np.minimum(starts[:, None] + np.arange(width), stops[:, None] - 1)
    return reduce_max(take(x, places, axis), axis=axis + 1)


def adaptive_average_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Means of as many parts of images as are asked for.

    Args:
        inputs: images (n, *sizes, channels) of known sizes.
        output_size: parts along each spatial axis, or one number for all.
        data_format: "channels_last" or "channels_first"; default channels_last.

    Returns:
        Images of that size.

    Raises:
        InferenceError: a spatial size is not known.

    Example:
        >>> adaptive_average_pool(np.arange(4.0).reshape(1, 4, 1), 2).ravel().tolist()
        [0.5, 2.5]
    """

    def pooled(x: Any) -> Any:
        return _adaptive(x, output_size, average_pool, _mean_of_parts)

    return with_channels_last(pooled, floats(inputs), data_format)


def adaptive_max_pool(inputs: Any, output_size: Any, data_format: str | None = None) -> Any:
    """Largest elements of as many parts of images as are asked for.

    Args:
        inputs: images (n, *sizes, channels) of known sizes.
        output_size: parts along each spatial axis, or one number for all.
        data_format: "channels_last" or "channels_first"; default channels_last.

    Returns:
        Images of that size.

    Raises:
        InferenceError: a spatial size is not known.

    Example:
        >>> adaptive_max_pool(np.arange(4.0).reshape(1, 4, 1), 2).ravel().tolist()
        [1.0, 3.0]
    """

    def pooled(x: Any) -> Any:
        return _adaptive(x, output_size, max_pool, _max_of_parts)

    return with_channels_last(pooled, tensor(inputs), data_format)

"""Pooling over windows, and convolutions whose kernels differ from place to place."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.backend.convolution import check_padding, with_channels_last
from kgraph.backend.operands import tensor
from kgraph.errors import explain
from kgraph.layers.arguments import normalize_data_format
from kgraph.layers.local import convolve_locally
from kgraph.ops.windows import normalize_tuple

_POOLS = {"max": ops.max_pool, "avg": ops.average_pool}


def _pool(
    name: str,
    n: int,
    x: Any,
    pool_size: Any,
    strides: Any,
    padding: str,
    data_format: Any,
    mode: str,
) -> Any:
    check_padding(name, padding)
    if mode not in _POOLS:
        raise ValueError(explain(f"K.{name}: invalid pool_mode", expected="max, avg", got=mode))
    size = normalize_tuple(pool_size, n, "pool_size")
    steps = normalize_tuple(strides, n, "strides")
    return with_channels_last(lambda v: _POOLS[mode](v, size, steps, padding), x, data_format)


def pool2d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """The largest element, or the mean, of windows on images.

    Args:
        x: images.
        pool_size: rows and columns of a window.
        strides: cells from one window to the next.
        padding: "valid" or "same", whose added cells do not count.
        data_format: "channels_last" or "channels_first"; default the global setting.
        pool_mode: "max" or "avg".

    Returns:
        Images.

    Example:
        >>> import numpy as np
        >>> pool2d(np.arange(4.0).reshape(1, 2, 2, 1), (2, 2), pool_mode="avg").tolist()
        [[[[1.5]]]]
    """
    return _pool("pool2d", 2, x, pool_size, strides, padding, data_format, pool_mode)


def pool3d(
    x: Any,
    pool_size: Any,
    strides: Any = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:
    """The largest element, or the mean, of windows on volumes.

    Args:
        x: volumes.
        pool_size: the three sizes of a window.
        strides: cells from one window to the next.
        padding: "valid" or "same", whose added cells do not count.
        data_format: "channels_last" or "channels_first"; default the global setting.
        pool_mode: "max" or "avg".

    Returns:
        Volumes.

    Example:
        >>> import numpy as np
        >>> pool3d(np.arange(8.0).reshape(1, 2, 2, 2, 1), (2, 2, 2)).tolist()
        [[[[[7.0]]]]]
    """
    return _pool("pool3d", 3, x, pool_size, strides, padding, data_format, pool_mode)


def local_conv1d(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, data_format: str | None = None
) -> Any:
    """A convolution over one axis with a kernel for each place.

    Args:
        inputs: (batch, steps, channels).
        kernel: (places, window * channels, filters).
        kernel_size: size of a window.
        strides: steps from one window to the next.
        data_format: "channels_last" or "channels_first"; default the global setting.

    Returns:
        (batch, places, filters).

    Example:
        >>> import numpy as np
        >>> local_conv1d(np.ones((1, 4, 2)), np.ones((2, 6, 5)), (3,), (1,)).shape
        (1, 2, 5)
    """
    return _local(inputs, kernel, kernel_size, strides, None, data_format)


def local_conv2d(
    inputs: Any,
    kernel: Any,
    kernel_size: Any,
    strides: Any,
    output_shape: Any,
    data_format: str | None = None,
) -> Any:
    """A convolution over images with a kernel for each place.

    Args:
        inputs: images.
        kernel: (places, window cells * channels, filters).
        kernel_size: rows and columns of a window.
        strides: cells from one window to the next.
        output_shape: rows and columns of the result.
        data_format: "channels_last" or "channels_first"; default the global setting.

    Returns:
        Images of as many channels as there are filters.

    Example:
        >>> import numpy as np
        >>> x, kernel = np.ones((1, 3, 3, 2)), np.ones((4, 8, 5))
        >>> local_conv2d(x, kernel, (2, 2), (1, 1), (2, 2)).shape
        (1, 2, 2, 5)
    """
    return _local(inputs, kernel, kernel_size, strides, output_shape, data_format)


def _local(
    inputs: Any, kernel: Any, kernel_size: Any, strides: Any, counts: Any, data_format: Any
) -> Any:
    kernel = tensor(kernel)
    n = tensor(inputs).ndim - 2
    size = normalize_tuple(kernel_size, n, "kernel_size")
    steps = normalize_tuple(strides, n, "strides")
    places = tuple(counts) if counts is not None else (kernel.shape[0],)
    last = normalize_data_format(data_format) == "channels_last"
    return with_channels_last(
        lambda x: convolve_locally(x, kernel, size, steps, places, last), inputs, data_format
    )

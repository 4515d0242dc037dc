"""Padding and resizing of sequences, images and volumes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.backend.operands import as_size, tensor
from kgraph.layers.arguments import normalize_data_format
from kgraph.layers.spatial import pairs_of


def spatial_axes(data_format: str | None, count: int) -> tuple[int, ...]:
    """The spatial axes of images in a format."""
    first = 2 if normalize_data_format(data_format) == "channels_first" else 1
    return tuple(range(first, first + count))


def temporal_padding(x: Any, padding: Any = (1, 1)) -> Any:
    """Zeros before and after the steps of sequences.

    Args:
        x: (batch, steps, features).
        padding: how many before and after; an int for both.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> temporal_padding(np.ones((1, 2, 3)), (1, 2)).shape
        (1, 5, 3)
    """
    return _padded(tensor(x), padding, (1,))


def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: Any = None) -> Any:
    """Zeros around images.

    Args:
        x: images.
        padding: (before, after) for rows and columns; an int for both ends.
        data_format: "channels_last" or "channels_first"; default the global setting.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> spatial_2d_padding(np.ones((1, 2, 2, 3)), ((0, 1), (2, 2))).shape
        (1, 3, 6, 3)
    """
    return _padded(tensor(x), padding, spatial_axes(data_format, 2))


def spatial_3d_padding(
    x: Any, padding: Any = ((1, 1), (1, 1), (1, 1)), data_format: Any = None
) -> Any:
    """Zeros around volumes.

    Args:
        x: volumes.
        padding: (before, after) for each of the three axes; an int for both ends.
        data_format: "channels_last" or "channels_first"; default the global setting.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> spatial_3d_padding(np.ones((1, 2, 2, 2, 3))).shape
        (1, 4, 4, 4, 3)
    """
    return _padded(tensor(x), padding, spatial_axes(data_format, 3))


def _padded(x: Any, padding: Any, axes: Sequence[int]) -> Any:
    pairs = dict(zip(axes, pairs_of("padding", padding, len(axes)), strict=True))
    return ops.pad(x, tuple(pairs.get(axis, (0, 0)) for axis in range(x.ndim)))


def resize_images(
    x: Any,
    height_factor: int,
    width_factor: int,
    data_format: str | None = None,
    interpolation: str = "nearest",
) -> Any:
    """Images some times as high and wide.

    Args:
        x: images.
        height_factor: how many times as high.
        width_factor: how many times as wide.
        data_format: "channels_last" or "channels_first"; default the global setting.
        interpolation: "nearest" or "bilinear", with half-pixel centres.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> resize_images(np.array([[[[1], [2]]]]), 1, 2).ravel().tolist()
        [1, 1, 2, 2]
    """
    axes = spatial_axes(data_format, 2)
    return _resized(x, (height_factor, width_factor), axes, interpolation)


def resize_volumes(
    x: Any,
    depth_factor: int,
    height_factor: int,
    width_factor: int,
    data_format: str | None = None,
) -> Any:
    """Volumes some times as deep, high and wide; each cell is repeated.

    Args:
        x: volumes.
        depth_factor: how many times as deep.
        height_factor: how many times as high.
        width_factor: how many times as wide.
        data_format: "channels_last" or "channels_first"; default the global setting.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> resize_volumes(np.ones((1, 2, 2, 2, 1)), 1, 2, 3).shape
        (1, 2, 4, 6, 1)
    """
    factors = (depth_factor, height_factor, width_factor)
    return _resized(x, factors, spatial_axes(data_format, 3), "nearest")


def _resized(x: Any, factors: Sequence[Any], axes: Sequence[int], interpolation: str) -> Any:
    x = tensor(x)
    sizes = [x.shape[axis] * as_size(factor) for axis, factor in zip(axes, factors)]
    return ops.resize(x, sizes, interpolation, axes)

"""Resize arrays of pixels as Keras 3 does, without smoothing; cut or pad to another shape.

Along each axis the result is a matrix times the input: output pixel i looks at the place
(i + 1/2) scale - 1/2 of the input and weighs the input's pixels by their distance from there.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import explain


def _cubic(d: np.ndarray) -> np.ndarray:
    """Keys's piecewise cubic with a = -1/2."""
    near = (1.5 * d - 2.5) * d * d + 1
    far = ((-0.5 * d + 2.5) * d - 4) * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def _lanczos(radius: float, d: np.ndarray) -> np.ndarray:
    return np.where(d < radius, np.sinc(d) * np.sinc(d / radius), 0)


# Weight of a pixel at a distance; "nearest" has no weights and is found below.
KERNELS = {
    "bilinear": lambda d: np.maximum(1 - d, 0),
    "bicubic": _cubic,
    "lanczos3": lambda d: _lanczos(3.0, d),
    "lanczos5": lambda d: _lanczos(5.0, d),
}


def resize(
    x: np.ndarray, size: tuple[int, int], interpolation: str = "bilinear", row_axis: int = -3
) -> np.ndarray:
    """Resizes images.

    Args:
        x: an array; rows and columns are neighbouring axes.
        size: (height, width) of the result.
        interpolation: nearest, bilinear, bicubic, lanczos3 or lanczos5.
        row_axis: axis of the rows.

    Returns:
        An array of the same dtype for "nearest", else float32 or, for float64, float64.

    Raises:
        ValueError: the interpolation is unknown.

    Example:
        >>> resize(np.array([[[0.0], [2.0]]]), (1, 4))[0, :, 0].tolist()
        [0.0, 0.5, 1.5, 2.0]
    """
    check_interpolation(interpolation)
    dtype = np.dtype("float64") if x.dtype == np.float64 else np.dtype("float32")
    for axis, length in zip((row_axis, row_axis + 1), size, strict=True):
        have = x.shape[axis]
        if interpolation == "nearest":
            places = np.floor((np.arange(length) + 0.5) * have / length).astype(int)
            x = np.take(x, places, axis=axis)
        elif have != length:
            matrix = _matrix(have, length, interpolation)
            x = np.moveaxis(np.tensordot(matrix, x, (1, axis)), 0, axis)
    return x if interpolation == "nearest" else x.astype(dtype)


def check_interpolation(interpolation: str) -> None:
    """Refuses an interpolation that is not known.

    Raises:
        ValueError: it is unknown.
    """
    if interpolation not in ("nearest", *KERNELS):
        raise ValueError(
            explain(
                f"Unknown interpolation: {interpolation!r}",
                expected=f"one of {('nearest', *KERNELS)}",
            )
        )


def _matrix(have: int, want: int, interpolation: str) -> np.ndarray:
    """Weights of shape (want, have); each row has the sum 1."""
    places = (np.arange(want) + 0.5) * have / want - 0.5
    weights = KERNELS[interpolation](np.abs(places[:, None] - np.arange(have)))
    return weights / np.sum(weights, axis=1, keepdims=True)


def smart_resize(
    x: Any,
    size: tuple[int, int],
    interpolation: str = "bilinear",
    data_format: str = "channels_last",
) -> np.ndarray:
    """Resizes images without distortion: what does not fit the new shape is cut off.

    Args:
        x: an image of three axes or a batch of four.
        size: (height, width) of the result.
        interpolation: nearest, bilinear, bicubic, lanczos3 or lanczos5.
        data_format: axis order of x.

    Returns:
        An array with as many axes.

    Raises:
        ValueError: x or size has another number of axes.

    Example:
        >>> smart_resize(np.ones((4, 8, 3)), (2, 2)).shape
        (2, 2, 3)
    """
    if len(size) != 2:
        raise ValueError(f"Expected `size` to be a tuple of 2 integers, but got: {size}.")
    x = np.asarray(x)
    if x.ndim not in (3, 4):
        raise ValueError(
            "Expected an image array with shape `(height, width, channels)`, or `(batch_size, "
            f"height, width, channels)`, but got input with incorrect rank, of shape {x.shape}."
        )
    axis = -3 if data_format == "channels_last" else -2
    height, width = x.shape[axis], x.shape[axis + 1]
    rows = max(min(height, int(width * size[0] / size[1])), 1)
    cols = max(min(width, int(height * size[1] / size[0])), 1)
    top, left = (height - rows) // 2, (width - cols) // 2
    x = np.take(x, np.arange(top, top + rows), axis=axis)
    x = np.take(x, np.arange(left, left + cols), axis=axis + 1)
    return resize(x, size, interpolation, axis)


def padded_resize(
    x: np.ndarray, size: tuple[int, int], interpolation: str = "bilinear", row_axis: int = -3
) -> np.ndarray:
    """Resizes images without distortion: zeros fill what the image leaves of the new shape.

    Both sides get as many zeros, so an odd rest distorts by one pixel, as in Keras 3.

    Args:
        x: an array; rows and columns are neighbouring axes.
        size: (height, width) of the result.
        interpolation: nearest, bilinear, bicubic, lanczos3 or lanczos5.
        row_axis: axis of the rows.

    Returns:
        An array with as many axes.

    Example:
        >>> padded_resize(np.ones((2, 4, 1)), (4, 4))[:, 0, 0].tolist()
        [0.0, 1.0, 1.0, 0.0]
    """
    height, width = x.shape[row_axis], x.shape[row_axis + 1]
    rows = max(height, int(width * size[0] / size[1]))
    cols = max(width, int(height * size[1] / size[0]))
    top, left = (rows - height) // 2, (cols - width) // 2
    around = [(0, 0)] * x.ndim
    around[row_axis], around[row_axis + 1] = (top, top), (left, left)
    return resize(np.pad(x, around), size, interpolation, row_axis)

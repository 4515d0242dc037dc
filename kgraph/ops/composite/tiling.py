"""Blocks of images as channels or columns, and back."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ops.composite.operands import known, tensor
from kgraph.ops.indexing import scatter_add, take
from kgraph.ops.joining import pad
from kgraph.ops.shapes import full, reshape, shape_of, transpose
from kgraph.ops.slicing import slice_
from kgraph.ops.windows import normalize_tuple


def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels as blocks of cells: images `block_size` times as high and wide.

    Args:
        x: images (n, height, width, channels); block_size^2 divides the channels.
        block_size: height and width of a block.
        data_format: "channels_last" or "channels_first", where the channels of one cell are those
            of one output channel side by side.

    Returns:
        Images with fewer channels.

    Example:
        >>> depth_to_space(np.arange(4.0).reshape(1, 1, 1, 4), 2).ravel().tolist()
        [0.0, 1.0, 2.0, 3.0]
    """
    x = tensor(x)
    b = block_size
    if data_format == "channels_first":
        n, c, h, w = shape_of(x)
        parts = reshape(x, (n, _part(c, b), b, b, h, w))
        return reshape(transpose(parts, (0, 1, 4, 2, 5, 3)), (n, _part(c, b), h * b, w * b))
    n, h, w, c = shape_of(x)
    parts = reshape(x, (n, h, w, b, b, _part(c, b)))
    return reshape(transpose(parts, (0, 1, 3, 2, 4, 5)), (n, h * b, w * b, _part(c, b)))


def _part(channels: Any, block: int) -> int:
    """How many channels are left of so many."""
    if known("depth_to_space", channels) % block**2:
        raise InferenceError(
            explain(f"depth_to_space: blocks of {block} x {block} do not divide the channels",
                    got=channels)
        )  # fmt: skip
    return channels // block**2


def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of cells as channels: the inverse of `depth_to_space`.

    Args:
        x: images (n, height, width, channels); block_size divides height and width.
        block_size: height and width of a block.
        data_format: "channels_last" or "channels_first".

    Returns:
        Images with block_size^2 times as many channels.

    Example:
        >>> space_to_depth(np.arange(4.0).reshape(1, 2, 2, 1), 2).ravel().tolist()
        [0.0, 1.0, 2.0, 3.0]
    """
    x = tensor(x)
    b = block_size
    if data_format == "channels_first":
        n, c, h, w = shape_of(x)
        parts = reshape(x, (n, c, h // b, b, w // b, b))
        return reshape(transpose(parts, (0, 1, 3, 5, 2, 4)), (n, c * b * b, h // b, w // b))
    n, h, w, c = shape_of(x)
    parts = reshape(x, (n, h // b, b, w // b, b, c))
    return reshape(transpose(parts, (0, 1, 3, 2, 4, 5)), (n, h // b, w // b, c * b * b))


def _cells(sizes: tuple[int, ...], kernel: Any, dilation: Any, padding: Any, stride: Any
           ) -> tuple[np.ndarray, tuple[int, ...], tuple[int, ...]]:  # fmt: skip
    """Flat places of the cells of all windows (cells, windows); paddings; the padded sizes."""
    k, d, s = (normalize_tuple(v, 2, "size") for v in (kernel, dilation, stride))
    p = normalize_tuple(padding, 2, "padding", allow_zero=True)
    whole = tuple(n + 2 * q for n, q in zip(sizes, p))
    rows, columns = (
        np.arange(size)[:, None] * gap + np.arange((n - gap * (size - 1) - 1) // move + 1) * move
        for size, gap, move, n in zip(k, d, s, whole)
    )
    cells = rows[:, None, :, None] * whole[1] + columns[None, :, None, :]
    return cells.reshape(k[0] * k[1], -1), p, whole


def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """The cells of all windows on images as columns, as PyTorch's `unfold`.

    Args:
        x: images (n, channels, height, width) of known sizes.
        kernel_size: height and width of a window.
        dilation: cells from one cell of a window to the next.
        padding: cells of zeros around an image.
        stride: cells from one window to the next.

    Returns:
        Shape (n, channels * cells of a window, windows).

    Example:
        >>> unfold(np.arange(9.0).reshape(1, 1, 3, 3), 2)[0, :, 0].tolist()
        [0.0, 1.0, 3.0, 4.0]
    """
    x = tensor(x)
    n, c, h, w = shape_of(x)
    sizes = known("unfold", h), known("unfold", w)
    cells, p, whole = _cells(sizes, kernel_size, dilation, padding, stride)
    padded = pad(x, ((0, 0), (0, 0), (p[0], p[0]), (p[1], p[1])))
    columns = take(reshape(padded, (n, c, whole[0] * whole[1])), cells, 2)
    return reshape(columns, (n, c * cells.shape[0], cells.shape[1]))


def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0,
         stride: Any = 1) -> Any:  # fmt: skip
    """The sums of columns at the cells that `unfold` took them from.

    Args:
        x: shape (n, channels * cells of a window, windows).
        output_size: height and width of the images.
        kernel_size: height and width of a window.
        dilation: cells from one cell of a window to the next.
        padding: cells around an image, which are cut off.
        stride: cells from one window to the next.

    Returns:
        Images (n, channels, height, width).

    Example:
        >>> fold(np.ones((1, 4, 4)), 3, 2)[0, 0].tolist()
        [[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]
    """
    x = tensor(x)
    sizes = normalize_tuple(output_size, 2, "output_size")
    cells, p, whole = _cells(sizes, kernel_size, dilation, padding, stride)
    n, both, count = shape_of(x)
    c = known("fold", both) // cells.shape[0]
    if count != cells.shape[1] or c * cells.shape[0] != both:
        raise InferenceError(
            explain("fold: the columns do not fit", expected=f"(n, c * {cells.shape[0]}, "
                    f"{cells.shape[1]})", got=shape_of(x))
        )  # fmt: skip
    zeros = full((n, c, whole[0] * whole[1]), 0, str(x.dtype))
    sums = scatter_add(zeros, cells, reshape(x, (n, c, *cells.shape)), 2)
    sums = reshape(sums, (n, c, *whole))
    return slice_(sums, (0, 0, *p), (n, c, p[0] + sizes[0], p[1] + sizes[1]))

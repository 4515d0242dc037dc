"""Patches: what the windows of a convolution see, as one matrix for each block of outputs.

A block is as many images, or as many rows of one image, as fit in a buffer of about `BLOCK` bytes.
Nothing is computed here but lists of NumPy calls on views, which a plan makes once (`run_calls`).

A row of a patch matrix holds the cells of one window. Where a window's row is a long run of memory
(last spatial axis by channels) the matrix is filled row by row. With few channels it is filled
transposed, from a copy that has the channels in front: then the runs are rows of the output.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kgraph.ir.types import TensorType
from kgraph.ops.runs import in_runs
from kgraph.ops.windows import Windows

Call = tuple[Any, ...]  # (function, *arguments)

BLOCK = 2 << 20
_LARGEST = 8 << 20
# Cells of a window's row below which a transposed matrix is filled faster.
_LONG = 24


def run_calls(calls: Sequence[Call]) -> None:
    """Makes prepared calls one after the other."""
    for function, *arguments in calls:
        function(*arguments)


@dataclass(frozen=True)
class Block:
    """Consecutive outputs: whole images, or rows (first spatial axis) of a single one."""

    images: slice
    rows: slice

    @property
    def count(self) -> int:
        """How many images."""
        return int(self.images.stop - self.images.start)


def blocks(batch: int, counts: tuple[int, ...], row_bytes: int, limit: int) -> Iterator[Block]:
    """Cuts a batch of outputs into blocks.

    Args:
        batch: images.
        counts: sizes of an image's spatial axes, in outputs.
        row_bytes: what one row (all but the first spatial axis) takes in the buffer.
        limit: bytes of the buffer; a block has at least one row.
    """
    if 0 in counts:
        return
    height = counts[0]
    fitting = max(1, limit // max(1, row_bytes))
    if fitting >= height:
        step = fitting // height
        for start in range(0, batch, step):
            yield Block(slice(start, min(start + step, batch)), slice(0, height))
        return
    for image in range(batch):
        for row in range(0, height, fitting):
            yield Block(slice(image, image + 1), slice(row, min(row + fitting, height)))


def padded_interior(padded: np.ndarray, windows: Windows, sizes: tuple[int, ...]) -> np.ndarray:
    """The cells of a padded image that are not padding; the axes of images are 1, 2, ..."""
    inner = [slice(b, b + n) for (b, _), n in zip(windows.pairs, sizes)]
    return padded[(slice(None), *inner)]


class Patches:
    """The patch matrices of a batch of images.

    Args:
        batch: images.
        sizes: of their spatial axes.
        channels: of the images.
        windows: with known padding.
        dtype: of the images.
        kernel_bytes: size of the matrix that patches are multiplied with; blocks that are much
            smaller would spend their time on reading it.
    """

    def __init__(
        self,
        batch: int,
        sizes: tuple[int, ...],
        channels: int,
        windows: Windows,
        dtype: str,
        kernel_bytes: int,
    ) -> None:
        self.batch, self.sizes, self.channels = batch, sizes, channels
        self.windows, self.dtype = windows, dtype
        self.counts: tuple[int, ...] = tuple(int(n) for n in windows.count(sizes))
        self.padded = tuple(n + sum(p) for n, p in zip(sizes, windows.pairs))
        self.taps = math.prod(windows.size)
        run = channels * (windows.size[-1] if windows.dilation[-1] == 1 else 1)
        self.by_columns = run < _LONG
        self.is_copied = self.by_columns or self.padded != sizes
        row = math.prod(self.counts[1:]) * self.taps * channels * np.dtype(dtype).itemsize
        limit = max(BLOCK, min(kernel_bytes, _LARGEST))
        self.blocks = tuple(blocks(batch, self.counts, row, limit))

    @property
    def types(self) -> tuple[TensorType, TensorType]:
        """Types of the buffers: padded images, patches."""
        most = max((b.count for b in self.blocks), default=0)
        rows = max((b.rows.stop - b.rows.start for b in self.blocks), default=0)
        lead = (self.channels, most) if self.by_columns else (most,)
        tail = () if self.by_columns else (self.channels,)
        height = max((b - a for a, b in map(self._reach, self.blocks)), default=0)
        copied = (*lead, height, *self.padded[1:], *tail) if self.is_copied else (0,)
        cells = most * rows * math.prod(self.counts[1:])
        patches = (cells * self.taps * self.channels,)
        return TensorType(copied, self.dtype), TensorType(patches, self.dtype)

    def kernel_matrix(self, kernel: np.ndarray) -> np.ndarray:
        """The view (taps, channels, filters) or, by columns, (channels, taps, filters)."""
        three = kernel.reshape(self.taps, self.channels, -1)
        return three.transpose(1, 0, 2) if self.by_columns else three

    def start(self, padded: np.ndarray) -> list[Call]:
        """The calls before the first block: the padding is written once."""
        return [(padded.fill, 0)] if self.is_copied and self.padded != self.sizes else []

    def fill(
        self, images: np.ndarray, padded: np.ndarray, buffer: np.ndarray
    ) -> Iterator[tuple[slice, list[Call], np.ndarray]]:
        """The matrix of each block, and the calls that fill it.

        Args:
            images: (batch, *sizes, channels), any strides.
            padded: buffer of the first of `types`.
            buffer: of the second.

        Yields:
            Which rows of the whole patch matrix they are, the calls, and the matrix
            (rows, cells of a window), whose columns are in the order of `kernel_matrix`.
        """
        inner = math.prod(self.counts[1:])
        for block in self.blocks:
            source: np.ndarray = images[block.images]
            calls: list[Call] = []
            if self.is_copied:
                calls, source = self._hold(source, padded, block)
                counts = (block.rows.stop - block.rows.start, *self.counts[1:])
                seen = window_view(source, self.windows, counts)
            else:
                seen = window_view(source, self.windows, self.counts)[:, block.rows]
            count = seen.size // (self.taps * self.channels)
            flat = buffer[: seen.size]
            matrix = flat.reshape(-1, count).T if self.by_columns else flat.reshape(count, -1)
            calls.append((np.copyto, *in_runs(self._shaped(flat, seen), seen)))
            first = (block.images.start * self.counts[0] + block.rows.start) * inner
            yield slice(first, first + count), calls, matrix

    def _reach(self, block: Block) -> tuple[int, int]:
        """The rows of images, from and to, that the windows of a block see; some are padding."""
        w = self.windows
        low = block.rows.start * w.strides[0] - w.pairs[0][0]
        return low, low + (block.rows.stop - block.rows.start - 1) * w.strides[0] + w.extents[0]

    def _hold(
        self, images: np.ndarray, padded: np.ndarray, block: Block
    ) -> tuple[list[Call], np.ndarray]:
        """The calls that copy what a block sees between the padding, and that as images."""
        low, high = self._reach(block)
        first = min(max(low, 0), high)
        last = max(min(high, self.sizes[0]), first)
        if self.by_columns:
            held = np.moveaxis(padded[:, : block.count, : high - low], 0, -1)
        else:
            held = padded[: block.count, : high - low]
        calls: list[Call] = []
        if block.rows != slice(0, self.counts[0]):  # else they still are what `start` wrote
            calls += [(held[:, : first - low].fill, 0), (held[:, last - low :].fill, 0)]
        columns = [slice(b, b + n) for (b, _), n in zip(self.windows.pairs[1:], self.sizes[1:])]
        within = held[(slice(None), slice(first - low, last - low), *columns)]
        return [*calls, (np.copyto, *in_runs(within, images[:, first:last]))], held

    def _shaped(self, flat: np.ndarray, seen: np.ndarray) -> np.ndarray:
        """The buffer of a matrix with the axes of `seen`: images, outputs, taps, channels."""
        if not self.by_columns:
            return flat.reshape(seen.shape)
        axes = len(self.counts)
        front = (self.channels, *self.windows.size, *seen.shape[: axes + 1])
        order = (*range(axes + 1, 2 * axes + 2), *range(1, axes + 1), 0)
        return flat.reshape(front).transpose(order)


def window_view(images: np.ndarray, windows: Windows, counts: tuple[int, ...]) -> np.ndarray:
    """All windows of (padded) images as one view: images, outputs, taps, channels."""
    n, *steps, c = images.strides
    outputs = [step * s for step, s in zip(steps, windows.strides)]
    taps = [step * d for step, d in zip(steps, windows.dilation)]
    shape = (len(images), *counts, *windows.size, images.shape[-1])
    return as_strided(images, shape, (n, *outputs, *taps, c), writeable=False)


def tap_views(images: np.ndarray, windows: Windows, counts: tuple[int, ...]) -> list[np.ndarray]:
    """For each cell of a window, what all windows have there: (images, *counts, channels)."""
    found = []
    for tap in np.ndindex(*windows.size):
        cuts = [
            slice(i * d, i * d + (n - 1) * s + 1, s)
            for i, d, s, n in zip(tap, windows.dilation, windows.strides, counts)
        ]
        found.append(images[(slice(None), *cuts)])
    return found

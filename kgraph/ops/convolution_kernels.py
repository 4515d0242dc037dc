"""Kernels of convolutions: lists of NumPy calls around one matrix product for each block.

Each kernel says which buffers it needs (`types`) and makes its calls for given arrays (`calls`).
The gradient by the images is made of convolutions (`phases.py`), or where the images have far fewer
channels than the outputs the transpose of taking patches (`ScatteredGrad`): one product, then an
addition for each cell of the window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.ir.types import TensorType
from kgraph.ops.patches import BLOCK, Block, Call, Patches, blocks, padded_interior, tap_views
from kgraph.ops.runs import in_runs
from kgraph.ops.windows import Windows


@dataclass(frozen=True)
class Problem:
    """A convolution whose sizes are numbers.

    Args:
        batch: images.
        sizes: of their spatial axes.
        channels: of the images.
        filters: channels of the output.
        windows: with known padding.
        groups: channels and filters are cut into so many parts that do not see each other.
        dtype: of all arrays.
    """

    batch: int
    sizes: tuple[int, ...]
    channels: int
    filters: int
    windows: Windows
    groups: int
    dtype: str

    @property
    def counts(self) -> tuple[int, ...]:
        """Sizes of the output's spatial axes."""
        return tuple(int(n) for n in self.windows.count(self.sizes))

    @property
    def taps(self) -> int:
        """Cells of a window."""
        return math.prod(self.windows.size)

    @property
    def kernel_shape(self) -> tuple[int, ...]:
        """(*window, channels of a group, filters)."""
        return (*self.windows.size, self.channels // self.groups, self.filters)

    @property
    def is_depthwise(self) -> bool:
        """Whether each filter sees one channel of several."""
        return self.groups == self.channels > 1

    def patches(self) -> Patches:
        """The patches of one group."""
        channels, itemsize = self.channels // self.groups, np.dtype(self.dtype).itemsize
        kernel_bytes = self.taps * channels * self.filters // self.groups * itemsize
        return Patches(self.batch, self.sizes, channels, self.windows, self.dtype, kernel_bytes)

    def parts(self) -> list[tuple[slice, slice]]:
        """The channels and the filters of each group."""
        c, f = self.channels // self.groups, self.filters // self.groups
        return [(slice(i * c, i * c + c), slice(i * f, i * f + f)) for i in range(self.groups)]


class Forward:
    """Outputs from images and kernel."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.patches = problem, problem.patches()

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Buffers: padded images, patches, the kernel in the order of the patches."""
        kernel = self.problem.kernel_shape if self.patches.by_columns else (0,)
        return (*self.patches.types, TensorType(kernel, self.problem.dtype))

    def calls(self, x: np.ndarray, kernel: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        problem, patches = self.problem, self.patches
        padded, buffer, ordered = work
        calls, kernel = contiguous(kernel)
        weights = patches.kernel_matrix(kernel)
        if patches.by_columns:
            calls.append((np.copyto, ordered.reshape(weights.shape), weights))
            weights = ordered
        columns = weights.reshape(-1, problem.filters)
        outputs = out.reshape(-1, problem.filters)
        calls += patches.start(padded)
        for channels, filters in problem.parts():
            for rows, fill, matrix in patches.fill(x[..., channels], padded, buffer):
                product = multiplied(matrix, columns[:, filters], outputs[rows, filters])
                calls += [*fill, product]
        return calls


class FilterGrad:
    """The gradient by the kernel, from images and the cotangent of the outputs."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.patches = problem, problem.patches()

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Buffers: padded images, patches, one block's part, the sum in the patches' order."""
        whole = TensorType((math.prod(self.problem.kernel_shape),), self.problem.dtype)
        sums = whole if self.patches.by_columns else whole.with_shape((0,))
        return (*self.patches.types, whole, sums)

    def calls(self, x: np.ndarray, g: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        problem, patches = self.problem, self.patches
        padded, buffer, part, sums = work
        calls, g = contiguous(g)
        outputs = g.reshape(-1, problem.filters)
        flat = (sums if patches.by_columns else out).reshape(-1, problem.filters)
        calls += patches.start(padded)
        if not patches.blocks:
            calls.append((flat.fill, 0))
        for channels, filters in problem.parts():
            total = flat[:, filters]
            share = part[: total.size].reshape(total.shape)
            for i, (rows, fill, matrix) in enumerate(
                patches.fill(x[..., channels], padded, buffer)
            ):
                found = total if i == 0 else share
                calls += [*fill, multiplied(matrix.T, outputs[rows, filters], found)]
                if i:
                    calls.append((np.add, total, share, total))
        if patches.by_columns:
            target = patches.kernel_matrix(out)
            calls.append((np.copyto, target, sums.reshape(target.shape)))
        return calls


class ScatteredGrad:
    """The gradient by the images: cells of windows are added where they lie."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        channels, dtype = problem.channels // problem.groups, np.dtype(problem.dtype)
        row = math.prod(problem.counts[1:]) * problem.taps * channels * dtype.itemsize
        self.blocks = tuple(blocks(problem.batch, problem.counts, row, BLOCK))
        self.padded = tuple(n + sum(p) for n, p in zip(problem.sizes, problem.windows.pairs))

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Buffers: cells of windows, padded images."""
        problem = self.problem
        most = max((b.count for b in self.blocks), default=0)
        rows = max((b.rows.stop - b.rows.start for b in self.blocks), default=0)
        channels = problem.channels // problem.groups
        cells = most * rows * math.prod(problem.counts[1:]) * problem.taps * channels
        padded = (most, *self.padded, channels)
        return TensorType((cells,), problem.dtype), TensorType(padded, problem.dtype)

    def calls(self, g: np.ndarray, kernel: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        if not self.blocks:
            return [(out.fill, 0)]
        calls, g = contiguous(g)
        more, kernel = contiguous(kernel)
        calls += more
        columns = kernel.reshape(-1, self.problem.filters)
        for channels, filters in self.problem.parts():
            for block in self.blocks:
                target = out[block.images][..., channels]
                calls += self._block(block, g[..., filters], columns[:, filters], target, *work)
        return calls

    def _block(
        self,
        block: Block,
        g: np.ndarray,
        columns: np.ndarray,
        target: np.ndarray,
        cells: np.ndarray,
        padded: np.ndarray,
    ) -> list[Call]:
        problem, windows = self.problem, self.problem.windows
        held, given = padded[: block.count], g[block.images, block.rows]
        shape = (*given.shape[:-1], *windows.size, held.shape[-1])
        seen = cells[: math.prod(shape)].reshape(shape)
        rows = given.reshape(-1, given.shape[-1])  # a view, also of some of the filters
        calls: list[Call] = [(held.fill, 0)] if block.rows.start == 0 else []
        calls.append(multiplied(rows, columns.T, seen.reshape(len(rows), -1)))
        outputs = (slice(None),) * (len(problem.sizes) + 1)
        views = tap_views(held, windows, problem.counts)
        for tap, view in zip(np.ndindex(*windows.size), views):
            place = view[:, block.rows]
            calls.append((np.add, place, seen[outputs + tap], place))
        if block.rows.stop == problem.counts[0]:
            inner = padded_interior(held, windows, problem.sizes)
            calls.append((np.copyto, *in_runs(target, inner)))
        return calls


def contiguous(array: np.ndarray) -> tuple[list[Call], np.ndarray]:
    """The array in C order, and the calls that copy it if it is not."""
    if array.flags.c_contiguous:
        return [], array
    copy = np.empty(array.shape, array.dtype)
    return [(np.copyto, copy, array)], copy


def multiplied(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> Call:
    """The call of a matrix product; `dot` has less overhead and needs contiguous outputs."""
    return (np.dot if out.flags.c_contiguous else np.matmul, a, b, out)

"""Kernels of depthwise convolutions: one multiplication and addition for each cell of a window.

Each filter sees one channel, so matrix products would be vectors. Instead whole rows of outputs are
multiplied with a row of weights, repeated along the last spatial axis so that NumPy's inner loops
run over that axis and the channels together. A channel with several filters is repeated too.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kgraph.ir.types import TensorType
from kgraph.ops.convolution_kernels import Problem
from kgraph.ops.patches import Block, Call, blocks, padded_interior, tap_views

# Bytes of one block of outputs; that, the images and a buffer should stay in the cache.
_BLOCK = 512 << 10


class Depthwise:
    """What the three kernels share: blocks, padded images and rows of weights."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        row = math.prod(problem.counts[1:]) * problem.filters * np.dtype(problem.dtype).itemsize
        self.blocks = tuple(blocks(problem.batch, problem.counts, row, _BLOCK))
        self.padded = tuple(n + sum(p) for n, p in zip(problem.sizes, problem.windows.pairs))

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Buffers: padded images, products of a block, weights in rows."""
        problem = self.problem
        most = max((b.count for b in self.blocks), default=0)
        rows = max((b.rows.stop - b.rows.start for b in self.blocks), default=0)
        shapes = (
            (most, *self.padded, problem.filters),
            (most, rows, *problem.counts[1:], problem.filters),
            (problem.taps, problem.counts[-1], problem.filters),
        )
        return tuple(TensorType(shape, problem.dtype) for shape in shapes)

    def hold(self, x: np.ndarray, padded: np.ndarray, block: Block) -> list[Call]:
        """The calls that copy a block's images between the padding."""
        if block.rows.start:
            return []
        inner = padded_interior(padded[: block.count], self.problem.windows, self.problem.sizes)
        return [(np.copyto, self.by_channel(inner), x[block.images][..., None])]

    def by_channel(self, images: np.ndarray) -> np.ndarray:
        """The filters' axis as (channels, filters of a channel)."""
        return images.reshape(*images.shape[:-1], self.problem.channels, -1)

    def weights(self, kernel: np.ndarray, rows: np.ndarray) -> list[Call]:
        """The call that repeats the kernel along the last spatial axis."""
        return [(np.copyto, rows, kernel.reshape(self.problem.taps, 1, -1))]

    def places(self, padded: np.ndarray, block: Block) -> list[np.ndarray]:
        """For each cell of a window, what a block's windows have there."""
        images = padded[: block.count]
        views = tap_views(images, self.problem.windows, self.problem.counts)
        return [view[:, block.rows] for view in views]

    def product(self, buffer: np.ndarray, block: Block) -> np.ndarray:
        """The part of the buffer of products that a block takes."""
        return buffer[: block.count, : block.rows.stop - block.rows.start]


class DepthwiseForward(Depthwise):
    """Outputs from images and kernel."""

    def calls(self, x: np.ndarray, kernel: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        padded, buffer, rows = work
        calls = [*self.weights(kernel, rows), (padded.fill, 0)]
        for block in self.blocks:
            calls += self.hold(x, padded, block)
            target, product = out[block.images, block.rows], self.product(buffer, block)
            for i, place in enumerate(self.places(padded, block)):
                calls.append((np.multiply, place, rows[i], product if i else target))
                if i:
                    calls.append((np.add, target, product, target))
        return calls


class DepthwiseInputGrad(Depthwise):
    """The gradient by the images."""

    def calls(self, g: np.ndarray, kernel: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        padded, buffer, rows = work
        problem = self.problem
        if not self.blocks:
            return [(out.fill, 0)]
        calls = self.weights(kernel, rows)
        for block in self.blocks:
            held, product = padded[: block.count], self.product(buffer, block)
            if block.rows.start == 0:
                calls.append((held.fill, 0))
            for i, place in enumerate(self.places(padded, block)):
                calls.append((np.multiply, g[block.images, block.rows], rows[i], product))
                calls.append((np.add, place, product, place))
            if block.rows.stop == problem.counts[0]:
                inner = padded_interior(held, problem.windows, problem.sizes)
                calls.append((_sum_last, self.by_channel(inner), out[block.images]))
        return calls


class DepthwiseFilterGrad(Depthwise):
    """The gradient by the kernel."""

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Buffers: as for all, and a row of sums."""
        shape = (self.problem.counts[-1] * self.problem.filters,)
        return (*super().types, TensorType(shape, self.problem.dtype))

    def calls(self, x: np.ndarray, g: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        padded, buffer, rows, row = work
        calls: list[Call] = [(padded.fill, 0), (rows.fill, 0)]
        for block in self.blocks:
            calls += self.hold(x, padded, block)
            product = self.product(buffer, block)
            for i, place in enumerate(self.places(padded, block)):
                total = rows[i].reshape(-1)
                calls += [
                    (np.multiply, place, g[block.images, block.rows], product),
                    (np.add.reduce, product.reshape(-1, row.size), 0, None, row),
                    (np.add, total, row, total),
                ]
        calls.append((np.add.reduce, rows, 1, None, out.reshape(self.problem.taps, -1)))
        return calls


def _sum_last(parts: np.ndarray, out: np.ndarray) -> None:
    if parts.shape[-1] == 1:
        np.copyto(out, parts[..., 0])
    else:
        np.add.reduce(parts, -1, out=out)

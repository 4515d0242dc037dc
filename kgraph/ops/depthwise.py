"""Kernels of depthwise convolutions: one multiplication and addition for each cell of a window.

Each filter sees one channel, so matrix products would be vectors. Instead whole rows of outputs are
multiplied with a row of weights, repeated along the last spatial axis so that NumPy's inner loops
run over that axis and the channels together. A channel with several filters is repeated too.

Images of one spatial axis are those of two, the first of which is 1. Where each channel has one
filter the gradient by the images is made of convolutions too (`phases.py`).
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from kgraph.ir.types import TensorType
from kgraph.ops.convolution_kernels import Problem, contiguous
from kgraph.ops.patches import Block, Call, blocks, padded_interior, tap_views
from kgraph.ops.routines import sums_of_products, weighted_sums
from kgraph.ops.windows import Windows

# Bytes of one block of outputs; that, the images and a buffer should stay in the cache.
_BLOCK = 512 << 10


class Depthwise:
    """What the three kernels share: blocks, padded images and rows of weights."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem = _with_rows(problem)
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

    def seen(self, images: np.ndarray) -> np.ndarray:
        """Images or outputs with at least two spatial axes."""
        return images if images.ndim > 3 else images[:, None]

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
        """The calls that repeat the kernel along the last spatial axis."""
        calls, kernel = contiguous(kernel)
        return [*calls, (np.copyto, rows, kernel.reshape(self.problem.taps, 1, -1))]

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
        x, out = self.seen(x), self.seen(out)
        calls = [*self.weights(kernel, rows), (padded.fill, 0)]
        for block in self.blocks:
            calls += self.hold(x, padded, block)
            cells, target = self.places(padded, block), out[block.images, block.rows]
            calls.append((weighted_sums(cells, rows, target, self.product(buffer, block)),))
        return calls


class DepthwiseInputGrad(Depthwise):
    """The gradient by the images."""

    def calls(self, g: np.ndarray, kernel: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        padded, buffer, rows = work
        problem = self.problem
        if not self.blocks:
            return [(out.fill, 0)]
        g, out = self.seen(g), self.seen(out)
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
        """Buffers: as for all, and the sums of a block."""
        found = super().types
        return (*found, found[-1])

    def calls(self, x: np.ndarray, g: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        padded, buffer, rows, part = work
        x, g = self.seen(x), self.seen(g)
        calls: list[Call] = [(padded.fill, 0), (rows.fill, 0)]
        for block in self.blocks:
            calls += self.hold(x, padded, block)
            cells, given = self.places(padded, block), g[block.images, block.rows]
            calls.append((sums_of_products(cells, given, part, self.product(buffer, block)),))
            calls.append((np.add, rows, part, rows))
        calls.append((np.add.reduce, rows, 1, None, out.reshape(self.problem.taps, -1)))
        return calls


def _with_rows(problem: Problem) -> Problem:
    """The same convolution on at least two spatial axes."""
    if len(problem.sizes) > 1:
        return problem
    w = problem.windows
    windows = Windows((1, *w.size), (1, *w.strides), ((0, 0), *w.padding), (1, *w.dilation))
    return replace(problem, sizes=(1, *problem.sizes), windows=windows)


def _sum_last(parts: np.ndarray, out: np.ndarray) -> None:
    if parts.shape[-1] == 1:
        np.copyto(out, parts[..., 0])
    else:
        np.add.reduce(parts, -1, out=out)

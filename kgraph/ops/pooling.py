"""What max and average pooling share: where windows lie, and how cells are joined along an axis.

Tensors are channels-last, with 1 to 3 spatial axes or more. Kernels see the k-th cell of all
windows as one strided view of the input, so nothing of the size of all windows is ever made; what
is separable goes axis by axis, 2 k steps in place of k^2. NumPy's iterators borrow 32 kB for each
strided operand while a call lasts, however large it is.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.dim import Dim, product
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType
from kgraph.ops.patches import run_calls
from kgraph.ops.runs import in_runs
from kgraph.ops.specialized import Prepared, Specialized
from kgraph.ops.windows import Windows, normalize_tuple, windows

Call = Callable[[], Any]
# Where the k-th cells of windows lie: the windows that have one, and the cells of the input.
Cells = tuple[slice, slice]


class Pool(Specialized):
    """An op of windows: `pool_size`, `strides` and `padding` of the pooled tensor."""

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        shape = self.pooled_shape([n.type for n in inputs], attrs)
        if len(shape) < 3:
            raise InferenceError("takes a tensor of a batch, spatial axes and channels")
        ndim, given = len(shape) - 2, attrs["pool_size"]
        size = normalize_tuple(given, ndim, "pool_size")
        strides = size if attrs.get("strides") is None else attrs["strides"]
        found = windows(size, strides, attrs.get("padding", "valid"), 1, ndim).on(shape[1:-1])
        return {
            **attrs, "pool_size": found.size, "strides": found.strides, "padding": found.padding,
        }  # fmt: skip

    def pooled_shape(
        self, types: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        """The shape of the tensor that the windows lie on."""
        return types[-1].shape

    def windows_on(self, shape: Sequence[Any], attrs: Mapping[str, Any]) -> Windows:
        """The windows on a tensor of this shape."""
        size, strides, padding = attrs["pool_size"], attrs["strides"], attrs["padding"]
        return windows(size, strides, padding, 1, len(shape) - 2).on(shape[1:-1])

    def output_shape(self, shape: Sequence[Any], attrs: Mapping[str, Any]) -> tuple[Any, ...]:
        """The shape that pooling a tensor of this shape gives."""
        counts = self.windows_on(shape, attrs).count(shape[1:-1])
        return (shape[0], *counts, shape[-1])

    def between(self, shape: Sequence[Any], attrs: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Shapes after pooling the first axis, the first two and so on, without the last one."""
        full, found = self.output_shape(shape, attrs), []
        for axis in range(2, len(shape) - 1):
            found.append((*full[:axis], *shape[axis:]))
        return found

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        shape = self.output_shape(self.pooled_shape(inputs, attrs), attrs)
        cells: int | Dim = product((*shape, *attrs["pool_size"]))
        return cells, super().cost(inputs, outputs, attrs)[1]


@dataclass(frozen=True)
class Layout:
    """The cells of windows on an input whose sizes are numbers.

    Args:
        counts: windows on each spatial axis.
        axes: for each spatial axis the cells that windows have there, first to last.
        covers: whether each window has all its cells and each cell of the input just one window.
        apart: how many cells of a window, the first ones, are the same of no two windows.
    """

    counts: tuple[int, ...]
    axes: tuple[tuple[Cells, ...], ...]
    covers: bool
    apart: int

    @classmethod
    def of(cls, found: Windows, sizes: Sequence[Any]) -> Layout:
        """The layout of windows on an input of these sizes."""
        counts: tuple[Any, ...] = found.count(sizes)
        axes = tuple(
            tuple(_cells(offset - before, stride, n, count) for offset in range(size))
            for n, count, size, stride, (before, _) in zip(
                sizes, counts, found.size, found.strides, found.pairs
            )
        )
        covers = all(
            n == count * stride == count * size and pads == (0, 0)
            for n, count, size, stride, pads in zip(
                sizes, counts, found.size, found.strides, found.pairs
            )
        )
        moving = [(k, s) for k, s in zip(found.size, found.strides) if k > 1]
        overlap = [s for k, s in moving if s < k]
        apart = math.prod(found.size) if not overlap else overlap[0] if len(moving) == 1 else 0
        return cls(counts, axes, covers, apart)

    @property
    def whole(self) -> bool:
        """Whether no window reaches into the padding."""
        return all(
            cells[0] == slice(0, count)
            for axis, count in zip(self.axes, self.counts)
            for cells in axis
        )

    @property
    def moving(self) -> list[int]:
        """The axes of the tensor on which windows are more than its cells one by one."""
        return [
            axis
            for axis, (cells, count) in enumerate(zip(self.axes, self.counts), 1)
            if cells != ((slice(0, count), slice(0, count, 1)),)
        ]

    def places(self) -> Iterable[tuple[tuple[slice, ...], tuple[slice, ...]]]:
        """Keys of the windows and of the input for each cell of a window, in row-major order."""
        for cells in itertools.product(*self.axes):
            yield (
                (slice(None), *[c[0] for c in cells]),
                (slice(None), *[c[1] for c in cells]),
            )


def _cells(shift: int, stride: int, size: int, count: int) -> Cells:
    """The windows i for which i * stride + shift lies on an axis of this size, and those places."""
    first = max(0, -(shift // stride))
    last = min(count, (size - 1 - shift) // stride + 1)
    if last <= first:
        return slice(0, 0), slice(0, 0)
    start = first * stride + shift
    return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


def along(axis: int, key: slice) -> tuple[slice, ...]:
    """The index that takes a part of one axis."""
    return (slice(None),) * axis + (key,)


def moved(source: np.ndarray, target: np.ndarray) -> Call:
    """A call that copies pixels: all channels of one as one item."""
    return partial(np.copyto, *in_runs(target, source))


def fold(
    combine: Callable[..., Any], empty: Any, source: np.ndarray, target: np.ndarray, axis: int,
    cells: Sequence[Cells], spare: np.ndarray | None = None,
) -> list[Call]:  # fmt: skip
    """Calls that write to `target` what `combine` makes of the cells of windows along an axis.

    `empty` is the value that `combine` leaves others as they are with; `spare` is a buffer like
    `target`, with which strided cells go faster.
    """
    everything = slice(0, target.shape[axis])
    pairs = [(those, source[along(axis, place)]) for those, place in cells if those != slice(0, 0)]
    whole = [cell for those, cell in pairs if those == everything]
    part = [(target[along(axis, those)], cell) for those, cell in pairs if those != everything]
    calls: list[Call]
    if spare is not None:
        calls = [moved(whole.pop(0), target)] if whole else [partial(target.fill, empty)]
        for window, cell in [*[(target, each) for each in whole], *part]:
            beside = spare[tuple(map(slice, window.shape))]
            calls += [moved(cell, beside), partial(combine, window, beside, out=window)]
        return calls
    if len(whole) > 1:
        calls = [partial(combine, whole[0], whole[1], out=target)]
    elif whole:
        calls = [partial(np.copyto, target, whole[0])]
    else:
        calls = [partial(target.fill, empty)]
    calls += [partial(combine, target, each, out=target) for each in whole[2:]]
    calls += [partial(combine, window, cell, out=window) for window, cell in part]
    return calls


def unfold(
    source: np.ndarray, target: np.ndarray, axis: int, cells: Sequence[Cells], covers: bool
) -> list[Call]:
    """Calls that write to each place of `target` the sum of `source` over the windows there."""
    views = [(target[along(axis, place)], source[along(axis, those)]) for those, place in cells]
    if covers:
        pixels = axis == target.ndim - 2
        return [moved(v, p) if pixels else partial(np.copyto, p, v) for p, v in views]
    return [
        partial(target.fill, 0),
        *[partial(np.add, place, value, out=place) for place, value in views],
    ]


def calling_all(calls_of: Callable[..., Sequence[Call]]) -> Prepared:
    """A kernel that runs the calls that `calls_of` makes of its buffers, one after the other."""
    return Prepared(lambda *buffers: (called(calls_of(*buffers)),), run_calls)


def called(calls: Iterable[Call]) -> list[tuple[Call]]:
    """The same calls as `run_calls` makes them."""
    return [(call,) for call in calls]

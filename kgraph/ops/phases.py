"""The gradient of a convolution by its images, as convolutions of the cotangent.

Image cells whose places are equal modulo the stride meet the same cells of the window: they form a
phase. With P = q s + phase the place of a cell in the padded image,

    dx[P] = sum over t with t d = phase (mod s) of g[q - (t d - phase) / s] @ kernel[t]^T

is a convolution that moves by 1, with every so-manieth cell of the kernel in reverse order. Where
windows move by 1 there is one phase, and the kernel is the flipped one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kgraph.ir.types import TensorType
from kgraph.ops.convolution_kernels import Forward, Problem
from kgraph.ops.patches import BLOCK, Call
from kgraph.ops.runs import in_runs
from kgraph.ops.windows import Windows


@dataclass(frozen=True)
class AxisPhase:
    """One axis of a phase.

    Args:
        cells: which cells of the images.
        count: how many.
        taps: which cells of the window they meet.
        given: which outputs' cotangents they see.
        size: how many cells of the window; 0 where the gradient is 0.
        dilation: cotangents from one of these to the next.
        padding: zeros around the cotangents.
    """

    cells: slice
    count: int
    taps: slice
    given: slice
    size: int
    dilation: int
    padding: tuple[int, int]


def axis_phases(
    size: int, count: int, window: int, stride: int, dilation: int, before: int
) -> list[AxisPhase]:
    """All phases of an axis that have cells.

    Args:
        size: cells of the images.
        count: outputs.
        window: cells of the window.
        stride: cells from one window to the next.
        dilation: cells from one cell of a window to the next.
        before: zeros in front of the images.

    Example:
        >>> [phase.size for phase in axis_phases(8, 4, 3, 2, 1, 0)]
        [2, 1]
    """
    found = []
    for phase in range(stride):
        first, last = -((phase - before) // stride), (before + size - 1 - phase) // stride
        if last < first:
            continue
        start = first * stride + phase - before
        cells = slice(start, start + (last - first) * stride + 1, stride)
        taps = [t for t in range(window) if (t * dilation - phase) % stride == 0]
        shifts = [(t * dilation - phase) // stride for t in taps] or [0]
        pads = shifts[-1] - first, last - shifts[0] - (count - 1)
        given = slice(max(-pads[0], 0), count - max(-pads[1], 0))
        found.append(
            AxisPhase(
                cells=cells,
                count=last - first + 1,
                taps=slice(taps[0], taps[-1] + 1, _step(taps)) if taps else slice(0),
                given=given,
                size=len(taps) if given.stop > given.start else 0,
                dilation=_step(shifts),
                padding=(max(pads[0], 0), max(pads[1], 0)),
            )
        )
    return found


def _step(places: list[int]) -> int:
    return places[1] - places[0] if len(places) > 1 else 1


class PhasedGrad:
    """The gradient by the images, one convolution of the cotangent for each phase.

    Args:
        problem: the convolution.
        kind: what computes convolutions like it.
    """

    def __init__(self, problem: Problem, kind: type[Any] = Forward) -> None:
        self.problem, self.kind, w = problem, kind, problem.windows
        befores = [before for before, _ in w.pairs]
        axes = zip(problem.sizes, problem.counts, w.size, w.strides, w.dilation, befores)
        self.phases = list(itertools.product(*[axis_phases(*axis) for axis in axes]))
        self.is_whole = max(w.strides) == 1
        # Phases lie scattered in the images, so their results are copied: some images at a time.
        most = max((math.prod(a.count for a in p) for p in self.phases), default=0)
        self.image_cells = most * problem.channels
        nbytes = self.image_cells * np.dtype(problem.dtype).itemsize
        step = problem.batch if self.is_whole else max(1, BLOCK // max(1, nbytes))
        self.starts = range(0, problem.batch, max(1, step))
        self.most = min(step, problem.batch)

    def forward(self, phase: Sequence[AxisPhase], batch: int) -> Any:
        """The convolution of a phase for some images."""
        windows = Windows(
            tuple(a.size for a in phase),
            (1,) * len(phase),
            tuple(a.padding for a in phase),
            tuple(a.dilation for a in phase),
        )
        return self.kind(
            replace(
                self.problem,
                batch=batch,
                sizes=tuple(a.given.stop - a.given.start for a in phase),
                channels=self.problem.filters,
                filters=self.problem.channels,
                windows=windows,
            )
        )

    @property
    def types(self) -> tuple[TensorType, ...]:
        """Buffers: a phase's kernel and result, and three for its convolution."""
        problem = self.problem
        sizes = [
            [t.size for t in self.forward(phase, self.most).types]
            for phase in self.phases
            if all(a.size for a in phase)
        ]
        largest = [max(s) for s in zip(*sizes)] if sizes else [0, 0, 0]
        result = 0 if self.is_whole else self.most * self.image_cells
        counts = (math.prod(problem.kernel_shape), result, *largest)
        return tuple(TensorType((n,), problem.dtype) for n in counts)

    def calls(self, g: np.ndarray, kernel: np.ndarray, out: np.ndarray, *work: Any) -> list[Call]:
        weights, result, *buffers = work
        calls: list[Call] = []
        for phase in self.phases:
            cells = (slice(None), *[a.cells for a in phase])
            if not all(a.size for a in phase):
                calls.append((out[cells].fill, 0))
                continue
            call, turned = self._turned(kernel[tuple(a.taps for a in phase)], weights)
            calls.append(call)
            for start in self.starts:
                images = slice(start, min(start + self.most, self.problem.batch))
                forward = self.forward(phase, images.stop - images.start)
                given = g[(images, *[a.given for a in phase])]
                target = out[images][cells]
                place = target if self.is_whole else result[: target.size].reshape(target.shape)
                held = [b[: t.size].reshape(t.shape) for b, t in zip(buffers, forward.types)]
                calls += forward.calls(given, turned, place, *held)
                if not self.is_whole:
                    calls.append((np.copyto, *in_runs(target, place)))
        return calls

    def _turned(self, kernel: np.ndarray, buffer: np.ndarray) -> tuple[Call, np.ndarray]:
        """The kernel in reverse order, with filters as channels, and the call that makes it."""
        axes, groups = kernel.ndim - 2, self.problem.groups
        *size, channels, filters = kernel.shape
        grouped = kernel.reshape(*size, channels, groups, filters // groups)
        order = (*range(axes), axes + 2, axes + 1, axes)
        turned = np.flip(grouped, tuple(range(axes))).transpose(order)
        flat = buffer[: kernel.size]
        shape = (*size, filters // groups, groups * channels)
        return (np.copyto, flat.reshape(turned.shape), turned), flat.reshape(shape)

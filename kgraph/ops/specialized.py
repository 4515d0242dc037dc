"""Ops whose kernel is stated once, as what `specialize` returns for concrete types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from kgraph.ir.op import Op
from kgraph.ir.types import TensorType


def allocate(types: Iterable[TensorType]) -> list[np.ndarray]:
    """Buffers of these types, whose sizes are numbers."""
    return [np.empty(t.shape, t.dtype) for t in types]


class Prepared:
    """A kernel that works on views of its buffers; a plan makes them once, not in every run.

    Args:
        views: (*buffers) -> what `run` takes; also the place to look at strides.
        run: the kernel itself.

    Example:
        >>> fill = Prepared(lambda x: (x.reshape(-1),), lambda flat: flat.fill(1))
        >>> x = np.zeros((2, 2)); fill(x); x.tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """

    __slots__ = ("run", "views")

    def __init__(self, views: Callable[..., Sequence[Any]], run: Callable[..., Any]) -> None:
        self.views, self.run = views, run

    def __call__(self, *buffers: np.ndarray) -> Any:
        return self.run(*self.views(*buffers))


def reshaped(kernel: Prepared, shapes: Sequence[Any]) -> Prepared:
    """A kernel that takes its first buffers in other shapes than these, which `kernel` needs.

    Buffers that are not contiguous are copied in every run, the others seen through views.
    """

    def adapt(*buffers: np.ndarray) -> list[np.ndarray]:
        first = [b.reshape(s) for b, s in zip(buffers, shapes)]
        return [*first, *buffers[len(shapes) :]]

    def views(*buffers: np.ndarray) -> tuple[Any, ...]:
        if all(b.flags.c_contiguous for b in buffers):
            return kernel.run, *kernel.views(*adapt(*buffers))
        return lambda *given: kernel(*adapt(*given)), *buffers

    return Prepared(views, lambda run, *operands: run(*operands))


class Specialized(Op):
    """An op that declares `specialize` and gets its `kernel` from it."""

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        inputs = [TensorType(a.shape, a.dtype.name) for a in arrays]
        inferred = self.infer(*inputs, **attrs)
        outputs = inferred if isinstance(inferred, tuple) else (inferred,)
        given = out if isinstance(out, tuple) else (out,)
        results = tuple(allocate(outputs)) if out is None else given
        buffers = work or allocate(self.scratch(*inputs, **attrs))
        self.specialize(inputs, outputs, attrs)(*arrays, *results, *buffers)
        return results if len(outputs) > 1 else results[0]

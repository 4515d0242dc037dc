"""Regular parts of tensors: `slice`, a view, and the op that puts a slice back into zeros.

A step is positive here: `getitem` writes a negative one as slice and flip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, UndecidableError
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, register
from kgraph.ir.types import Shape, TensorType
from kgraph.ops.base import View
from kgraph.ops.elementwise import add
from kgraph.ops.extremes import maximum, minimum
from kgraph.ops.indexing import take
from kgraph.ops.select import cast
from kgraph.ops.shapes import as_shape, draw, shape_of, show
from kgraph.ops.specialized import Prepared, Specialized


class Slice(View):
    """A part of each axis, of a given size; the node's `steps` leave out elements between.

    Args:
        inputs: tensor of any shape.
        start_indices: the first place of each axis: numbers, or a tensor of ids, which are moved so
            that the part lies inside.
        shape: the sizes of the part.

    Example:
        >>> slice_op(np.arange(6), (1,), (3,)).tolist()
        [1, 2, 3]
    """

    name = "slice"

    def __call__(self, inputs: Any, start_indices: Any, shape: Any) -> Any:
        sizes, own = as_shape(shape), shape_of(inputs)
        if isinstance(start_indices, Node) or any(isinstance(s, Node) for s in start_indices):
            for axis, (n, whole) in enumerate(zip(sizes, own)):
                first = minimum(maximum(cast(start_indices[axis], "int64"), 0), whole - n)
                places: Any = np.arange(n)  # type: ignore[arg-type]
                inputs = take(inputs, add(first, places), axis)
            return inputs
        starts = as_shape(start_indices)
        return slice_(inputs, starts, [s + n for s, n in zip(starts, sizes)])

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        steps = attrs.get("steps")
        ndim = inputs[0].ndim
        full = {
            "starts": as_shape(attrs["starts"]),
            "stops": as_shape(attrs["stops"]),
            "steps": (1,) * ndim if steps is None else as_shape(steps),
        }
        if any(len(v) != ndim for v in full.values()):
            raise InferenceError(f"needs starts, stops and steps of {ndim} axes")
        return full

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,) = types
        return x.with_shape(sliced_shape(x.shape, attrs["starts"], attrs["stops"], attrs["steps"]))

    def view(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        # The dots make a view of a scalar too, which an empty index would copy.
        key: Any = (*slices(attrs, array.shape), ...)
        return array[key]

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (slice_grad(g, inputs[0].shape, **attrs),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(4, 5),), {"starts": (1, 0), "stops": (3, 5)})
        yield Sample((draw(4, 5),), {"starts": (0, 1), "stops": (4, 5), "steps": (1, 2)})


class SliceGrad(Op):
    """Zeros of `shape` that hold the operand where `slice` of these bounds would read."""

    name = "slice_grad"

    def __call__(self, g: Any, shape: Any, starts: Any, stops: Any, steps: Any) -> Any:
        return self.apply((g,), shape=shape, starts=starts, stops=stops, steps=steps)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (g,), shape = types, tuple(attrs["shape"])
        expected = sliced_shape(shape, attrs["starts"], attrs["stops"], attrs["steps"])
        if expected != g.shape:
            raise InferenceError(f"the slice has shape {show(expected)}")
        return g.with_shape(shape)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        if out is None:
            out = np.empty(attrs["shape"], arrays[0].dtype)
        out.fill(0)
        out[slices(attrs, out.shape)] = arrays[0]
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (slice_(g, attrs["starts"], attrs["stops"], attrs["steps"]),)

    def samples(self) -> Iterable[Sample]:
        bounds = {"starts": (1, 0), "stops": (4, 5), "steps": (2, 1)}
        yield Sample((draw(2, 5),), {"shape": (4, 5), **bounds})
        whole = {"starts": (0, 1), "stops": (2, 3), "steps": (1, 1)}
        yield Sample((draw(2, 2),), {"shape": (2, 5), **whole})


class SliceAdd(Specialized):
    """`x` with `g` added where `slice` of these bounds would read.

    Example:
        >>> slice_add(np.ones(3), np.array([5.0]), (1,), (2,), (1,)).tolist()
        [1.0, 6.0, 1.0]
    """

    name = "slice_add"
    reuse = (0,)

    def __call__(self, x: Any, g: Any, starts: Any, stops: Any, steps: Any) -> Any:
        return self.apply((x, g), starts=starts, stops=stops, steps=steps)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        x, g = types
        expected = sliced_shape(x.shape, attrs["starts"], attrs["stops"], attrs["steps"])
        if g != x.with_shape(expected):
            raise InferenceError(f"the slice is {x.with_shape(expected)}")
        return x

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        shape: Any = outputs[0].shape
        key: Any = (*slices(attrs, shape), ...)

        def views(x: np.ndarray, g: np.ndarray, out: np.ndarray) -> tuple[Any, ...]:
            return None if np.may_share_memory(out, x) else x, g, out, out[key]

        def kernel(
            source: np.ndarray | None, g: np.ndarray, out: np.ndarray, part: np.ndarray
        ) -> None:
            if source is not None:
                np.copyto(out, source)
            np.add(part, g, part)

        return Prepared(views, kernel)

    def reference(self, x: Any, g: Any, **bounds: Any) -> Any:
        return x + slice_grad(g, x.shape, **bounds)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return g, slice_(g, attrs["starts"], attrs["stops"], attrs["steps"])

    def samples(self) -> Iterable[Sample]:
        bounds = {"starts": (1, 0), "stops": (4, 5), "steps": (2, 1)}
        yield Sample((draw(4, 5), draw(2, 5)), bounds)
        yield Sample((draw(2, 5), draw(2, 2)), {"starts": (0, 1), "stops": (2, 3), "steps": (1, 1)})


def sliced_shape(shape: Shape, starts: Shape, stops: Shape, steps: Shape) -> Shape:
    """The shape of a slice, after checking its bounds as far as they are known."""
    sizes: list[int | Dim] = []
    for axis, (size, start, stop, step) in enumerate(zip(shape, starts, stops, steps)):
        if not isinstance(step, int) or step < 1:
            raise InferenceError(f"step {step} of axis {axis} is not positive")
        known = all(isinstance(d, int) for d in (size, start, stop))
        if known and not 0 <= start <= stop <= size:
            raise InferenceError(f"{start}:{stop} is no part of axis {axis} of size {size}")
        length = stop - start
        try:
            sizes.append(-(-length // step) if isinstance(length, int) else length // step)
        except UndecidableError as error:
            raise InferenceError(f"axis {axis} has no regular part: {error}") from None
    return tuple(sizes)


def slices(attrs: Mapping[str, Any], shape: tuple[int, ...]) -> tuple[slice, ...]:
    """The index of a slice whose bounds are numbers.

    Raises:
        IndexError: a symbolic size came out too small for the bounds.
    """
    bounds = tuple(zip(attrs["starts"], attrs["stops"], attrs["steps"]))
    for axis, ((start, stop, _), size) in enumerate(zip(bounds, shape)):
        if not 0 <= start <= stop <= size:
            raise IndexError(f"slice: {start}:{stop} is no part of axis {axis} of size {size}")
    return tuple(slice(*b) for b in bounds)


def slice_(x: Any, starts: Any, stops: Any, steps: Any = None) -> Any:
    """A regular part of each axis: from `starts` to `stops` in positive `steps`, one an axis.

    Example:
        >>> slice_(np.arange(6), (1,), (6,), (2,)).tolist()
        [1, 3, 5]
    """
    return slice_op.apply((x,), starts=starts, stops=stops, steps=steps)


slice_op, slice_grad = register(Slice()), register(SliceGrad())
slice_add = register(SliceAdd())

"""Ops that put tensors together, take them apart, or surround and repeat them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.dim import Dim
from kgraph.ir.node import API, Node
from kgraph.ir.op import Op, Sample, promote_operands, register
from kgraph.ir.types import Shape, TensorType
from kgraph.ops.base import normalize_axis
from kgraph.ops.ensure_shape import ensure_shape
from kgraph.ops.indexing import take
from kgraph.ops.shapes import (
    as_shape,
    broadcast_to,
    draw,
    expand_dims,
    flip,
    reshape,
    shape_of,
)
from kgraph.ops.slicing import slice_


class Concatenate(Op):
    """Tensors one after the other along an axis; the other axes agree.

    Example:
        >>> concatenate([np.array([1, 2]), np.array([3])]).tolist()
        [1, 2, 3]
    """

    name = "concatenate"

    def __call__(self, xs: Sequence[Any], axis: int = 0) -> Any:
        return self.apply(tuple(xs), axis=axis)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands) if operands else ()

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        if not inputs:
            raise InferenceError("needs at least one tensor")
        return {"axis": normalize_axis(attrs.get("axis", 0), inputs[0].ndim)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        axis, first = attrs["axis"], types[0]
        total: int | Dim = 0
        for other in types:
            same = other.ndim == first.ndim and all(
                a == b for i, (a, b) in enumerate(zip(first.shape, other.shape)) if i != axis
            )
            if not same:
                raise InferenceError(f"shapes must be equal except along axis {axis}")
            if other.dtype != first.dtype:
                raise InferenceError("operands must have one dtype")
            total = total + other.shape[axis]
        return first.with_shape((*first.shape[:axis], total, *first.shape[axis + 1 :]))

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        return np.concatenate(arrays, axis=attrs["axis"], out=out)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        join, axis = np.concatenate, attrs["axis"]
        return lambda *buffers: join(buffers[:-1], axis, buffers[-1])

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return tuple(pieces(g, [x.shape[attrs["axis"]] for x in inputs], attrs["axis"]))

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 3), draw(2, 1)), {"axis": -1})
        yield Sample((draw(2, 3), draw(1, 3), draw(2, 3)), {"axis": 0})
        yield Sample((draw(2),))


class Pad(Op):
    """The tensor with `constant_values` around it; `pad_width` has (before, after) an axis.

    With mode "reflect" or "symmetric" the tensor's mirror images stand around it, without and with
    its outermost elements.

    Example:
        >>> pad(np.array([1, 2]), (1, 2)).tolist()
        [0, 1, 2, 0, 0]
    """

    name = "pad"

    def __call__(
        self, x: Any, pad_width: Any, mode: str = "constant", constant_values: float | None = None
    ) -> Any:
        if mode == "constant":
            return self.apply((x,), pad_width=pad_width, constant_values=constant_values or 0)
        if mode not in ("reflect", "symmetric"):
            raise InferenceError(f"pad: mode must be constant, reflect or symmetric, not {mode!r}")
        if constant_values is not None:
            raise InferenceError(f"pad: constant_values has no meaning with mode={mode!r}")
        for axis, (before, after) in enumerate(pairs_of(pad_width, len(shape_of(x)))):
            x = with_mirrors(x, before, after, axis, int(mode == "reflect"))
        return x

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        full = pairs_of(attrs["pad_width"], inputs[0].ndim)
        return {"pad_width": full, "constant_values": float(attrs.get("constant_values", 0))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,), width = types, attrs["pad_width"]
        if any(isinstance(n, int) and n < 0 for pair in width for n in pair):
            raise InferenceError(f"pad_width {width} is negative: slice the tensor instead")
        return x.with_shape(tuple(a + d + b for d, (a, b) in zip(x.shape, width)))

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,), width = arrays, attrs["pad_width"]
        if out is None:
            out = np.empty([a + d + b for d, (a, b) in zip(x.shape, width)], x.dtype)
        out.fill(attrs["constant_values"])
        out[tuple(slice(a, a + d) for d, (a, _) in zip(x.shape, width))] = x
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        starts = tuple(a for a, _ in attrs["pad_width"])
        stops = tuple(a + d for a, d in zip(starts, inputs[0].shape))
        return (slice_(g, starts, stops),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 3),), {"pad_width": ((1, 0), (2, 3))})
        yield Sample((draw(2, 3),), {"pad_width": 1, "constant_values": -2.5})


def pairs_of(width: Any, ndim: int) -> tuple[Shape, ...]:
    """A pair (before, after) for each axis, from any of NumPy's spellings."""
    pairs = width if isinstance(width, (tuple, list, np.ndarray)) else ((width, width),)
    if len(pairs) == 2 and not any(isinstance(p, (tuple, list, np.ndarray)) for p in pairs):
        pairs = (pairs,)
    full = tuple(as_shape(p) for p in pairs) * (ndim if len(pairs) == 1 else 1)
    full = tuple(p * 2 if len(p) == 1 else p for p in full)
    if len(full) != ndim or any(len(p) != 2 for p in full):
        raise InferenceError(f"pad_width {width!r} does not give {ndim} axes a pair each")
    return full


def with_mirrors(x: Any, before: Any, after: Any, axis: int, skipped: int) -> Any:
    """A tensor between its mirror images, which leave out `skipped` elements at the edge."""
    size = shape_of(x)[axis]
    if before == 0 and after == 0:
        return x
    if isinstance(size, int) and (before > size - skipped or after > size - skipped):
        raise InferenceError(f"pad: axis {axis} of size {size} cannot mirror {before, after}")
    shape = shape_of(x)

    def mirrored(start: Any, stop: Any) -> Any:
        starts = tuple(start if i == axis else 0 for i in range(len(shape)))
        stops = tuple(stop if i == axis else d for i, d in enumerate(shape))
        return flip(slice_(x, starts, stops), axis)

    left = mirrored(skipped, skipped + before)
    right = mirrored(size - skipped - after, size - skipped)
    return concatenate([left, x, right], axis)


concatenate, pad = register(Concatenate()), register(Pad())


def pieces(x: Any, sizes: Sequence[int | Dim], axis: int) -> list[Any]:
    """Cuts a tensor into consecutive views of these sizes along an axis."""
    shape = shape_of(x)
    start: int | Dim = 0
    found = []
    for size in sizes:
        starts = tuple(start if i == axis else 0 for i in range(len(shape)))
        stops = tuple(start + size if i == axis else d for i, d in enumerate(shape))
        found.append(slice_(x, starts, stops))
        start = start + size
    return found


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Joins tensors of one shape along a new axis.

    Args:
        x: tensors of equal shapes.
        axis: where the new axis stands in the result.

    Returns:
        A tensor with one axis more.

    Raises:
        InferenceError: the shapes differ.

    Example:
        >>> stack([np.ones(2, "float32"), np.zeros(2, "float32")], axis=1).shape
        (2, 2)
    """
    return concatenate([expand_dims(part, axis) for part in x], axis)


def split(x: Any, indices_or_sections: int | Sequence[int | Dim], axis: int = 0) -> list[Any]:
    """Cuts a tensor along an axis into equal parts, or at the given places.

    Args:
        x: tensor of any shape.
        indices_or_sections: number of equal parts, or the places where to cut.
        axis: the axis to cut.

    Returns:
        The parts, which are views when a plan runs.

    Raises:
        InferenceError: the axis does not divide into equal parts.

    Example:
        >>> [part.shape for part in split(np.ones((2, 6)), 3, axis=1)]
        [(2, 2), (2, 2), (2, 2)]
    """
    shape = shape_of(x)
    axis = normalize_axis(axis, len(shape))
    size = shape[axis]
    if not isinstance(indices_or_sections, (int, np.integer)):
        cuts = [0, *as_shape(indices_or_sections), size]
        return pieces(x, [b - a for a, b in pairwise(cuts)], axis)
    count = int(indices_or_sections)
    if count < 1 or not isinstance(size, int) or size % count:
        raise InferenceError(f"split: axis {axis} of size {size} has no {count} equal parts")
    return pieces(x, [size // count] * count, axis)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The slices of a tensor along an axis, each without that axis.

    Args:
        x: tensor of any shape.
        num: how many slices there are; needed only where the size is unknown.
        axis: the axis to take apart.

    Returns:
        The slices, which are views when a plan runs.

    Raises:
        InferenceError: the number is unknown, or not `num`.

    Example:
        >>> len(unstack(np.ones((3, 2))))
        3
    """
    shape = shape_of(x)
    axis = normalize_axis(axis, len(shape))
    count, rest = shape[axis], shape[:axis] + shape[axis + 1 :]
    if isinstance(count, Dim) and num is not None:
        x, count = ensure_shape(x, (*shape[:axis], num, *shape[axis + 1 :])), num
    if isinstance(count, Dim):
        raise InferenceError(f"unstack: axis {axis} has size {count}, which is no number yet")
    if num not in (None, count):
        raise InferenceError(f"unstack: axis {axis} has {count} slices, not {num}")
    return [reshape(part, rest) for part in split(x, count, axis)]


def tile(x: Any, repeats: Any) -> Any:
    """Repeats the whole tensor `repeats` times along each axis.

    Example:
        >>> tile(np.array([1, 2], dtype="int32"), 2)
        array([1, 2, 1, 2], dtype=int32)
    """
    shape, counts = shape_of(x), as_shape(repeats)
    ndim = max(len(shape), len(counts))
    shape = (1,) * (ndim - len(shape)) + shape
    counts = (1,) * (ndim - len(counts)) + counts
    apart = tuple(n for d in shape for n in (1, d))
    spread = tuple(n for c, d in zip(counts, shape) for n in (c, d))
    repeated = broadcast_to(reshape(x, apart), spread)
    return reshape(repeated, tuple(c * d for c, d in zip(counts, shape)))


def repeat(x: Any, repeats: Any, axis: int | None = None) -> Any:
    """Repeats each element, or each slice along an axis, `repeats` times in place.

    Args:
        x: tensor of any shape.
        repeats: a number, or one for each slice.
        axis: None for all elements.

    Returns:
        A tensor with so many slices.

    Example:
        >>> repeat(np.array([1, 2], dtype="int32"), 2)
        array([1, 1, 2, 2], dtype=int32)
    """
    if axis is None:
        x, axis = reshape(x, -1), 0
    shape: Shape = shape_of(x)
    axis = normalize_axis(axis, len(shape))
    if isinstance(repeats, (tuple, list, np.ndarray)) and np.ndim(repeats):
        return take(x, np.repeat(np.arange(len(repeats)), repeats), axis)
    spread = (*shape[: axis + 1], repeats, *shape[axis + 1 :])
    merged = (*shape[:axis], shape[axis] * repeats, *shape[axis + 1 :])
    return reshape(broadcast_to(expand_dims(x, axis + 1), spread), merged)


API.update(stack=stack, split=split, unstack=unstack, tile=tile, repeat=repeat)

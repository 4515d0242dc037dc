"""NumPy's square brackets on tensors, written with slice, flip, squeeze, expand_dims and take.

Boolean masks are refused: the shape of their result depends on values. An int and an array of ids
must stand side by side, because NumPy moves the axes of separated ones to the front.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import Dim
from kgraph.ir.node import API, Node
from kgraph.ops.indexing import take
from kgraph.ops.shapes import expand_dims, flip, shape_of, squeeze
from kgraph.ops.slicing import slice_

Bounds = tuple[int | Dim, int | Dim, int]


def getitem(x: Any, key: Any) -> Any:
    """NumPy's square brackets: ints, slices, None, Ellipsis, and one array of integer ids.

    Args:
        x: tensor of any shape.
        key: what stands between the brackets.

    Returns:
        The part of `x`; without an array of ids it is a view when a plan runs.

    Raises:
        IndexError: a known index is out of bounds, or there are too many.
        InferenceError: the key is of another kind, such as a boolean mask.

    Example:
        >>> getitem(np.arange(6).reshape(2, 3), (0, slice(None, None, -1)))
        array([2, 1, 0])
    """
    keys = expand_key(key, len(shape_of(x)))
    gathered = [i for i, k in enumerate(keys) if is_ids(k)]
    if not gathered:
        return basic(x, keys)
    place = gathered[0]
    beside = [i for i, k in enumerate(keys) if is_integer(k) or is_ids(k)]
    if len(gathered) > 1 or beside[-1] - beside[0] >= len(beside):
        raise InferenceError(
            explain(
                "getitem: takes one array of ids, with ints only beside it",
                got=f"{len(gathered)} arrays and {len(beside) - len(gathered)} ints",
                hint="index in two steps, x[i][:, ids], or use kgraph.ops.take",
            )
        )
    part = basic(x, [slice(None) if i == place else k for i, k in enumerate(keys)])
    return take(part, keys[place], sum(not is_integer(k) for k in keys[:place]))


def expand_key(key: Any, ndim: int) -> list[Any]:
    """Gives each axis its own index; None stands for a new axis."""
    keys = list(key) if isinstance(key, tuple) else [key]
    keys = [np.asarray(k) if isinstance(k, list) else k for k in keys]
    for part in keys:
        if not (part is None or part is Ellipsis or isinstance(part, slice) or is_integer(part)):
            require_integers(part)
    missing = ndim - sum(k is not None and k is not Ellipsis for k in keys)
    if missing < 0:
        raise IndexError(f"getitem: {ndim - missing} indices for a tensor of {ndim} axes")
    dots = [i for i, k in enumerate(keys) if k is Ellipsis]
    if len(dots) > 1:
        raise IndexError("getitem: an index can only have a single Ellipsis")
    place = dots[0] if dots else len(keys)
    return [*keys[:place], *[slice(None)] * missing, *keys[place + 1 :]]


def require_integers(part: Any) -> None:
    """Refuses what is neither a node nor an array of integers."""
    kind = np.dtype(part.dtype).kind if isinstance(part, (Node, np.ndarray)) else type(part)
    if kind in ("b", bool, np.bool_):
        raise InferenceError(
            explain(
                "getitem: boolean masks are not supported",
                expected="a shape that does not depend on values",
                hint="use kgraph.ops.where, or multiply by the mask",
            )
        )
    if kind not in ("i", "u"):
        raise InferenceError(f"getitem: cannot index with {part!r}")


def basic(x: Any, keys: list[Any]) -> Any:
    """Indexing by ints, slices and new axes."""
    shape = shape_of(x)
    axes = [k for k in keys if k is not None]
    bounds = [
        slice_bounds(k, d) if isinstance(k, slice) else integer_bounds(int(k), i, d)
        for i, (k, d) in enumerate(zip(axes, shape))
    ]
    if any(b != (0, d, 1) for b, d in zip(bounds, shape)):
        starts, stops, steps = zip(*bounds)
        x = slice_(x, starts, stops, [abs(s) for s in steps])
    backwards = tuple(i for i, (_, _, step) in enumerate(bounds) if step < 0)
    x = flip(x, backwards) if backwards else x
    dropped = tuple(i for i, k in enumerate(axes) if is_integer(k))
    x = squeeze(x, dropped) if dropped else x
    kept = [k for k in keys if not is_integer(k)]
    added = tuple(i for i, k in enumerate(kept) if k is None)
    return expand_dims(x, added) if added else x


def slice_bounds(part: slice, size: int | Dim) -> Bounds:
    """Start, stop and step of the elements in rising order; a negative step says to flip them."""
    step = 1 if part.step is None else int(part.step)
    if step == 0:
        raise InferenceError("getitem: a slice's step cannot be zero")
    if isinstance(size, Dim) or isinstance(part.start, Dim) or isinstance(part.stop, Dim):
        return symbolic_bounds(part, size, step)
    chosen = range(*part.indices(size))
    if not chosen:
        return 0, 0, 1
    if step < 0:
        return chosen[-1], chosen[0] + 1, step
    return chosen[0], max(chosen.stop, chosen[0]), step


def symbolic_bounds(part: slice, size: int | Dim, step: int) -> Bounds:
    """Bounds on an axis whose size is unknown; they are checked when the graph runs."""
    if step < 0:
        if step == -1 and part.start is None and part.stop is None:
            return 0, size, -1
        raise InferenceError(f"getitem: {part} is not supported on an axis of size {size}")

    def from_front(bound: Any, default: int | Dim) -> int | Dim:
        if bound is None or isinstance(bound, Dim):
            return default if bound is None else bound
        return int(bound) + size if int(bound) < 0 else int(bound)

    return from_front(part.start, 0), from_front(part.stop, size), step


def integer_bounds(index: int, axis: int, size: int | Dim) -> Bounds:
    """The slice that holds one element."""
    if isinstance(size, int) and not -size <= index < size:
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {size}")
    start = index + size if index < 0 else index
    return start, start + 1, 1


def is_integer(part: Any) -> bool:
    """Whether an index is one Python or NumPy int."""
    return isinstance(part, (int, np.integer)) and not isinstance(part, bool)


def is_ids(part: Any) -> bool:
    """Whether an index is an array of ids."""
    return isinstance(part, (Node, np.ndarray))


API["getitem"] = getitem

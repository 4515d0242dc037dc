"""Images in other sizes, made of the ops for repeating, indexing and products.

Pixel o of n_out has its centre at (o + 1/2) n_in / n_out - 1/2 among the n_in pixels that there
are: half-pixel centres, as in TensorFlow 2 and JAX. Sizes may be symbolic.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, UndecidableError
from kgraph.ir.dim import Dim, product
from kgraph.ir.leaves import size as size_node
from kgraph.ir.op import cast_to
from kgraph.ops.average_pool import sum_pool_grad
from kgraph.ops.base import normalize_axis
from kgraph.ops.cumulative import cumsum
from kgraph.ops.elementwise import abs, floor_divide
from kgraph.ops.extremes import maximum, minimum
from kgraph.ops.indexing import take
from kgraph.ops.joining import repeat
from kgraph.ops.linalg import matmul
from kgraph.ops.select import cast
from kgraph.ops.shapes import expand_dims, full, reshape, shape_of

INTERPOLATIONS = ("nearest", "bilinear")


def resize(
    x: Any, size: Sequence[Any], interpolation: str = "bilinear", axes: Sequence[int] = (1, 2)
) -> Any:
    """The tensor with other sizes along some axes.

    Args:
        x: floats for bilinear, else any dtype.
        size: the new sizes, ints or symbolic, one for each of `axes`.
        interpolation: "nearest", or "bilinear" (linear along each axis).
        axes: the axes to resize.

    Returns:
        A tensor like x, but for those sizes.

    Raises:
        InferenceError: the interpolation is unknown, or there are not as many sizes as axes.

    Example:
        >>> resize(np.array([[0.0, 1.0]]), (4,), axes=(1,)).tolist()
        [[0.0, 0.25, 0.75, 1.0]]
    """
    shape = shape_of(x)
    if interpolation not in INTERPOLATIONS:
        raise InferenceError(
            f"resize: interpolation must be one of {', '.join(INTERPOLATIONS)}, "
            f"not {interpolation!r}"
        )
    if len(size) != len(axes):
        raise InferenceError(f"resize: {len(size)} sizes for {len(axes)} axes")
    places = [normalize_axis(axis, len(shape)) for axis in axes]
    change = [(axis, new) for axis, new in zip(places, size) if new != shape[axis]]
    if interpolation == "nearest":
        return _nearest(x, change)
    for axis, new in change:
        x = mix(x, _triangles(shape[axis], new, x.dtype), axis)
    return x


def _nearest(x: Any, change: Sequence[tuple[int, Any]]) -> Any:
    """Each new pixel the old one that its centre lies in."""
    shape = shape_of(x)
    factors = [_factor(new, shape[axis]) for axis, new in change]
    images = [axis for axis, _ in change] == [*range(1, len(shape) - 1)] and len(change) > 0
    if images and None not in factors and str(x.dtype).startswith("float"):
        enlarged = list(shape)
        for axis, new in change:
            enlarged[axis] = new
        return sum_pool_grad(x, tuple(enlarged), tuple(factors))
    for (axis, new), factor in zip(change, factors):
        x = repeat(x, factor, axis) if factor else take(x, _places(shape[axis], new), axis)
    return x


def _factor(new: Any, old: Any) -> int | None:
    """new / old, if that is known to be a whole number."""
    if old == 0 or (isinstance(old, Dim) and not isinstance(new, Dim)):
        return None
    try:
        found = new // old
    except UndecidableError:
        return None
    return found if isinstance(found, int) and found and found * old == new else None


def _places(old: Any, new: Any) -> Any:
    """For each new pixel the number of the old one: (2 o + 1) n_in // (2 n_out)."""
    return floor_divide((2 * counted(new, "int64") + 1) * number(old, "int64"),
                        2 * number(new, "int64"))  # fmt: skip


def _triangles(old: Any, new: Any, dtype: str) -> Any:
    """The weights (new, old) of linear interpolation: 1 at a pixel, falling to 0 at the next."""
    exact = "float64" if dtype == "float64" else "float32"
    last = number(old, exact) - 1
    scale = number(old, exact) / number(new, exact)
    centres = minimum(maximum((counted(new, exact) + 0.5) * scale - 0.5, 0), last)
    distance = abs(expand_dims(centres, 1) - counted(old, exact))
    return cast(maximum(1 - distance, 0), dtype)


def counted(n: Any, dtype: str) -> Any:
    """0, 1, ... below a size that may be symbolic."""
    if not isinstance(n, Dim):
        return np.arange(n, dtype=dtype)
    return cumsum(full((n,), 1, dtype), 0) - 1


def number(n: Any, dtype: str) -> Any:
    """A size that may be symbolic as a number of a dtype."""
    return cast_to(size_node(n), dtype) if isinstance(n, Dim) else np.array(n, dtype)


def mix(x: Any, weights: Any, axis: int) -> Any:
    """Linear combinations of the slices along an axis.

    Args:
        x: floats.
        weights: shape (new, old), of x's dtype; old is x's size along the axis.
        axis: counted from the front.

    Returns:
        x with `new` slices along the axis.

    Example:
        >>> mix(np.array([[1.0, 2.0, 4.0]]), np.array([[0.5, 0.5, 0.0]]), 1).tolist()
        [[1.5]]
    """
    shape, new = shape_of(x), shape_of(weights)[0]
    before, after = shape[:axis], shape[axis + 1 :]
    rows = reshape(x, (product(before), shape[axis], product(after)))
    return reshape(matmul(weights, rows), (*before, new, *after))

"""Averages, order statistics, counts and differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import product
from kgraph.ir.node import API, Node
from kgraph.ops.base import normalize_axes, normalize_axis
from kgraph.ops.comparison import equal, not_equal
from kgraph.ops.composite.arithmetic import isclose
from kgraph.ops.composite.creation import linspace
from kgraph.ops.composite.operands import floats, known, tensor
from kgraph.ops.elementwise import add, divide, multiply, sqrt, square, subtract
from kgraph.ops.extremes import clip
from kgraph.ops.gradients import stop_gradient
from kgraph.ops.indexing import take
from kgraph.ops.linalg import matmul
from kgraph.ops.one_hot import one_hot
from kgraph.ops.reductions import all as reduce_all
from kgraph.ops.reductions import max as reduce_max
from kgraph.ops.reductions import mean, var
from kgraph.ops.reductions import min as reduce_min
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.searching import searchsorted
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import (
    broadcast_to,
    expand_dims,
    moveaxis,
    reshape,
    shape_of,
    swapaxes,
    transpose,
)
from kgraph.ops.slicing import slice_
from kgraph.ops.sorting import argsort, sort

METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def moments(
    x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False
) -> tuple[Any, Any]:
    """Mean and variance.

    Args:
        x: a tensor.
        axes: an axis or several.
        keepdims: whether the reduced axes stay as size 1.
        synchronized: must be False: there is one device.

    Returns:
        A pair.

    Example:
        >>> [float(m) for m in moments([1.0, 3.0], 0)]
        [2.0, 1.0]
    """
    if synchronized:
        raise InferenceError("moments: synchronized=True needs several devices, and there is one")
    return mean(x, axes, keepdims), var(x, axes, keepdims)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """The mean, weighted if there are weights.

    Args:
        x: a tensor.
        axis: None for all axes, an int or several.
        weights: of the shape of x, or one for each slice along the axis.

    Returns:
        A tensor without these axes.

    Example:
        >>> float(average([1.0, 5.0], weights=[3.0, 1.0]))
        2.0
    """
    x = floats(x)
    if weights is None:
        return mean(x, axis)
    weights = floats(weights)
    if shape_of(weights) != shape_of(x):
        if not isinstance(axis, (int, np.integer)) or len(shape_of(weights)) != 1:
            raise InferenceError(
                "average: weights of another shape need one axis, along which they lie"
            )
        place = normalize_axis(int(axis), len(shape_of(x)))
        weights = reshape(weights, [-1 if a == place else 1 for a in range(len(shape_of(x)))])
        weights = broadcast_to(weights, shape_of(x))
    return divide(reduce_sum(multiply(x, weights), axis), reduce_sum(weights, axis))


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element less the smallest.

    Example:
        >>> float(ptp([1.0, 5.0, 2.0]))
        4.0
    """
    return subtract(reduce_max(x, axis, keepdims), reduce_min(x, axis, keepdims))


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements are not 0.

    Example:
        >>> int(count_nonzero([1, 0, 3]))
        2
    """
    return reduce_sum(cast(not_equal(x, 0), "int32"), axis)


def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
             ) -> Any:  # fmt: skip
    """Whether all elements are close; see `isclose`.

    Example:
        >>> bool(allclose([1.0], [1.000001]))
        True
    """
    return reduce_all(isclose(x1, x2, rtol, atol, equal_nan))


def quantile(
    x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
) -> Any:
    """The elements below which these parts of all elements lie.

    Args:
        x: a tensor whose sizes along the axes are known.
        q: a part in [0, 1], or several.
        axis: None for all axes, an int or several.
        method: what lies between two elements: linear, lower, higher, midpoint or nearest.
        keepdims: whether the reduced axes stay as size 1.

    Returns:
        A tensor with q's axes first.

    Raises:
        InferenceError: the method is unknown, or a size is.

    Example:
        >>> quantile([1.0, 2.0, 4.0], [0.5, 0.75]).tolist()
        [2.0, 3.0]
    """
    x, axes = floats(x), normalize_axes(axis, len(shape_of(x)))
    rows, size = in_rows(x, axes)
    if method not in METHODS:
        raise InferenceError(
            f"quantile: method must be one of {', '.join(METHODS)}, not {method!r}"
        )
    if isinstance(q, Node):
        raise InferenceError(explain("quantile: q must be numbers", got=q))
    parts = np.asarray(q, "float64")
    places = parts.reshape(-1) * (known("quantile", size) - 1)
    return out_of_rows(_between(sort(rows, -1), places, method), parts.shape, x, axes, keepdims)


def in_rows(x: Any, axes: tuple[int, ...]) -> tuple[Any, Any]:
    """The reduced axes joined to one, the last; and its size."""
    rest = [a for a in range(len(shape_of(x))) if a not in axes]
    size = product(shape_of(x)[a] for a in axes)
    moved = transpose(x, (*rest, *axes))
    return reshape(moved, (*[shape_of(x)[a] for a in rest], size)), size


def out_of_rows(
    found: Any, parts: tuple[int, ...], x: Any, axes: tuple[int, ...], keepdims: bool
) -> Any:
    """The last axis of results first, in the shape of the parts; reduced axes as size 1 again."""
    found = moveaxis(found, -1, 0)
    found = reshape(found, (*parts, *shape_of(found)[1:]))
    return expand_dims(found, tuple(a + len(parts) for a in axes)) if keepdims and axes else found


def _between(rows: Any, places: np.ndarray, method: str) -> Any:
    """What stands in sorted rows at places that may lie between two elements."""
    low, high = np.floor(places).astype("int64"), np.ceil(places).astype("int64")
    if method == "nearest":
        return take(rows, np.rint(places).astype("int64"), -1)
    if method == "lower":
        return take(rows, low, -1)
    if method == "higher":
        return take(rows, high, -1)
    part = np.full(places.shape, 0.5) if method == "midpoint" else places - low
    part = np.where(low == high, 0.0, part).astype(str(rows.dtype))
    left, right = take(rows, low, -1), take(rows, high, -1)
    return add(left, multiply(subtract(right, left), part))


def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
               ) -> Any:  # fmt: skip
    """`quantile` of hundredths.

    Example:
        >>> float(percentile([1.0, 2.0, 4.0], 75))
        3.0
    """
    return quantile(x, np.asarray(q, "float64") / 100, axis, method, keepdims)


def median(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The element in the middle, or the mean of the two that are.

    Example:
        >>> float(median([1.0, 7.0, 2.0]))
        2.0
    """
    return quantile(x, 0.5, axis, keepdims=keepdims)


def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along an axis, taken n times.

    Example:
        >>> diff([1, 4, 9]).tolist()
        [3, 5]
    """
    a = tensor(a)
    axis = normalize_axis(axis, len(shape_of(a)))
    for _ in range(n):
        size, shape = shape_of(a)[axis], shape_of(a)
        zeros, ends = [0] * len(shape), list(shape)
        later = slice_(a, [int(i == axis) for i in range(len(shape))], ends)
        ends[axis] = size - 1
        a = (
            subtract(later, slice_(a, zeros, ends))
            if a.dtype != "bool"
            else not_equal(later, slice_(a, zeros, ends))
        )
    return a


def trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Any:
    """The integral along an axis by the trapezoidal rule.

    Args:
        y: values.
        x: where they lie; default `dx` apart.
        dx: distance of the values, without x.
        axis: along which to integrate.

    Returns:
        A tensor with one axis less.

    Example:
        >>> float(trapezoid([1.0, 2.0, 3.0]))
        4.0
    """
    y = moveaxis(floats(y), axis, -1)
    steps = (
        dx
        if x is None
        else diff(floats(x) if len(shape_of(x)) == 1 else moveaxis(floats(x), axis, -1))
    )
    left, right = y[..., :-1], y[..., 1:]
    return reduce_sum(multiply(multiply(add(left, right), 0.5), steps), axis=-1)


def digitize(x: Any, bins: Any) -> Any:
    """How many of rising bounds each element reaches.

    Example:
        >>> digitize([0.5, 1.0, 9.0], [1.0, 2.0]).tolist()
        [0, 1, 2]
    """
    return cast(searchsorted(bins, x, side="right"), "int32")


def argpartition(x: Any, kth: int, axis: int = -1) -> Any:
    """The places of the elements in ascending order, which is a partition at every `kth`.

    Example:
        >>> argpartition([3.0, 1.0, 2.0], 1).tolist()
        [1, 2, 0]
    """
    return argsort(x, axis)


def histogram(x: Any, bins: int = 10, range: Any = None) -> tuple[Any, Any]:
    """How many elements lie in each of so many parts of equal length.

    Args:
        x: a tensor; all its elements count.
        bins: number of parts.
        range: lower and upper end, default the smallest and the largest element.

    Returns:
        The counts, of the dtype of the elements, and the bounds of the parts.

    Raises:
        InferenceError: `bins` is no positive number, or the range is empty.

    Example:
        >>> histogram([0.0, 1.0, 4.0], 2)[0].tolist()
        [2.0, 1.0]
    """
    if not isinstance(bins, int) or bins < 1 or (range and range[0] > range[1]):
        raise InferenceError(f"histogram: needs a number of bins and a range, got {bins}, {range}")
    flat = reshape(floats(x), -1)
    low, high = range if range else (reduce_min(flat), reduce_max(flat))
    same = equal(low, high)
    low = subtract(low, where(same, 0.5, 0.0))
    high = add(high, where(same, 0.5, 0.0))
    edges = stop_gradient(cast(linspace(low, high, bins + 1), str(flat.dtype)))
    # The last part holds its upper bound too.
    place = subtract(searchsorted(edges, flat, side="right"), 1)
    place = where(equal(flat, edges[-1]), bins - 1, place)
    return reduce_sum(one_hot(place, bins, dtype=str(flat.dtype)), axis=0), edges


def corrcoef(x: Any) -> Any:
    """The correlations of the rows with each other.

    Example:
        >>> corrcoef([[1.0, 2.0], [2.0, 1.0]]).round(4).tolist()
        [[1.0, -1.0], [-1.0, 1.0]]
    """
    x = floats(x)
    rows = x if len(shape_of(x)) > 1 else expand_dims(x, 0)
    centred = subtract(rows, mean(rows, axis=-1, keepdims=True))
    products = matmul(centred, swapaxes(centred, -1, -2))
    size = sqrt(reduce_sum(square(centred), axis=-1))
    found = divide(divide(products, expand_dims(size, -1)), expand_dims(size, -2))
    found = clip(found, -1, 1)
    return found if len(shape_of(x)) > 1 else reshape(found, ())


amax, amin = reduce_max, reduce_min

API.update(average=average, ptp=ptp, count_nonzero=count_nonzero, allclose=allclose, diff=diff)
API.update(quantile=quantile, percentile=percentile, median=median, digitize=digitize)
API.update(trapezoid=trapezoid, argpartition=argpartition, histogram=histogram, corrcoef=corrcoef)

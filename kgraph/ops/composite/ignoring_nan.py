"""Reductions that leave NaN out; what is left of nothing is NaN, as in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import API, Node
from kgraph.ops.along_axis import take_along_axis
from kgraph.ops.base import normalize_axes
from kgraph.ops.comparison import equal, isnan
from kgraph.ops.composite.operands import floats, is_float, tensor
from kgraph.ops.composite.statistics import METHODS, in_rows, out_of_rows
from kgraph.ops.cumulative import cumprod, cumsum
from kgraph.ops.elementwise import add, ceil, divide, floor, multiply, round, sqrt, square, subtract
from kgraph.ops.extremes import maximum
from kgraph.ops.reductions import all as reduce_all
from kgraph.ops.reductions import max as reduce_max
from kgraph.ops.reductions import min as reduce_min
from kgraph.ops.reductions import prod
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import broadcast_to, shape_of
from kgraph.ops.sorting import argmax, argmin, sort


def _filled(x: Any, value: float) -> Any:
    """The tensor with a number in place of NaN."""
    x = tensor(x)
    return where(isnan(x), value, x) if is_float(x) else x


def _or_nan(found: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """A reduction of x, with NaN where there was nothing else."""
    x = tensor(x)
    if not is_float(x):
        return found
    return where(reduce_all(isnan(x), axis, keepdims), np.nan, found)


def _count(x: Any, axis: Any, keepdims: bool) -> Any:
    """How many elements are not NaN, as floats."""
    return reduce_sum(cast(equal(isnan(x), False), str(x.dtype)), axis, keepdims)


def nansum(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Sum of what is not NaN.

    Example:
        >>> float(nansum([1.0, np.nan]))
        1.0
    """
    return reduce_sum(_filled(x, 0), axis, keepdims)


def nanprod(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Product of what is not NaN."""
    return prod(_filled(x, 1), axis, keepdims)


def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running sums of what is not NaN."""
    return cumsum(_filled(x, 0), axis, dtype)


def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Running products of what is not NaN."""
    return cumprod(_filled(x, 1), axis, dtype)


def nanmax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Largest element that is not NaN.

    Example:
        >>> float(nanmax([1.0, np.nan]))
        1.0
    """
    return _or_nan(reduce_max(_filled(x, -np.inf), axis, keepdims), x, axis, keepdims)


def nanmin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Smallest element that is not NaN."""
    return _or_nan(reduce_min(_filled(x, np.inf), axis, keepdims), x, axis, keepdims)


def nanargmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Place of the first largest element that is not NaN; -1 where there is none.

    Example:
        >>> int(nanargmax([np.nan, 1.0]))
        1
    """
    return _place(argmax(_filled(x, -np.inf), axis, keepdims), x, axis, keepdims)


def nanargmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
    """Place of the first smallest element that is not NaN; -1 where there is none."""
    return _place(argmin(_filled(x, np.inf), axis, keepdims), x, axis, keepdims)


def _place(found: Any, x: Any, axis: int | None, keepdims: bool) -> Any:
    x = tensor(x)
    return where(reduce_all(isnan(x), axis, keepdims), -1, found) if is_float(x) else found


def nanmean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Mean of what is not NaN.

    Example:
        >>> float(nanmean([1.0, np.nan, 3.0]))
        2.0
    """
    x = floats(x)
    return divide(nansum(x, axis, keepdims), _count(x, axis, keepdims))


def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Variance of what is not NaN."""
    x = floats(x)
    distance = _filled(subtract(x, nanmean(x, axis, keepdims=True)), 0)
    return divide(reduce_sum(square(distance), axis, keepdims), _count(x, axis, keepdims))


def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """Standard deviation of what is not NaN."""
    return sqrt(nanvar(x, axis, keepdims))


def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
                ) -> Any:  # fmt: skip
    """`quantile` of what is not NaN.

    Example:
        >>> float(nanquantile([1.0, np.nan, 3.0], 0.5))
        2.0
    """
    x, axes = floats(x), normalize_axes(axis, len(shape_of(x)))
    if method not in METHODS or isinstance(q, Node):
        raise InferenceError(f"nanquantile: needs numbers and a method of {', '.join(METHODS)}")
    parts = np.asarray(q, str(x.dtype))
    rows, _ = in_rows(x, axes)
    # NaN sorts last, so that the places count from the front.
    rows = sort(rows, -1)
    last = maximum(subtract(_count(rows, -1, True), 1), 0)
    places = multiply(last, parts.reshape(-1))
    low, high = floor(places), ceil(places)
    if method in ("lower", "higher", "nearest"):
        low = high = {"lower": low, "higher": high, "nearest": round(places)}[method]
    part = 0.5 if method == "midpoint" else subtract(places, low)
    shape = (*shape_of(rows)[:-1], parts.size)
    left = take_along_axis(rows, cast(broadcast_to(low, shape), "int64"), -1)
    right = take_along_axis(rows, cast(broadcast_to(high, shape), "int64"), -1)
    between = where(equal(low, high), left, add(left, multiply(subtract(right, left), part)))
    return out_of_rows(between, parts.shape, x, axes, keepdims)


def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False
                  ) -> Any:  # fmt: skip
    """`nanquantile` of hundredths."""
    return nanquantile(x, np.asarray(q, "float64") / 100, axis, method, keepdims)


def nanmedian(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The middle of what is not NaN."""
    return nanquantile(x, 0.5, axis, keepdims=keepdims)


API.update(nansum=nansum, nanprod=nanprod, nanmax=nanmax, nanmin=nanmin, nanmean=nanmean)
API.update(nanvar=nanvar, nanstd=nanstd, nanargmax=nanargmax, nanargmin=nanargmin)
API.update(nanmedian=nanmedian, nanquantile=nanquantile, nanpercentile=nanpercentile)

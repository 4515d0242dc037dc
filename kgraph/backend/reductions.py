"""Reductions, running sums and products, and places of extremes, under K's names."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import ops
from kgraph.backend.operands import are_sizes, tensor
from kgraph.config import floatx
from kgraph.ir.dim import product

Axis = int | list[int] | tuple[int, ...] | None


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest element.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> max([[1, 2], [3, 0]], axis=1).tolist()
        [2, 3]
    """
    return ops.max(tensor(x), _axes(axis), keepdims)


def min(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The smallest element.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> min([[1, 2], [3, 0]], axis=1).tolist()
        [1, 0]
    """
    return ops.min(tensor(x), _axes(axis), keepdims)


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> sum([[1, 2], [3, 0]], axis=1).tolist()
        [3, 3]
    """
    return ops.sum(tensor(x), _axes(axis), keepdims)


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The product; that of sizes, such as `K.shape(x)[1:]`, is a size.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> prod([[1, 2], [3, 0]], axis=1).tolist()
        [2, 0]
    """
    if are_sizes(x) and axis in (None, 0, -1) and not keepdims:
        return product(x)
    return ops.prod(tensor(x), _axes(axis), keepdims)


def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The variance: the mean square distance from the mean (nothing is taken off the count).

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> float(var([1.0, 3.0]))
        1.0
    """
    return ops.var(_numbers(x), _axes(axis), keepdims)


def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The standard deviation, the square root of `var`.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> float(std([1.0, 3.0]))
        1.0
    """
    return ops.std(_numbers(x), _axes(axis), keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean; that of bools and integers is taken in `floatx()`.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> float(mean([True, False]))
        0.5
    """
    return ops.mean(_numbers(x), _axes(axis), keepdims)


def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether any element is true or not zero.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> any([[0, 2], [0, 0]], axis=1).tolist()
        [True, False]
    """
    return ops.any(ops.cast(tensor(x), "bool"), _axes(axis), keepdims)


def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """Whether all elements are true or not zero.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> all([[0, 2], [1, 1]], axis=1).tolist()
        [False, True]
    """
    return ops.all(ops.cast(tensor(x), "bool"), _axes(axis), keepdims)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The logarithm of the sum of exponentials, without overflow.

    Args:
        x: a tensor or an array.
        axis: an axis or several; None for all.
        keepdims: whether the axes stay as size 1.

    Returns:
        A tensor.

    Example:
        >>> float(logsumexp([1000.0]))
        1000.0
    """
    return ops.logsumexp(tensor(x), _axes(axis), keepdims)


def cumsum(x: Any, axis: int = 0) -> Any:
    """Sums of all elements up to each one.

    Args:
        x: a tensor or an array.
        axis: the axis to go along.

    Returns:
        A tensor like x.

    Example:
        >>> cumsum([1, 2, 3]).tolist()
        [1, 3, 6]
    """
    return ops.cumsum(tensor(x), axis)


def cumprod(x: Any, axis: int = 0) -> Any:
    """Products of all elements up to each one.

    Args:
        x: a tensor or an array.
        axis: the axis to go along.

    Returns:
        A tensor like x.

    Example:
        >>> cumprod([1, 2, 3]).tolist()
        [1, 2, 6]
    """
    return ops.cumprod(tensor(x), axis)


def argmax(x: Any, axis: int = -1) -> Any:
    """The place of the largest element along an axis; the first one of equals.

    Args:
        x: a tensor or an array.
        axis: the axis to look along.

    Returns:
        An int64 tensor without the axis.

    Example:
        >>> argmax([[1, 3, 2]]).tolist()
        [1]
    """
    return ops.argmax(tensor(x), axis)


def argmin(x: Any, axis: int = -1) -> Any:
    """The place of the smallest element along an axis; the first one of equals.

    Args:
        x: a tensor or an array.
        axis: the axis to look along.

    Returns:
        An int64 tensor without the axis.

    Example:
        >>> argmin([[1, 3, 2]]).tolist()
        [0]
    """
    return ops.argmin(tensor(x), axis)


def _axes(axis: Any) -> Any:
    several = isinstance(axis, (list, tuple, np.ndarray))
    return tuple(np.asarray(axis).ravel().tolist()) if several else axis


def _numbers(x: Any) -> Any:
    """The operand of an average: floats as they are, all else in `floatx()`."""
    x = tensor(x)
    return x if str(x.dtype).startswith("float") else ops.cast(x, floatx())

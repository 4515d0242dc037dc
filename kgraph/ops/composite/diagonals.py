"""Diagonals of matrices, and what lies on either side of them."""

from __future__ import annotations

from typing import Any

from kgraph.errors import InferenceError
from kgraph.ir.node import API
from kgraph.ops.composite.creation import band
from kgraph.ops.composite.operands import known, tensor
from kgraph.ops.joining import pad
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.select import where
from kgraph.ops.shapes import expand_dims, moveaxis, reshape, shape_of
from kgraph.ops.slicing import slice_


def tril(x: Any, k: int = 0) -> Any:
    """The last two axes with zeros above a diagonal.

    Example:
        >>> tril([[1, 2], [3, 4]]).tolist()
        [[1, 0], [3, 4]]
    """
    x = tensor(x)
    return where(band(shape_of(x)[-2], shape_of(x)[-1], k), x, 0)


def triu(x: Any, k: int = 0) -> Any:
    """The last two axes with zeros below a diagonal.

    Example:
        >>> triu([[1, 2], [3, 4]]).tolist()
        [[1, 2], [0, 4]]
    """
    x = tensor(x)
    return where(band(shape_of(x)[-2], shape_of(x)[-1], k - 1), 0, x)


def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """A diagonal of two axes, as the last axis of the result.

    Args:
        x: tensor of at least two axes.
        offset: which diagonal; those above the main one are positive.
        axis1: the axis of the rows, whose size is known.
        axis2: the axis of the columns, whose size is known.

    Returns:
        A tensor with one axis less.

    Raises:
        InferenceError: a size is not known.

    Example:
        >>> diagonal([[1, 2], [3, 4]]).tolist()
        [1, 4]
    """
    x = moveaxis(tensor(x), (axis1, axis2), (-2, -1))
    *lead, n, m = shape_of(x)
    rows, columns = known("diagonal", n), known("diagonal", m)
    count = max(min(rows - max(-offset, 0), columns - max(offset, 0)), 0)
    first = offset if offset >= 0 else -offset * columns
    last = first + (count - 1) * (columns + 1) + 1 if count else 0
    # Element (i, i + offset) is every (columns + 1)-th one of the rows joined.
    starts, stops = [0] * len(lead) + [first if count else 0], [*lead, last]
    return slice_(reshape(x, (*lead, rows * columns)), starts, stops, [1] * len(lead)
                  + [columns + 1])  # fmt: skip


def diag(x: Any, k: int = 0) -> Any:
    """The diagonal of a matrix, or the matrix with a vector on its diagonal.

    Example:
        >>> diag([1, 2]).tolist()
        [[1, 0], [0, 2]]
    """
    x = tensor(x)
    if len(shape_of(x)) == 2:
        return diagonal(x, k)
    if len(shape_of(x)) != 1:
        raise InferenceError(f"diag: takes one or two axes, not {len(shape_of(x))}")
    padded = pad(x, ((0, abs(k)),))
    size = shape_of(padded)[0]
    return where(band(size, size, k, on=True), expand_dims(padded, 1 if k >= 0 else 0), 0)


def diagflat(x: Any, k: int = 0) -> Any:
    """The matrix with all elements on its diagonal.

    Example:
        >>> diagflat([[1, 2]]).tolist()
        [[1, 0], [0, 2]]
    """
    return diag(reshape(x, -1), k)


def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum along a diagonal.

    Example:
        >>> int(trace([[1, 2], [3, 4]]))
        5
    """
    return reduce_sum(diagonal(x, offset, axis1, axis2), axis=-1)


API.update(tril=tril, triu=triu, diagonal=diagonal, diag=diag, diagflat=diagflat, trace=trace)

"""Products of vectors, matrices and tensors, all of them by `matmul` or `multiply`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import product
from kgraph.ir.node import API
from kgraph.ops.base import normalize_axis
from kgraph.ops.composite.arranging import ravel
from kgraph.ops.composite.operands import tensor
from kgraph.ops.convolution import conv
from kgraph.ops.elementwise import multiply, subtract
from kgraph.ops.joining import stack
from kgraph.ops.linalg import matmul
from kgraph.ops.shapes import expand_dims, flip, moveaxis, reshape, shape_of, transpose


def dot(x1: Any, x2: Any) -> Any:
    """The product over the last axis of x1 and the last but one of x2, as NumPy's `dot`.

    Example:
        >>> dot([[1.0, 2.0]], [[3.0], [4.0]]).tolist()
        [[11.0]]
    """
    x1, x2 = tensor(x1), tensor(x2)
    ranks = len(shape_of(x1)), len(shape_of(x2))
    if 0 in ranks:
        return multiply(x1, x2)
    return matmul(x1, x2) if ranks[1] <= 2 else tensordot(x1, x2, ((-1,), (-2,)))


def inner(x1: Any, x2: Any) -> Any:
    """The product over the last axes of both.

    Example:
        >>> float(inner([1.0, 2.0], [3.0, 4.0]))
        11.0
    """
    x1, x2 = tensor(x1), tensor(x2)
    if not (shape_of(x1) and shape_of(x2)):
        return multiply(x1, x2)
    return tensordot(x1, x2, ((-1,), (-1,)))


def vdot(x1: Any, x2: Any) -> Any:
    """The sum of the products of all elements.

    Example:
        >>> float(vdot([[1.0, 2.0]], [[3.0, 4.0]]))
        11.0
    """
    return matmul(ravel(x1), ravel(x2))


def outer(x1: Any, x2: Any) -> Any:
    """The products of all elements of one with all of the other.

    Example:
        >>> outer([1, 2], [3, 4]).tolist()
        [[3, 4], [6, 8]]
    """
    return multiply(expand_dims(ravel(x1), 1), ravel(x2))


def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Any:
    """The product over several axes.

    Args:
        x1: a tensor.
        x2: another one.
        axes: how many of the last axes of x1 meet the first ones of x2, or a pair of axes or lists.

    Returns:
        A tensor with the other axes of x1, then those of x2.

    Raises:
        InferenceError: the axes of one are not as many as those of the other.

    Example:
        >>> tensordot(np.ones((2, 3, 4)), np.ones((3, 4, 5))).shape
        (2, 5)
    """
    x1, x2 = tensor(x1), tensor(x2)
    n, m = len(shape_of(x1)), len(shape_of(x2))
    if isinstance(axes, (int, np.integer)):
        axes = (range(n - int(axes), n), range(int(axes)))
    first, second = (tuple(a) if isinstance(a, (Sequence, range)) else (a,) for a in axes)
    first = tuple(normalize_axis(a, n) for a in first)
    second = tuple(normalize_axis(a, m) for a in second)
    if len(first) != len(second):
        raise InferenceError(f"tensordot: {len(first)} axes of x1 and {len(second)} of x2")
    rows = [a for a in range(n) if a not in first]
    columns = [a for a in range(m) if a not in second]
    height, width = [shape_of(x1)[a] for a in rows], [shape_of(x2)[a] for a in columns]
    left = transpose(x1, (*rows, *first))
    right = transpose(x2, (*second, *columns))
    inside = product(shape_of(x1)[a] for a in first)
    left = reshape(left, (product(height), inside))
    right = reshape(right, (product(shape_of(x2)[a] for a in second), product(width)))
    return reshape(matmul(left, right), (*height, *width))


def kron(x1: Any, x2: Any) -> Any:
    """The second tensor times each element of the first, side by side.

    Example:
        >>> kron([1, 10], [1, 2]).tolist()
        [1, 2, 10, 20]
    """
    x1, x2 = tensor(x1), tensor(x2)
    ndim = max(len(shape_of(x1)), len(shape_of(x2)))
    n, m = ((1,) * (ndim - len(shape_of(x))) + shape_of(x) for x in (x1, x2))
    left = reshape(x1, [d for size in n for d in (size, 1)])
    right = reshape(x2, [d for size in m for d in (1, size)])
    return reshape(multiply(left, right), tuple(a * b for a, b in zip(n, m)))


def cross(
    x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None
) -> Any:
    """The vector product of vectors with 3 elements, or 2, whose third one is 0.

    Args:
        x1: vectors along `axisa`.
        x2: vectors along `axisb`.
        axisa: the axis of x1's elements.
        axisb: the axis of x2's elements.
        axisc: the axis of the result's elements.
        axis: takes the place of all three.

    Returns:
        Vectors; numbers where both have 2 elements.

    Raises:
        InferenceError: the vectors have another number of elements.

    Example:
        >>> cross([1.0, 0.0, 0.0], [0.0, 1.0, 0.0]).tolist()
        [0.0, 0.0, 1.0]
    """
    axisa, axisb, axisc = (a if axis is None else axis for a in (axisa, axisb, axisc))
    left, right = moveaxis(tensor(x1), axisa, -1), moveaxis(tensor(x2), axisb, -1)
    sizes = shape_of(left)[-1], shape_of(right)[-1]
    if any(size not in (2, 3) for size in sizes):
        raise InferenceError(explain("cross: vectors have 2 or 3 elements", got=sizes))
    a = [left[..., i] if i < sizes[0] else 0 for i in range(3)]
    b = [right[..., i] if i < sizes[1] else 0 for i in range(3)]

    def part(i: int, j: int) -> Any:
        return subtract(multiply(a[i], b[j]), multiply(a[j], b[i]))

    if sizes == (2, 2):
        return part(0, 1)
    return moveaxis(stack([part(1, 2), part(2, 0), part(0, 1)], -1), -1, axisc)


def correlate(x1: Any, x2: Any, mode: str = "valid") -> Any:
    """The sums of products of two sequences, one moved along the other.

    Args:
        x1: a sequence.
        x2: another one.
        mode: "valid" where they overlap in full, "same" as long as the longer one, or "full".

    Returns:
        A sequence.

    Raises:
        InferenceError: there is no such mode, or the operands are no sequences.

    Example:
        >>> correlate([1.0, 2.0, 3.0], [0.0, 1.0, 0.5]).tolist()
        [3.5]
    """
    x1, x2 = tensor(x1), tensor(x2)
    if mode not in ("valid", "same", "full") or len(shape_of(x1)) != 1 or len(shape_of(x2)) != 1:
        raise InferenceError(
            explain("correlate: takes sequences, and mode valid, same or full",
                    got=f"shapes {shape_of(x1)}, {shape_of(x2)}, mode {mode!r}")
        )  # fmt: skip
    n, m = shape_of(x1)[0], shape_of(x2)[0]
    if n < m:  # the other way round the sums come in reverse order
        return flip(correlate(x2, x1, mode), 0)
    before = {"valid": 0, "same": m // 2, "full": m - 1}[mode]
    after = {"valid": 0, "same": m - 1 - m // 2, "full": m - 1}[mode]
    found = conv(reshape(x1, (1, n, 1)), reshape(x2, (m, 1, 1)), 1, ((before, after),))
    return reshape(found, -1)


API.update(dot=dot, inner=inner, vdot=vdot, outer=outer, tensordot=tensordot, kron=kron)
API.update(cross=cross, correlate=correlate)

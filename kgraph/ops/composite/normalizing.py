"""Normalizations with given means, by rows and by norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import config
from kgraph.errors import InferenceError, explain
from kgraph.ops.base import normalize_axis
from kgraph.ops.composite.operands import floats
from kgraph.ops.elementwise import (
    abs,
    add,
    divide,
    log10,
    multiply,
    power,
    rsqrt,
    square,
    subtract,
)
from kgraph.ops.extremes import maximum, minimum
from kgraph.ops.reductions import max as reduce_max
from kgraph.ops.reductions import mean, var
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.select import cast
from kgraph.ops.shapes import reshape, shape_of


def batch_normalization(
    x: Any,
    mean: Any,
    variance: Any,
    axis: int,
    offset: Any = None,
    scale: Any = None,
    epsilon: float = 1e-3,
) -> Any:
    """(x - mean) / sqrt(variance + epsilon) * scale + offset, with vectors along an axis.

    Args:
        x: floats.
        mean: shape (n,).
        variance: shape (n,).
        axis: the axis of size n.
        offset: shape (n,), or None.
        scale: shape (n,), or None.
        epsilon: keeps the divisor away from 0.

    Returns:
        A tensor like x.

    Example:
        >>> batch_normalization([[1.0, 2.0]], [1.0, 0.0], [1.0, 4.0], 1, epsilon=0.0).tolist()
        [[0.0, 1.0]]
    """
    x = floats(x)
    place = normalize_axis(axis, len(shape_of(x)))
    along = [-1 if a == place else 1 for a in range(len(shape_of(x)))]

    def vector(v: Any) -> Any:
        return reshape(floats(v), along)

    factor = rsqrt(add(vector(variance), epsilon))
    factor = factor if scale is None else multiply(factor, vector(scale))
    found = multiply(subtract(x, vector(mean)), factor)
    return found if offset is None else add(found, vector(offset))


def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    """Each row less its mean, over its standard deviation, times gamma, plus beta.

    Args:
        x: floats.
        gamma: factors of the normalized axes, or None.
        beta: summands of the normalized axes, or None.
        axis: an axis or several.
        epsilon: keeps the divisor away from 0, default `config.epsilon()`.

    Returns:
        A tensor like x; float16 is computed in float32.

    Example:
        >>> layer_normalization([[1.0, 3.0]]).round(4).tolist()
        [[-1.0, 1.0]]
    """
    x = floats(x)
    wide = cast(x, "float32") if x.dtype == "float16" else x
    factor = rsqrt(add(var(wide, axis, keepdims=True), _least(epsilon)))
    factor = factor if gamma is None else multiply(factor, _along(gamma, wide, axis))
    found = multiply(subtract(wide, mean(wide, axis, keepdims=True)), factor)
    found = found if beta is None else add(found, _along(beta, wide, axis))
    return cast(found, str(x.dtype))


def rms_normalization(
    x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    """Each row over its root mean square, times scale.

    Args:
        x: floats.
        scale: factors that broadcast with x, or None.
        axis: an axis or several.
        epsilon: keeps the divisor away from 0, default `config.epsilon()`.

    Returns:
        A tensor like x; float16 is computed in float32.

    Example:
        >>> rms_normalization([[3.0, 3.0]]).round(4).tolist()
        [[1.0, 1.0]]
    """
    x = floats(x)
    wide = cast(x, "float32") if x.dtype == "float16" else x
    found = multiply(wide, rsqrt(add(mean(square(wide), axis, keepdims=True), _least(epsilon))))
    return cast(found if scale is None else multiply(found, scale), str(x.dtype))


def _least(epsilon: float | None) -> float:
    return config.epsilon() if epsilon is None else epsilon


def _along(values: Any, x: Any, axis: Any) -> Any:
    """Values of the normalized axes, with size 1 for the others."""
    axes = axis if isinstance(axis, Sequence) else (axis,)
    places = {normalize_axis(a, len(shape_of(x))) for a in axes}
    return reshape(floats(values), [d if a in places else 1 for a, d in enumerate(shape_of(x))])


def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """The tensor over its norm along an axis, which counts as at least `epsilon`.

    Args:
        x: floats.
        axis: an axis or several.
        order: of the norm, at least 1.
        epsilon: default `config.epsilon()`.

    Returns:
        A tensor like x.

    Raises:
        InferenceError: the order is no int of at least 1.

    Example:
        >>> normalize([[3.0, 4.0]]).round(4).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    if isinstance(order, bool) or not isinstance(order, int) or order < 1:
        raise InferenceError(f"normalize: order must be an int of at least 1, not {order!r}")
    x = floats(x)
    if order == 2:
        total = reduce_sum(square(x), axis, keepdims=True)
        return multiply(x, minimum(rsqrt(total), 1 / _least(epsilon)))
    return divide(x, maximum(norm(x, order, axis, keepdims=True), _least(epsilon)))


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """A norm of vectors or matrices.

    Args:
        x: floats.
        ord: None or "fro" for the root of the sum of squares; for vectors any number, for matrices
            1, -1, inf or -inf.
        axis: the axis of vectors, or the two of matrices; None for all axes.
        keepdims: whether the reduced axes stay as size 1.

    Returns:
        A tensor without these axes.

    Raises:
        InferenceError: the norm needs singular values, or there is no such norm.

    Example:
        >>> float(norm([3.0, 4.0]))
        5.0
    """
    x = floats(x)
    ndim = len(shape_of(x))
    axes = tuple(range(ndim)) if axis is None else axis
    axes = tuple(axes) if isinstance(axes, Sequence) else (axes,)
    if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
        return _root(reduce_sum(square(x), axes, keepdims))
    if len(axes) == 1 and not isinstance(ord, str):
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) == 2 and ord in (1, -1, np.inf, -np.inf):
        rows, columns = (normalize_axis(a, ndim) for a in axes)
        summed, kept = (rows, columns) if builtin_abs(ord) == 1 else (columns, rows)
        totals = reduce_sum(abs(x), summed, keepdims=True)
        found = _extreme(totals, ord, kept)
        return (
            found
            if keepdims
            else reshape(found, [d for a, d in enumerate(shape_of(x)) if a not in (rows, columns)])
        )
    raise InferenceError(
        explain("norm: there is no such norm here", got=f"ord={ord!r} over {len(axes)} axes",
                expected="None, 'fro', numbers for vectors; 1, -1, inf, -inf for matrices",
                hint="norms of singular values need an SVD, which kgraph does not have")
    )  # fmt: skip


def builtin_abs(value: float) -> float:
    """The size of a Python number."""
    return -value if value < 0 else value


def _root(total: Any) -> Any:
    """The square root, whose slope at 0 is 0 rather than infinite."""
    return multiply(total, rsqrt(maximum(total, float(np.finfo(str(total.dtype)).tiny))))


def _extreme(x: Any, ord: float, axis: Any) -> Any:
    if ord > 0:
        return reduce_max(x, axis, keepdims=True)
    return multiply(reduce_max(multiply(x, -1.0), axis, keepdims=True), -1.0)


def _vector_norm(x: Any, ord: float, axes: tuple[int, ...], keepdims: bool) -> Any:
    size = abs(x)
    if ord in (np.inf, -np.inf):
        found = _extreme(size, ord, axes)
        return found if keepdims else reduce_sum(found, axes)
    if ord == 0:
        return reduce_sum(cast(cast(x, "bool"), str(x.dtype)), axes, keepdims)
    if ord == 1:
        return reduce_sum(size, axes, keepdims)
    return power(reduce_sum(power(size, float(ord)), axes, keepdims), 1 / ord)


def psnr(x1: Any, x2: Any, max_val: float) -> Any:
    """The peak signal-to-noise ratio in decibels: 10 log10(max_val^2 / mean((x1 - x2)^2)).

    Example:
        >>> round(float(psnr([0.0, 1.0], [0.0, 0.9], 1.0)), 2)
        23.01
    """
    x1, x2 = floats(x1), floats(x2)
    if shape_of(x1) != shape_of(x2):
        raise InferenceError(f"psnr: shapes differ: {shape_of(x1)}, {shape_of(x2)}")
    noise = multiply(log10(mean(square(subtract(x1, x2)))), 10.0)
    return subtract(20 * float(np.log10(max_val)), noise)


def cdist(x: Any, y: Any) -> Any:
    """The distances of all rows of one matrix from all of another.

    Args:
        x: shape (..., n, d).
        y: shape (..., m, d).

    Returns:
        Shape (..., n, m).

    Example:
        >>> cdist([[0.0, 0.0]], [[3.0, 4.0]]).tolist()
        [[5.0]]
    """
    x, y = floats(x), floats(y)
    *lead, n, d = shape_of(x)
    *others, m, _ = shape_of(y)
    apart = subtract(reshape(x, (*lead, n, 1, d)), reshape(y, (*others, 1, m, d)))
    return norm(apart, axis=-1)

"""Activation functions that came with Keras 3; `kgraph.activations` has them too."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ops.comparison import greater, greater_equal, less
from kgraph.ops.composite.operands import floats, known
from kgraph.ops.cumulative import cumsum
from kgraph.ops.elementwise import abs, expm1, sigmoid, sqrt, square, tanh
from kgraph.ops.extremes import clip, maximum, minimum
from kgraph.ops.joining import split
from kgraph.ops.nn import silu, softplus
from kgraph.ops.reductions import min as reduce_min
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.relu import relu, relu6
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import flip, ones_like, shape_of
from kgraph.ops.sorting import sort


def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (exp(x / alpha) - 1).

    Args:
        x: tensor of any shape.
        alpha: minus the limit at minus infinity.

    Returns:
        A tensor like x.

    Example:
        >>> celu(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [-0.8647, 0.0, 2.0]
    """
    x = floats(x)
    return maximum(x, 0) + alpha * expm1(minimum(x, 0) / alpha)


def log_sigmoid(x: Any) -> Any:
    """The logarithm of `sigmoid`, without underflow.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> log_sigmoid(np.array([-1000.0, 0.0])).round(4).tolist()
        [-1000.0, -0.6931]
    """
    x = floats(x)
    return -softplus(-x)


def hard_sigmoid(x: Any) -> Any:
    """clip(x / 6 + 0.5, 0, 1); the op and the activation of this name, Keras 2's, have slope 0.2.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> hard_sigmoid(np.array([-3.0, 0.0, 1.5])).tolist()
        [0.0, 0.5, 0.75]
    """
    return relu6(floats(x) + 3) / 6


def hard_silu(x: Any) -> Any:
    """x * relu6(x + 3) / 6, also called hard_swish.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> hard_silu(np.array([-4.0, 1.5, 4.0])).tolist()
        [-0.0, 1.125, 4.0]
    """
    x = floats(x)
    return x * (relu6(x + 3) * (1 / 6))


def hard_tanh(x: Any) -> Any:
    """x moved into [-1, 1].

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> hard_tanh(np.array([-4.0, 0.5, 4.0])).tolist()
        [-1.0, 0.5, 1.0]
    """
    x = floats(x)
    return clip(x, -1, 1)


def glu(x: Any, axis: int = -1) -> Any:
    """The first half of x along an axis times the sigmoid of the second.

    Args:
        x: tensor of any shape.
        axis: the axis to halve.

    Returns:
        A tensor with half the size along that axis.

    Raises:
        ValueError: the size is odd.

    Example:
        >>> glu(np.array([[4.0, 0.0]], "float32")).tolist()
        [[2.0]]
    """
    x = floats(x)
    if known("glu", shape_of(x)[axis]) % 2:
        raise InferenceError(
            f"axis size must be divisible by 2. Received: x.shape={x.shape} with axis={axis}"
        )
    value, gate = split(x, 2, axis)
    return value * sigmoid(gate)


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2.

    Args:
        x: tensor of any shape.
        b: how smooth the bend at 0 is.

    Returns:
        A tensor like x.

    Example:
        >>> squareplus(np.array([-1.5, 0.0, 1.5])).tolist()
        [0.5, 1.0, 2.0]
    """
    x = floats(x)
    return (x + sqrt(square(x) + b)) * 0.5


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x).

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> tanh_shrink(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [-1.036, 0.0, 1.036]
    """
    x = floats(x)
    return x - tanh(x)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by `threshold`, not beyond.

    Args:
        x: tensor of any shape.
        threshold: how far to move.

    Returns:
        A tensor like x.

    Example:
        >>> soft_shrink(np.array([-2.0, 0.25, 2.0])).tolist()
        [-1.5, 0.0, 1.5]
    """
    x = floats(x)
    return x - clip(x, -threshold, threshold)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where it is further from 0 than `threshold`, else 0.

    Args:
        x: tensor of any shape.
        threshold: half the width of the gap.

    Returns:
        A tensor like x.

    Example:
        >>> hard_shrink(np.array([-2.0, 0.25, 2.0])).tolist()
        [-2.0, 0.0, 2.0]
    """
    x = floats(x)
    return where(greater(abs(x), threshold), x, 0)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it is above `threshold`, else `default_value`.

    Args:
        x: tensor of any shape.
        threshold: where x begins to pass.
        default_value: what stands for the rest.

    Returns:
        A tensor like x.

    Example:
        >>> threshold(np.array([-2.0, 0.25, 2.0]), 0.5, -1.0).tolist()
        [-1.0, -1.0, 2.0]
    """
    x = floats(x)
    return where(greater(x, threshold), x, default_value)


def sparse_plus(x: Any) -> Any:
    """0 up to -1, x from 1 on, a parabola between.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> sparse_plus(np.array([-2.0, 0.0, 2.0])).tolist()
        [0.0, 0.25, 2.0]
    """
    x = floats(x)
    return where(less(x, 1), square(relu(x + 1)) * 0.25, x)


def sparse_sigmoid(x: Any) -> Any:
    """The slope of `sparse_plus`: a line from 0 at -1 to 1 at 1.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> sparse_sigmoid(np.array([-2.0, 0.0, 2.0])).tolist()
        [0.0, 0.5, 1.0]
    """
    x = floats(x)
    return clip(0.5 * (x + 1), 0, 1)


def sparsemax(x: Any, axis: int = -1) -> Any:
    """The point of the probability simplex that is nearest to x (Martins and Astudillo 2016).

    Args:
        x: tensor of any shape.
        axis: the axis that sums to 1.

    Returns:
        A tensor like x, with exact zeros.

    Example:
        >>> sparsemax(np.array([[2.0, 1.5, 0.0]], "float32")).tolist()
        [[0.75, 0.25, 0.0]]
    """
    x = floats(x)
    falling = flip(sort(x, axis), axis)
    rank = cumsum(ones_like(x), axis)
    support = greater(1 + rank * falling, cumsum(falling, axis))
    # The smallest element of the support; which elements belong to it has no gradient.
    least = reduce_min(where(support, falling, np.inf), axis=axis, keepdims=True)
    chosen = greater_equal(x, least)
    count = reduce_sum(cast(chosen, x.dtype), axis=axis, keepdims=True)
    total = reduce_sum(where(chosen, x, 0), axis=axis, keepdims=True)
    return maximum(x - (total - 1) / count, 0)


swish, hard_swish = silu, hard_silu

"""Activation functions: functions of a tensor, on symbolic ones and on arrays alike.

Where Keras 2 and 3 differ they mean what Keras 2.3 does: `hard_sigmoid` is clip(0.2 x + 0.5, 0, 1).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir.op import Op
from kgraph.utils.registry import Registry


def softmax(x: Any, axis: int = -1) -> Any:
    """Exponentials divided by their sum along an axis.

    Args:
        x: tensor of at least two axes.
        axis: the axis that sums to 1.

    Returns:
        A tensor like x.

    Raises:
        ValueError: x has one axis only, which would be the batch.

    Example:
        >>> softmax(np.zeros((1, 4), "float32")).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """
    if len(x.shape) < 2:
        raise ValueError(f"Cannot apply softmax to a tensor that is 1D. Received input: {x}")
    return ops.softmax(x, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of `softmax`, without under- or overflow.

    Example:
        >>> bool(log_softmax(np.array([[0.0, 1000.0]], "float32"))[0, 0] == -1000)
        True
    """
    return ops.log_softmax(x, axis)


def relu(
    x: Any,
    alpha: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
    *,
    negative_slope: float | None = None,
) -> Any:
    """x above the threshold, at most `max_value`; below it a line of slope `alpha`.

    Args:
        x: tensor of any shape.
        alpha: slope below the threshold.
        max_value: upper bound, None for none.
        threshold: where the line starts.
        negative_slope: Keras 3's name of `alpha`.

    Returns:
        A tensor like x.

    Example:
        >>> relu(np.array([-2.0, 1.0, 9.0], "float32"), alpha=0.5, max_value=6.0).tolist()
        [-1.0, 1.0, 6.0]
    """
    slope = alpha if negative_slope is None else negative_slope
    if not slope and not threshold:
        if max_value is None:
            return ops.relu(x)
        return ops.relu6(x) if max_value == 6 else ops.clip(x, 0, max_value)
    if threshold:
        below = slope * (x - threshold) if slope else 0
        x = ops.where(ops.greater(x, threshold), x, below)
    else:
        x = ops.leaky_relu(x, slope)
    return x if max_value is None else ops.minimum(x, max_value)


def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """x where it is positive, else x times `negative_slope`."""
    return ops.leaky_relu(x, negative_slope)


def relu6(x: Any) -> Any:
    """x moved into [0, 6]."""
    return ops.relu6(x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (exp(x) - 1)."""
    return ops.elu(x, alpha)


def selu(x: Any) -> Any:
    """elu scaled so that it keeps mean 0 and variance 1."""
    return ops.selu(x)


def celu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (exp(x / alpha) - 1)."""
    return ops.maximum(x, 0) + alpha * ops.expm1(ops.minimum(x, 0) / alpha)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x times the normal distribution function of x, by erf or approximated by tanh."""
    return ops.gelu(x, approximate)


def silu(x: Any) -> Any:
    """x * sigmoid(x), also called swish."""
    return ops.silu(x)


def mish(x: Any) -> Any:
    """x * tanh(softplus(x))."""
    return ops.mish(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)) without overflow."""
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|)."""
    return ops.softsign(x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    return ops.sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """0.2 x + 0.5 moved into [0, 1] (Keras 3 has x / 6 + 0.5).

    Example:
        >>> hard_sigmoid(np.array([-3.0, 0.0, 1.0], "float32")).round(6).tolist()
        [0.0, 0.5, 0.699999988079071]
    """
    return ops.hard_sigmoid(x)


def log_sigmoid(x: Any) -> Any:
    """The logarithm of `sigmoid`, without underflow."""
    return -ops.softplus(-x)


def hard_silu(x: Any) -> Any:
    """x * relu6(x + 3) / 6, also called hard_swish."""
    return x * (ops.relu6(x + 3) * (1 / 6))


def hard_tanh(x: Any) -> Any:
    """x moved into [-1, 1]."""
    return ops.clip(x, -1, 1)


def exponential(x: Any) -> Any:
    """exp(x)."""
    return ops.exp(x)


def linear(x: Any) -> Any:
    """x itself."""
    return x


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
    if x.shape[axis] % 2:
        raise ValueError(
            f"axis size must be divisible by 2. Received: x.shape={x.shape} with axis={axis}"
        )
    value, gate = ops.split(x, 2, axis)
    return value * ops.sigmoid(gate)


def squareplus(x: Any, b: float = 4) -> Any:
    """(x + sqrt(x^2 + b)) / 2."""
    return (x + ops.sqrt(ops.square(x) + b)) * 0.5


def tanh_shrink(x: Any) -> Any:
    """x - tanh(x)."""
    return x - ops.tanh(x)


def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x moved towards 0 by `threshold`, not beyond."""
    return x - ops.clip(x, -threshold, threshold)


def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """x where it is further from 0 than `threshold`, else 0."""
    return ops.where(ops.greater(ops.abs(x), threshold), x, 0)


def threshold(x: Any, threshold: float, default_value: float) -> Any:
    """x where it is above `threshold`, else `default_value`."""
    return ops.where(ops.greater(x, threshold), x, default_value)


def sparse_plus(x: Any) -> Any:
    """0 up to -1, x from 1 on, a parabola between."""
    return ops.where(ops.less(x, 1), ops.square(ops.relu(x + 1)) * 0.25, x)


def sparse_sigmoid(x: Any) -> Any:
    """The slope of `sparse_plus`: a line from 0 at -1 to 1 at 1."""
    return ops.clip(0.5 * (x + 1), 0, 1)


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
    falling = ops.flip(ops.sort(x, axis), axis)
    rank = ops.cumsum(ops.ones_like(x), axis)
    support = ops.greater(1 + rank * falling, ops.cumsum(falling, axis))
    # The smallest element of the support; which elements belong to it has no gradient.
    least = ops.min(ops.where(support, falling, np.inf), axis=axis, keepdims=True)
    chosen = ops.greater_equal(x, least)
    count = ops.sum(ops.cast(chosen, x.dtype), axis=axis, keepdims=True)
    total = ops.sum(ops.where(chosen, x, 0), axis=axis, keepdims=True)
    return ops.maximum(x - (total - 1) / count, 0)


swish, hard_swish = silu, hard_silu

NAMES = (
    "softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid", "hard_sigmoid",
    "exponential", "linear", "gelu", "silu", "swish", "mish", "leaky_relu", "relu6", "celu", "glu",
    "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid", "log_softmax", "sparsemax",
    "sparse_plus", "sparse_sigmoid", "squareplus", "soft_shrink", "hard_shrink", "tanh_shrink",
    "threshold",
)  # fmt: skip
_REGISTRY = Registry(
    "activation function", {name: globals()[name] for name in NAMES}, functions=True
)

deserialize = _REGISTRY.deserialize


def get(identifier: Any, custom_objects: Any = None) -> Any:
    """The function that an `activation` argument means.

    Args:
        identifier: None for `linear`, a name, a configuration, or a function of a tensor.
        custom_objects: names besides the built-in ones.

    Returns:
        The function.

    Raises:
        ValueError: the name is unknown or the argument no function.

    Example:
        >>> get("relu") is relu, get(None) is linear
        (True, True)
    """
    return linear if identifier is None else _REGISTRY.get(identifier, custom_objects)


def serialize(activation: Any) -> Any:
    """What a configuration calls an activation function.

    Raises:
        ValueError: it has no name.

    Example:
        >>> serialize(relu)
        'relu'
    """
    if isinstance(activation, Op) and activation.name in NAMES:
        return activation.name
    return _REGISTRY.serialize(activation)

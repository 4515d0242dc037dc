"""Activation functions: functions of a tensor, on symbolic ones and on arrays alike.

Where Keras 2 and 3 differ they mean what Keras 2.3 does: `hard_sigmoid` is clip(0.2 x + 0.5, 0, 1).
"""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.ir.op import Op
from kgraph.ops import (
    celu,
    glu,
    hard_shrink,
    hard_silu,
    hard_tanh,
    log_sigmoid,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
    sparsemax,
    squareplus,
    tanh_shrink,
    threshold,
)
from kgraph.ops.relu import hard_sigmoid as slope_fifth
from kgraph.utils.registry import Registry

__all__ = [
    "celu",
    "deserialize",
    "elu",
    "exponential",
    "gelu",
    "get",
    "glu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_sigmoid_3",
    "hard_silu",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "linear",
    "log_sigmoid",
    "log_softmax",
    "mish",
    "relu",
    "relu6",
    "selu",
    "serialize",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softmax",
    "softplus",
    "softsign",
    "sparse_plus",
    "sparse_sigmoid",
    "sparsemax",
    "squareplus",
    "swish",
    "tanh",
    "tanh_shrink",
    "threshold",
]


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
        >>> import numpy as np
        >>> softmax(np.zeros((1, 4), "float32")).tolist()
        [[0.25, 0.25, 0.25, 0.25]]
    """
    if len(x.shape) < 2:
        raise ValueError(f"Cannot apply softmax to a tensor that is 1D. Received input: {x}")
    return ops.softmax(x, axis)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """The logarithm of `softmax`, without under- or overflow.

    Args:
        x: tensor of any shape.
        axis: the axis of the classes.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
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
        >>> import numpy as np
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
    """x where it is positive, else x times `negative_slope`.

    Args:
        x: tensor of any shape.
        negative_slope: slope below 0.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> leaky_relu(np.array([-2.0, 0.0, 2.0])).tolist()
        [-0.4, 0.0, 2.0]
    """
    return ops.leaky_relu(x, negative_slope)


def relu6(x: Any) -> Any:
    """x moved into [0, 6].

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> relu6(np.array([-2.0, 2.0, 9.0])).tolist()
        [0.0, 2.0, 6.0]
    """
    return ops.relu6(x)


def elu(x: Any, alpha: float = 1.0) -> Any:
    """x where it is positive, else alpha * (exp(x) - 1).

    Args:
        x: tensor of any shape.
        alpha: minus the limit at minus infinity.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> elu(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [-0.8647, 0.0, 2.0]
    """
    return ops.elu(x, alpha)


def selu(x: Any) -> Any:
    """elu scaled so that it keeps mean 0 and variance 1.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> selu(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [-1.5202, 0.0, 2.1014]
    """
    return ops.selu(x)


def gelu(x: Any, approximate: bool = False) -> Any:
    """x times the normal distribution function of x, by erf or approximated by tanh.

    Args:
        x: tensor of any shape.
        approximate: whether to take the form with tanh.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> gelu(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [-0.0455, 0.0, 1.9545]
    """
    return ops.gelu(x, approximate)


def silu(x: Any) -> Any:
    """x * sigmoid(x), also called swish.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> silu(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [-0.2384, 0.0, 1.7616]
    """
    return ops.silu(x)


def softplus(x: Any) -> Any:
    """log(1 + exp(x)) without overflow.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> softplus(np.array([-1000.0, 0.0, 1000.0])).round(4).tolist()
        [0.0, 0.6931, 1000.0]
    """
    return ops.softplus(x)


def softsign(x: Any) -> Any:
    """x / (1 + |x|).

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> softsign(np.array([-1.0, 0.0, 3.0])).tolist()
        [-0.5, 0.0, 0.75]
    """
    return ops.softsign(x)


def tanh(x: Any) -> Any:
    """Hyperbolic tangent.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> tanh(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [-0.964, 0.0, 0.964]
    """
    return ops.tanh(x)


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)).

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> sigmoid(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [0.1192, 0.5, 0.8808]
    """
    return ops.sigmoid(x)


def hard_sigmoid(x: Any) -> Any:
    """0.2 x + 0.5 moved into [0, 1] (Keras 3 has x / 6 + 0.5).

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> hard_sigmoid(np.array([-3.0, 0.0, 1.0], "float32")).round(6).tolist()
        [0.0, 0.5, 0.699999988079071]
    """
    return slope_fifth(x)


def exponential(x: Any) -> Any:
    """exp(x).

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> exponential(np.array([0.0, 1.0])).round(4).tolist()
        [1.0, 2.7183]
    """
    return ops.exp(x)


def linear(x: Any) -> Any:
    """x itself.

    Args:
        x: tensor of any shape.

    Returns:
        x itself.

    Example:
        >>> import numpy as np
        >>> linear(np.array([-2.0, 2.0])).tolist()
        [-2.0, 2.0]
    """
    return x


def mish(x: Any) -> Any:
    """x * tanh(softplus(x)).

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> mish(np.array([-2.0, 0.0, 2.0])).round(4).tolist()
        [-0.2525, 0.0, 1.944]
    """
    return ops.mish(x)


def hard_sigmoid_3(x: Any) -> Any:
    """clip(x / 6 + 0.5, 0, 1), which Keras 3 calls `hard_sigmoid`; Keras 2's slope is 0.2.

    Args:
        x: tensor of any shape.

    Returns:
        A tensor like x.

    Example:
        >>> import numpy as np
        >>> hard_sigmoid_3(np.array([-3.0, 0.0, 1.5])).tolist()
        [0.0, 0.5, 0.75]
    """
    return ops.hard_sigmoid(x)


swish, hard_swish = silu, hard_silu

NAMES = (
    "softmax", "elu", "selu", "softplus", "softsign", "relu", "tanh", "sigmoid", "hard_sigmoid",
    "exponential", "linear", "gelu", "silu", "swish", "mish", "leaky_relu", "relu6", "celu", "glu",
    "hard_sigmoid_3", "hard_silu", "hard_swish", "hard_tanh", "log_sigmoid", "log_softmax",
    "sparsemax", "sparse_plus", "sparse_sigmoid", "squareplus", "soft_shrink", "hard_shrink",
    "tanh_shrink", "threshold",
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

    Args:
        activation: a function of this file, or one that the user registered.

    Returns:
        Its name.

    Raises:
        ValueError: it has no name.

    Example:
        >>> serialize(relu)
        'relu'
    """
    if isinstance(activation, Op) and activation.name in NAMES:
        return activation.name
    return _REGISTRY.serialize(activation)

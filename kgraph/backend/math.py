"""Elementwise mathematics and comparisons, under K's names.

On tensors and variables they build, on arrays they run at once.
"""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.backend.operands import tensor


def square(x: Any) -> Any:
    """x times x.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> square([2.0]).tolist()
        [4.0]
    """
    return ops.square(tensor(x))


def abs(x: Any) -> Any:
    """The absolute value.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> abs([-2.0]).tolist()
        [2.0]
    """
    return ops.abs(tensor(x))


def sqrt(x: Any) -> Any:
    """The square root; that of negative numbers is 0.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> sqrt([4.0, -1.0]).tolist()
        [2.0, 0.0]
    """
    return ops.sqrt(ops.maximum(tensor(x), 0))


def exp(x: Any) -> Any:
    """The exponential function.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> exp([0.0]).tolist()
        [1.0]
    """
    return ops.exp(tensor(x))


def log(x: Any) -> Any:
    """The natural logarithm.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> log([1.0]).tolist()
        [0.0]
    """
    return ops.log(tensor(x))


def round(x: Any) -> Any:
    """The nearest integer; halves go to the even one.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> round([0.5, 1.5]).tolist()
        [0.0, 2.0]
    """
    return ops.round(tensor(x))


def sign(x: Any) -> Any:
    """-1, 0 or 1.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> sign([-3.0, 0.0]).tolist()
        [-1.0, 0.0]
    """
    return ops.sign(tensor(x))


def sin(x: Any) -> Any:
    """The sine.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> sin([0.0]).tolist()
        [0.0]
    """
    return ops.sin(tensor(x))


def cos(x: Any) -> Any:
    """The cosine.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor like x.

    Example:
        >>> cos([0.0]).tolist()
        [1.0]
    """
    return ops.cos(tensor(x))


def pow(x: Any, a: Any) -> Any:
    """x to the power of a.

    Args:
        x: a tensor or an array.
        a: the exponent.

    Returns:
        A tensor.

    Example:
        >>> pow([2.0], 3).tolist()
        [8.0]
    """
    return ops.power(tensor(x), a)


def clip(x: Any, min_value: Any, max_value: Any) -> Any:
    """x moved into [min_value, max_value].

    Args:
        x: a tensor or an array.
        min_value: lower bound, None for none.
        max_value: upper bound, None for none; one below `min_value` counts as `min_value`.

    Returns:
        A tensor like x.

    Example:
        >>> clip([-1.0, 5.0], 0, 1).tolist()
        [0.0, 1.0]
    """
    numbers = isinstance(min_value, (int, float)) and isinstance(max_value, (int, float))
    if numbers and max_value < min_value:
        max_value = min_value
    x = tensor(x)
    if min_value is None:
        return x if max_value is None else ops.minimum(x, max_value)
    return ops.maximum(x, min_value) if max_value is None else ops.clip(x, min_value, max_value)


def cast(x: Any, dtype: str) -> Any:
    """x in another dtype.

    Args:
        x: a tensor or an array, or sizes such as `K.shape(y)[0]`.
        dtype: NumPy's name.

    Returns:
        A tensor.

    Example:
        >>> cast([0.0, 2.5], "int32").tolist()
        [0, 2]
    """
    return ops.cast(tensor(x), dtype)


def equal(x: Any, y: Any) -> Any:
    """Whether x equals y, element by element.

    Args:
        x: a tensor or an array.
        y: another one.

    Returns:
        A tensor of the shape that both broadcast to.

    Example:
        >>> equal([1, 2], [1, 3]).tolist()
        [True, False]
    """
    return ops.equal(*_pair(x, y))


def not_equal(x: Any, y: Any) -> Any:
    """Whether x differs from y, element by element.

    Args:
        x: a tensor or an array.
        y: another one.

    Returns:
        A tensor of the shape that both broadcast to.

    Example:
        >>> not_equal([1, 2], [1, 3]).tolist()
        [False, True]
    """
    return ops.not_equal(*_pair(x, y))


def greater(x: Any, y: Any) -> Any:
    """Whether x exceeds y, element by element.

    Args:
        x: a tensor or an array.
        y: another one.

    Returns:
        A tensor of the shape that both broadcast to.

    Example:
        >>> greater([1, 2], 1).tolist()
        [False, True]
    """
    return ops.greater(*_pair(x, y))


def greater_equal(x: Any, y: Any) -> Any:
    """Whether x is at least y, element by element.

    Args:
        x: a tensor or an array.
        y: another one.

    Returns:
        A tensor of the shape that both broadcast to.

    Example:
        >>> greater_equal([1, 2], 2).tolist()
        [False, True]
    """
    return ops.greater_equal(*_pair(x, y))


def less(x: Any, y: Any) -> Any:
    """Whether x is below y, element by element.

    Args:
        x: a tensor or an array.
        y: another one.

    Returns:
        A tensor of the shape that both broadcast to.

    Example:
        >>> less([1, 2], 2).tolist()
        [True, False]
    """
    return ops.less(*_pair(x, y))


def less_equal(x: Any, y: Any) -> Any:
    """Whether x is at most y, element by element.

    Args:
        x: a tensor or an array.
        y: another one.

    Returns:
        A tensor of the shape that both broadcast to.

    Example:
        >>> less_equal([1, 2], 1).tolist()
        [True, False]
    """
    return ops.less_equal(*_pair(x, y))


def maximum(x: Any, y: Any) -> Any:
    """The larger of x and y, element by element.

    Args:
        x: a tensor or an array.
        y: another one.

    Returns:
        A tensor of the shape that both broadcast to.

    Example:
        >>> maximum([1, 5], [2, 3]).tolist()
        [2, 5]
    """
    return ops.maximum(*_pair(x, y))


def minimum(x: Any, y: Any) -> Any:
    """The smaller of x and y, element by element.

    Args:
        x: a tensor or an array.
        y: another one.

    Returns:
        A tensor of the shape that both broadcast to.

    Example:
        >>> minimum([1, 5], [2, 3]).tolist()
        [1, 3]
    """
    return ops.minimum(*_pair(x, y))


def _pair(x: Any, y: Any) -> tuple[Any, Any]:
    """Two operands; Python numbers stay numbers, which take the dtype of what is beside them."""
    numbers = (bool, int, float)
    first, second = (v if isinstance(v, numbers) else tensor(v) for v in (x, y))
    return first, second

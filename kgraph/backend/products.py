"""Products of tensors: `dot` and `batch_dot`, with Keras's rules for several axes."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.backend.operands import tensor
from kgraph.errors import explain
from kgraph.ir.dim import product


def dot(x: Any, y: Any) -> Any:
    """The product over the last axis of x and the last but one of y.

    Args:
        x: (..., n).
        y: (..., n, m) of at least two axes.

    Returns:
        (x without its last axis, y without its last but one).

    Raises:
        ValueError: y has one axis only.

    Example:
        >>> import numpy as np
        >>> dot(np.ones((2, 3, 4)), np.ones((5, 4, 6))).shape
        (2, 3, 5, 6)
    """
    x, y = tensor(x), tensor(y)
    if x.ndim < 1 or y.ndim < 2:
        raise ValueError(
            explain(
                "K.dot takes the last axis of x and the last but one of y",
                expected="at least one axis of x and two of y",
                got=f"{x.ndim} and {y.ndim}",
                hint="K.sum(x * y) is the product of two vectors",
            )
        )
    if y.ndim == 2:
        return ops.matmul(x, y)
    *outer, inner, columns = y.shape
    matrix = ops.reshape(ops.moveaxis(y, -2, 0), (inner, product(outer) * columns))
    return ops.reshape(ops.matmul(x, matrix), (*x.shape[:-1], *outer, columns))


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """The product of x and y of each sample, over one axis of each.

    Args:
        x: a batch of at least two axes.
        y: another one of as many samples.
        axes: the axis of both, or one for x and one for y; default the last of x, and the last but
            one of y (the last where y has two).

    Returns:
        (batch, other axes of x, other axes of y); (batch, 1) where neither has any.

    Raises:
        ValueError: an axis is the batch, several axes are named, or the sizes differ.

    Example:
        >>> import numpy as np
        >>> x, y = np.ones((32, 20, 1)), np.ones((32, 30, 20))
        >>> batch_dot(x, y, axes=(1, 2)).shape, batch_dot(x[..., 0], x[..., 0], axes=1).shape
        ((32, 1, 30), (32, 1))
    """
    x, y = tensor(x), tensor(y)
    first, second = _axes(x, y, axes)
    x, y = ops.moveaxis(x, first, -1), ops.moveaxis(y, second, 1)
    batch, *rows, inner = x.shape
    columns = y.shape[2:]
    # Sizes that are not known are taken for equal; if they are not, the run says so.
    y = ops.ensure_shape(y, (batch, inner, *columns))
    left = ops.reshape(x, (batch, product(rows), inner))
    right = ops.reshape(y, (batch, inner, product(columns)))
    result = ops.matmul(left, right)
    return ops.reshape(result, (batch, *rows, *columns) if rows or columns else (batch, 1))


def _axes(x: Any, y: Any, axes: Any) -> tuple[int, int]:
    """The axes to join, counted from the front."""
    if x.ndim < 2 or y.ndim < 2:
        raise ValueError(
            explain("K.batch_dot needs two axes of each operand", got=f"{x.ndim} and {y.ndim}")
        )
    if axes is None:
        axes = (x.ndim - 1, y.ndim - (1 if y.ndim == 2 else 2))
    pair = (axes, axes) if isinstance(axes, int) else tuple(axes)
    if len(pair) != 2 or not all(isinstance(a, int) for a in pair):
        raise ValueError(
            explain(
                "K.batch_dot joins one axis of each operand",
                expected="None, an int or a pair of ints",
                got=axes,
                hint="reshape the operands to join several axes",
            )
        )
    first, second = (a + t.ndim if a < 0 else a for a, t in zip(pair, (x, y)))
    if first == 0 or second == 0:
        raise ValueError(
            explain(
                "K.batch_dot cannot join axis 0, which is the batch",
                got=f"axes={axes}",
                hint="add an axis for the batch: K.expand_dims(x, 0)",
            )
        )
    sizes = x.shape[first], y.shape[second]
    if all(isinstance(n, int) for n in sizes) and sizes[0] != sizes[1]:
        raise ValueError(
            explain(
                "K.batch_dot: the axes to join differ in size",
                expected=f"x.shape[{first}] == y.shape[{second}]",
                got=f"shapes {tuple(x.shape)} and {tuple(y.shape)}, axes={axes}",
            )
        )
    return first, second

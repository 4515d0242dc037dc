"""Hinge losses: nothing to pay beyond a margin. Labels 0 and 1 are taken as -1 and 1."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.losses.operands import align, cast, mean_last


def signed(y_true: Any) -> Any:
    """Labels as -1 and 1, if all of them are 0 or 1; others as they are."""
    binary = ops.all(ops.logical_or(ops.equal(y_true, 0.0), ops.equal(y_true, 1.0)))
    share: Any = cast(binary, str(y_true.dtype))
    return y_true * (1.0 + share) - share


def hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of max(0, 1 - target * prediction).

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: scores, any rank >= 1.

    Returns:
        One value a sample.

    Example:
        >>> hinge([[0.0, 1.0]], [[-2.0, 0.5]]).tolist()
        [0.25]
    """
    y_true, y_pred = align(y_true, y_pred)
    return mean_last(ops.maximum(1.0 - signed(y_true) * y_pred, 0.0))


def squared_hinge(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of max(0, 1 - target * prediction) squared.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: scores, any rank >= 1.

    Returns:
        One value a sample.

    Example:
        >>> squared_hinge([[0.0, 1.0]], [[-2.0, 0.5]]).tolist()
        [0.125]
    """
    y_true, y_pred = align(y_true, y_pred)
    return mean_last(ops.square(ops.maximum(1.0 - signed(y_true) * y_pred, 0.0)))


def categorical_hinge(y_true: Any, y_pred: Any) -> Any:
    """By how much the best wrong class comes within 1 of the right one.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: scores over the last axis.

    Returns:
        One value a sample.

    Example:
        >>> categorical_hinge([[0.0, 1.0]], [[0.5, 1.0]]).tolist()
        [0.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    right = ops.sum(y_true * y_pred, axis=-1)
    wrong: Any = ops.max((1.0 - y_true) * y_pred, axis=-1)
    return ops.maximum(wrong - right + 1.0, 0.0)

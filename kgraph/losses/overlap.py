"""Losses of overlap, for segmentation: how little two soft sets have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import config, ops
from kgraph.losses.operands import align

Axes = int | Sequence[int] | None


def _axes(axis: Axes) -> Any:
    return tuple(axis) if isinstance(axis, (list, tuple)) else axis


def dice(y_true: Any, y_pred: Any, axis: Axes = None) -> Any:
    """1 - 2 sum(t p) / (sum(t) + sum(p)).

    Args:
        y_true: shares of membership in [0, 1], of the shape of the predictions.
        y_pred: predictions in [0, 1].
        axis: axes of one set; None for all, the batch included.

    Returns:
        One value a set.

    Example:
        >>> round(float(dice([[1.0, 0.0]], [[1.0, 1.0]])), 4)
        0.3333
    """
    y_true, y_pred = align(y_true, y_pred)
    axes = _axes(axis)
    both: Any = ops.sum(y_true, axis=axes) + ops.sum(y_pred, axis=axes)
    return 1.0 - 2.0 * ops.sum(y_true * y_pred, axis=axes) / (both + config.epsilon())


def tversky(
    y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Axes = None
) -> Any:
    """1 - s / (s + alpha * missed + beta * extra), where s = sum(t p).

    Args:
        y_true: shares of membership in [0, 1], of the shape of the predictions.
        y_pred: predictions in [0, 1].
        alpha: weight of what the prediction misses, sum(t (1 - p)).
        beta: weight of what it adds, sum((1 - t) p).
        axis: axes of one set; None for all, the batch included.

    Returns:
        One value a set.

    Example:
        >>> round(float(tversky([[1.0, 0.0]], [[1.0, 1.0]])), 4)
        0.3333
    """
    y_true, y_pred = align(y_true, y_pred)
    axes = _axes(axis)
    shared: Any = ops.sum(y_true * y_pred, axis=axes)
    missed: Any = ops.sum(y_true * (1.0 - y_pred), axis=axes)
    extra: Any = ops.sum((1.0 - y_true) * y_pred, axis=axes)
    return 1.0 - shared / (shared + alpha * missed + beta * extra + config.epsilon())

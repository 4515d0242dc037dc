"""How targets and predictions go together along an axis, as functions with one value a sample."""

from __future__ import annotations

from typing import Any

from kgraph import config, ops
from kgraph.losses.operands import align
from kgraph.losses.regression import cosine


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between targets and predictions; the loss has the other sign.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: vectors along `axis`.
        axis: the axis of the vectors.

    Returns:
        One value a sample.

    Example:
        >>> cosine_similarity([[1.0, 0.0]], [[2.0, 0.0]]).tolist()
        [1.0]
    """
    return cosine(y_true, y_pred, axis)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Pearson's correlation of targets and predictions along an axis.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions.
        axis: the axis of the series.

    Returns:
        One value a sample.

    Example:
        >>> pearson_correlation([[0.0, 1.0]], [[2.0, 6.0]]).tolist()
        [1.0]
    """
    y_true, y_pred = align(y_true, y_pred)
    t: Any = y_true - ops.mean(y_true, axis=axis, keepdims=True)
    p: Any = y_pred - ops.mean(y_pred, axis=axis, keepdims=True)
    spread: Any = ops.std(y_true, axis=axis) * ops.std(y_pred, axis=axis)
    return ops.mean(t * p, axis=axis) / spread


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Lin's concordance: correlation that other means and scales lower.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions.
        axis: the axis of the series.

    Returns:
        One value a sample.

    Example:
        >>> round(float(concordance_correlation([[0.0, 2.0]], [[1.0, 3.0]])[0]), 4)
        0.6667
    """
    y_true, y_pred = align(y_true, y_pred)
    means: Any = [ops.mean(x, axis=axis, keepdims=True) for x in (y_true, y_pred)]
    apart = ops.squeeze(ops.square(means[0] - means[1]), axis=axis)
    norm: Any = ops.var(y_true, axis=axis) + ops.var(y_pred, axis=axis) + apart
    covariance: Any = ops.mean((y_true - means[0]) * (y_pred - means[1]), axis=axis)
    return 2.0 * covariance / (norm + config.epsilon())

"""Losses of numbers, rates and directions: how far predictions are from targets."""

from __future__ import annotations

import math
from typing import Any

from kgraph import config, ops
from kgraph.losses.operands import align, mean_last


def mean_squared_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of squared differences over the last axis.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions, any rank >= 1.

    Returns:
        One value a sample.

    Example:
        >>> mean_squared_error([[0.0, 1.0]], [[1.0, 3.0]]).tolist()
        [2.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    return mean_last(ops.square(y_pred - y_true))


def mean_absolute_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of absolute differences over the last axis.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions, any rank >= 1.

    Returns:
        One value a sample.

    Example:
        >>> mean_absolute_error([[0.0, 1.0]], [[1.0, 3.0]]).tolist()
        [1.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    return mean_last(ops.abs(y_pred - y_true))


def mean_absolute_percentage_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of absolute differences over the last axis, in percent of the targets.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions, any rank >= 1.

    Returns:
        One value a sample.

    Example:
        >>> mean_absolute_percentage_error([[2.0, 4.0]], [[1.0, 5.0]]).tolist()
        [37.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    scale = ops.maximum(ops.abs(y_true), config.epsilon())
    return 100.0 * mean_last(ops.abs(y_true - y_pred) / scale)


def mean_squared_logarithmic_error(y_true: Any, y_pred: Any) -> Any:
    """Mean of squared differences of log(1 + value) over the last axis.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions; values below 1e-7 count as that.

    Returns:
        One value a sample.

    Example:
        >>> round(float(mean_squared_logarithmic_error([[0.0]], [[1.0]])[0]), 4)
        0.4805
    """
    y_true, y_pred = align(y_true, y_pred)
    epsilon = config.epsilon()
    logs: Any = ops.log(ops.maximum(y_pred, epsilon) + 1.0)
    return mean_last(ops.square(logs - ops.log(ops.maximum(y_true, epsilon) + 1.0)))


def log_cosh(y_true: Any, y_pred: Any) -> Any:
    """Mean of log(cosh(difference)) over the last axis: squares of small, sizes of large ones.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions, any rank >= 1.

    Returns:
        One value a sample.

    Example:
        >>> round(float(log_cosh([[0.0]], [[100.0]])[0]), 4)
        99.3069
    """
    y_true, y_pred = align(y_true, y_pred)
    # log cosh x = x + log(1 + e^(-2x)) - log 2, where nothing overflows for x >= 0.
    size: Any = ops.abs(y_pred - y_true)
    return mean_last(size + ops.softplus(-2.0 * size) - math.log(2.0))


def huber(y_true: Any, y_pred: Any, delta: float = 1.0) -> Any:
    """Mean over the last axis of half squares up to `delta`, and straight lines beyond.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions, any rank >= 1.
        delta: where the parabola ends.

    Returns:
        One value a sample.

    Example:
        >>> huber([[0.0, 0.0]], [[1.0, 3.0]]).tolist()
        [1.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    size: Any = ops.abs(y_pred - y_true)
    lines = delta * size - 0.5 * delta * delta
    return mean_last(ops.where(ops.less_equal(size, delta), 0.5 * ops.square(size), lines))


def poisson(y_true: Any, y_pred: Any) -> Any:
    """Mean over the last axis of prediction - target * log(prediction).

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: predictions, positive rates.

    Returns:
        One value a sample.

    Example:
        >>> round(float(poisson([[2.0]], [[1.0]])[0]), 4)
        1.0
    """
    y_true, y_pred = align(y_true, y_pred)
    return mean_last(y_pred - y_true * ops.log(y_pred + config.epsilon()))


def kl_divergence(y_true: Any, y_pred: Any) -> Any:
    """How far predicted distributions are from the targets: sum of t * log(t / p).

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: distributions over the last axis; both are clipped to [1e-7, 1].

    Returns:
        One value a sample.

    Example:
        >>> round(float(kl_divergence([[0.5, 0.5]], [[0.25, 0.75]])[0]), 4)
        0.1438
    """
    y_true, y_pred = align(y_true, y_pred)
    targets: Any = ops.clip(y_true, config.epsilon(), 1.0)
    return ops.sum(targets * ops.log(targets / ops.clip(y_pred, config.epsilon(), 1.0)), axis=-1)


def cosine_similarity(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """Minus the cosine of the angle between targets and predictions: -1 is the best.

    Args:
        y_true: targets, of the shape of the predictions.
        y_pred: vectors along `axis`.
        axis: the axis of the vectors.

    Returns:
        One value a sample.

    Example:
        >>> cosine_similarity([[1.0, 0.0]], [[2.0, 0.0]]).tolist()
        [-1.0]
    """
    return -cosine(y_true, y_pred, axis)


def cosine(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The cosine of the angle between targets and predictions; 0 for a vector of zeros."""
    y_true, y_pred = align(y_true, y_pred)
    lengths = [ops.sum(ops.square(x), axis=axis, keepdims=True) for x in (y_true, y_pred)]
    # Squared lengths up to 1e-12 count as that.
    t, p = (
        x / ops.sqrt(ops.maximum(length, 1e-12))
        for x, length in zip((y_true, y_pred), lengths, strict=True)
    )
    return ops.sum(t * p, axis=axis)

"""Metrics: functions of (y_true, y_pred) that return one value a sample, averaged over an epoch.

A metric is any such function; the training graph keeps its running total. Made of `kgraph.ops`, so
the functions build on tensors and compute at once on arrays.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from kgraph import losses, ops
from kgraph.losses import (
    align,
    binary_crossentropy,
    cast,
    categorical_crossentropy,
    class_ids,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
    tensor,
)
from kgraph.utils.registry import Registry

__all__ = [
    "MAE",
    "MSE",
    "binary_accuracy",
    "binary_crossentropy",
    "categorical_accuracy",
    "categorical_crossentropy",
    "deserialize",
    "get",
    "mae",
    "mean_absolute_error",
    "mean_squared_error",
    "mse",
    "serialize",
    "sparse_categorical_accuracy",
    "sparse_categorical_crossentropy",
]

ACCURACY, CROSSENTROPY = ("accuracy", "acc"), ("crossentropy", "ce")


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """Share of outputs on the right side of the threshold.

    Args:
        y_true: targets 0 or 1, of the shape of the predictions.
        y_pred: probabilities; at the default threshold they are rounded, so 0.5 counts as 0.
        threshold: what counts as 1 lies above it.

    Returns:
        One value a sample.

    Example:
        >>> binary_accuracy([[1.0, 0.0]], [[0.9, 0.8]]).tolist()
        [0.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    if threshold == 0.5:
        decided = ops.round(y_pred)
    else:
        decided = cast(ops.greater(y_pred, threshold), str(y_pred.dtype))
    right = ops.equal(y_true, decided)
    if right.shape[-1] == 1:
        return cast(ops.squeeze(right, axis=-1), str(y_pred.dtype))
    return ops.mean(cast(right, str(y_pred.dtype)), axis=-1)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest output stands where the largest target stands.

    Args:
        y_true: one-hot rows, of the shape of the predictions.
        y_pred: scores over the last axis.

    Returns:
        0 or 1 a sample.

    Example:
        >>> categorical_accuracy([[0, 1], [1, 0]], [[0.2, 0.8], [0.3, 0.7]]).tolist()
        [1.0, 0.0]
    """
    y_true, y_pred = align(y_true, y_pred)
    right = ops.equal(ops.argmax(y_true, axis=-1), ops.argmax(y_pred, axis=-1))
    return cast(right, str(y_pred.dtype))


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """Whether the largest output stands at the target's class id.

    Args:
        y_true: ids, of the predictions' shape without the last axis, or with a last axis of 1.
        y_pred: scores over the last axis.

    Returns:
        0 or 1 a sample.

    Example:
        >>> sparse_categorical_accuracy([1, 0], [[0.2, 0.8], [0.3, 0.7]]).tolist()
        [1.0, 0.0]
    """
    y_pred = tensor(y_pred)
    best = ops.argmax(y_pred, axis=-1)
    ids = cast(class_ids(y_true, y_pred), str(best.dtype))
    return cast(ops.equal(ids, best), str(y_pred.dtype))


mse = MSE = mean_squared_error
mae = MAE = mean_absolute_error

METRICS = Registry(
    "metric function",
    {
        **{
            name: value for name, value in losses.LOSSES.names.items() if not inspect.isclass(value)
        },
        "binary_accuracy": binary_accuracy,
        "categorical_accuracy": categorical_accuracy,
        "sparse_categorical_accuracy": sparse_categorical_accuracy,
    },
    functions=True,
)


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric that an argument means.

    Args:
        identifier: a name, a configuration, a function or an object; None for none.
        custom_objects: names besides the built-in ones.

    Returns:
        A function of (y_true, y_pred).

    Raises:
        ValueError: there is no such metric.

    Example:
        >>> get("mae") is mean_absolute_error
        True
    """
    return METRICS.get(identifier, custom_objects)


def serialize(metric: Any) -> Any:
    """The configuration of a metric.

    Args:
        metric: a function.

    Returns:
        What `deserialize` reads.

    Example:
        >>> serialize(binary_accuracy)
        'binary_accuracy'
    """
    return METRICS.serialize(metric)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The metric of a configuration.

    Args:
        config: what `serialize` returned.
        custom_objects: names besides the built-in ones.

    Returns:
        A function of (y_true, y_pred).

    Example:
        >>> deserialize("mae") is mean_absolute_error
        True
    """
    return METRICS.deserialize(config, custom_objects)


def by_output(metric: Any) -> bool:
    """Whether a metric argument means what the output and its loss decide.

    Example:
        >>> by_output("acc"), by_output("mae")
        (True, False)
    """
    return isinstance(metric, str) and metric in ACCURACY + CROSSENTROPY


def resolve(metric: Any, loss: Any, y_true: Any, y_pred: Any) -> Callable[..., Any]:
    """The function of a metric argument of `compile`.

    "accuracy" and "crossentropy" depend on the output and its loss, by Keras 2's rule: an output of
    one value or a binary crossentropy counts each value, a sparse one compares class ids, all else
    compares one-hot rows.

    Args:
        metric: what the user passed.
        loss: the output's loss, or None.
        y_true: the output's target.
        y_pred: the output.
    """
    if not by_output(metric):
        return get(metric)
    function, wide = losses.function_of(loss), y_pred.shape[-1] != 1
    binary = not wide or function is losses.binary_crossentropy
    sparse = function is losses.sparse_categorical_crossentropy or (
        wide and (y_true.ndim < y_pred.ndim or y_true.shape[-1] == 1)
    )
    if metric in ACCURACY:
        if binary:
            return binary_accuracy
        return sparse_categorical_accuracy if sparse else categorical_accuracy
    if binary:
        return binary_crossentropy
    return sparse_categorical_crossentropy if sparse else categorical_crossentropy

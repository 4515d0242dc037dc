"""Accuracies: how often a prediction is right, as functions that return one value a sample."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.losses.operands import align, cast, class_ids, mean_last, tensor


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """Share of the last axis in which predictions equal targets, both taken as they are.

    Args:
        y_true: targets, such as class ids, of the shape of the predictions.
        y_pred: predictions, such as class ids.

    Returns:
        One value a sample.

    Example:
        >>> accuracy([[1, 2]], [[1, 3]]).tolist()
        [0.5]
    """
    y_true, y_pred = align(y_true, y_pred)
    return mean_last(cast(ops.equal(y_true, y_pred), str(y_pred.dtype)))


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


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the class of the largest target is among the k largest outputs.

    Args:
        y_true: one-hot rows, of the shape of the predictions.
        y_pred: scores over the last axis.
        k: how many outputs count.

    Returns:
        0 or 1 a sample.

    Example:
        >>> top_k_categorical_accuracy([[0, 0, 1]], [[0.5, 0.2, 0.3]], k=2).tolist()
        [1.0]
    """
    y_true, y_pred = align(y_true, y_pred)
    return sparse_top_k_categorical_accuracy(ops.argmax(y_true, axis=-1), y_pred, k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """Whether the target's class id is among the k largest outputs.

    Args:
        y_true: ids, of the predictions' shape without the last axis, or with a last axis of 1.
        y_pred: scores over the last axis.
        k: how many outputs count; equal outputs count as one.

    Returns:
        0 or 1 a sample.

    Example:
        >>> sparse_top_k_categorical_accuracy([2, 1], [[0.5, 0.2, 0.3]] * 2, k=2).tolist()
        [1.0, 0.0]
    """
    y_pred = tensor(y_pred)
    ids = ops.expand_dims(class_ids(y_true, y_pred), axis=-1)
    own = ops.take_along_axis(y_pred, ids, axis=-1)
    better = ops.sum(cast(ops.greater(y_pred, own), "int32"), axis=-1)
    return cast(ops.less(better, k), str(y_pred.dtype))

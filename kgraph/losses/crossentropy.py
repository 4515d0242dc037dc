"""Cross-entropies of probabilities or logits with targets."""

from __future__ import annotations

from typing import Any

from kgraph import config, ops
from kgraph.losses.operands import (
    align,
    class_ids,
    classes_last,
    mean_last,
    smooth_binary,
    smooth_classes,
    tensor,
)


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Cross-entropy of independent yes/no outputs, averaged over `axis`.

    Args:
        y_true: targets in [0, 1], of the shape of the predictions.
        y_pred: probabilities, clipped to [1e-7, 1 - 1e-7], or logits.
        from_logits: whether `y_pred` are logits.
        label_smoothing: pulls targets towards one half by this share.
        axis: the axis that the mean runs over.

    Returns:
        One value a sample.

    Example:
        >>> round(float(binary_crossentropy([[1.0]], [[0.5]])[0]), 4)
        0.6931
    """
    y_true, y_pred = align(y_true, y_pred)
    y_true = smooth_binary(y_true, label_smoothing)
    if from_logits:
        values = ops.sigmoid_cross_entropy(y_pred, y_true)
    else:
        values = ops.binary_crossentropy(y_true, y_pred, epsilon=config.epsilon())
    return mean_last(values) if axis in (-1, values.ndim - 1) else ops.mean(values, axis=axis)


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Cross-entropy of one class among several, targets as distributions over the classes.

    Args:
        y_true: one-hot rows or distributions, of the shape of the predictions.
        y_pred: probabilities, divided by their sum and clipped to [1e-7, 1 - 1e-7], or logits.
        from_logits: whether `y_pred` are logits.
        label_smoothing: share of the target that is spread over all classes.
        axis: the axis of the classes.

    Returns:
        One value a sample.

    Example:
        >>> round(float(categorical_crossentropy([[0.0, 1.0]], [[0.75, 0.25]])[0]), 4)
        1.3863
    """
    y_true, y_pred = align(y_true, y_pred)
    y_true, y_pred = classes_last(y_true, axis), classes_last(y_pred, axis)
    y_true = smooth_classes(y_true, label_smoothing)
    if from_logits:
        return ops.softmax_cross_entropy(y_pred, y_true)[0]
    return ops.categorical_crossentropy(y_true, y_pred, epsilon=config.epsilon())


def sparse_categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Any:
    """Cross-entropy of one class among several, targets as class ids.

    Args:
        y_true: ids, of the predictions' shape without the last axis, or with a last axis of 1.
        y_pred: probabilities, divided by their sum and clipped to [1e-7, 1 - 1e-7], or logits.
        from_logits: whether `y_pred` are logits.
        ignore_class: id whose samples get the value 0, such as a "void" label.
        axis: the axis of the classes.

    Returns:
        One value a sample.

    Example:
        >>> round(float(sparse_categorical_crossentropy([1], [[0.75, 0.25]])[0]), 4)
        1.3863
    """
    y_pred = classes_last(tensor(y_pred), axis)
    ids = class_ids(y_true, y_pred)
    kept = None
    if ignore_class is not None:
        kept = ops.not_equal(ids, ignore_class)
        ids = ops.where(kept, ids, 0)
    if from_logits:
        values = ops.sparse_softmax_cross_entropy(y_pred, ids)[0]
    else:
        values = ops.sparse_categorical_crossentropy(ids, y_pred, epsilon=config.epsilon())
    return values if kept is None else ops.where(kept, values, 0.0)

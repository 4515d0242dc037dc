"""Cross-entropies that weigh samples by how wrong they are, and ones that forgive wrong labels."""

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


def binary_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Binary cross-entropy times (1 - p) ^ gamma, p being the probability of the truth.

    Args:
        y_true: targets in [0, 1], of the shape of the predictions.
        y_pred: probabilities or logits.
        apply_class_balancing: whether ones weigh `alpha` and zeros 1 - `alpha`.
        alpha: the weight of ones.
        gamma: how fast the weight of easy samples falls.
        from_logits: whether `y_pred` are logits.
        label_smoothing: pulls targets towards one half by this share.
        axis: the axis that the mean runs over.

    Returns:
        One value a sample.

    Example:
        >>> round(float(binary_focal_crossentropy([[1.0]], [[0.5]])[0]), 4)
        0.1733
    """
    y_true, y_pred = align(y_true, y_pred)
    y_true = smooth_binary(y_true, label_smoothing)
    p: Any = ops.sigmoid(y_pred) if from_logits else y_pred
    entropy = ops.binary_crossentropy(y_true, p, epsilon=config.epsilon())
    truth = y_true * p + (1.0 - y_true) * (1.0 - p)
    values: Any = ops.power(1.0 - truth, float(gamma)) * entropy
    if apply_class_balancing:
        values = (y_true * alpha + (1.0 - y_true) * (1.0 - alpha)) * values
    return mean_last(values) if axis in (-1, values.ndim - 1) else ops.mean(values, axis=axis)


def categorical_focal_crossentropy(
    y_true: Any,
    y_pred: Any,
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Any:
    """Categorical cross-entropy times alpha (1 - p) ^ gamma, p being a class's probability.

    Args:
        y_true: one-hot rows or distributions, of the shape of the predictions.
        y_pred: probabilities, divided by their sum and clipped to [1e-7, 1 - 1e-7], or logits.
        alpha: factor of all classes, or a list with one a class.
        gamma: how fast the weight of easy samples falls.
        from_logits: whether `y_pred` are logits.
        label_smoothing: share of the target that is spread over all classes.
        axis: the axis of the classes.

    Returns:
        One value a sample.

    Example:
        >>> round(float(categorical_focal_crossentropy([[0.0, 1.0]], [[0.5, 0.5]])[0]), 4)
        0.0433
    """
    y_true, y_pred = align(y_true, y_pred)
    y_true, y_pred = classes_last(y_true, axis), classes_last(y_pred, axis)
    y_true = smooth_classes(y_true, label_smoothing)
    p: Any = ops.softmax(y_pred, axis=-1) if from_logits else y_pred
    p = p / ops.sum(p, axis=-1, keepdims=True)
    p = ops.clip(p, config.epsilon(), 1.0 - config.epsilon())
    factor: Any = alpha if isinstance(alpha, (int, float)) else tensor(alpha)
    weight: Any = ops.power(1.0 - p, float(gamma)) * factor
    return ops.sum(-weight * y_true * ops.log(p), axis=-1)


def categorical_generalized_cross_entropy(y_true: Any, y_pred: Any, q: float = 0.5) -> Any:
    """(1 - p ^ q) / q, p being the probability of the true class: robust against wrong labels.

    Args:
        y_true: class ids, of the predictions' shape without the last axis, or with one of 1.
        y_pred: probabilities over the last axis.
        q: 0 < q < 1; towards 0 it is the cross-entropy, at 1 the absolute error.

    Returns:
        One value a sample.

    Example:
        >>> categorical_generalized_cross_entropy([1], [[0.75, 0.25]]).tolist()
        [1.0]
    """
    y_pred = tensor(y_pred)
    ids = class_ids(y_true, y_pred)
    rows: Any = ops.one_hot(ids, y_pred.shape[-1], dtype=str(y_pred.dtype))
    p = ops.sum(rows * y_pred, axis=-1)
    return (1.0 - ops.power(p, float(q))) / q

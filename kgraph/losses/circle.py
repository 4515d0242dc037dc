"""Circle loss: pulls embeddings of one class together and pushes those of others apart."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.losses.operands import cast, class_ids, tensor


def circle(
    y_true: Any,
    y_pred: Any,
    remove_diagonal: bool = True,
    gamma: float = 80.0,
    margin: float = 0.4,
) -> Any:
    """log(1 + sum over positives e^... * sum over negatives e^...) for each sample of the batch.

    Args:
        y_true: class ids, shape (batch,) or (batch, 1).
        y_pred: embeddings of length 1, shape (batch, size).
        remove_diagonal: whether a sample is no positive of its own.
        gamma: scale.
        margin: how far inside their class positives are to be.

    Returns:
        One value a sample; 0 for one without positives or without negatives.

    Example:
        >>> found = circle([0, 0, 1], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], gamma=1.0)
        >>> [round(value, 3) for value in found.tolist()]
        [0.546, 0.546, 0.0]
    """
    y_pred = tensor(y_pred)
    ids: Any = class_ids(y_true, y_pred)
    distance: Any = 1.0 - ops.matmul(y_pred, ops.transpose(y_pred))
    distance = ops.maximum(distance, 0.0)
    same = ops.equal(ops.expand_dims(ids, axis=1), ops.expand_dims(ids, axis=0))
    others = ops.logical_not(same)
    if remove_diagonal:
        place: Any = ops.cumsum(ops.ones_like(ids), axis=0)
        itself = ops.equal(ops.expand_dims(place, axis=1), ops.expand_dims(place, axis=0))
        same = ops.logical_and(same, ops.logical_not(itself))
    near = ops.maximum(margin + distance, 0.0) * (distance - margin)
    far = ops.maximum(1.0 + margin - distance, 0.0) * ((1.0 - margin) - distance)
    pulls = _total(gamma * near, same)
    pushes: Any = _total(gamma * far, others)
    return cast(ops.softplus(pulls + pushes), str(y_pred.dtype))


def _total(values: Any, chosen: Any) -> Any:
    """log of the sum of e^value over the chosen entries of each row; -inf if there are none."""
    return ops.logsumexp(ops.where(chosen, values, float("-inf")), axis=1)

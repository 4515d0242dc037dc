"""The loss of labels whose places in a sequence nobody knows; the formula is in `ops.ctc_loss`."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.losses.operands import tensor
from kgraph.ops import ctc_loss


def ctc(y_true: Any, y_pred: Any) -> Any:
    """The loss of labels that are padded with 0, which is the blank, for scores of all time steps.

    Args:
        y_true: labels from 1 on, then zeros, shape (batch, labels).
        y_pred: logits, shape (batch, steps, classes).

    Returns:
        One value a sample; 1e5, without a gradient, where the steps do not suffice.

    Raises:
        ValueError: an operand has another number of axes.

    Example:
        >>> import numpy as np
        >>> round(float(ctc([[1, 2]], np.zeros((1, 3, 3), "float32"))[0]), 4)
        1.6864
    """
    labels, scores = ops.cast(tensor(y_true), "int32"), tensor(y_pred)
    lengths: Any = ops.sum(ops.cast(ops.not_equal(labels, 0), "int32"), axis=-1)
    steps: Any = ops.sum(ops.ones_like(scores[..., 0]), axis=-1)
    return ctc_loss(labels, scores, lengths, ops.cast(steps, "int32"))

"""Which function "accuracy" and "crossentropy" mean: that depends on an output and its loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph import losses
from kgraph.losses import (
    binary_crossentropy,
    categorical_crossentropy,
    sparse_categorical_crossentropy,
)
from kgraph.metrics.accuracy import (
    binary_accuracy,
    categorical_accuracy,
    sparse_categorical_accuracy,
)

ACCURACY, CROSSENTROPY = ("accuracy", "acc"), ("crossentropy", "ce")


def by_output(metric: Any) -> bool:
    """Whether a metric argument means what the output and its loss decide.

    Example:
        >>> by_output("acc"), by_output("mae")
        (True, False)
    """
    return isinstance(metric, str) and metric in ACCURACY + CROSSENTROPY


def chosen(metric: str, loss: Any, y_true: Any, y_pred: Any) -> Callable[..., Any]:
    """The function of a metric argument for which `by_output` holds.

    "accuracy" and "crossentropy" depend on the output and its loss, by Keras 2's rule: an output of
    one value or a binary crossentropy counts each value, a sparse one compares class ids, all else
    compares one-hot rows.

    Args:
        metric: one of `ACCURACY` or `CROSSENTROPY`.
        loss: the output's loss, or None.
        y_true: the output's target.
        y_pred: the output.
    """
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

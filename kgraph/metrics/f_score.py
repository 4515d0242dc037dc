"""F scores: precision and recall in one number, for each class."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import config, ops
from kgraph.losses.operands import align, cast, tensor
from kgraph.metrics.base import Metric, Sums

_AVERAGES = (None, "micro", "macro", "weighted")


class FBetaScore(Metric):
    """(1 + beta^2) precision recall / (beta^2 precision + recall), for each class.

    Args:
        average: None for one value a class, "macro" for their mean, "weighted" for one that the
            classes' numbers of samples weigh, "micro" for the score of all classes together.
        beta: how many times as much recall counts.
        threshold: scores above are a yes; None for the largest score of each sample.
        name: of the metric.
        dtype: accepted; sums are float64.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> FBetaScore(beta=2.0)([[1, 0], [0, 1]], [[0.9, 0.1], [0.8, 0.2]]).round(3).tolist()
        [0.833, 0.0]
    """

    def __init__(
        self,
        average: str | None = None,
        beta: float = 1.0,
        threshold: float | None = None,
        name: str = "fbeta_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if average not in _AVERAGES:
            raise ValueError(
                "Invalid `average` argument value. Expected one of: "
                f"{{None, 'micro', 'macro', 'weighted'}}. Received: average={average}"
            )
        if beta <= 0:
            raise ValueError(
                f"Invalid `beta` argument value. It should be > 0. Received: beta={beta}"
            )
        if threshold is not None and not 0 < threshold <= 1:
            raise ValueError(
                "Invalid `threshold` argument value. It should verify 0 < threshold <= 1. "
                f"Received: threshold={threshold}"
            )
        self.average, self.beta, self.threshold = average, beta, threshold

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        y_true, y_pred = align(y_true, y_pred)
        if y_pred.ndim != 2:
            raise ValueError(
                f"{type(self).__name__} expects 2D inputs with shape (batch_size, output_dim). "
                f"Received input shapes: y_pred.shape={y_pred.shape} and "
                f"y_true.shape={y_true.shape}."
            )
        if self.threshold is None:
            largest = ops.greater_equal(y_pred, ops.max(y_pred, axis=-1, keepdims=True))
            decided = ops.logical_and(largest, ops.greater(ops.abs(y_pred), 1e-9))
        else:
            decided = ops.greater(y_pred, self.threshold)
        yes: Any = cast(decided, str(y_pred.dtype))
        weights: Any = ops.ones_like(y_pred)
        if sample_weight is not None:
            given = cast(tensor(sample_weight), str(y_pred.dtype))
            weights = weights * (given if given.ndim == 2 else ops.expand_dims(given, axis=1))
        axis = None if self.average == "micro" else 0
        return {
            "tp": ops.sum(yes * y_true * weights, axis=axis),
            "fp": ops.sum(yes * (1.0 - y_true) * weights, axis=axis),
            "fn": ops.sum((1.0 - yes) * y_true * weights, axis=axis),
            "support": ops.sum(y_true * weights, axis=axis),
        }

    def value(self, sums: Sums) -> Any:
        epsilon, tp = config.epsilon(), sums["tp"]
        precision, recall = tp / (tp + sums["fp"] + epsilon), tp / (tp + sums["fn"] + epsilon)
        square = self.beta**2
        scores = (1.0 + square) * precision * recall / (square * precision + recall + epsilon)
        if self.average is None:
            return np.asarray(scores)
        if self.average == "weighted":
            return float((scores * sums["support"]).sum() / (sums["support"].sum() + epsilon))
        return float(np.mean(scores))

    def get_config(self) -> dict[str, Any]:
        options = {"average": self.average, "beta": self.beta, "threshold": self.threshold}
        return {**super().get_config(), **options}


class F1Score(FBetaScore):
    """`FBetaScore` in which precision and recall count the same.

    Example:
        >>> F1Score()([[1, 0], [0, 1]], [[0.9, 0.1], [0.8, 0.2]]).round(3).tolist()
        [0.667, 0.0]
    """

    def __init__(
        self,
        average: str | None = None,
        threshold: float | None = None,
        name: str = "f1_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(average, 1.0, threshold, name, dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "beta"}

"""Metrics of numbers that are no mean over the samples: root mean square, R squared."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.losses.operands import align, tensor
from kgraph.losses.reduction import match_rank
from kgraph.metrics.base import Metric, Sums, mean_increments, ratio


class RootMeanSquaredError(Metric):
    """The root of the mean squared difference.

    Example:
        >>> RootMeanSquaredError()([[0.0], [0.0]], [[3.0], [3.0]])
        3.0
    """

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        y_true, y_pred = align(y_true, y_pred)
        return mean_increments(ops.square(y_pred - y_true), sample_weight)

    def value(self, sums: Sums) -> Any:
        return float(np.sqrt(ratio(sums["total"], sums["count"])))


_AGGREGATIONS = (None, "uniform_average", "variance_weighted_average")


class R2Score(Metric):
    """1 - residual / variance, for each output.

    Args:
        class_aggregation: None for one value an output, "uniform_average" for their mean,
            "variance_weighted_average" for one that the outputs' variances weigh.
        num_regressors: number of predictors of the adjusted score, 0 for the plain one.
        name: of the metric.
        dtype: accepted; sums are float64.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> R2Score()([[1.0], [4.0], [3.0]], [[2.0], [4.0], [4.0]]).__round__(4)
        0.5714
    """

    def __init__(
        self,
        class_aggregation: str | None = "uniform_average",
        num_regressors: int = 0,
        name: str = "r2_score",
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        if class_aggregation not in _AGGREGATIONS:
            raise ValueError(
                "Invalid value for argument `class_aggregation`. Expected one of "
                f"{_AGGREGATIONS}. Received: class_aggregation={class_aggregation}"
            )
        if num_regressors < 0:
            raise ValueError(
                "Invalid value for argument `num_regressors`. Expected a value >= 0. "
                f"Received: num_regressors={num_regressors}"
            )
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        y_true, y_pred = align(y_true, y_pred)
        if y_pred.ndim != 2:
            raise ValueError(
                "R2Score expects 2D inputs with shape (batch_size, output_dim). Received input "
                f"shapes: y_pred.shape={y_pred.shape} and y_true.shape={y_true.shape}."
            )
        # float64, for the variance is a small difference of large sums.
        y_true, y_pred = ops.cast(y_true, "float64"), ops.cast(y_pred, "float64")
        ones: Any = ops.ones_like(y_true)
        weights = ones
        if sample_weight is not None:
            given = ops.cast(tensor(sample_weight), "float64")
            weights = ones * match_rank(given, y_true)
        return {
            "sum": ops.sum(y_true * weights, axis=0),
            "squares": ops.sum(ops.square(y_true) * weights, axis=0),
            "residual": ops.sum(ops.square(y_true - y_pred) * weights, axis=0),
            "count": ops.sum(weights, axis=0),
            "samples": ops.sum(ones),
        }

    def value(self, sums: Sums) -> Any:
        variance = sums["squares"] - ratio(sums["sum"] ** 2, sums["count"])
        scores = np.where(variance == 0, 0.0, 1.0 - ratio(sums["residual"], variance))
        if self.class_aggregation == "variance_weighted_average":
            scores = ratio((variance * scores).sum(), variance.sum())
        elif self.class_aggregation == "uniform_average":
            scores = scores.mean()
        found = self._adjusted(scores, float(sums["samples"]))
        return found if np.ndim(found) else float(found)

    def _adjusted(self, score: Any, samples: float) -> Any:
        free = samples - self.num_regressors - 1
        if not self.num_regressors:
            return score
        if free <= 0:
            warnings.warn(
                "More independent predictors than datapoints in adjusted R2 score. Falling back "
                "to standard R2 score.",
                stacklevel=2,
            )
            return score
        return 1.0 - (1.0 - score) * (samples - 1.0) / free

    def get_config(self) -> dict[str, Any]:
        options = {
            "class_aggregation": self.class_aggregation,
            "num_regressors": self.num_regressors,
        }
        return {**super().get_config(), **options}

"""The area under a curve of decisions at many thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import config, ops
from kgraph.losses.operands import tensor
from kgraph.metrics.base import Metric, Sums, ratio
from kgraph.metrics.confusion import confusion

CURVES, METHODS = ("ROC", "PR"), ("interpolation", "minoring", "majoring")


class AUC(Metric):
    """The area under the ROC or the precision-recall curve, approximated at thresholds.

    Args:
        num_thresholds: how many thresholds, evenly spaced.
        curve: "ROC" or "PR".
        summation_method: heights of the strips between two thresholds: "interpolation",
            "minoring" (the lower end) or "majoring" (the upper).
        name: of the metric.
        dtype: accepted; sums are float64.
        thresholds: numbers in [0, 1] in place of `num_thresholds`.
        multi_label: whether each column of the last axis has an area of its own, which are
            averaged.
        num_labels: accepted; the data says it.
        label_weights: weights of the columns.
        from_logits: whether predictions are logits.

    Raises:
        ValueError: an argument has no meaning.

    Example:
        >>> round(AUC()([0, 0, 1, 1], [0.0, 0.5, 0.3, 0.9]), 3)
        0.75
    """

    def __init__(
        self,
        num_thresholds: int = 200,
        curve: str = "ROC",
        summation_method: str = "interpolation",
        name: str | None = None,
        dtype: Any = None,
        thresholds: Sequence[float] | None = None,
        multi_label: bool = False,
        num_labels: int | None = None,
        label_weights: Sequence[float] | None = None,
        from_logits: bool = False,
    ) -> None:
        super().__init__(name or "auc", dtype)
        self.curve, self.summation_method = curve.upper(), summation_method.lower()
        for what, value, known in (
            ("curve", self.curve, CURVES),
            ("summation_method", self.summation_method, METHODS),
        ):
            if value not in known:
                raise ValueError(
                    f'Invalid `{what}` argument value "{value}". Expected one of: {list(known)}'
                )
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 1. "
                f"Received: num_thresholds={num_thresholds}"
            )
        inner = np.linspace(0.0, 1.0, num_thresholds)[1:-1] if thresholds is None else thresholds
        epsilon = config.epsilon()
        self.thresholds = [-epsilon, *sorted(float(t) for t in inner), 1.0 + epsilon]
        self.given = None if thresholds is None else list(thresholds)
        self.num_thresholds = len(self.thresholds)
        self.multi_label, self.num_labels = multi_label, num_labels
        self.label_weights = None if label_weights is None else list(label_weights)
        self.from_logits = from_logits

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        scores: Any = ops.sigmoid(tensor(y_pred)) if self.from_logits else tensor(y_pred)
        if self.multi_label and scores.ndim != 2:
            raise ValueError(
                "`y_pred` must have rank 2 when `multi_label=True`. "
                f"Found rank {scores.ndim}. Full shape received for `y_pred`: {scores.shape}"
            )
        return confusion(
            y_true,
            scores,
            self.thresholds,
            sample_weight,
            by_label=self.multi_label,
            label_weights=None if self.multi_label else self.label_weights,
        )

    def value(self, sums: Sums) -> Any:
        tp, fp = sums["tp"], sums["fp"]
        recall = np.asarray(ratio(tp, tp + sums["fn"]))
        if self.curve == "ROC":
            area = self._area(np.asarray(ratio(fp, fp + sums["tn"])), recall)
        elif self.summation_method == "interpolation":
            area = precision_area(tp, fp, sums["fn"])
        else:
            area = self._area(recall, np.asarray(ratio(tp, tp + fp)))
        return float(np.average(area, weights=self.label_weights if self.multi_label else None))

    def _area(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        heights = {
            "interpolation": (y[:-1] + y[1:]) / 2.0,
            "minoring": np.minimum(y[:-1], y[1:]),
            "majoring": np.maximum(y[:-1], y[1:]),
        }[self.summation_method]
        return ((x[:-1] - x[1:]) * heights).sum(axis=0)

    def get_config(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "num_thresholds": self.num_thresholds,
            "curve": self.curve,
            "summation_method": self.summation_method,
            "multi_label": self.multi_label,
            "num_labels": self.num_labels,
            "label_weights": self.label_weights,
            "from_logits": self.from_logits,
        }
        if self.given is not None:
            options["thresholds"] = self.given
        return {**super().get_config(), **options}


def precision_area(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> np.ndarray:
    """The area under the precision-recall curve, true positives being linear between thresholds.

    With p = tp + fp and tp = a + s p along a strip, the precision is s + a / p, whose integral over
    the recall is s (change of tp + a log(p0 / p1)) / positives (Davis and Goadrich, 2006).
    """
    p = tp + fp
    rise = tp[:-1] - tp[1:]
    slope = np.asarray(ratio(rise, np.maximum(p[:-1] - p[1:], 0.0)))
    intercept = tp[1:] - slope * p[1:]
    both = (p[:-1] > 0) & (p[1:] > 0)
    growth = np.where(both, np.asarray(ratio(p[:-1], p[1:])), 1.0)
    strips = ratio(slope * (rise + intercept * np.log(growth)), tp[1:] + fn[1:])
    return np.asarray(strips).sum(axis=0)

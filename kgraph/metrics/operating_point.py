"""The best of one rate of right decisions where another rate is high enough."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from kgraph.metrics.base import Metric, Sums, ratio
from kgraph.metrics.confusion import confusion, only_class

# Rate -> what it counts, and what it counts it among besides.
RATES = {
    "sensitivity": ("tp", "fn"),
    "recall": ("tp", "fn"),
    "specificity": ("tn", "fp"),
    "precision": ("tp", "fp"),
}


class _BestAt(Metric):
    """The largest of one rate over the thresholds at which another is at least a value."""

    required: ClassVar[str]
    wanted: ClassVar[str]

    def __init__(
        self,
        least: float,
        num_thresholds: int,
        class_id: int | None,
        name: str | None,
        dtype: Any,
    ) -> None:
        super().__init__(name, dtype)
        if not 0 <= least <= 1:
            raise ValueError(
                f"Argument `{self.required}` must be in the range [0, 1]. "
                f"Received: {self.required}={least}"
            )
        if num_thresholds <= 0:
            raise ValueError(
                "Argument `num_thresholds` must be an integer > 0. "
                f"Received: num_thresholds={num_thresholds}"
            )
        self.least, self.num_thresholds, self.class_id = least, num_thresholds, class_id
        spread = np.linspace(0.0, 1.0, num_thresholds)
        self.thresholds = [0.5] if num_thresholds == 1 else spread.tolist()

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        y_true, y_pred = only_class(y_true, self.class_id), only_class(y_pred, self.class_id)
        return confusion(y_true, y_pred, self.thresholds, sample_weight)

    def value(self, sums: Sums) -> Any:
        required, wanted = (
            np.asarray(ratio(sums[hit], sums[hit] + sums[miss]))
            for hit, miss in (RATES[self.required], RATES[self.wanted])
        )
        return float(np.where(required >= self.least, wanted, 0.0).max())

    def get_config(self) -> dict[str, Any]:
        options = {
            self.required: self.least,
            "num_thresholds": self.num_thresholds,
            "class_id": self.class_id,
        }
        return {**super().get_config(), **options}


class SensitivityAtSpecificity(_BestAt):
    """The best sensitivity of a threshold whose specificity is at least specificity.

    Args:
        specificity: what is required, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this column of the last axis is looked at.
        name: of the metric.
        dtype: accepted; sums are float64.

    Example:
        >>> SensitivityAtSpecificity(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]).__round__(4)
        0.5
    """

    required, wanted = "specificity", "sensitivity"

    def __init__(
        self,
        specificity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)
        self.specificity = specificity


class SpecificityAtSensitivity(_BestAt):
    """The best specificity of a threshold whose sensitivity is at least sensitivity.

    Args:
        sensitivity: what is required, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this column of the last axis is looked at.
        name: of the metric.
        dtype: accepted; sums are float64.

    Example:
        >>> SpecificityAtSensitivity(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]).__round__(4)
        0.6667
    """

    required, wanted = "sensitivity", "specificity"

    def __init__(
        self,
        sensitivity: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)
        self.sensitivity = sensitivity


class PrecisionAtRecall(_BestAt):
    """The best precision of a threshold whose recall is at least recall.

    Args:
        recall: what is required, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this column of the last axis is looked at.
        name: of the metric.
        dtype: accepted; sums are float64.

    Example:
        >>> PrecisionAtRecall(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]).__round__(4)
        0.5
    """

    required, wanted = "recall", "precision"

    def __init__(
        self,
        recall: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)
        self.recall = recall


class RecallAtPrecision(_BestAt):
    """The best recall of a threshold whose precision is at least precision.

    Args:
        precision: what is required, in [0, 1].
        num_thresholds: how many thresholds are tried.
        class_id: only this column of the last axis is looked at.
        name: of the metric.
        dtype: accepted; sums are float64.

    Example:
        >>> RecallAtPrecision(0.5)([0, 0, 0, 1, 1], [0.0, 0.3, 0.8, 0.3, 0.8]).__round__(4)
        1.0
    """

    required, wanted = "precision", "recall"

    def __init__(
        self,
        precision: float,
        num_thresholds: int = 200,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)
        self.precision = precision

"""Counts of right and wrong decisions at thresholds, and the quotients of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from kgraph import ops
from kgraph.losses.operands import align, cast, tensor
from kgraph.losses.reduction import match_rank
from kgraph.metrics.base import Metric, Sums, ratio

Thresholds = float | Sequence[float] | None
# Below every score: with `top_k`, what is among the k largest counts as a yes.
LOWEST = -1e10


def confusion(
    y_true: Any,
    y_pred: Any,
    thresholds: Any,
    sample_weight: Any = None,
    *,
    by_label: bool = False,
    label_weights: Any = None,
) -> dict[str, Any]:
    """Counts of decisions by their truth, for each threshold.

    Args:
        y_true: truths, anything but 0 is a yes.
        y_pred: scores; what lies above a threshold is decided as a yes.
        thresholds: numbers.
        sample_weight: how often each decision counts, or None.
        by_label: whether the last axis is counted apart.
        label_weights: weights along the last axis, or None.

    Returns:
        "tp", "fp", "tn" and "fn", each of shape (thresholds,) or (thresholds, labels).
    """
    y_true, y_pred = align(y_true, y_pred)
    if y_pred.dtype == "float16":  # which cannot count beyond 2048
        y_true, y_pred = cast(y_true, "float32"), cast(y_pred, "float32")
    dtype = str(y_pred.dtype)
    weights: Any = ops.ones_like(y_pred)
    if sample_weight is not None:
        weights = weights * match_rank(cast(tensor(sample_weight), dtype), y_pred)
    if label_weights is not None:
        weights = weights * np.asarray(label_weights, dtype)
    truth: Any = cast(ops.not_equal(y_true, 0.0), dtype)
    labels = y_pred.shape[-1] if by_label else 1
    yes, no, scores = (
        ops.reshape(x, (1, -1, labels)) for x in (truth * weights, (1.0 - truth) * weights, y_pred)
    )
    limits = np.asarray(thresholds, dtype).reshape(-1, 1, 1)
    above: Any = cast(ops.greater(scores, limits), dtype)
    tp, fp = (ops.sum(above * side, axis=1) for side in (yes, no))
    fn, tn = (ops.sum(side, axis=1) - hit for side, hit in ((yes, tp), (no, fp)))
    found = {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    return found if by_label else {n: ops.squeeze(x, axis=-1) for n, x in found.items()}


def parse_thresholds(thresholds: Thresholds, default: float) -> list[float]:
    """Thresholds as a list.

    Raises:
        ValueError: one is outside of [0, 1].
    """
    if thresholds is None:
        return [default]
    found = [float(t) for t in np.atleast_1d(np.asarray(thresholds, "float64"))]
    if any(not 0 <= t <= 1 for t in found):
        raise ValueError(
            f"Threshold values must be in [0, 1]. Received: invalid values: {thresholds}"
        )
    return found


def keep_largest(y_pred: Any, k: int) -> Any:
    """Scores of which all but the k largest of the last axis are below every threshold."""
    y_pred = tensor(y_pred)
    smallest = ops.top_k(y_pred, k)[0][..., k - 1 :]
    return ops.where(ops.greater_equal(y_pred, smallest), y_pred, LOWEST)


def only_class(value: Any, class_id: int | None) -> Any:
    """One class's column of the last axis, or all of them."""
    return value if class_id is None else tensor(value)[..., class_id]


class _Count(Metric):
    """The number of decisions of one kind."""

    kind: ClassVar[str]

    def __init__(
        self, thresholds: Thresholds = None, name: str | None = None, dtype: Any = None
    ) -> None:
        super().__init__(name, dtype)
        self.given = thresholds
        self.thresholds = parse_thresholds(thresholds, 0.5)

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        found = confusion(y_true, y_pred, self.thresholds, sample_weight)
        return {self.kind: found[self.kind]}

    def value(self, sums: Sums) -> Any:
        found = sums[self.kind]
        return float(found[0]) if len(found) == 1 else found

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "thresholds": self.given}


class TruePositives(_Count):
    """How many are rightly decided as a yes, for each threshold.

    Example:
        >>> TruePositives()([0, 1, 1], [0.9, 0.9, 0.1])
        1.0
    """

    kind = "tp"


class TrueNegatives(_Count):
    """How many are rightly decided as a no, for each threshold.

    Example:
        >>> TrueNegatives()([0, 1, 1], [0.1, 0.9, 0.1])
        1.0
    """

    kind = "tn"


class FalsePositives(_Count):
    """How many are wrongly decided as a yes, for each threshold.

    Example:
        >>> FalsePositives()([0, 1, 1], [0.9, 0.9, 0.1])
        1.0
    """

    kind = "fp"


class FalseNegatives(_Count):
    """How many are wrongly decided as a no, for each threshold.

    Example:
        >>> FalseNegatives()([0, 1, 1], [0.9, 0.9, 0.1])
        1.0
    """

    kind = "fn"


class _Share(Metric):
    """True positives as a share of them and of one kind of wrong decisions."""

    kind: ClassVar[str]

    def __init__(
        self,
        thresholds: Thresholds = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, dtype)
        self.given, self.top_k, self.class_id = thresholds, top_k, class_id
        self.thresholds = parse_thresholds(thresholds, 0.5 if top_k is None else LOWEST)

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        if self.top_k is not None:
            y_pred = keep_largest(y_pred, self.top_k)
        y_true, y_pred = only_class(y_true, self.class_id), only_class(y_pred, self.class_id)
        found = confusion(y_true, y_pred, self.thresholds, sample_weight)
        return {"tp": found["tp"], self.kind: found[self.kind]}

    def value(self, sums: Sums) -> Any:
        found = ratio(sums["tp"], sums["tp"] + sums[self.kind])
        return float(found[0]) if len(found) == 1 else found

    def get_config(self) -> dict[str, Any]:
        options = {"thresholds": self.given, "top_k": self.top_k, "class_id": self.class_id}
        return {**super().get_config(), **options}


class Precision(_Share):
    """The share of what is decided as a yes that is one.

    Args:
        thresholds: what counts as a yes lies above; a number, several, or None for 0.5.
        top_k: only the k largest scores of the last axis may be a yes.
        class_id: only this column of the last axis is looked at.
        name: of the metric.
        dtype: accepted; sums are float64.

    Example:
        >>> Precision()([0, 1, 1, 1], [0.9, 0.9, 0.9, 0.1], sample_weight=[1, 1, 2, 1])
        0.75
    """

    kind = "fp"


class Recall(_Share):
    """The share of what is a yes that is decided as one.

    Args:
        thresholds: what counts as a yes lies above; a number, several, or None for 0.5.
        top_k: only the k largest scores of the last axis may be a yes.
        class_id: only this column of the last axis is looked at.
        name: of the metric.
        dtype: accepted; sums are float64.

    Example:
        >>> Recall()([0, 1, 1], [0.9, 0.9, 0.1])
        0.5
    """

    kind = "fn"

"""Intersection over union of the pixels that are, and that are decided to be, of a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.losses.operands import cast, tensor
from kgraph.losses.reduction import match_rank
from kgraph.metrics.base import Metric, Sums, ratio


class IoU(Metric):
    """The mean over some classes of intersection / union; classes that never occur do not count.

    Args:
        num_classes: number of classes; ids outside of it are left out.
        target_class_ids: the classes whose mean is taken.
        name: of the metric.
        dtype: accepted; sums are float64.
        ignore_class: id of a true class whose samples are left out.
        sparse_y_true: whether targets are ids, else scores over `axis`.
        sparse_y_pred: the same for predictions.
        axis: the axis of the scores.

    Raises:
        ValueError: a class is out of range.

    Example:
        >>> round(IoU(2, [0])([0, 0, 1, 1], [0, 1, 0, 1]), 3)
        0.333
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(name, dtype)
        if max(target_class_ids) >= num_classes:
            raise ValueError(
                f"Target class id {max(target_class_ids)} is out of range, which is "
                f"[0, {num_classes})."
            )
        self.num_classes, self.target_class_ids = num_classes, list(target_class_ids)
        self.ignore_class, self.axis = ignore_class, axis
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred

    def ids(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Targets and predictions as class ids."""
        y_true, y_pred = tensor(y_true), tensor(y_pred)
        if not self.sparse_y_true:
            y_true = ops.argmax(y_true, axis=self.axis)
        if not self.sparse_y_pred:
            y_pred = ops.argmax(y_pred, axis=self.axis)
        return cast(y_true, "int32"), cast(y_pred, "int32")

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        truth, decided = self.ids(y_true, y_pred)
        weights: Any = cast(ops.ones_like(decided), "float64")
        if sample_weight is not None:
            weights = weights * match_rank(cast(tensor(sample_weight), "float64"), decided)
        truth, decided, weights = (ops.reshape(x, (-1,)) for x in (truth, decided, weights))
        counted = ops.logical_and(self._known(truth), self._known(decided))
        if self.ignore_class is not None:
            counted = ops.logical_and(counted, ops.not_equal(truth, self.ignore_class))
        weights = ops.where(counted, weights, 0.0)
        rows, columns = (
            ops.one_hot(ops.where(counted, x, 0), self.num_classes, dtype="float64")
            for x in (truth, decided)
        )
        weighted: Any = rows * ops.expand_dims(weights, axis=1)
        return {"matrix": ops.matmul(ops.transpose(weighted), columns)}

    def _known(self, ids: Any) -> Any:
        return ops.logical_and(ops.greater_equal(ids, 0), ops.less(ids, self.num_classes))

    def value(self, sums: Sums) -> Any:
        matrix = sums["matrix"]
        both = np.diag(matrix)
        union = matrix.sum(axis=0) + matrix.sum(axis=1) - both
        both, union = both[self.target_class_ids], union[self.target_class_ids]
        return ratio(np.sum(ratio(both, union)), np.count_nonzero(union > 1e-9))

    def get_config(self) -> dict[str, Any]:
        options = {
            "num_classes": self.num_classes,
            "target_class_ids": self.target_class_ids,
            "ignore_class": self.ignore_class,
            "sparse_y_true": self.sparse_y_true,
            "sparse_y_pred": self.sparse_y_pred,
            "axis": self.axis,
        }
        return {**super().get_config(), **options}

    def _config_without(self, *names: str) -> dict[str, Any]:
        return {name: value for name, value in IoU.get_config(self).items() if name not in names}


class MeanIoU(IoU):
    """`IoU` over all classes.

    Example:
        >>> round(MeanIoU(2)([0, 0, 1, 1], [0, 1, 0, 1]), 3)
        0.333
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_true: bool = True,
        sparse_y_pred: bool = True,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            range(num_classes),
            name or "mean_io_u",
            dtype,
            ignore_class,
            sparse_y_true,
            sparse_y_pred,
            axis,
        )

    def get_config(self) -> dict[str, Any]:
        return self._config_without("target_class_ids")


class BinaryIoU(IoU):
    """`IoU` of yes/no decisions, by a threshold.

    Example:
        >>> round(BinaryIoU([0, 1], threshold=0.3)([0, 1, 0, 1], [0.1, 0.2, 0.4, 0.7]), 3)
        0.333
    """

    def __init__(
        self,
        target_class_ids: Sequence[int] = (0, 1),
        threshold: float = 0.5,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(2, target_class_ids, name or "binary_io_u", dtype)
        self.threshold = threshold

    def ids(self, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        decided = ops.greater_equal(tensor(y_pred), self.threshold)
        return cast(tensor(y_true), "int32"), cast(decided, "int32")

    def get_config(self) -> dict[str, Any]:
        options = {"target_class_ids": self.target_class_ids, "threshold": self.threshold}
        return {**Metric.get_config(self), **options}


class OneHotIoU(IoU):
    """`IoU` of one-hot targets.

    Example:
        >>> round(OneHotIoU(2, [0])([[1, 0], [0, 1]], [[0.9, 0.1], [0.8, 0.2]]), 3)
        0.5
    """

    def __init__(
        self,
        num_classes: int,
        target_class_ids: Sequence[int],
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            target_class_ids,
            name or "one_hot_io_u",
            dtype,
            ignore_class,
            False,
            sparse_y_pred,
            axis,
        )

    def get_config(self) -> dict[str, Any]:
        return self._config_without("sparse_y_true")


class OneHotMeanIoU(OneHotIoU):
    """`IoU` of one-hot targets over all classes.

    Example:
        >>> round(OneHotMeanIoU(2)([[1, 0], [0, 1]], [[0.9, 0.1], [0.8, 0.2]]), 3)
        0.25
    """

    def __init__(
        self,
        num_classes: int,
        name: str | None = None,
        dtype: Any = None,
        ignore_class: int | None = None,
        sparse_y_pred: bool = False,
        axis: int = -1,
    ) -> None:
        super().__init__(
            num_classes,
            range(num_classes),
            name or "one_hot_mean_io_u",
            dtype,
            ignore_class,
            sparse_y_pred,
            axis,
        )

    def get_config(self) -> dict[str, Any]:
        return self._config_without("sparse_y_true", "target_class_ids")

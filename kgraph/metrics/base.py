"""Metrics as objects: sums over the samples, what a batch adds to them, and a function of the sums.

Every metric here is of that form, so one definition serves the training graph, where the sums are
variables and a batch adds to them, and a user's own loop, where they are arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir import Node
from kgraph.layers.naming import to_snake_case
from kgraph.losses.operands import cast, tensor
from kgraph.losses.reduction import match_rank

Sums = Mapping[str, np.ndarray]
SYMBOLIC = (
    "Metric {} was called on symbolic tensors, which have no value to make an array of for its "
    "sums. Give the object to `compile(metrics=...)`, or the values that it would average to "
    "`add_metric`, such as `layer.add_metric(mean_absolute_error(y, p), name='mae')`."
)


class Metric:
    """Base of metrics; a subclass defines `increments` and `value`.

    Args:
        name: what logs call it; default the class's name in snake case.
        dtype: accepted; sums are float64.

    Example:
        >>> class Largest(Metric):
        ...     def increments(self, y_true, y_pred, sample_weight=None):
        ...         return {"hits": ops.sum(y_pred > 0.5)}
        ...     def value(self, sums):
        ...         return float(sums["hits"])
        >>> metric = Largest()
        >>> metric.update_state(None, np.array([0.2, 0.9]))
        >>> metric.name, metric.result()
        ('largest', 1.0)
    """

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        self.name, self.dtype = name or to_snake_case(type(self).__name__), dtype
        self._sums: dict[str, np.ndarray] = {}

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """What a batch adds to the sums, made of `kgraph.ops`.

        Args:
            y_true: targets, nodes or arrays.
            y_pred: predictions.
            sample_weight: weights that broadcast against the predictions from the front, or None.

        Returns:
            Sum's name -> tensor of a shape that does not depend on the batch.
        """
        raise NotImplementedError(
            f"{type(self).__name__} must define increments(y_true, y_pred, sample_weight) and "
            "value(sums)."
        )

    def value(self, sums: Sums) -> Any:
        """The metric, from the sums over all samples so far.

        Args:
            sums: float64 arrays by name.

        Returns:
            A float, or an array.
        """
        raise NotImplementedError(f"{type(self).__name__} must define value(sums).")

    @property
    def averaged(self) -> Callable[..., Any] | None:
        """The function of (y_true, y_pred) whose mean the metric is, None if it is none."""
        return None

    def update_state(self, *operands: Any, **options: Any) -> None:
        """Adds a batch of arrays: `y_true`, `y_pred` and optionally `sample_weight`."""
        added_by_name = self.increments(*operands, **options)
        if any(isinstance(added, Node) for added in added_by_name.values()):
            raise TypeError(SYMBOLIC.format(self.name))
        for name, added in added_by_name.items():
            self._sums[name] = self._sums.get(name, 0.0) + np.asarray(added, "float64")

    def result(self) -> Any:
        """The metric over the batches so far, 0 before the first."""
        return self.value(self._sums) if self._sums else 0.0

    def reset_state(self) -> None:
        """Forgets all batches."""
        self._sums = {}

    def reset_states(self) -> None:
        """Keras 2's name of `reset_state`."""
        self.reset_state()

    def __call__(self, *operands: Any, **options: Any) -> Any:
        """Adds a batch and returns the result so far."""
        self.update_state(*operands, **options)
        return self.result()

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"name": self.name, "dtype": self.dtype}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """The metric that `get_config` describes."""
        return cls(**config)


def weighted_total(values: Any, weights: Any) -> tuple[Any, Any]:
    """The sum of weights times values, and of the weights.

    Axes of the values that the weights do not have are averaged first.
    """
    if values.ndim > weights.ndim:
        values = ops.mean(values, axis=tuple(range(weights.ndim, values.ndim)))
    weights = cast(match_rank(weights, values), str(values.dtype))
    return ops.sum(values * weights), ops.sum(weights * ops.ones_like(values))


def mean_increments(values: Any, sample_weight: Any = None) -> dict[str, Any]:
    """What a batch adds to a mean."""
    values = tensor(values)
    if str(values.dtype) in ("bool", "float16") or "int" in str(values.dtype):
        values = cast(values, "float32")
    weights = ops.ones_like(values) if sample_weight is None else tensor(sample_weight)
    total, count = weighted_total(values, weights)
    return {"total": total, "count": count}


def ratio(numerator: Any, denominator: Any) -> Any:
    """The quotient, 0 where the denominator is 0; floats for arrays without axes."""
    found = np.divide(
        numerator,
        denominator,
        out=np.zeros(np.broadcast_shapes(np.shape(numerator), np.shape(denominator))),
        where=np.asarray(denominator) != 0,
    )
    return found if found.ndim else float(found)


class Mean(Metric):
    """The weighted mean of values.

    Example:
        >>> Mean()([1.0, 3.0], sample_weight=[3.0, 1.0])
        1.5
    """

    # Of one operand, where other metrics compare two.
    def increments(  # type: ignore[override]
        self, values: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        return mean_increments(values, sample_weight)

    def value(self, sums: Sums) -> Any:
        return ratio(sums["total"], sums["count"])


class Sum(Metric):
    """The weighted sum of values.

    Example:
        >>> Sum()([1.0, 3.0], sample_weight=[3.0, 1.0])
        6.0
    """

    # Of one operand, where other metrics compare two.
    def increments(  # type: ignore[override]
        self, values: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        values = tensor(values)
        if sample_weight is not None:
            values = values * cast(match_rank(tensor(sample_weight), values), str(values.dtype))
        return {"total": ops.sum(values)}

    def value(self, sums: Sums) -> Any:
        return float(sums["total"])


class MeanMetricWrapper(Metric):
    """The mean of a function of (y_true, y_pred) that returns one value a sample.

    Args:
        fn: the function.
        name: default the function's.
        dtype: accepted; sums are float64.
        options: keyword arguments that every call of `fn` gets.

    Example:
        >>> MeanMetricWrapper(lambda y_true, y_pred: y_pred - y_true, "bias")([1.0], [3.0])
        2.0
    """

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any
    ) -> None:
        super().__init__(name or getattr(fn, "__name__", None), dtype)
        self.fn, self.options = fn, options

    @property
    def averaged(self) -> Callable[..., Any] | None:
        return lambda y_true, y_pred: self.fn(y_true, y_pred, **self.options)

    def increments(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        values = self.fn(tensor(y_true), tensor(y_pred), **self.options)
        return mean_increments(values, sample_weight)

    def value(self, sums: Sums) -> Any:
        return ratio(sums["total"], sums["count"])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options}

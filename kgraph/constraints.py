"""Projections of weights after each update: functions of a tensor that return one of its shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph import config, ops
from kgraph.utils.registry import Registry

Axis = int | Sequence[int]


class Constraint:
    """Base of constraints; a subclass defines `__call__(w)` and `get_config`."""

    def __call__(self, w: Any) -> Any:
        return w

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Constraint:
        """The constraint that `get_config` describes."""
        return cls(**config)


class MaxNorm(Constraint):
    """Shortens vectors that are longer than `max_value`.

    Args:
        max_value: the greatest length.
        axis: axes along which a length is taken: 0 for Dense kernels, [0, 1, 2] for Conv2D's.

    Example:
        >>> import numpy as np
        >>> w = np.array([[3.0, 0.3], [4.0, 0.4]], "float32")
        >>> np.round(MaxNorm(1.0)(w), 3).tolist() == np.float32([[.6, .3], [.8, .4]]).tolist()
        True
    """

    def __init__(self, max_value: float = 2, axis: Axis = 0) -> None:
        self.max_value, self.axis = max_value, axis

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        return w * (ops.clip(norm, 0, self.max_value) / (config.epsilon() + norm))

    def get_config(self) -> dict[str, Any]:
        return {"max_value": self.max_value, "axis": self.axis}


class NonNeg(Constraint):
    """Replaces negative weights by zero.

    Example:
        >>> import numpy as np
        >>> NonNeg()(np.array([-1.0, 2.0], "float32")).tolist()
        [0.0, 2.0]
    """

    def __call__(self, w: Any) -> Any:
        return ops.maximum(w, 0)


class UnitNorm(Constraint):
    """Gives vectors length 1.

    Args:
        axis: axes along which a length is taken.

    Example:
        >>> import numpy as np
        >>> np.round(UnitNorm()(np.array([[3.0], [4.0]])), 3).tolist()
        [[0.6], [0.8]]
    """

    def __init__(self, axis: Axis = 0) -> None:
        self.axis = axis

    def __call__(self, w: Any) -> Any:
        return w / (config.epsilon() + _norm(w, self.axis))

    def get_config(self) -> dict[str, Any]:
        return {"axis": self.axis}


class MinMaxNorm(Constraint):
    """Pulls the lengths of vectors into an interval.

    Args:
        min_value: lower end.
        max_value: upper end.
        rate: how far to go at each step; 1 keeps lengths strictly inside.
        axis: axes along which a length is taken.

    Example:
        >>> import numpy as np
        >>> np.round(MinMaxNorm(1.0, 2.0)(np.array([[0.3], [0.4]])), 3).tolist()
        [[0.6], [0.8]]
    """

    def __init__(
        self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Axis = 0
    ) -> None:
        self.min_value, self.max_value, self.rate, self.axis = min_value, max_value, rate, axis

    def __call__(self, w: Any) -> Any:
        norm = _norm(w, self.axis)
        desired = self.rate * ops.clip(norm, self.min_value, self.max_value)
        if self.rate != 1:
            desired = desired + (1 - self.rate) * norm
        return w * (desired / (config.epsilon() + norm))

    def get_config(self) -> dict[str, Any]:
        return {
            "min_value": self.min_value,
            "max_value": self.max_value,
            "rate": self.rate,
            "axis": self.axis,
        }


def _norm(w: Any, axis: Axis) -> Any:
    axes = axis if isinstance(axis, int) else tuple(axis)
    return ops.sqrt(ops.sum(ops.square(w), axis=axes, keepdims=True))


max_norm = maxnorm = MaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm
min_max_norm = MinMaxNorm

NAMES = (
    "MaxNorm", "max_norm", "maxnorm", "NonNeg", "non_neg", "nonneg",
    "UnitNorm", "unit_norm", "unitnorm", "MinMaxNorm", "min_max_norm",
)  # fmt: skip
_REGISTRY = Registry("constraint", {name: globals()[name] for name in NAMES})

get = _REGISTRY.get
serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize

"""Penalties on weights and activations: functions of a tensor that return a scalar."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.utils.registry import Registry


class Regularizer:
    """Base of regularizers; a subclass defines `__call__(x)` and `get_config`."""

    def __call__(self, x: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__(x).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Regularizer:
        """The regularizer that `get_config` describes."""
        return cls(**config)


class L1L2(Regularizer):
    """`l1` times the sum of magnitudes plus `l2` times the sum of squares.

    Args:
        l1: factor of the magnitudes.
        l2: factor of the squares.

    Raises:
        ValueError: a factor is negative or no number.

    Example:
        >>> round(float(L1L2(l1=0.1, l2=0.01)(np.array([1.0, -2.0], "float32"))), 4)
        0.35
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        self.l1, self.l2 = _factor("l1", l1), _factor("l2", l2)

    def __call__(self, x: Any) -> Any:
        if not self.l2:
            return self.l1 * ops.sum(ops.abs(x))
        squares = self.l2 * ops.sum(ops.square(x))
        return self.l1 * ops.sum(ops.abs(x)) + squares if self.l1 else squares

    def get_config(self) -> dict[str, Any]:
        return {"l1": self.l1, "l2": self.l2}


class OrthogonalRegularizer(Regularizer):
    """`factor` times the mean magnitude of the cosines between rows (or columns) of a matrix.

    Args:
        factor: weight of the penalty.
        mode: "rows" or "columns".

    Raises:
        ValueError: an argument is none of these.

    Example:
        >>> float(OrthogonalRegularizer(1.0)(np.eye(3, dtype="float32")))
        0.0
    """

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        self.factor = _factor("factor", factor)
        if mode not in ("rows", "columns"):
            raise ValueError(
                f'Invalid value for argument mode. Expected one of {{"rows", "columns"}}. '
                f"Received: mode={mode}"
            )
        self.mode = mode

    def __call__(self, x: Any) -> Any:
        if len(x.shape) != 2:
            raise ValueError(
                "Inputs to OrthogonalRegularizer must have rank 2. "
                f"Received: inputs.shape={tuple(x.shape)}"
            )
        rows = x if self.mode == "rows" else ops.transpose(x)
        squares = ops.sum(ops.square(rows), axis=1, keepdims=True)
        # The bound keeps the gradient of a zero row finite; Keras bounds the norm by its root.
        unit = rows * ops.rsqrt(ops.maximum(squares, 1e-24))
        count = rows.shape[0]
        others = ops.matmul(unit, ops.transpose(unit)) * (1.0 - np.eye(count, dtype=x.dtype))
        # Each pair stands twice in the product, count * (count - 1) entries in all.
        return self.factor / (count * (count - 1)) * ops.sum(ops.abs(others))

    def get_config(self) -> dict[str, Any]:
        return {"factor": self.factor, "mode": self.mode}


def l1(l: float = 0.01, *, l1: float | None = None) -> L1L2:  # noqa: E741
    """The sum of magnitudes times `l`, which Keras 3 calls `l1`.

    Args:
        l: the factor.
        l1: the same.

    Returns:
        The penalty, a function of a tensor.

    Example:
        >>> l1(0.5).get_config()
        {'l1': 0.5, 'l2': 0.0}
    """
    return L1L2(l1=l if l1 is None else l1)


def l2(l: float = 0.01, *, l2: float | None = None) -> L1L2:  # noqa: E741
    """The sum of squares times `l`, which Keras 3 calls `l2`.

    Args:
        l: the factor.
        l2: the same.

    Returns:
        The penalty, a function of a tensor.

    Example:
        >>> l2(0.01).get_config()
        {'l1': 0.0, 'l2': 0.01}
    """
    return L1L2(l2=l if l2 is None else l2)


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Both penalties; unlike in Keras 3 neither is off by default.

    Args:
        l1: factor of the magnitudes.
        l2: factor of the squares.

    Returns:
        The penalty, a function of a tensor.

    Example:
        >>> l1_l2().get_config()
        {'l1': 0.01, 'l2': 0.01}
    """
    return L1L2(l1=l1, l2=l2)


def _factor(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (number >= 0.0 and math.isfinite(number)):
        raise ValueError(
            f"Invalid value for argument {name}: expected a non-negative float. "
            f"Received: {name}={value}"
        )
    return number


L1, L2 = l1, l2
orthogonal_regularizer = OrthogonalRegularizer

NAMES = ("L1L2", "L1", "L2", "l1", "l2", "l1_l2", "OrthogonalRegularizer", "orthogonal_regularizer")
_REGISTRY = Registry("regularizer", {name: globals()[name] for name in NAMES})

get = _REGISTRY.get
serialize = _REGISTRY.serialize
deserialize = _REGISTRY.deserialize

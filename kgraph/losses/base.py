"""Losses as objects: a function of (y_true, y_pred), a reduction, a name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from kgraph.losses.reduction import REDUCTIONS, check_reduction, reduce_loss


class Loss:
    """Base of losses; a subclass defines `call(y_true, y_pred)`, one value a sample.

    Args:
        reduction: how the values become one number, see `reduce_loss`.
        name: what logs call it; default the class's name in snake case.
    """

    def __init__(self, reduction: str | None = REDUCTIONS[0], name: str | None = None) -> None:
        self.reduction = check_reduction(reduction)
        self.name = name or type(self).__name__

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """One value a sample."""
        raise NotImplementedError(f"{type(self).__name__} must define call(y_true, y_pred).")

    def counted(self, y_true: Any, y_pred: Any, values: Any) -> Any:
        """Which of the values count in their mean, or None for all: a mask by the loss itself."""
        del y_true, y_pred, values

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """The reduced loss, a scalar unless the reduction is "none"."""
        values = self.call(y_true, y_pred)
        counted = self.counted(y_true, y_pred, values)
        return reduce_loss(values, sample_weight, counted, self.reduction)

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal one."""
        return {"reduction": self.reduction, "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Loss:
        """The loss that `get_config` describes."""
        return cls(**config)


class LossFunctionWrapper(Loss):
    """A function of (y_true, y_pred) as a loss object.

    Args:
        fn: returns one value a sample.
        reduction: see `reduce_loss`.
        name: default the function's.
        options: keyword arguments that every call of `fn` gets.
    """

    def __init__(
        self,
        fn: Callable[..., Any],
        reduction: str | None = REDUCTIONS[0],
        name: str | None = None,
        **options: Any,
    ) -> None:
        super().__init__(reduction, name or getattr(fn, "__name__", type(fn).__name__))
        self.fn, self.options = fn, options

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.fn(y_true, y_pred, **self.options)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.options}


class PlainLoss(LossFunctionWrapper):
    """A loss object of a function without options; a subclass names the function.

    Args:
        reduction: see `reduce_loss`.
        name: default the function's.
    """

    function: ClassVar[Callable[..., Any]]

    def __init__(self, reduction: str | None = REDUCTIONS[0], name: str | None = None) -> None:
        super().__init__(type(self).function, reduction, name)

"""LearningRateScheduler: the learning rate as a function of the epoch."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from kgraph.callbacks.base import Callback


class LearningRateScheduler(Callback):
    """Sets the learning rate at the beginning of every epoch.

    Args:
        schedule: function of (epoch) or (epoch, learning rate), epochs counted from 0.
        verbose: 1 prints a line an epoch.

    Raises:
        ValueError: the schedule returns something other than a float.

    Example:
        >>> halve = LearningRateScheduler(lambda epoch, lr: lr / 2)
    """

    def __init__(self, schedule: Callable[..., Any], verbose: int = 0) -> None:
        super().__init__()
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        present = float(self.model.optimizer.learning_rate)
        rate = self.schedule(epoch, present) if _takes_rate(self.schedule) else self.schedule(epoch)
        if not isinstance(rate, (float, np.floating)):
            raise ValueError(
                'The output of the "schedule" function should be float. '
                f"Got: {rate!r} for epoch {epoch}"
            )
        self.model.optimizer.learning_rate = float(rate)
        if self.verbose > 0:
            print(
                f"\nEpoch {epoch + 1:05d}: LearningRateScheduler setting learning rate to {rate}."
            )

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if logs is not None:
            logs["lr"] = float(self.model.optimizer.learning_rate)


def _takes_rate(schedule: Callable[..., Any]) -> bool:
    """Whether a function can be called with an epoch and a rate."""
    try:
        inspect.signature(schedule).bind(0, 0.0)
    except (TypeError, ValueError):  # of builtins nothing is known
        return False
    return True

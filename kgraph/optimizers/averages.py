"""Exponential moving averages of the weights, which an optimizer keeps beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir import Variable
from kgraph.optimizers.kept import Kept, Updates


class Averages(Kept):
    """The running average of each trained weight: a' = m a + (1 - m) w', and a' = w' at first.

    Args:
        momentum: m, how much of the average is kept.
        frequency: the weights get their averages every so many updates; None for never.

    Attributes:
        swapped: whether weights and averages stand in each other's place.

    Raises:
        ValueError: an argument is out of range.

    Example:
        >>> averages, w = Averages(0.5), Variable([1.0], "w")
        >>> averages.build([w], "sgd")
        >>> [v.name for v in averages.variables]
        ['sgd/w/average']
    """

    def __init__(self, momentum: float = 0.99, frequency: int | None = None) -> None:
        if not 0 <= momentum <= 1:
            raise ValueError(f"`ema_momentum` must be in the range [0, 1]. Received: {momentum}")
        if frequency is not None and (not isinstance(frequency, int) or frequency < 1):
            raise ValueError(
                "`ema_overwrite_frequency` must be an integer >= 1 or None. "
                f"Received: ema_overwrite_frequency={frequency}"
            )
        super().__init__("average")
        self.momentum, self.frequency = momentum, frequency
        self.swapped = False

    def start(self, weight: Variable) -> np.ndarray:
        """What an average starts with: the weight."""
        return weight.value

    def updates(self, changed: Updates, count: Variable) -> Updates:
        """What becomes of the weights and their averages.

        Args:
            changed: weights with their new values.
            count: number of updates so far.
        """
        kept: Any = ops.where(ops.equal(count, 0), 0.0, self.momentum)
        found: Updates = []
        for weight, value in changed:
            average: Any = self._of[weight]
            share: Any = ops.cast(kept, weight.dtype)
            new = share * average + (1.0 - share) * value
            if self.frequency is not None:
                due = ops.equal(ops.mod(count + 1, self.frequency), 0)
                value = ops.where(due, new, value)
            found += [(weight, value), (self._of[weight], new)]
        return found

    def overwrite(self, weights: Sequence[Variable]) -> None:
        """Gives weights that have an average its value; both have it then."""
        for weight in weights:
            if weight in self._of and self.swapped:
                self._of[weight].assign(weight.value)
            elif weight in self._of:
                weight.assign(self._of[weight].value)
        self.swapped = False

    def swap(self) -> None:
        """Exchanges all weights and averages."""
        for weight, average in self._of.items():
            value: np.ndarray = weight.numpy()
            weight.assign(average.value)
            average.assign(value)
        self.swapped = not self.swapped

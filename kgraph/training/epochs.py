"""Which epochs run, after which there is validation, and where a run is."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Any

import numpy as np

WRONG_FREQUENCY = (
    "`validation_freq` must be an Integer of at least 1 or a `collections.abc.Container` "
    "(e.g. list, tuple, etc.) of epochs, counted from 1. Received: {!r}"
)


@dataclass(frozen=True)
class Epochs:
    """Which epochs run, and after which there is validation.

    Args:
        first: the number of the first, counted from 0.
        last: the number after the last.
        frequency: as `validation_freq`.
    """

    first: int
    last: int
    frequency: int | Container[int]

    @classmethod
    def of(cls, first: Any, last: Any, frequency: Any) -> Epochs:
        """Checks what the user gave.

        Raises:
            ValueError: a number is no number of epochs, or the frequency is no frequency.
        """
        if not isinstance(frequency, Container) and (
            not isinstance(frequency, int) or frequency < 1
        ):
            raise ValueError(WRONG_FREQUENCY.format(frequency))
        first = whole_number("initial_epoch", first)
        return cls(first, whole_number("epochs", last), frequency)

    @property
    def count(self) -> int:
        """The number of epochs."""
        return max(self.last - self.first, 0)

    @property
    def checks(self) -> int:
        """The number of validations."""
        return sum(map(self.checked, range(self.first, self.last)))

    def checked(self, epoch: int) -> bool:
        """Whether an epoch, counted from 0, is followed by validation.

        Example:
            >>> [Epochs(0, 4, 2).checked(e) for e in range(4)], Epochs(0, 9, [1, 5]).checked(4)
            ([False, True, False, True], True)
        """
        if isinstance(self.frequency, int):
            return (epoch + 1) % self.frequency == 0
        return epoch + 1 in self.frequency


@dataclass
class Position:
    """Where a run of `fit` is; a callback may set it before the first epoch.

    Attributes:
        epoch: the epoch that is under way or comes next, from 0.
        batch: how many of its batches are done.
        before: NumPy's random state before the epoch's rows were shuffled, None if they were not.
    """

    epoch: int
    batch: int = 0
    before: Any = None


def whole_number(name: str, value: Any, least: int = 0) -> int:
    """A count that the user gave, such as 32 or `64 / 2`.

    Raises:
        ValueError: it is no whole number, or too small.

    Example:
        >>> whole_number("epochs", 64 / 2)
        32
    """
    if not isinstance(value, (int, float, np.number)) or value != int(value):
        raise ValueError(f"`{name}` must be a whole number. Received: {value!r}")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}. Received: {value}")
    return int(value)

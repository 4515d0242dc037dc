"""Where a number lies on the scale of colours: by its size, or by its order of magnitude."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

from kgraph.tools.viz.palette import NEUTRAL, shade

# The cost of one node may be a million times that of another: by size, all but a few would look
# the same. Numbers whose greatest is over so many times the least are shown by their logarithms.
_SPAN = 100
_TICKS = 4


@dataclass(frozen=True)
class Scale:
    """Numbers from the least to the greatest as colours.

    Args:
        least: the number at the dark end; on a logarithmic scale the least above zero.
        most: the number at the light end.
        logarithmic: whether equal steps of colour are equal factors, not equal differences.
    """

    least: float
    most: float
    logarithmic: bool

    @property
    def name(self) -> str:
        """What a legend calls it."""
        return "logarithmic" if self.logarithmic else "linear"

    def part(self, value: float) -> float:
        """How far along the scale a number is: 0 at the least, 1 at the greatest.

        Example:
            >>> Scale(1, 10000, True).part(100), Scale(0, 10, False).part(5)
            (0.5, 0.5)
        """
        if self.logarithmic:
            least, most, at = map(math.log10, (self.least, self.most, value))
            return (at - least) / (most - least)
        return (value - self.least) / ((self.most - self.least) or 1)

    def color(self, value: float) -> str:
        """The colour of a number; zero, which has no logarithm, is grey among logarithms."""
        if self.logarithmic and value == 0:
            return NEUTRAL
        return shade(self.part(value))

    def ticks(self) -> tuple[float, ...]:
        """At most four round numbers between the ends: powers of ten, or equal steps.

        Example:
            >>> Scale(3, 20000, True).ticks(), Scale(9, 480, False).ticks()
            ((10, 100, 1000, 10000), (200, 400))
        """
        if self.logarithmic:
            low, high = math.floor(math.log10(self.least)), math.ceil(math.log10(self.most))
            stride = math.ceil((high - low - 1) / _TICKS)
            found = [10.0**k for k in range(low + 1, high, stride)]
        else:
            step = _step((self.most - self.least) / _TICKS)
            first = math.ceil(self.least / step)
            found = [k * step for k in range(first, first + _TICKS + 1)]
        return tuple(_whole(tick) for tick in found if self.least < tick < self.most)


def scale_of(values: Collection[float]) -> Scale:
    """The scale for some numbers: logarithmic if they span more than two decades.

    Args:
        values: at least one; of negative ones the scale is linear.

    Example:
        >>> scale_of([1, 50, 100]).name, scale_of([0, 1, 101]).name, scale_of([-1, 500]).name
        ('linear', 'logarithmic', 'linear')
    """
    above = [value for value in values if value > 0]
    least, most = min(values), max(values)
    if least >= 0 and above and most > _SPAN * min(above):
        return Scale(min(above), most, True)
    return Scale(least, most, False)


def tick_text(value: float) -> str:
    """A round number, short.

    Example:
        >>> tick_text(0.001), tick_text(200), tick_text(1e4), tick_text(2.5e6)
        ('0.001', '200', '10k', '2.5M')
    """
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _step(least: float) -> float:
    """The first of 1, 2, 5, 10, 20 ... and their tenths that is not less than a number."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(k * power for k in (1, 2, 5, 10) if k * power >= least)


def _whole(value: float) -> float:
    """A number without the last bits that come of adding up steps."""
    value = float(f"{value:.6g}")
    return int(value) if value.is_integer() else value

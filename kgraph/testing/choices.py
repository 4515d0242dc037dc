"""Where generators take their decisions: a NumPy generator, or hypothesis, which shrinks them.

A generator asks for numbers from 0 on, 0 being the simplest, so that the same code makes thousands
of graphs a second for a fuzzer and shrinks to the smallest graph under hypothesis.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
from hypothesis import strategies as st

T = TypeVar("T")


class Choices:
    """A source of decisions; a subclass says how a number is chosen.

    Example:
        >>> choices = Drawn(np.random.default_rng(0))
        >>> 0 <= choices.below(3) < 3, choices.among("ab") in "ab"
        (True, True)
    """

    def below(self, count: int) -> int:
        """A number from 0, the simplest, to count - 1."""
        raise NotImplementedError

    def some(self, least: int, most: int, step: Callable[[], None]) -> None:
        """Runs a step some number of times; each run may be left out by itself."""
        raise NotImplementedError

    def among(self, options: Sequence[T]) -> T:
        """One of the options, of which the first is the simplest."""
        return options[self.below(len(options))]

    def between(self, low: int, high: int) -> int:
        """A whole number, of which the lowest is the simplest."""
        return low + self.below(high - low + 1)

    def flag(self) -> bool:
        """False, the simpler one, or True."""
        return self.below(2) == 1

    def chance(self, percent: int) -> bool:
        """True that often; False is the simpler one."""
        return self.below(100) >= 100 - percent

    def shuffled(self, values: Iterable[T]) -> list[T]:
        """The values in some order; as given is the simplest."""
        rest = list(values)
        return [rest.pop(self.below(len(rest))) for _ in range(len(rest))]

    def rng(self) -> np.random.Generator:
        """A generator for the elements of arrays."""
        return np.random.default_rng(self.below(1 << 16))


class Drawn(Choices):
    """Choices of a random generator.

    Args:
        rng: what is drawn from; equal states give equal choices.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        # Python's generator gives a single number in a tenth of the time that NumPy's takes.
        self._random = random.Random(int(rng.integers(1 << 63))).random

    def below(self, count: int) -> int:
        return int(self._random() * count)

    def some(self, least: int, most: int, step: Callable[[], None]) -> None:
        for _ in range(self.between(least, most)):
            step()


@functools.lru_cache(maxsize=512)
def _numbers(count: int) -> st.SearchStrategy[int]:
    return st.integers(0, count - 1)


@st.composite
def _one_more(draw: Callable[..., Any], sure: bool, average: int, step: Callable[[], None]) -> bool:
    """Decides whether to go on, and does: one span of choices, which hypothesis may delete."""
    if not sure and draw(_numbers(average + 1)) == 0:
        return False
    step()
    return True


class Hypothesis(Choices):
    """Choices that hypothesis makes, stores and shrinks.

    Args:
        draw: the first argument of a function under `hypothesis.strategies.composite`.
    """

    def __init__(self, draw: Callable[..., Any]) -> None:
        self.draw = draw

    def below(self, count: int) -> int:
        return self.draw(_numbers(count)) if count > 1 else 0

    def some(self, least: int, most: int, step: Callable[[], None]) -> None:
        average = max((least + most) // 2, 1)
        for done in range(most):
            if not self.draw(_one_more(done < least, average, step)):
                return


def repeated(choices: Choices, least: int, most: int, make: Callable[[], T]) -> list[T]:
    """Some number of things, each made by one call.

    Args:
        choices: decides how many, and what `make` asks it.
        least: fewest.
        most: most.
        make: makes one.

    Returns:
        What the calls returned.

    Example:
        >>> repeated(Drawn(np.random.default_rng(0)), 2, 2, lambda: 7)
        [7, 7]
    """
    found: list[T] = []
    choices.some(least, most, lambda: found.append(make()))
    return found


def seeds(count: int, seed: int = 0) -> Iterator[np.random.Generator]:
    """Generators for that many independent draws, each reproducible by its number.

    Args:
        count: how many.
        seed: of all of them.

    Returns:
        An iterator of NumPy generators.

    Example:
        >>> len(list(seeds(3)))
        3
    """
    return (np.random.default_rng([seed, number]) for number in range(count))

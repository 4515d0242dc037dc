"""The random numbers of one image, from NumPy's global generator, and checks of their ranges."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import explain


def check_shift(name: str, value: Any) -> None:
    """Refuses a shift range that has no meaning.

    Raises:
        ValueError: it is negative or holds no numbers.
    """
    array = np.asarray(value)
    if array.ndim > 1 or array.dtype.kind not in "iuf" or (array.ndim == 0 and array < 0):
        raise ValueError(
            explain(
                f"ImageDataGenerator: `{name}` has no meaning",
                expected="a float, an integer from 0 on, or a list of numbers",
                got=repr(value),
            )
        )


def draw_around(limit: float) -> float:
    """A number from -limit to limit; nothing is drawn for 0."""
    return np.random.uniform(-limit, limit) if limit else 0


def draw_shift(amount: Any, side: int) -> float:
    """Pixels to shift along a side of that many."""
    steps = np.asarray(amount)
    if not steps.size or (steps.ndim == 0 and not steps):
        return 0
    if steps.ndim == 0 and steps.dtype.kind == "f":
        shift = np.random.uniform(-amount, amount)
    else:
        shift = np.random.choice(amount) * np.random.choice([-1, 1])
    return shift * side if np.max(steps) < 1 else shift


def draw_zoom(low: float, high: float) -> tuple[float, float]:
    """Two factors; nothing is drawn where both bounds are 1."""
    if low == high == 1:
        return 1, 1
    zx, zy = np.random.uniform(low, high, 2)
    return zx, zy


def pair(name: str, value: Any) -> tuple[float, float]:
    """The two floats of an argument.

    Raises:
        ValueError: it holds something else.
    """
    if np.shape(value) != (2,):
        raise ValueError(
            explain(f"`{name}` should be a tuple or list of two floats.", got=f"Received: {value}")
        )
    return value[0], value[1]

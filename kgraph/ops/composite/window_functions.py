"""Weights that fall off towards both ends of a sequence of known length."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import config
from kgraph.errors import InferenceError, explain
from kgraph.ir.node import Node


def _length(name: str, x: Any) -> int:
    if isinstance(x, Node):
        raise InferenceError(
            explain(f"{name}: the number of elements would depend on values",
                    expected="a number", got=x)
        )  # fmt: skip
    return int(x)


def bartlett(x: Any) -> Any:
    """A triangle of x numbers.

    Example:
        >>> bartlett(5).tolist()
        [0.0, 0.5, 1.0, 0.5, 0.0]
    """
    return np.bartlett(_length("bartlett", x)).astype(config.floatx())


def blackman(x: Any) -> Any:
    """Blackman's window of x numbers, three terms of a cosine series.

    Example:
        >>> blackman(3).round(4).tolist()
        [-0.0, 1.0, -0.0]
    """
    return np.blackman(_length("blackman", x)).astype(config.floatx())


def hamming(x: Any) -> Any:
    """A raised cosine of x numbers that ends at 0.08.

    Example:
        >>> hamming(3).round(4).tolist()
        [0.07999999821186066, 1.0, 0.07999999821186066]
    """
    return np.hamming(_length("hamming", x)).astype(config.floatx())


def hanning(x: Any) -> Any:
    """A raised cosine of x numbers that ends at 0.

    Example:
        >>> hanning(3).tolist()
        [0.0, 1.0, 0.0]
    """
    return np.hanning(_length("hanning", x)).astype(config.floatx())


def kaiser(x: Any, beta: float) -> Any:
    """Kaiser's window of x numbers; a larger `beta` makes it narrower.

    Example:
        >>> kaiser(3, 0.0).tolist()
        [1.0, 1.0, 1.0]
    """
    return np.kaiser(_length("kaiser", x), float(beta)).astype(config.floatx())

"""No garbage collection while graphs are built: it would walk all living nodes again and again.

Nodes refer to their operands only, so that what a pass drops is freed without a collector. With it
the compilation of 200 dense layers takes a quarter longer.
"""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def without_collection(function: Callable[P, R]) -> Callable[P, R]:
    """Decorates a function that builds many nodes.

    Args:
        function: any function.

    Returns:
        The same function, during which Python's cyclic garbage collector rests.

    Example:
        >>> without_collection(gc.isenabled)(), gc.isenabled()
        (False, True)
    """

    @functools.wraps(function)
    def paused(*args: P.args, **kwargs: P.kwargs) -> R:
        if not gc.isenabled():
            return function(*args, **kwargs)
        gc.disable()
        try:
            return function(*args, **kwargs)
        finally:
            gc.enable()

    return paused

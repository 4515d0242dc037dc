"""A limit on the weights that a configuration from a file may ask for.

The numbers in such a file are a stranger's claims: a layer of 10**12 units would be allocated
before its stored weights are found to be missing.
"""

from __future__ import annotations

import contextlib
import contextvars
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from kgraph.errors import UnsafeFileError, explain


@dataclass
class _Budget:
    left: int
    place: str


_BUDGET: contextvars.ContextVar[_Budget | None] = contextvars.ContextVar("budget", default=None)


@contextlib.contextmanager
def weights_at_most(elements: int, place: str) -> Iterator[None]:
    """Lets the layers that are made in this block have so many elements of weights together.

    Args:
        elements: the limit.
        place: what asks for them, for the message.

    Example:
        >>> from kgraph.layers import Layer
        >>> with weights_at_most(5, "a file"):
        ...     try:
        ...         Layer(name="big").add_weight("kernel", (2, 3))
        ...     except UnsafeFileError as error:
        ...         print(str(error).splitlines()[0])
        Weight kernel of layer big is larger than its file can tell of
    """
    token = _BUDGET.set(_Budget(elements, place))
    try:
        yield
    finally:
        _BUDGET.reset(token)


def spend(layer: str, name: str | None, shape: Sequence[int]) -> None:
    """Counts a weight that is about to be made.

    Raises:
        UnsafeFileError: it is beyond the limit of the block around it.
    """
    budget = _BUDGET.get()
    if budget is None:
        return
    count = math.prod(int(size) for size in shape)
    if count > budget.left:
        raise UnsafeFileError(
            explain(
                f"Weight {name} of layer {layer} is larger than its file can tell of",
                expected=f"at most {budget.left} elements",
                got=f"shape {tuple(shape)}"[:100],
                where=budget.place,
            )
        )
    budget.left -= count

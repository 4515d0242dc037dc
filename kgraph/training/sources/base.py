"""The one protocol of sources: batches in rounds, each of which may have an order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np


class Source:
    """Batches as users hand them over: `x`, `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    A round is once through the data. Threads and processes that make batches end where a round's
    iterator is closed before its end, and with `close`.

    Attributes:
        size: batches in a round, None where only its end tells.
        samples: samples in a round, None where they are unknown.
        again: whether another round can begin after one.
    """

    size: int | None = None
    samples: int | None = None
    again: bool = True

    def order(self) -> np.ndarray | None:
        """Draws the order of a round from NumPy's global state; None for as it comes."""
        return None

    def round(self, order: np.ndarray | None, first: int = 0) -> Iterator[Any]:
        """The batches of one round.

        Args:
            order: what `order` returned.
            first: number of batches at its start that are left out.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Ends threads and processes."""

    def example(self) -> Any:
        """A batch that the rounds do not miss, None where there is none."""
        return None

"""Batches in rounds: `steps_per_execution` of them run between two calls of callbacks."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

# The number, the samples and the run of a batch.
Piece = tuple[int, int, Callable[[], Any]]


@dataclass(frozen=True)
class Round:
    """Batches that follow one another without a hook in between.

    Args:
        pieces: the batches.
    """

    pieces: tuple[Piece, ...]

    @property
    def first(self) -> int:
        """The number of the first batch, which the hook before the round is told."""
        return self.pieces[0][0]

    @property
    def last(self) -> int:
        """The number of the last batch, which the hook after the round is told."""
        return self.pieces[-1][0]

    @property
    def size(self) -> int:
        """The samples of all its batches."""
        return sum(size for _, size, _ in self.pieces)

    def run(self, take: Callable[[Any, int], None] | None = None) -> None:
        """Runs the batches.

        Args:
            take: function of (what a run returned, number of samples), called after each batch.
        """
        for _, size, run in self.pieces:
            result = run()
            if take is not None:
                take(result, size)


def in_rounds(pieces: Iterable[Piece], count: int) -> Iterator[Round]:
    """The batches of an epoch, so many a round; the last round may be shorter.

    Args:
        pieces: the batches.
        count: batches a round.

    Example:
        >>> [(r.first, r.last) for r in in_rounds([(i, 1, int) for i in range(5)], 2)]
        [(0, 1), (2, 3), (4, 4)]
    """
    remaining = iter(pieces)
    while found := tuple(itertools.islice(remaining, count)):
        yield Round(found)

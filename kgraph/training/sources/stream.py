"""A source's rounds cut into epochs, and each batch handed to its compiled step."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from kgraph.training.sources.base import Source

OUT_OF_DATA = (
    "Your input ran out of data; interrupting training. Make sure that your dataset or generator "
    "can generate at least `steps_per_epoch * epochs` batches."
)
_END = object()
NO_BATCHES = "Empty data: the {kind} yields no batches."


class Stream:
    """The batches of a source, epoch after epoch.

    An epoch that is shorter than a round leaves the rest to the next one; a longer one begins
    another round, if the source has one.

    Args:
        source: gives the batches.
        steps: batches in an epoch; default those of a round.

    Attributes:
        ended: whether the source has run out of batches for good.

    Example:
        >>> from kgraph.training.sources.iterators import Iterated
        >>> stream = Stream(Iterated(["a", "b", "c"], 0, False, 1), steps=2)
        >>> [list(stream.epoch(None)) for _ in range(3)]
        [['a', 'b'], ['c', 'a'], ['b', 'c']]
    """

    def __init__(self, source: Source, steps: int | None = None) -> None:
        self.source = source
        self.steps = source.size if steps is None else steps
        self._given = steps
        self.ended = False
        self._round: Iterator[Any] | None = None
        self._taken = 0
        self._held: list[Any] = []

    @property
    def whole(self) -> bool:
        """Whether an epoch is a round."""
        return self._given is None or self._given == self.source.size

    @property
    def samples(self) -> int | None:
        """Samples in an epoch, None where they are unknown."""
        return self.source.samples if self.whole else None

    def order(self) -> np.ndarray | None:
        """The order of the round that the next epoch begins, None where one goes on."""
        if self._round is not None:
            return None
        order = self.source.order()
        if self._given is None:
            self.steps = self.source.size  # which may have changed since the last round
        return order

    def epoch(self, order: np.ndarray | None, first: int = 0) -> Iterator[Any]:
        """The batches of one epoch; warns if there are fewer than it should have.

        Args:
            order: what `order` returned.
            first: number of batches at its start that are left out.
        """
        count = first if self.whole and self.source.again else 0
        if self._round is None and not self.ended:
            self._begin(order, count)
        while self.steps is None or count < self.steps:
            batch = self._take()
            if batch is not _END:
                count += 1
                if count > first:
                    yield batch
            elif self.steps is None or self.whole:
                break
            elif self.ended:
                warnings.warn(OUT_OF_DATA, stacklevel=2)
                break
            else:
                self._begin(self.source.order(), 0)
        if self._taken == self.source.size:
            self._take()  # the round's end, which the source may wait for

    def ready(self) -> bool:
        """Whether an epoch can begin; warns if an iterator has run out of batches."""
        if self.source.again:
            return True
        if not self.ended and not self._held:
            if self._round is None:
                self._begin(None, 0)
            batch = self._take()
            self._held = [] if batch is _END else [batch]
        if self.ended:
            warnings.warn(OUT_OF_DATA, stacklevel=2)
        return not self.ended

    def skip(self, epochs: int) -> None:
        """Leaves out epochs of an iterator, as one does that goes on with an earlier run."""
        if not self.source.again and epochs and self.ready():
            for _ in range(epochs * (self.steps or 0)):
                self._take()

    def example(self) -> Any:
        """A batch that the epochs do not miss, None where there is none."""
        if self.source.again:
            return self.source.example()
        return self._held[0] if self.ready() else None

    def close(self) -> None:
        """Ends the threads and processes that make batches."""
        running, self._round = self._round, None
        if running is not None:
            running.close()  # type: ignore[attr-defined]
        self.source.close()

    def _begin(self, order: np.ndarray | None, first: int) -> None:
        self._round, self._taken = self.source.round(order, first), first

    def _take(self) -> Any:
        """The next batch of the round, `_END` at its end."""
        if self._held:
            return self._held.pop()
        batch = _END if self._round is None else next(self._round, _END)
        if batch is not _END:
            self._taken += 1
        elif self._round is not None:
            self._round, self.ended = None, not self.source.again
            if not self._taken:
                kind = "data set" if self.source.again else "generator"
                raise ValueError(NO_BATCHES.format(kind=kind))
        return batch


class StreamBatches:
    """The batches of a stream as runs of compiled steps; `Batches` does this for arrays.

    Args:
        stream: gives the batches.
        run_of: gives for a batch what runs it, and the number of its samples.
    """

    def __init__(
        self, stream: Stream, run_of: Callable[[Any], tuple[Callable[[], Any], int]]
    ) -> None:
        self.stream, self._run_of = stream, run_of
        self.order, self.ready, self.skip = stream.order, stream.ready, stream.skip

    @property
    def steps(self) -> int | None:
        """Batches in an epoch, None where they are unknown."""
        return self.stream.steps

    @property
    def counted(self) -> bool:
        """Whether progress counts samples, rather than steps."""
        return self.stream.samples is not None

    def pieces(
        self, first: int = 0, order: np.ndarray | None = None
    ) -> Iterator[tuple[int, int, Callable[[], Any]]]:
        """The number, the samples and the run of each batch of an epoch; a run returns the plan.

        Args:
            first: number of batches that are left out.
            order: what `order` returned.
        """
        for index, batch in enumerate(self.stream.epoch(order, first), first):
            run, size = self._run_of(batch)
            yield index, size, run

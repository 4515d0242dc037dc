"""Generators and other iterators, and what can be iterated again and again."""

from __future__ import annotations

import contextlib
import itertools
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

from kgraph.training.sources.base import Source
from kgraph.utils.enqueuers import GeneratorEnqueuer

ONE_PLACE = (
    "`use_multiprocessing=True` has no effect on a generator, which cannot move to another "
    "process: a thread runs it. Use a `Sequence` for batches from several processes."
)


class Iterated(Source):
    """Batches of an iterator, each once, or of an iterable, again and again.

    An iterator has one round only; it is not closed, so that its owner can go on with it.

    Args:
        batches: yields batches, perhaps without end.
        workers: 0 runs it in the caller's thread, any other number in one thread of its own.
        use_multiprocessing: warned of, because one process runs it.
        max_queue_size: batches that are made in advance.
        limit: batches of an iterator that are drawn at most, None for all.

    Example:
        >>> source = Iterated(iter([1, 2, 3]), 1, False, 10, limit=2)
        >>> list(source.round(None))
        [1, 2]
    """

    def __init__(
        self,
        batches: Iterable[Any],
        workers: int,
        use_multiprocessing: bool,
        max_queue_size: int,
        limit: int | None = None,
    ) -> None:
        if use_multiprocessing:
            warnings.warn(ONE_PLACE, stacklevel=2)
        self._batches, self._workers, self._queue = batches, workers, max_queue_size
        self.again = not hasattr(batches, "__next__")
        self._limit = None if self.again else limit
        if self.again:
            with contextlib.suppress(TypeError, NotImplementedError):
                self.size = len(batches)  # type: ignore[arg-type]

    def round(self, order: Any, first: int = 0) -> Iterator[Any]:
        batches = itertools.islice(iter(self._batches), first, self._limit)
        if self._workers == 0:
            yield from batches
            return
        enqueuer = GeneratorEnqueuer(batches)
        enqueuer.start(max_queue_size=self._queue)
        try:
            yield from enqueuer.get()
        finally:
            enqueuer.stop()

    def example(self) -> Any:
        return next(iter(self._batches), None) if self.again else None

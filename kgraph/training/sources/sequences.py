"""Data sets that give batches by number: `Sequence`, `PyDataset` and what looks like them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from kgraph.training.sources.base import Source
from kgraph.utils.enqueuers import OrderedEnqueuer


class Reordered:
    """A part of a data set's batches in an order of their own; goes to worker processes.

    Args:
        dataset: gives batches by number.
        numbers: which, in their order.
    """

    def __init__(self, dataset: Any, numbers: list[int]) -> None:
        self.dataset, self.numbers = dataset, numbers

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.numbers[index]]


class Endless:
    """A data set without an end, from a batch on.

    Args:
        dataset: gives batches by number.
        first: the number of the first batch.
    """

    num_batches = None

    def __init__(self, dataset: Any, first: int) -> None:
        self.dataset, self.first = dataset, first

    def __getitem__(self, index: int) -> Any:
        return self.dataset[self.first + index]


class Batched(Source):
    """Rounds of a data set that gives batches by number.

    `on_epoch_begin` and `on_epoch_end` of the data set, where it has them, are called around each
    round, in this process and while no batch is being made.

    Args:
        dataset: has `__getitem__` and `__len__`, or `num_batches` as None for one without an end.
        shuffle: whether each round has a new order of the batches.
        workers: threads or processes; 0 makes the batches in the caller's thread.
        use_multiprocessing: processes instead of threads.
        max_queue_size: batches that are made in advance.

    Example:
        >>> list(Batched([10, 20, 30], False, 2, False, 10).round(None, first=1))
        [20, 30]
    """

    def __init__(
        self,
        dataset: Any,
        shuffle: bool,
        workers: int,
        use_multiprocessing: bool,
        max_queue_size: int,
    ) -> None:
        self.dataset, self.shuffle = dataset, shuffle
        self._workers, self._queue = workers, max_queue_size
        self._processes = use_multiprocessing
        self.size = self._count()

    def _count(self) -> int | None:
        if hasattr(self.dataset, "num_batches"):
            return self.dataset.num_batches
        return len(self.dataset)

    def order(self) -> np.ndarray | None:
        self.size = self._count()  # a data set may change between two rounds
        return np.random.permutation(self.size) if self.shuffle and self.size else None

    def round(self, order: np.ndarray | None, first: int = 0) -> Iterator[Any]:
        getattr(self.dataset, "on_epoch_begin", lambda: None)()
        yield from self._batches(order, first)
        getattr(self.dataset, "on_epoch_end", lambda: None)()

    def example(self) -> Any:
        return self.dataset[0]

    def _batches(self, order: np.ndarray | None, first: int) -> Iterator[Any]:
        numbers = range(self.size or 0) if order is None else order.tolist()
        if self._workers == 0:
            endless = order is None and self.size is None
            for number in itertools.count(first) if endless else numbers[first:]:
                yield self.dataset[number]
            return
        part: Any = Endless(self.dataset, first)
        if self.size is not None:
            part = Reordered(self.dataset, list(numbers[first:]))
            if not len(part):
                return
        enqueuer = OrderedEnqueuer(part, self._processes)
        enqueuer.start(min(self._workers, len(part)) if self.size else self._workers, self._queue)
        try:
            yield from itertools.islice(enqueuer.get(), None if self.size is None else len(part))
        finally:
            enqueuer.stop()

"""Data sets that give batches by number: `Sequence`, `PyDataset` and what looks like them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from kgraph.training.sources.base import Source
from kgraph.utils.enqueuers import OrderedEnqueuer


class InRounds(OrderedEnqueuer):
    """Workers that wait between two rounds, each of which has the batches that it is told.

    Args:
        dataset: gives batches by number.
        workers: threads or processes.
        use_multiprocessing: processes instead of threads.
        max_queue_size: batches that are made in advance.
    """

    def __init__(
        self, dataset: Any, workers: int, use_multiprocessing: bool, max_queue_size: int
    ) -> None:
        super().__init__(dataset, use_multiprocessing)
        self._workers, self._size = workers, max(1, max_queue_size)

    def _next_round(self) -> bool:
        return False


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
        self._enqueuer: InRounds | None = None
        if workers:
            self._enqueuer = InRounds(dataset, workers, use_multiprocessing, max_queue_size)
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

    def close(self) -> None:
        if self._enqueuer is not None:
            self._enqueuer.stop()

    def _batches(self, order: np.ndarray | None, first: int) -> Iterator[Any]:
        numbers: Iterable[int] = itertools.count(first)
        if self.size is not None:
            numbers = list(range(self.size) if order is None else order.tolist())[first:]
        if self._enqueuer is None:
            yield from (self.dataset[number] for number in numbers)
            return
        self._enqueuer.begin(numbers)
        try:
            yield from self._enqueuer.get()
        except BaseException:
            self._enqueuer.stop()
            raise

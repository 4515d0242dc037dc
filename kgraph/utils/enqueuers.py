"""Batches prepared in advance by threads or processes, and handed out in their order.

Both classes keep a queue of futures that is refilled whenever a batch is taken: no thread of
their own waits for room, so nothing can hang when the consumer stops, and an exception of a worker
is raised where its batch would have come.
"""

from __future__ import annotations

import itertools
import multiprocessing
import pickle
import random
import warnings
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from typing import Any

from kgraph.errors import explain

_END = object()

# The sequence that a worker process has a copy of.
_own: Any = None


def _keep(sequence: bytes) -> None:
    global _own
    _own = pickle.loads(sequence)


def _own_item(index: int) -> Any:
    return _own[index]


class _Enqueuer:
    """What both have in common: a pool, and futures in the order of their batches."""

    def __init__(self, use_multiprocessing: bool) -> None:
        self.use_multiprocessing = use_multiprocessing
        self._pool: Executor | None = None
        self._futures: deque[Future[Any]] = deque()
        self._workers, self._size = 1, 10

    def is_running(self) -> bool:
        """Whether batches are prepared."""
        return self._pool is not None

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        """Begins to prepare batches.

        Args:
            workers: threads or processes; 0 counts as 1.
            max_queue_size: batches that are prepared in advance.

        Raises:
            RuntimeError: it was started already.
        """
        if self.is_running():
            raise RuntimeError(explain("the enqueuer runs already", hint="call stop() first"))
        self._workers, self._size = max(1, workers), max(1, max_queue_size)
        self._open()
        self._fill()

    def stop(self, timeout: float | None = None) -> None:
        """Ends the workers; batches that they work on are finished and dropped.

        Args:
            timeout: if 0, do not wait for them. Other values are Keras's and mean to wait.
        """
        pool, self._pool = self._pool, None
        self._futures.clear()
        if pool is not None:
            pool.shutdown(wait=timeout != 0, cancel_futures=True)

    def get(self) -> Iterator[Any]:
        """Batches in order.

        Yields:
            What the workers return.

        Raises:
            RuntimeError: it was not started.
            Exception: what a worker raised; the enqueuer stops.
        """
        if not self.is_running():
            raise RuntimeError(explain("the enqueuer does not run", hint="call start() first"))
        while self.is_running():
            if not self._futures and not self._next_round():
                return
            future = self._futures.popleft()
            try:
                batch = future.result()
            except BaseException:
                self.stop()
                raise
            if batch is _END:
                self.stop()
                return
            self._fill()
            yield batch

    def _fill(self) -> None:
        """Asks for batches until the queue is full or the round is at its end."""
        while len(self._futures) < self._size and (future := self._submit()) is not None:
            self._futures.append(future)

    def _open(self) -> None:
        """Makes the pool."""
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix=type(self).__name__)

    def _submit(self) -> Future[Any] | None:
        """Asks for the next batch, None at the end of a round."""
        raise NotImplementedError

    def _next_round(self) -> bool:
        """Begins anew where everything was handed out; False where nothing follows."""
        raise NotImplementedError


class OrderedEnqueuer(_Enqueuer):
    """Prepares the batches of a sequence, epoch after epoch without end.

    Between two epochs, when all batches of the first were handed out, it calls the sequence's
    `on_epoch_end`.

    Args:
        sequence: has `__getitem__`, `__len__` and perhaps `on_epoch_end`, as a `PyDataset` has;
            one whose `num_batches` is None has no epochs.
        use_multiprocessing: use processes instead of threads. They are spawned, so the program
            must have an `if __name__ == "__main__"` and the sequence must be one that pickle
            knows; one that is not is left to threads, with a warning.
        shuffle: draw a new order of the batches for each epoch, if there are epochs.

    Example:
        >>> enqueuer = OrderedEnqueuer([10, 20, 30])
        >>> enqueuer.start(workers=2)
        >>> batches = enqueuer.get()
        >>> [next(batches) for _ in range(4)]
        [10, 20, 30, 10]
        >>> enqueuer.stop()
    """

    def __init__(
        self, sequence: Any, use_multiprocessing: bool = False, shuffle: bool = False
    ) -> None:
        super().__init__(use_multiprocessing)
        self.sequence, self.shuffle = sequence, shuffle
        self._indexes: Iterator[int] = iter(())
        self._pickle = b""

    def begin(self, indexes: Iterable[int]) -> None:
        """Prepares batches of these numbers from now on; for callers with an order of their own.

        Args:
            indexes: the batches of a round.
        """
        if self.is_running():
            self._renew()
        else:
            self._open_pool()
        self._indexes = iter(indexes)
        self._fill()

    def _open(self) -> None:
        endless = getattr(self.sequence, "num_batches", 0) is None
        self._indexes = itertools.count() if endless else iter(self._order())
        self._open_pool()

    def _open_pool(self) -> None:
        if self.use_multiprocessing:
            try:
                self._pickle = pickle.dumps(self.sequence)
            except Exception as error:  # a __getstate__ may raise anything
                warnings.warn(
                    f"threads are used: the sequence has no pickle: {error}", stacklevel=4
                )
                self.use_multiprocessing = False
        if not self.use_multiprocessing:
            super()._open()
            return
        self._pool = ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_keep,
            initargs=(self._pickle,),
        )

    def _renew(self) -> None:
        """New processes, if the sequence has changed, because they have copies of it."""
        if self.use_multiprocessing and pickle.dumps(self.sequence) != self._pickle:
            self.stop()
            self._open_pool()

    def _order(self) -> list[int]:
        order = list(range(len(self.sequence)))
        if self.shuffle:
            random.shuffle(order)
        return order

    def _submit(self) -> Future[Any] | None:
        index = next(self._indexes, None)
        if index is None or self._pool is None:
            return None
        if self.use_multiprocessing:
            return self._pool.submit(_own_item, index)
        return self._pool.submit(self.sequence.__getitem__, index)

    def _next_round(self) -> bool:
        getattr(self.sequence, "on_epoch_end", lambda: None)()
        self.begin(self._order())
        if not self._futures:
            self.stop()
            raise ValueError(explain("the sequence is empty", expected="a length of at least 1"))
        return True


class GeneratorEnqueuer(_Enqueuer):
    """Prepares what a generator yields.

    A generator runs in one place at a time, so one thread prepares, however many are asked for.

    Args:
        generator: yields batches, perhaps without end.
        use_multiprocessing: refused, because a generator cannot move to another process.

    Raises:
        ValueError: processes are asked for.

    Example:
        >>> enqueuer = GeneratorEnqueuer(n * n for n in range(3))
        >>> enqueuer.start()
        >>> list(enqueuer.get())
        [0, 1, 4]
    """

    def __init__(self, generator: Iterable[Any], use_multiprocessing: bool = False) -> None:
        if use_multiprocessing:
            raise ValueError(
                explain(
                    "a generator cannot move to another process",
                    hint="use threads, or a Sequence with OrderedEnqueuer",
                )
            )
        super().__init__(use_multiprocessing)
        self._iterator = iter(generator)

    def start(self, workers: int = 1, max_queue_size: int = 10) -> None:
        """Begins to prepare batches.

        Args:
            workers: any number; one thread prepares.
            max_queue_size: batches that are prepared in advance.

        Raises:
            RuntimeError: it was started already.
        """
        super().start(1, max_queue_size)

    def _submit(self) -> Future[Any] | None:
        return self._pool.submit(next, self._iterator, _END) if self._pool is not None else None

    def _next_round(self) -> bool:
        return False

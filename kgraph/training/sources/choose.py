"""Which source suits what the user passed as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from kgraph.training.data import is_array
from kgraph.training.sources.base import Source
from kgraph.training.sources.iterators import Iterated
from kgraph.training.sources.rows import reads_rows
from kgraph.training.sources.sequences import Batched

NEEDS_STEPS = (
    "`{name}=None` is only valid for a generator based on the `keras.utils.Sequence` class. "
    "Please specify `{name}` or use the `keras.utils.Sequence` class."
)
NOT_SUPPORTED = (
    "`{name}` argument is not supported when data is a generator or Sequence instance.{hint}"
)
OWN_BATCHES = (
    "The `batch_size` argument must not be specified when using a generator or Sequence as an "
    "input. Received: batch_size={size}"
)
_ELEMENT = " Instead pass {what} as the {place} element of the generator."
_CONTAINERS = (str, bytes, list, tuple, set, frozenset, range, Mapping)


@dataclass(frozen=True)
class Reading:
    """How batches are made in advance; None leaves it to the data set, or to the defaults.

    Args:
        workers: threads or processes, 1 by default; 0 makes batches in the caller's thread.
        use_multiprocessing: processes instead of threads.
        max_queue_size: batches that are made in advance, 10 by default.
        shuffle: whether a data set's batches have a new order in each round; "batch" says of rows
            that they stay in their batches.

    Raises:
        ValueError: `shuffle` is another string, or there are fewer than no workers.
    """

    workers: int | None = None
    use_multiprocessing: bool | None = None
    max_queue_size: int | None = None
    shuffle: bool | str = False

    def __post_init__(self) -> None:
        if isinstance(self.shuffle, str) and self.shuffle != "batch":
            raise ValueError(
                f'`shuffle` must be True, False or "batch". Received: {self.shuffle!r}'
            )
        if self.workers is not None and self.workers < 0:
            raise ValueError(f"`workers` must be at least 0. Received: {self.workers}")

    def in_order(self) -> Reading:
        """The same without shuffling."""
        return replace(self, shuffle=False)

    def options(self, data: Any) -> tuple[int, bool, int]:
        """Workers, whether they are processes, and the length of the queue."""
        given = (self.workers, self.use_multiprocessing, self.max_queue_size)
        names = (("workers", 1), ("use_multiprocessing", False), ("max_queue_size", 10))
        workers, processes, queue = (
            getattr(data, name, default) if value is None else value
            for value, (name, default) in zip(given, names, strict=True)
        )
        return int(workers), bool(processes), int(queue)


def is_stream(data: Any) -> bool:
    """Whether data comes as whole batches.

    Example:
        >>> is_stream(iter([])), is_stream([1, 2]), is_stream({"a": 1})
        (True, False, False)
    """
    if isinstance(data, _CONTAINERS) or is_array(data) or reads_rows(data):
        return False
    return hasattr(data, "__iter__") or hasattr(data, "__next__") or _has_numbers(data)


def _has_numbers(data: Any) -> bool:
    """Whether data gives batches by number."""
    counted = hasattr(data, "__len__") or hasattr(data, "num_batches")
    return hasattr(data, "__getitem__") and counted


def make_source(
    data: Any,
    reading: Reading,
    steps: int | None,
    name: str = "steps",
    limit: int | None = None,
) -> Source:
    """The source for data that comes as whole batches.

    Args:
        data: a data set that gives batches by number, an iterator or an iterable.
        reading: how batches are made in advance.
        steps: batches in an epoch, or None.
        name: what the user knows `steps` as.
        limit: how many batches an iterator must give at most.

    Raises:
        ValueError: it may be without an end and `steps` is None.
    """
    options = reading.options(data)
    if _has_numbers(data):
        source: Source = Batched(data, bool(reading.shuffle), *options)
        endless = source.size is None
    else:
        source = Iterated(data, *options, limit=limit)
        endless = not source.again
    if steps is None and endless:
        raise ValueError(NEEDS_STEPS.format(name=name))
    return source


def check_stream_arguments(
    y: Any = None, sample_weight: Any = None, batch_size: Any = None, validation_split: Any = None
) -> None:
    """Refuses what only goes with arrays.

    Raises:
        ValueError: one of them was given.
    """
    if y is not None:
        hint = _ELEMENT.format(what="targets", place="second")
        raise ValueError(NOT_SUPPORTED.format(name="y", hint=hint))
    if sample_weight is not None:
        hint = _ELEMENT.format(what="sample weights", place="third")
        raise ValueError(NOT_SUPPORTED.format(name="sample_weight", hint=hint))
    if validation_split:
        raise ValueError(NOT_SUPPORTED.format(name="validation_split", hint=""))
    if batch_size is not None:
        raise ValueError(OWN_BATCHES.format(size=batch_size))

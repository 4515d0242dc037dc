"""The base class of data sets that give whole batches by number.

This is also Keras's path of what fetches files and of what prepares batches in advance.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from kgraph.errors import explain
from kgraph.utils.enqueuers import GeneratorEnqueuer, OrderedEnqueuer
from kgraph.utils.file_utils import get_file, validate_file

__all__ = [
    "GeneratorEnqueuer",
    "OrderedEnqueuer",
    "PyDataset",
    "Sequence",
    "get_file",
    "validate_file",
]


class PyDataset:
    """A data set that gives whole batches by number; subclass it.

    Subclasses define `__getitem__(index)` and either `__len__` or, for a data set without an end,
    the property `num_batches` as None. Subclasses that do not call this constructor keep the
    defaults of its arguments.

    Args:
        workers: threads or processes that may read batches ahead while a model trains.
        use_multiprocessing: processes instead of threads; the data set must then be picklable.
        max_queue_size: batches that are read ahead at most.

    Example:
        >>> class Squares(PyDataset):
        ...     def __len__(self):
        ...         return 3
        ...     def __getitem__(self, index):
        ...         return [index], [index**2]
        >>> [y[0] for x, y in Squares()]
        [0, 1, 4]
    """

    workers: int = 1
    use_multiprocessing: bool = False
    max_queue_size: int = 10

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """The batch of that number.

        Raises:
            NotImplementedError: the subclass does not say how.
        """
        raise NotImplementedError(_missing(self, "__getitem__(index)"))

    def __len__(self) -> int:
        """The number of batches in an epoch.

        Raises:
            NotImplementedError: the subclass does not say how many.
        """
        raise NotImplementedError(_missing(self, "__len__()"))

    @property
    def num_batches(self) -> int | None:
        """The number of batches in an epoch, None where there is no end."""
        return len(self)

    def __iter__(self) -> Iterator[Any]:
        count = self.num_batches
        for index in itertools.count() if count is None else range(count):
            yield self[index]

    def on_epoch_begin(self) -> None:
        """Called before every epoch."""

    def on_epoch_end(self) -> None:
        """Called after every epoch: the place to shuffle."""


Sequence = PyDataset  # Keras 2's name


def _missing(dataset: PyDataset, method: str) -> str:
    return explain(
        f"{type(dataset).__name__} does not define {method}",
        hint="a data set defines __getitem__(index), which returns a batch, and __len__()",
    )

"""Rows that are read when they are used: HDF5 files, sparse matrices, arrays in steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kgraph.training.loop import epoch_order
from kgraph.training.sources.base import Source


def reads_rows(value: Any) -> bool:
    """Whether a value is no array yet: its rows are read, or made dense, batch by batch."""
    if isinstance(value, np.ndarray):
        return False
    if hasattr(value, "tocsr") or hasattr(value, "read_direct"):  # SciPy; h5py
        return True
    return hasattr(value, "shape") and hasattr(value, "dtype") and not hasattr(value, "__array__")


def read_rows(column: Any, rows: np.ndarray | slice) -> Any:
    """Some rows of an array or of a file.

    Args:
        column: an array, or what is read by rows.
        rows: their numbers, each once, or a slice.

    Example:
        >>> read_rows(np.array([5, 6, 7, 8]), np.array([2, 0])).tolist()
        [7, 5]
    """
    if isinstance(column, np.ndarray) or isinstance(rows, slice):
        return column[rows]
    if len(rows) == rows[-1] - rows[0] + 1 and (np.diff(rows) == 1).all():
        return column[int(rows[0]) : int(rows[-1]) + 1]
    # Files give rows in increasing order only.
    increasing = np.argsort(rows)
    places = np.empty_like(increasing)
    places[increasing] = np.arange(len(rows))
    return column[rows[increasing]][places]


@dataclass(frozen=True)
class Columns:
    """What the user passed as `x`, `y` and `sample_weight`, one entry an array.

    Args:
        inputs: one an input of the model.
        targets: one a trained output, or nothing.
        weights: one a trained output, None where it has none; or None.
        start: the first row.
        stop: the row after the last.
    """

    inputs: Sequence[Any]
    targets: Sequence[Any]
    weights: Sequence[Any] | None
    start: int
    stop: int

    @property
    def samples(self) -> int:
        """The number of rows."""
        return self.stop - self.start

    def part(self, rows: slice) -> Columns:
        """Some of the rows, still unread."""
        found = range(self.start, self.stop)[rows]
        return replace(self, start=found.start, stop=found.stop)

    def batch(self, rows: np.ndarray) -> tuple[Any, Any, Any]:
        """Reads rows, counted from `start`."""
        rows = rows + self.start
        weights = self.weights
        if weights is not None:
            weights = [None if w is None else read_rows(w, rows) for w in weights]
        targets = [read_rows(y, rows) for y in self.targets]
        return [read_rows(x, rows) for x in self.inputs], targets, weights


def as_column(value: Any) -> Any:
    """A form of the value whose rows can be read; sparse matrices may have none."""
    return value.tocsr() if hasattr(value, "tocsr") else value


class Rows(Source):
    """Batches of rows.

    Args:
        columns: what is read.
        batch_size: samples in all batches but the last.
        shuffle: True, False or "batch", which reads contiguous rows.
    """

    def __init__(self, columns: Columns, batch_size: int, shuffle: bool | str) -> None:
        self.columns, self.batch_size, self.shuffle = columns, batch_size, shuffle
        self.samples = columns.samples
        self.size = -(-self.samples // batch_size)

    def order(self) -> np.ndarray | None:
        return epoch_order(self.columns.samples, self.batch_size, self.shuffle)

    def round(self, order: np.ndarray | None, first: int = 0) -> Iterator[Any]:
        order = np.arange(self.columns.samples) if order is None else order
        for start in range(first * self.batch_size, len(order), self.batch_size):
            yield self.columns.batch(order[start : start + self.batch_size])

    def example(self) -> Any:
        return self.columns.batch(np.arange(min(self.batch_size, self.columns.samples)))

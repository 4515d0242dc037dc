"""HDF5 files as arrays that are read where they are indexed."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from kgraph.errors import explain
from kgraph.utils.hdf5 import find_array


class HDF5Matrix:
    """Rows of a dataset in an HDF5 file, in place of an array.

    Args:
        datapath: the file.
        dataset: the dataset's path in the file.
        start: the first row.
        end: the row after the last; default all.
        normalizer: called on the rows that were read.

    Raises:
        ValueError: there is no such dataset, it has no numbers, or they lie in another file.

    Example:
        >>> with h5py.File("data.h5", "w") as file:
        ...     file["x"] = np.arange(12).reshape(6, 2)
        >>> x = HDF5Matrix("data.h5", "x", start=2, normalizer=lambda rows: rows / 10)
        >>> x.shape, x[0].tolist(), x[[3, 1]].tolist()
        ((4, 2), [0.4, 0.5], [[1.0, 1.1], [0.6, 0.7]])
    """

    def __init__(
        self,
        datapath: str | os.PathLike[str],
        dataset: str,
        start: int = 0,
        end: int | None = None,
        normalizer: Callable[[Any], Any] | None = None,
    ) -> None:
        self._file = h5py.File(datapath, "r")
        self.data = find_array(self._file, dataset)
        self.start = start
        self.end = len(self.data) if end is None else min(end, len(self.data))
        self.normalizer = normalizer
        if not 0 <= start <= self.end:
            raise ValueError(
                explain(f"HDF5Matrix: bad rows of {dataset!r}", got=f"{start} to {self.end}")
            )

    def __len__(self) -> int:
        return self.end - self.start

    def __getitem__(self, key: Any) -> Any:
        """Rows by number, slice or list of numbers, in the order that is asked for.

        Raises:
            IndexError: there is no such row.
        """
        if isinstance(key, slice):
            rows = self._read_slice(key)
        else:
            numbers = np.asarray(key)
            if numbers.dtype == bool:
                numbers = np.flatnonzero(numbers)
            rows = self._read_rows(numbers)
        return rows if self.normalizer is None else self.normalizer(rows)

    def _read_slice(self, key: slice) -> np.ndarray:
        first, last, step = key.indices(len(self))
        if step < 0:
            return self._read_rows(np.arange(first, last, step))
        return self.data[self.start + first : self.start + max(first, last) : step]

    def _read_rows(self, numbers: np.ndarray) -> np.ndarray:
        count = len(self)
        if numbers.size and not (-count <= numbers.min() and numbers.max() < count):
            raise IndexError(
                explain(
                    "HDF5Matrix: no such row",
                    expected=f"rows from 0 to {count - 1}",
                    got=f"{numbers.min()} to {numbers.max()}",
                )
            )
        # h5py reads rows in increasing order, each once.
        wanted, places = np.unique(numbers % max(count, 1) + self.start, return_inverse=True)
        return self.data[wanted.astype(np.intp)][places.reshape(numbers.shape)]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of all rows."""
        return (len(self), *self.data.shape[1:])

    @property
    def dtype(self) -> np.dtype:
        """The dtype in the file; what a normalizer returns may differ."""
        return self.data.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))

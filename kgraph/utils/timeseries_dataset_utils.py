"""Batches of windows over an array whose first axis is time."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.utils.data_utils import PyDataset


class Windows(PyDataset):
    """Batches (windows, targets), or windows alone.

    Args:
        data: an array; the first axis is time.
        targets: an array with the target of the window that starts at each row, or None.
        starts: the rows at which windows start, in the order of the first epoch.
        steps: the rows of a window, from its start.
        batch_size: windows in a batch; None for single windows without batch axis.
        random: shuffles between epochs; None for always the same order.
    """

    def __init__(
        self,
        data: np.ndarray,
        targets: np.ndarray | None,
        starts: np.ndarray,
        steps: np.ndarray,
        batch_size: int | None,
        random: np.random.RandomState | None,
    ) -> None:
        super().__init__()
        self.data, self.targets, self.starts, self.steps = data, targets, starts, steps
        self.batch_size, self._random = batch_size, random

    def __len__(self) -> int:
        return -(-len(self.starts) // (self.batch_size or 1))

    def __getitem__(self, index: int) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(f"batch {index} of {len(self)}")
        size = self.batch_size
        rows: Any = self.starts[index] if size is None else self.starts[index * size :][:size]
        windows = self.data[np.asarray(rows)[..., None] + self.steps]
        return windows if self.targets is None else (windows, self.targets[rows])

    def on_epoch_end(self) -> None:
        """Shuffles, where that was asked for."""
        if self._random is not None:
            self._random.shuffle(self.starts)


def timeseries_dataset_from_array(
    data: Any, targets: Any, sequence_length: int, sequence_stride: int = 1,
    sampling_rate: int = 1, batch_size: int | None = 128, shuffle: bool = False,
    seed: int | None = None, start_index: int | None = None, end_index: int | None = None,
) -> Windows:  # fmt: skip
    """Batches of windows over time, each with the target at its start.

    The window that starts at row i holds the rows i, i + sampling_rate, ..., `sequence_length`
    of them; its target is `targets[i]`. To predict the next step, pass `data[:-n]` and
    `data[n:]` with n = `sequence_length`.

    Args:
        data: an array; the first axis is time.
        targets: an array, or None for windows alone.
        sequence_length: rows in a window.
        sequence_stride: rows between the starts of two windows.
        sampling_rate: rows between two rows of a window.
        batch_size: windows in a batch; None for single windows.
        shuffle: whether each epoch has an order of its own.
        seed: of the order.
        start_index: rows before are not used.
        end_index: this row and later ones are not used.

    Returns:
        A `PyDataset`.

    Raises:
        ValueError: an argument does not fit the data.

    Example:
        >>> data = np.arange(6)
        >>> x, y = timeseries_dataset_from_array(data[:-2], data[2:], sequence_length=2)[0]
        >>> x.tolist(), y.tolist()
        ([[0, 1], [1, 2], [2, 3]], [2, 3, 4])
    """
    _check_bounds(start_index, end_index, len(data))
    for name, step in (("sampling_rate", sampling_rate), ("sequence_stride", sequence_stride)):
        if not 0 < step < len(data):
            raise ValueError(
                f"`{name}` must be higher than 0 and lower than the length of the data. "
                f"Received: {name}={step}, for data of length {len(data)}"
            )
    used = slice(start_index, end_index)
    data = np.asarray(data)[used]
    count = len(data) - (sequence_length - 1) * sampling_rate
    if targets is not None:
        targets = np.asarray(targets)[used]
        count = min(count, len(targets))
    starts = np.arange(0, count, sequence_stride)
    random = None
    if shuffle:
        random = np.random.RandomState(np.random.randint(10**6) if seed is None else seed)
        random.shuffle(starts)
    steps = np.arange(sequence_length) * sampling_rate
    return Windows(data, targets, starts, steps, batch_size, random)


def _check_bounds(start: int | None, end: int | None, length: int) -> None:
    if start is not None and not 0 <= start < length:
        raise ValueError(
            "`start_index` must be 0 or greater and lower than the length of the data. "
            f"Received: start_index={start}, for data of length {length}"
        )
    if end is not None and not (start or 0) < end < length:
        raise ValueError(
            "`end_index` must be higher than `start_index` and lower than the length of the data. "
            f"Received: start_index={start}, end_index={end}, for data of length {length}"
        )

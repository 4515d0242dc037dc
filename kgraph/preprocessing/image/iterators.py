"""Endless iteration over shuffled image numbers, which is a `Sequence` too."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator as Items
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.preprocessing.image.files import save_img
from kgraph.utils.data_utils import Sequence


class Iterator(Sequence):
    """Endless batches of numbered images; a subclass defines what a batch holds.

    With a seed, batch number k since the start is drawn from NumPy's global generator after
    `numpy.random.seed(seed + k)`.

    Args:
        n: number of images.
        batch_size: images in a batch; the last batch of an epoch may have fewer.
        shuffle: whether each epoch has an order of its own.
        seed: of order and changes; None draws on from where NumPy's generator stands.
        **options: those of `PyDataset`.

    Example:
        >>> class Numbers(Iterator):
        ...     def _get_batches_of_transformed_samples(self, index_array):
        ...         return index_array.tolist()
        >>> numbers = Numbers(3, batch_size=2, shuffle=False, seed=None)
        >>> next(numbers), next(numbers), next(numbers), numbers[1]
        ([0, 1], [2], [0, 1], [2])
    """

    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    def __init__(
        self, n: int, batch_size: int, shuffle: bool, seed: int | None, **options: Any
    ) -> None:
        super().__init__(**options)
        self.n, self.batch_size, self.shuffle, self.seed = n, batch_size, shuffle, seed
        self.batch_index = 0
        self.total_batches_seen = 0
        self.index_array: np.ndarray | None = None
        self.lock = threading.Lock()
        self.index_generator = self._flow_index()

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock and the iteration, which another process begins anew."""
        dropped = ("lock", "index_generator")
        return {name: value for name, value in self.__dict__.items() if name not in dropped}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.Lock()
        self.index_generator = self._flow_index()

    def __len__(self) -> int:
        return (self.n + self.batch_size - 1) // self.batch_size

    def __getitem__(self, idx: int) -> Any:
        if not 0 <= idx < len(self):
            raise ValueError(
                f"Asked to retrieve element {idx}, but the Sequence has length {len(self)}"
            )
        self._seed_next_batch()
        self.total_batches_seen += 1
        if self.index_array is None:
            self._set_index_array()
        assert self.index_array is not None
        chosen = self.index_array[self.batch_size * idx : self.batch_size * (idx + 1)]
        return self._get_batches_of_transformed_samples(chosen)

    def on_epoch_end(self) -> None:
        """Draws the order of the next epoch."""
        self._set_index_array()

    def reset(self) -> None:
        """Goes back to the start of an epoch."""
        self.batch_index = 0

    def _set_index_array(self) -> None:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def _seed_next_batch(self) -> None:
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)

    def _flow_index(self) -> Items[np.ndarray]:
        """Numbers of the images of batch after batch, without end."""
        self.reset()
        while True:
            self._seed_next_batch()
            if self.batch_index == 0:
                self._set_index_array()
            start = self.batch_index * self.batch_size
            last = start + self.batch_size >= self.n
            self.batch_index = 0 if last else self.batch_index + 1
            self.total_batches_seen += 1
            assert self.index_array is not None
            yield self.index_array[start : start + self.batch_size]

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        with self.lock:
            chosen = next(self.index_generator)
        # Outside of the lock: several threads may transform images at the same time.
        return self._get_batches_of_transformed_samples(chosen)

    def next(self) -> Any:
        """The next batch."""
        return self.__next__()

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        """The batch of these images, in the order of the numbers.

        Raises:
            NotImplementedError: the subclass does not say how.
        """
        raise NotImplementedError(
            f"{type(self).__name__} does not define _get_batches_of_transformed_samples"
        )


def subset_bounds(subset: str | None, validation_split: float, n: int) -> slice:
    """Which of n images in order are in a subset: validation is the first part.

    Raises:
        ValueError: there is no such subset.

    Example:
        >>> subset_bounds("training", 0.25, 8)
        slice(2, 8, None)
    """
    cut = int(n * validation_split)
    bounds = {None: slice(0, n), "validation": slice(0, cut), "training": slice(cut, n)}
    if subset not in bounds:
        raise ValueError(
            explain(f"Invalid subset name: {subset}", expected='"training" or "validation"')
        )
    return bounds[subset]


def save_copies(
    batch: np.ndarray, numbers: np.ndarray, folder: Any, prefix: str, ending: str,
    data_format: str, tags: int,
) -> None:  # fmt: skip
    """Writes the images of a batch as PREFIX_NUMBER_TAG.ENDING, the tag random below `tags`."""
    for image, number in zip(batch, numbers, strict=True):
        name = f"{prefix}_{number}_{np.random.randint(tags)}.{ending}"
        save_img(os.path.join(folder, name), image, data_format)

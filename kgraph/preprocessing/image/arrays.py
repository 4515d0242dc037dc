"""Batches of images that lie in memory."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.preprocessing.image.files import known_format
from kgraph.preprocessing.image.iterators import Iterator, save_copies, subset_bounds


class NumpyArrayIterator(Iterator):
    """Endless batches of images in memory; see `ImageDataGenerator.flow`.

    Args:
        x: images, an array of four axes, or a pair (images, array or list of arrays).
        y: targets or None.
        image_data_generator: what changes and normalises each image.
        batch_size: images in a batch.
        shuffle: whether each epoch has an order of its own.
        sample_weight: weights of the images.
        seed: of order and changes.
        data_format: axis order of the images; default the global setting.
        save_to_dir: a folder for copies of what is given out.
        save_prefix: of the names of the copies.
        save_format: "png" or "jpeg".
        subset: "training" or "validation".
        dtype: of the batches.
        **options: those of `PyDataset`.

    Raises:
        ValueError: lengths or axes do not fit.
    """

    def __init__(
        self, x: Any, y: Any, image_data_generator: Any, batch_size: int = 32,
        shuffle: bool = False, sample_weight: Any = None, seed: int | None = None,
        data_format: str | None = None, save_to_dir: Any = None, save_prefix: str = "",
        save_format: str = "png", subset: str | None = None, dtype: Any = "float32",
        **options: Any,
    ) -> None:  # fmt: skip
        self.image_data_generator, self.dtype = image_data_generator, dtype
        self.data_format = known_format(data_format)
        self.save_to_dir, self.save_prefix = save_to_dir, save_prefix
        self.save_format = save_format
        images, others = _images_and_others(x)
        _check_lengths(images, y, sample_weight, others)
        split = getattr(image_data_generator, "validation_split", 0.0)
        part = subset_bounds(subset, split, len(images))
        if subset is not None and y is not None:
            _check_classes(y, part, len(images))
        self.x = np.asarray(images[part], dtype=dtype)
        self.x_misc = [other[part] for other in others]
        self.y = None if y is None else np.asarray(y[part])
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight[part])
        if self.x.ndim != 4:
            raise ValueError(
                "Input data in `NumpyArrayIterator` should have rank 4. "
                f"You passed an array with shape {self.x.shape}"
            )
        axis = 1 if self.data_format == "channels_first" else 3
        warn_of_channels("NumpyArrayIterator", self.x.shape, axis, self.data_format)
        super().__init__(len(self.x), batch_size, shuffle, seed, **options)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        make = self.image_data_generator
        batch = np.zeros((len(index_array), *self.x.shape[1:]), dtype=self.dtype)
        for i, image in enumerate(self.x[index_array]):
            batch[i] = make.standardize(
                make.apply_transform(image, make.get_random_transform(image.shape))
            )
        if self.save_to_dir:
            save_copies(
                batch, index_array, self.save_to_dir, self.save_prefix, self.save_format,
                self.data_format, tags=10**4,
            )  # fmt: skip
        inputs: Any = [batch, *(other[index_array] for other in self.x_misc)]
        inputs = inputs if self.x_misc else batch
        if self.y is None:
            return inputs
        if self.sample_weight is None:
            return inputs, self.y[index_array]
        return inputs, self.y[index_array], self.sample_weight[index_array]


def _images_and_others(x: Any) -> tuple[Any, list[np.ndarray]]:
    if not isinstance(x, (tuple, list)):
        return x, []
    if len(x) != 2:
        raise ValueError(
            explain(
                "NumpyArrayIterator: `x` is a list or tuple that is no pair",
                expected="an array of images, or (images, array or list of arrays)",
                got=f"{len(x)} entries",
            )
        )
    images, others = x
    return images, [np.asarray(o) for o in (others if isinstance(others, list) else [others])]


def _check_lengths(images: Any, y: Any, sample_weight: Any, others: list[np.ndarray]) -> None:
    for other in others:
        if len(images) != len(other):
            raise ValueError(
                "All of the arrays in `x` should have the same length. Found a pair with: "
                f"len(x[0]) = {len(images)}, len(x[?]) = {len(other)}"
            )
    for name, what, array in (("y", " (labels)", y), ("sample_weight", "", sample_weight)):
        if array is not None and len(images) != len(array):
            raise ValueError(
                f"`x` (images tensor) and `{name}`{what} should have the same length. "
                f"Found: x.shape = {np.shape(images)}, {name}.shape = {np.shape(array)}"
            )


def _check_classes(y: Any, part: slice, n: int) -> None:
    """Both parts must know the same classes, else the data were sorted by class."""
    cut = part.stop if part.start == 0 else part.start
    if not np.array_equal(np.unique(y[:cut]), np.unique(y[cut:n])):
        raise ValueError(
            "Training and validation subsets have different number of classes after the split. "
            "If your numpy arrays are sorted by the label, you might want to shuffle them."
        )


def warn_of_channels(who: str, shape: tuple[int, ...], axis: int, data_format: str) -> None:
    """Warns where the axis of channels is none of 1, 3 and 4 long: the axis order may be wrong."""
    if shape[axis] not in (1, 3, 4):
        warnings.warn(
            f'{who} expected images in the data format "{data_format}", i.e. 1, 3 or 4 channels '
            f"on axis {axis}. However, it was passed an array with shape {shape} "
            f"({shape[axis]} channels).",
            stacklevel=4,
        )

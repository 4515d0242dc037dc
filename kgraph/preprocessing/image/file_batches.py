"""Batches of images that lie in files, with targets of every class mode."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.preprocessing.image.files import CHANNELS, img_to_array, known_format, load_img
from kgraph.preprocessing.image.iterators import Iterator, save_copies, subset_bounds


class FilesIterator(Iterator):
    """Endless batches of image files; a subclass finds the files and their targets.

    Before it calls `start`, a subclass sets `filepaths` and what its class mode needs: `classes`
    and `class_indices`, or `labels`.
    """

    allowed_class_modes: tuple[str | None, ...] = ()
    filepaths: list[str]
    filenames: list[str]
    classes: Any
    labels: Any
    class_indices: dict[str, int]
    sample_weight: Any = None

    def set_processing_attrs(
        self, image_data_generator: Any, target_size: tuple[int, int], color_mode: str,
        class_mode: str | None, data_format: str | None, save_to_dir: Any, save_prefix: str,
        save_format: str, subset: str | None, interpolation: str, dtype: Any,
    ) -> None:  # fmt: skip
        """Keeps how files become a batch; the arguments are those of the subclasses.

        Raises:
            ValueError: `color_mode`, `class_mode` or `subset` is unknown.
        """
        if color_mode not in CHANNELS:
            raise ValueError(
                explain(
                    f"Invalid color mode: {color_mode}", expected='"rgb", "rgba", or "grayscale"'
                )
            )
        if class_mode not in self.allowed_class_modes:
            raise ValueError(
                f"Invalid class_mode: {class_mode}; expected one of: {self.allowed_class_modes}"
            )
        self.image_data_generator, self.dtype = image_data_generator, dtype
        self.target_size: tuple[int, ...] = tuple(target_size)
        self.color_mode, self.class_mode = color_mode, class_mode
        self.data_format, self.interpolation = known_format(data_format), interpolation
        channels = (CHANNELS[color_mode],)
        first = self.data_format == "channels_first"
        self.image_shape = channels + self.target_size if first else self.target_size + channels
        self.save_to_dir, self.save_prefix = save_to_dir, save_prefix
        self.save_format, self.subset = save_format, subset
        self.part(0)  # an unknown subset is refused at once

    def part(self, n: int) -> slice:
        """Which of n files are in the subset."""
        split = getattr(self.image_data_generator, "validation_split", 0.0)
        return subset_bounds(self.subset, split, n)

    def start(self, batch_size: int, shuffle: bool, seed: int | None) -> None:
        """Begins the iteration over the files that were found."""
        self.samples = len(self.filepaths)
        Iterator.__init__(self, self.samples, batch_size, shuffle, seed)

    def _get_batches_of_transformed_samples(self, index_array: np.ndarray) -> Any:
        batch = np.zeros((len(index_array), *self.image_shape), dtype=self.dtype)
        for i, number in enumerate(index_array):
            batch[i] = self._image(self.filepaths[number])
        if self.save_to_dir:
            save_copies(
                batch, index_array, self.save_to_dir, self.save_prefix, self.save_format,
                self.data_format, tags=10**7,
            )  # fmt: skip
        if self.class_mode is None:
            return batch
        targets = self._targets(batch, index_array)
        if self.sample_weight is None:
            return batch, targets
        return batch, targets, self.sample_weight[index_array]

    def _image(self, path: str) -> np.ndarray:
        image = load_img(
            path,
            color_mode=self.color_mode,
            target_size=(self.target_size[0], self.target_size[1]),
            interpolation=self.interpolation,
        )
        x = img_to_array(image, data_format=self.data_format)
        make = self.image_data_generator
        if make is None:
            return x
        return make.standardize(make.apply_transform(x, make.get_random_transform(x.shape)))

    def _targets(self, batch: np.ndarray, numbers: np.ndarray) -> Any:
        if self.class_mode == "input":
            return batch.copy()
        if self.class_mode == "multi_output":
            return [column[numbers] for column in self.labels]
        if self.class_mode == "raw":
            return self.labels[numbers]
        classes = [self.classes[number] for number in numbers]
        if self.class_mode in ("binary", "sparse"):
            return np.array(classes, dtype=self.dtype)
        rows = np.zeros((len(numbers), len(self.class_indices)), dtype=self.dtype)
        for row, of_image in zip(rows, classes, strict=True):
            row[of_image] = 1.0  # one class or a list of them
        return rows

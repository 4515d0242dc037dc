"""Batches of image files in folders, one folder a class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator as Items
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.preprocessing.image.file_batches import FilesIterator


class DirectoryIterator(FilesIterator):
    """Endless batches of the image files of a folder; see
    `ImageDataGenerator.flow_from_directory`.

    Args:
        directory: the folder of the folders.
        image_data_generator: what changes and normalises each image; None for nothing.
        target_size: (height, width) of the batches.
        color_mode: "rgb", "rgba" or "grayscale".
        classes: names of the folders, in the order of their numbers; default all, sorted.
        class_mode: "categorical", "binary", "sparse", "input" or None.
        batch_size: images in a batch.
        shuffle: whether each epoch has an order of its own.
        seed: of order and changes.
        data_format: axis order of the batches; default the global setting.
        save_to_dir: a folder for copies of what is given out.
        save_prefix: of the names of the copies.
        save_format: "png" or "jpeg".
        follow_links: whether to follow links to folders.
        subset: "training" or "validation" of each class.
        interpolation: of the resizing.
        dtype: of the batches.

    Raises:
        ValueError: an argument has no meaning.
        FileNotFoundError: a folder does not exist.
    """

    allowed_class_modes = ("categorical", "binary", "sparse", "input", None)

    def __init__(
        self, directory: Any, image_data_generator: Any, target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb", classes: Any = None, class_mode: str | None = "categorical",
        batch_size: int = 32, shuffle: bool = True, seed: int | None = None,
        data_format: str | None = None, save_to_dir: Any = None, save_prefix: str = "",
        save_format: str = "png", follow_links: bool = False, subset: str | None = None,
        interpolation: str = "nearest", dtype: Any = "float32",
    ) -> None:  # fmt: skip
        self.set_processing_attrs(
            image_data_generator, target_size, color_mode, class_mode, data_format, save_to_dir,
            save_prefix, save_format, subset, interpolation, dtype,
        )  # fmt: skip
        self.directory = os.fspath(directory)
        names = list(classes) if classes else folders(self.directory)
        self.num_classes = len(names)
        self.class_indices = {name: i for i, name in enumerate(names)}
        self.filenames = []
        numbers: list[int] = []
        for name, number in self.class_indices.items():
            found = list(image_files(self.directory, name, self.white_list_formats, follow_links))
            found = found[self.part(len(found))]
            self.filenames += found
            numbers += [number] * len(found)
        self.classes = self.labels = np.array(numbers, dtype="int32")
        self.filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        print(f"Found {len(numbers)} images belonging to {self.num_classes} classes.")
        self.start(batch_size, shuffle, seed)


def folders(directory: str) -> list[str]:
    """Names of the folders in a folder, sorted."""
    return sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())


def image_files(
    directory: str, name: str, endings: tuple[str, ...], follow_links: bool
) -> Items[str]:
    """Paths of the image files in a folder and below, relative to `directory`.

    Args:
        directory: where the folder is.
        name: the folder.
        endings: what names of files may end in.
        follow_links: whether to follow links to folders.

    Yields:
        The paths: folder after folder, each sorted.

    Raises:
        FileNotFoundError: the folder does not exist.
    """
    top = os.path.join(directory, name)
    if not os.path.isdir(top):
        raise FileNotFoundError(
            explain(
                f"No such class directory: {top!r}",
                hint=f"`classes` names the folders in {directory!r}",
            )
        )
    for root, _, files in sorted(os.walk(top, followlinks=follow_links)):
        for file in sorted(files):
            if file.lower().endswith(".tiff"):
                warnings.warn(
                    'Using ".tiff" files with multiple bands will cause distortion. '
                    "Please verify your output.",
                    stacklevel=4,
                )
            if file.lower().endswith(endings):
                yield os.path.join(name, os.path.relpath(os.path.join(root, file), top))

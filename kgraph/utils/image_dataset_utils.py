"""Batches of the image files of a folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.preprocessing.image.files import CHANNELS, img_to_array, known_format, load_img
from kgraph.preprocessing.image.resizing import (
    check_interpolation,
    padded_resize,
    resize,
    smart_resize,
)
from kgraph.utils.labelled_files import Request, datasets

ENDINGS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


def image_dataset_from_directory(
    directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
    class_names: Any = None, color_mode: str = "rgb", batch_size: int | None = 32,
    image_size: Any = (256, 256), shuffle: bool = True, seed: int | None = None,
    validation_split: float | None = None, subset: str | None = None,
    interpolation: str = "bilinear", follow_links: bool = False,
    crop_to_aspect_ratio: bool = False, pad_to_aspect_ratio: bool = False,
    data_format: str | None = None, verbose: bool = True,
) -> Any:  # fmt: skip
    """Batches of images with the number of their folder.

    Args:
        directory: a folder of folders, one a class, of image files.
        labels: "inferred" from the folders, None, or a list in the order of the sorted paths.
        label_mode: "int" (int32), "binary" (float32 of shape (batch, 1)), "categorical" (one-hot
            rows) or None.
        class_names: names of the folders, in the order of their numbers; default all, sorted.
        color_mode: "rgb", "rgba" or "grayscale".
        batch_size: files in a batch; None for single images.
        image_size: (height, width), or one number for both.
        shuffle: whether each epoch has an order of its own.
        seed: of the order; that of the first epoch is Keras's order of files.
        validation_split: the last fraction of the shuffled files is `subset="validation"`.
        subset: "training", "validation", or "both" for a list of the two.
        interpolation: nearest, bilinear, bicubic, lanczos3 or lanczos5.
        follow_links: whether to follow links to folders.
        crop_to_aspect_ratio: whether to cut off what does not fit instead of distorting.
        pad_to_aspect_ratio: whether to fill up with zeros instead of distorting.
        data_format: axis order of the batches; default the global setting.
        verbose: whether to print what was found.

    Returns:
        A `PyDataset` of (images, labels) or of images alone, float32 from 0 to 255.

    Raises:
        ValueError: an argument has no meaning, or there are no files.

    Example:
        >>> import os
        >>> from kgraph.preprocessing.image import save_img
        >>> for name in ("cats", "dogs"):
        ...     os.makedirs(f"pets/{name}")
        ...     save_img(f"pets/{name}/1.png", np.ones((4, 4, 3)))
        >>> batches = image_dataset_from_directory("pets", image_size=(8, 8))
        Found 2 files belonging to 2 classes.
        >>> batches[0][0].shape
        (2, 8, 8, 3)
    """
    if color_mode not in CHANNELS:
        raise ValueError(f"`color_mode` must be one of {list(CHANNELS)}. Received: {color_mode!r}")
    size = _size(image_size)
    interpolation = interpolation.lower()
    check_interpolation(interpolation)
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(
            "Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`."
        )
    fit = smart_resize if crop_to_aspect_ratio else padded_resize if pad_to_aspect_ratio else resize
    read = partial(
        _read,
        color_mode=color_mode,
        fit=partial(fit, size=size, interpolation=interpolation),
        data_format=known_format(data_format),
    )
    request = Request(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose,
    )  # fmt: skip
    return datasets(request, "image", ENDINGS, read, np.stack)


def _read(
    path: str, color_mode: str, fit: Callable[[np.ndarray], np.ndarray], data_format: str
) -> np.ndarray:
    image = img_to_array(load_img(path, color_mode=color_mode), "channels_last", "float32")
    image = fit(image)
    return image.transpose(2, 0, 1) if data_format == "channels_first" else image


def _size(image_size: Any) -> tuple[int, int]:
    if isinstance(image_size, int):
        return image_size, image_size
    if not isinstance(image_size, (list, tuple)) or len(image_size) != 2:
        raise ValueError(
            explain(
                "Invalid `image_size` value.",
                expected="a tuple of 2 integers (height, width)",
                got=repr(image_size),
            )
        )
    return image_size[0], image_size[1]

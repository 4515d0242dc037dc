"""Batches of the text files of a folder."""

from __future__ import annotations

import pathlib
from functools import partial
from typing import Any

import numpy as np

from kgraph.utils.labelled_files import Request, datasets


def text_dataset_from_directory(
    directory: Any, labels: Any = "inferred", label_mode: str | None = "int",
    class_names: Any = None, batch_size: int | None = 32, max_length: int | None = None,
    shuffle: bool = True, seed: int | None = None, validation_split: float | None = None,
    subset: str | None = None, follow_links: bool = False, verbose: bool = True,
) -> Any:  # fmt: skip
    """Batches of texts with the number of their folder.

    Args:
        directory: a folder of folders, one a class, of `.txt` files in UTF-8.
        labels: "inferred" from the folders, None, or a list in the order of the sorted paths.
        label_mode: "int" (int32), "binary" (float32 of shape (batch, 1)), "categorical" (one-hot
            rows) or None.
        class_names: names of the folders, in the order of their numbers; default all, sorted.
        batch_size: files in a batch; None for single texts.
        max_length: characters that are kept of a text.
        shuffle: whether each epoch has an order of its own.
        seed: of the order; that of the first epoch is Keras's order of files.
        validation_split: the last fraction of the shuffled files is `subset="validation"`.
        subset: "training", "validation", or "both" for a list of the two.
        follow_links: whether to follow links to folders.
        verbose: whether to print what was found.

    Returns:
        A `PyDataset` of (texts, labels), texts an array of Python strings, or of texts alone.

    Raises:
        ValueError: an argument has no meaning, or there are no files.

    Example:
        >>> for name in ("bad", "good"):
        ...     pathlib.Path("reviews", name).mkdir(parents=True)
        ...     _ = pathlib.Path("reviews", name, "1.txt").write_text(f"a {name} film")
        >>> batches = text_dataset_from_directory("reviews", shuffle=False)
        Found 2 files belonging to 2 classes.
        >>> batches[0][0].tolist(), batches[0][1].tolist()
        (['a bad film', 'a good film'], [0, 1])
    """
    request = Request(
        directory, labels, label_mode, class_names, batch_size, shuffle, seed, validation_split,
        subset, follow_links, verbose,
    )  # fmt: skip
    read = partial(_read, max_length=max_length)
    return datasets(request, "text", (".txt",), read, partial(np.array, dtype=object))


def _read(path: str, max_length: int | None) -> str:
    return pathlib.Path(path).read_text(encoding="utf-8")[:max_length]

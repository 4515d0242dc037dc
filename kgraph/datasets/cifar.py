"""What CIFAR-10 and CIFAR-100 share: batches that are pickles of Python 2, in a tar archive.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Sequence

import numpy as np

from kgraph import config
from kgraph.datasets.sources import SOURCES, fetch
from kgraph.datasets.splits import Split
from kgraph.errors import FileFormatError, explain
from kgraph.utils.restricted_pickle import load


def load_batch(fpath: str | os.PathLike[str], label_key: str = "labels") -> Split:
    """Reads one batch.

    Args:
        fpath: the file.
        label_key: which of the batch's labels.

    Returns:
        `x, y`: x uint8 of shape (n, 3, 32, 32), y uint8 of shape (n,).

    Raises:
        UnsafeFileError: the pickle asks for more than arrays.
        FileFormatError: the file holds something else.

    Example:
        >>> import pickle
        >>> batch = {b"data": np.zeros((2, 3072), "uint8"), b"labels": [3, 1]}
        >>> with open("data_batch_1", "wb") as file:
        ...     pickle.dump(batch, file, protocol=2)
        >>> load_batch("data_batch_1")[0].shape
        (2, 3, 32, 32)
    """
    batch = load(fpath, encoding="bytes")
    wanted = (b"data", label_key.encode())
    if not isinstance(batch, dict) or not all(key in batch for key in wanted):
        raise FileFormatError(explain(f"{fpath} is no batch of CIFAR", expected=f"keys {wanted}"))
    x, labels = (batch[key] for key in wanted)
    if not (isinstance(x, np.ndarray) and x.dtype == np.uint8 and x.shape[1:] == (3072,)):
        raise FileFormatError(explain(f"{fpath} has no images", expected="uint8, (n, 3072)"))
    valid = isinstance(labels, list) and len(labels) == len(x)
    if not valid or not all(type(label) is int and 0 <= label < 256 for label in labels):
        raise FileFormatError(
            explain(f"{fpath}: labels do not fit", expected=f"{len(x)} integers from 0 to 255")
        )
    return np.asarray(x).reshape(-1, 3, 32, 32), np.array(labels, dtype=np.uint8)


def folder_of(key: str, inner: str, files: Sequence[str]) -> pathlib.Path:
    """The folder with the batches, fetched and unpacked where it is not there yet.

    Args:
        key: of `SOURCES`.
        inner: the folder inside of the archive.
        files: the batches that it must have.

    Returns:
        Its path: kgraph's own, or one that Keras 2 or 3 unpacked.

    Raises:
        DownloadError: the archive is not here and cannot be fetched.
    """
    stem = SOURCES[key].name.split(".")[0]
    homes = [pathlib.Path(home).expanduser() for home in (config.home, config.keras_home)]
    layouts = (f"{stem}_extracted/{inner}", inner, f"{inner}-target/{inner}")
    places = [home / SOURCES[key].subdir / layout for home in homes for layout in layouts]
    for place in places:
        if all((place / name).is_file() for name in files):
            return place
    return pathlib.Path(fetch(key, extract=True)) / inner


def arrange(train: Sequence[Split], test: Split) -> tuple[Split, Split]:
    """Joins batches, in the axis order that `kgraph.config.image_data_format()` names.

    Args:
        train: batches.
        test: the test batch.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: y of shape (n, 1).

    Example:
        >>> batch = np.zeros((2, 3, 32, 32), "uint8"), np.zeros(2, "uint8")
        >>> (x, y), _ = arrange([batch, batch], batch)
        >>> x.shape, y.shape
        ((4, 32, 32, 3), (4, 1))
    """
    joined = np.concatenate([x for x, _ in train]), np.concatenate([y for _, y in train])
    last = config.image_data_format() == "channels_last"
    parts = [(x.transpose(0, 2, 3, 1) if last else x, y.reshape(-1, 1)) for x, y in (joined, test)]
    return parts[0], parts[1]

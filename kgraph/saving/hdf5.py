"""HDF5 as Keras lays it out: lists of names in attributes, arrays in groups; strangers' files too.

What a file names is read only if it lies in the file itself: links to other places, virtual and
external data, and anything but numbers are refused.
"""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Sequence
from typing import Any

import h5py
import numpy as np

from kgraph.errors import explain
from kgraph.ir.files import atomic_write

# HDF5 keeps attributes in the object's header, which has a limit; longer ones are split.
_ATTRIBUTE_LIMIT = 64512


def write_file(path: Any, write: Callable[[Any], None]) -> None:
    """Writes an HDF5 file whole or not at all.

    Args:
        path: where to; an open h5py group is written to directly.
        write: gets the group to fill.
    """
    if isinstance(path, h5py.Group):
        write(path)
        return
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        write(file)
    if hasattr(path, "write"):
        path.write(buffer.getbuffer())
        return
    with atomic_write(path) as target:
        target.write(buffer.getbuffer())


def read_file(path: Any, read: Callable[[Any], Any]) -> Any:
    """Opens an HDF5 file for reading.

    Args:
        path: a path, a binary file, or an open h5py group.
        read: gets the root group.

    Raises:
        OSError: there is no such file, or it is not HDF5.
    """
    if isinstance(path, h5py.Group):
        return read(path)
    if not hasattr(path, "read") and not os.path.exists(path):
        raise FileNotFoundError(f"No such file: {os.fspath(path)!r}")
    with h5py.File(path, "r") as file:
        return read(file)


def write_names(group: Any, key: str, names: Sequence[str]) -> None:
    """Stores a list of names as the attribute `key`, split where it is long.

    Raises:
        RuntimeError: one name alone is too long.
    """
    data = np.asarray([name.encode("utf-8") for name in names])
    if any(len(name.encode("utf-8")) > _ATTRIBUTE_LIMIT for name in names):
        raise RuntimeError(
            f"The following attributes cannot be saved to HDF5 file because they are larger "
            f"than {_ATTRIBUTE_LIMIT} bytes: {max(names, key=len)[:80]}..."
        )
    chunks = 1
    while any(part.nbytes > _ATTRIBUTE_LIMIT for part in np.array_split(data, chunks)):
        chunks += 1
    if chunks == 1:
        group.attrs[key] = data
        return
    for i, part in enumerate(np.array_split(data, chunks)):
        group.attrs[f"{key}{i}"] = part


def read_names(group: Any, key: str) -> list[str]:
    """The list of names that `write_names` or any Keras stored."""
    if key in group.attrs:
        return _texts(group.attrs[key])
    names: list[str] = []
    number = 0
    while f"{key}{number}" in group.attrs:
        names += _texts(group.attrs[f"{key}{number}"])
        number += 1
    return names


def _texts(values: Any) -> list[str]:
    return [text(value) for value in np.asarray(values).ravel().tolist()]


def text(value: Any) -> str:
    """An attribute that may be bytes or a string."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)


def find(group: Any, path: str) -> Any:
    """The group or dataset at a path, without following links.

    Raises:
        ValueError: a part of the path is missing or is a link.
    """
    found = group
    for part in path.split("/"):
        link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        if not isinstance(link, h5py.HardLink):
            kind = "is missing" if link is None else "is a link, which is not followed"
            raise ValueError(
                explain(f"{path!r} {kind}", where=f"{group.file.filename}{group.name}")
            )
        found = found[part]
    return found


def find_array(group: Any, path: str) -> Any:
    """The dataset of numbers at a path, not read yet.

    Raises:
        ValueError: it is something else, or its data lie in another file.
    """
    data = find(group, path)
    wrong = None
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "biuf":
        wrong = "is not an array of numbers"
    elif data.is_virtual or data.external:
        wrong = "keeps its data in another file, which is not read"
    if wrong:
        raise ValueError(explain(f"{path!r} {wrong}", where=_place(group)))
    return data


def _place(group: Any) -> str:
    return f"{group.file.filename}{group.name}"

"""HDF5 as Keras lays it out: lists of names in attributes, arrays in groups; strangers' files too.

What a file names is read only if it lies in the file itself: links to other places, virtual and
external data, compression by plug-ins and anything but numbers are refused. Nothing is allocated
for a size that a file merely claims.
"""

from __future__ import annotations

import contextlib
import io
import os
import zipfile
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import h5py
import numpy as np

from kgraph.errors import FileFormatError, UnsafeFileError, explain
from kgraph.ir.files import atomic_write
from kgraph.utils.hdf5_limits import is_readable, reads_plainly
from kgraph.utils.hdf5_probe import probe

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
        FileFormatError: it is damaged.
    """
    if isinstance(path, h5py.Group):
        return read(path)
    if not hasattr(path, "read"):
        if not os.path.exists(path):
            raise FileNotFoundError(f"No such file: {os.fspath(path)!r}")
        if os.path.isfile(path) and not h5py.is_hdf5(path):
            raise OSError(_about_other(os.fspath(path)))
    probe(path)
    with h5py.File(path, "r") as file:
        return read(file)


def _about_other(path: str) -> str:
    """Why a file that is not HDF5 is not read."""
    archive = zipfile.is_zipfile(path)
    return explain(
        f"Unable to open file (file signature not found): {path}",
        expected="an HDF5 file",
        got="an archive, such as Keras 3 writes to `.keras`" if archive else None,
        hint="in Keras 3, save it as `.h5`, which every Keras reads" if archive else None,
    )


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
    if _has(group, key):
        return _texts(group, key)
    names: list[str] = []
    number = 0
    while _has(group, f"{key}{number}"):
        names += _texts(group, f"{key}{number}")
        number += 1
    return names


def read_text(group: Any, key: str) -> str | None:
    """A text attribute, None where there is none.

    Raises:
        FileFormatError: it is not one text, or not UTF-8.
    """
    if not _has(group, key):
        return None
    found = _texts(group, key)
    if len(found) != 1:
        raise FileFormatError(
            explain(
                f"Attribute {key!r} is not one text",
                got=f"{len(found)} texts",
                where=place_of(group),
            )
        )
    return found[0]


def _has(group: Any, key: str) -> bool:
    with damaged(group, f"attribute {key!r}"):
        return key in group.attrs


def _texts(group: Any, key: str) -> list[str]:
    """The texts of an attribute, whose claim of a size is checked before it is read."""
    with damaged(group, f"attribute {key!r}"):
        honest = is_readable(group.attrs.get_id(key), group)
        stored: Any = np.asarray(group.attrs[key]).ravel().tolist() if honest else [None]
        texts: list[Any] = [v.decode("utf-8") if isinstance(v, bytes) else v for v in stored]
        for text in texts:  # h5py hides bytes that are no UTF-8 behind surrogates
            str(text).encode("utf-8")
    # An empty list of names is stored as an array of floats.
    if not all(isinstance(t, str) for t in texts):
        raise FileFormatError(explain(f"Attribute {key!r} holds no texts", where=place_of(group)))
    return texts


def holds(group: Any, name: str) -> bool:
    """Whether a group has an entry of that name, of whatever kind."""
    with damaged(group, repr(name)):
        return name in group


def find(group: Any, path: str) -> Any:
    """The group or dataset at a path, without following links.

    Raises:
        FileFormatError: a part of the path is missing or is a link.
    """
    found = group
    for part in path.split("/"):
        with damaged(group, repr(path)):
            link = found.get(part, getlink=True) if isinstance(found, h5py.Group) else None
        if link is None:
            raise FileFormatError(explain(f"{path!r} is missing", where=place_of(group)))
        if not isinstance(link, h5py.HardLink):
            raise UnsafeFileError(
                explain(f"{path!r} is a link, which is not followed", where=place_of(group))
            )
        with damaged(group, repr(path)):
            found = found[part]
    return found


def find_array(group: Any, path: str) -> Any:
    """The dataset of numbers at a path, not read yet.

    Raises:
        FileFormatError: it is something else.
        UnsafeFileError: its data lie in another file, or reading it would run a plug-in or take
            more memory than its numbers.
    """
    data = find(group, path)
    if not isinstance(data, h5py.Dataset) or data.dtype.kind not in "biuf":
        raise FileFormatError(
            explain(f"{path!r} is not an array of numbers", got=data, where=place_of(group))
        )
    with damaged(group, repr(path)):
        wrong = reads_plainly(data)
    if wrong:
        raise UnsafeFileError(explain(f"{path!r} {wrong}", where=place_of(group)))
    return data


def read_array(data: Any) -> np.ndarray:
    """The numbers of a dataset, after its shape was compared with what is expected."""
    if isinstance(data, np.ndarray):
        return data
    with damaged(data, "the numbers"):
        return np.asarray(data[()])


@contextlib.contextmanager
def damaged(group: Any, what: str) -> Iterator[None]:
    """Turns what h5py raises on damaged files into one error that says the place."""
    try:
        yield
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise FileFormatError(
            explain(f"{what} cannot be read: {error}"[:400], where=place_of(group))
        ) from error


def place_of(group: Any) -> str:
    """File and path inside it."""
    return f"{group.file.filename}{group.name}"

"""Reads `.npz` files without trusting them: also arrays of objects, which are pickles inside.

The format of `.npy`: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Sequence

import numpy as np

from kgraph.errors import FileFormatError, KGraphError, UnsafeFileError, explain
from kgraph.utils import restricted_pickle

_LIMIT = 1 << 31


def read_npz(
    path: str | os.PathLike[str], names: Sequence[str], limit: int = _LIMIT
) -> dict[str, np.ndarray]:
    """Reads arrays by name.

    Args:
        path: the `.npz` file.
        names: of the arrays that it must have; others are not read.
        limit: bytes that an array may unpack to.

    Returns:
        The arrays by name: numbers and texts of any shape, objects where the file holds such.

    Raises:
        UnsafeFileError: an array is too large, or its pickle asks for more than arrays.
        FileFormatError: the file is damaged, or has no array of a name.

    Example:
        >>> np.savez("a.npz", x=np.arange(3))
        >>> read_npz("a.npz", ["x"])["x"].tolist()
        [0, 1, 2]
    """
    file = os.fspath(path)
    try:
        with zipfile.ZipFile(file) as archive:
            return {name: _read_member(archive, file, name, limit) for name in names}
    except (KGraphError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # damaged headers make zipfile fail in any way
        raise FileFormatError(explain(f"{file} is no readable npz file", got=error)) from error


def _read_member(archive: zipfile.ZipFile, file: str, name: str, limit: int) -> np.ndarray:
    place = f"{file}: {name}"
    found = [info for info in archive.infolist() if info.filename == f"{name}.npy"]
    if len(found) != 1:
        names = [info.filename.removesuffix(".npy")[:80] for info in archive.infolist()[:20]]
        raise FileFormatError(
            explain(f"{file} has {len(found)} arrays {name!r}", expected="one", got=sorted(names))
        )
    with archive.open(found[0]) as source:
        data = source.read(limit + 1)
    if len(data) > limit:
        raise UnsafeFileError(explain(f"{place} is refused: it has more than {limit} bytes"))
    return _read_npy(data, place)


def _read_npy(data: bytes, place: str) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        # NumPy parses the header as a literal of bounded length.
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        elif version == (2, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
        else:
            raise ValueError(f"version {version}")
    except Exception as error:  # of Python's parser and tokenizer, which NumPy calls
        raise FileFormatError(explain(f"{place} has no readable header", got=error)) from error
    if dtype.kind == "O":
        return _read_objects(data[stream.tell() :], place, shape)
    if dtype.hasobject or dtype.kind not in "biufcSU":
        raise UnsafeFileError(explain(f"{place} is refused: its dtype is {dtype}"))
    size = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or len(data) - stream.tell() != size:
        raise FileFormatError(
            explain(
                f"{place} has a wrong size",
                expected=f"{size} bytes for the shape {shape}",
                got=f"{len(data) - stream.tell()} bytes",
            )
        )
    flat = np.frombuffer(data, dtype, count=math.prod(shape), offset=stream.tell())
    return flat.reshape(shape, order="F" if fortran else "C").copy(order="K")


def _read_objects(data: bytes, place: str, shape: tuple[int, ...]) -> np.ndarray:
    value = restricted_pickle.loads(data, place)
    if not isinstance(value, np.ndarray) or value.dtype != object or value.shape != shape:
        raise FileFormatError(explain(f"{place} holds no array of objects of shape {shape}"))
    return value

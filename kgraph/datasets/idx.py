"""The IDX format of MNIST and its successors: a header of big-endian numbers, then bytes.

Format: http://yann.lecun.com/exdb/mnist/ (two zero bytes, the type of the elements, the number of
axes, the length of each axis in four bytes).
"""

from __future__ import annotations

import gzip
import math
import os
import zlib

import numpy as np

from kgraph.errors import FileFormatError, UnsafeFileError, explain

_UBYTE = 8
_LIMIT = 1 << 30


def read_idx(path: str | os.PathLike[str], limit: int = _LIMIT) -> np.ndarray:
    """Reads an array of bytes from a gzip-compressed IDX file.

    Args:
        path: the file.
        limit: bytes that it may unpack to.

    Returns:
        A uint8 array of the shape that the file states.

    Raises:
        UnsafeFileError: the file unpacks to more than `limit` bytes.
        FileFormatError: the file is damaged, or has elements of another type.

    Example:
        >>> with gzip.open("labels.gz", "wb") as file:
        ...     _ = file.write(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]))
        >>> read_idx("labels.gz").tolist()
        [7, 9]
    """
    name = os.fspath(path)
    try:
        with gzip.open(name, "rb") as file:
            data = file.read(limit + 1)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileFormatError(
            explain(f"{name} is damaged", got=error, hint="delete it and fetch it again")
        ) from error
    if len(data) > limit:
        raise UnsafeFileError(explain(f"{name} is refused: it has more than {limit} bytes"))
    axes = data[3] if len(data) > 3 else 0
    if len(data) < 4 + 4 * axes or data[:3] != bytes([0, 0, _UBYTE]):
        raise FileFormatError(
            explain(f"{name} is no IDX file of bytes", expected="0, 0, 8", got=list(data[:3]))
        )
    shape = tuple(int.from_bytes(data[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    if len(data) - 4 - 4 * axes != math.prod(shape):
        raise FileFormatError(
            explain(
                f"{name} has a wrong size",
                expected=f"{math.prod(shape)} bytes for the shape {shape}",
                got=f"{len(data) - 4 - 4 * axes} bytes",
            )
        )
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape).copy()

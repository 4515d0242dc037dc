"""Files are written whole or not at all: to a neighbour first, then renamed over the target."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file that appears under `path` only when the block ends without an error.

    Args:
        path: the target; an older file there stays as it is until the new one is complete.

    Returns:
        A binary file to write to.

    Example:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp(), "a.txt")
        >>> with atomic_write(target) as file:
        ...     _ = file.write(b"whole")
        >>> target.read_text()
        'whole'
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}.partial")
    try:
        with open(partial, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)

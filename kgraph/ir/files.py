"""Files are written whole or not at all: to a neighbour first, then renamed over the target."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # not a POSIX system: nothing tells whether a writer still lives
    fcntl = None  # type: ignore[assignment]

_DEVICES = ("/dev", "/dev/fd", "/proc/self/fd")


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file that appears under `path` only when the block ends without an error.

    What writers of the same target have left that were killed is removed. What is no file, such as
    a pipe or `/dev/stdout`, is written to as it is.

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
    if _is_stream(target):
        with open(target, "wb") as file:  # a folder refuses that
            yield file
        return
    partial = target.with_name(f".{target.name}.{os.getpid()}.{os.urandom(4).hex()}.partial")
    try:
        with open(partial, "xb") as file:
            _lock(file.fileno())
            _remove_stale(target)
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _is_stream(target: Path) -> bool:
    """Whether a path is that of something which must not be replaced: a device, a pipe, a folder.

    Names in `/dev` are links that may lead to a file: the open one that they stand for is meant.
    """
    return target.exists() and (not target.is_file() or str(target.absolute().parent) in _DEVICES)


def _lock(descriptor: int) -> bool:
    """Locks an open file until it is closed; False if somebody else has, or it cannot be done."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_stale(target: Path) -> None:
    """Removes a target's neighbours that no process writes any more.

    A number that no process has here may belong to a process of another machine that shares the
    folder, hence the lock; and a file that has just been opened is not locked yet, hence the
    number.
    """
    if fcntl is None:
        return
    name = re.compile(rf"\.{re.escape(target.name)}\.([0-9]+)\.[0-9a-f]{{8}}\.partial")
    for found in os.listdir(target.parent):
        match = name.fullmatch(found)
        if match is None or _lives(int(match[1])):
            continue
        stale = target.with_name(found)
        with contextlib.suppress(OSError):  # somebody else's file, or removed meanwhile
            descriptor = os.open(stale, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                if _lock(descriptor):
                    stale.unlink()
            finally:
                os.close(descriptor)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)  # sends nothing
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True

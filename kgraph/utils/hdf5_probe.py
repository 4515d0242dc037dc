"""Reads an HDF5 file in a child process first, because the C library may crash or hang on it.

A few wrong bytes make HDF5 follow pointers to anywhere, run in circles, or ask for the memory that
a header claims. So a forked child, with limits on its time and memory, touches whatever a load
would touch. Only if it lives does this process open the file. Where there is no `fork` (Windows)
files are opened at once.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import os
import select
import signal
import time
import warnings
from collections.abc import Iterator
from typing import Any

import h5py
from h5py._objects import phil

from kgraph.errors import FileFormatError, explain
from kgraph.utils.hdf5_limits import is_readable, reads_plainly

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# Seconds, and more for each byte; an honest file takes milliseconds.
_SECONDS, _BYTES_A_SECOND = 10.0, 20e6
# Bytes that HDF5 may take for its own structures.
_MEMORY = 256 << 20
_MESSAGE = 400


def probe(path: Any) -> None:
    """Refuses a file on which HDF5 crashes, hangs, or wants more memory than there can be in it.

    Args:
        path: a path or a binary file. What is no HDF5 at all passes, for opening it says so best.

    Raises:
        FileFormatError: the file is damaged.

    Example:
        >>> with h5py.File("whole.h5", "w") as file:
        ...     file["x"] = [1, 2, 3]
        >>> probe("whole.h5")
    """
    if not hasattr(os, "fork"):
        return
    size = _size(path)
    receiver, sender = os.pipe()
    # Nobody may be inside HDF5 while its state is copied; other threads' locks are not taken.
    with phil, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if child == 0:
        _run_child(path, size, sender)
    os.close(sender)
    wrong = _wait(child, receiver, time.monotonic() + _SECONDS + size / _BYTES_A_SECOND)
    if wrong:
        where = getattr(path, "name", "a file in memory") if hasattr(path, "read") else path
        raise FileFormatError(explain(f"The HDF5 file is damaged: {wrong}", where=where))


def _size(path: Any) -> int:
    if hasattr(path, "read"):
        here = path.tell()
        size = int(path.seek(0, io.SEEK_END))
        path.seek(here)
        return size
    return os.path.getsize(path)


def _wait(child: int, receiver: int, deadline: float) -> str:
    """What the child says; it is ended when its time is over."""
    said = b""
    with contextlib.closing(os.fdopen(receiver, "rb", buffering=0)) as pipe:
        while select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))[0]:
            part = pipe.read(_MESSAGE)
            if not part:
                break
            said += part
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "reading it does not come to an end"
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return f"HDF5 crashes on it ({signal.Signals(os.WTERMSIG(status)).name})"
    return said.decode("utf-8", "replace")


def _run_child(path: Any, size: int, sender: int) -> None:
    """All of the child's life; it leaves without cleaning up what is the parent's."""
    try:
        faulthandler.disable()
        _limit_memory(4 * size + _MEMORY)
        try:
            file = h5py.File(path, "r")
        except (OSError, ValueError):
            os._exit(0)  # the parent will get the same error
        _touch_all(file)
    except BaseException as error:
        os.write(sender, f"{type(error).__name__}: {error}".encode()[:_MESSAGE])
    finally:
        os._exit(0)


def _limit_memory(more: int) -> None:
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        with open("/proc/self/statm") as numbers:  # Linux alone tells what is taken already
            pages = int(numbers.read().split()[0])
        limit = pages * os.sysconf("SC_PAGE_SIZE") + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _touch_all(file: Any) -> None:
    """Reads all attributes, and of the arrays what is not simply a stretch of the file."""
    for thing in _things(file):
        for name in thing.attrs:
            if is_readable(thing.attrs.get_id(name), file):
                _ = thing.attrs[name]
        if isinstance(thing, h5py.Dataset) and thing.dtype.kind in "biuf":
            plain = reads_plainly(thing) is None and thing.chunks is not None
            if plain and thing.nbytes <= _MEMORY:
                _ = thing[()]


def _things(file: Any) -> Iterator[Any]:
    """Groups and datasets, each once, without following links."""
    seen: set[tuple[int, int]] = set()
    stack = [file["/"]]
    while stack:
        thing = stack.pop()
        info = h5py.h5o.get_info(thing.id)
        if not isinstance(thing, (h5py.Group, h5py.Dataset)) or (info.fileno, info.addr) in seen:
            continue
        seen.add((info.fileno, info.addr))
        yield thing
        if isinstance(thing, h5py.Group):
            names = [n for n in thing if isinstance(thing.get(n, getlink=True), h5py.HardLink)]
            stack.extend(thing[name] for name in names)

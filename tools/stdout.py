"""Standard output: where results go, and what happens when nobody can take them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

from kgraph.tools.complaints import unwritable
from kgraph.tools.terminal import harmless


def say(text: str) -> None:
    """Prints a line of the result; what the stream cannot show, or would obey, is escaped.

    Raises:
        CommandError: standard output cannot be written.

    Example:
        >>> say("ready")
        ready
    """
    encoding = sys.stdout.encoding or "utf-8"
    with to_stdout():
        print(harmless(text).encode(encoding, "backslashreplace").decode(encoding))


@contextlib.contextmanager
def to_stdout() -> Iterator[None]:
    """What the block prints is on its way when it ends.

    Raises:
        BrokenPipeError: whoever reads it has gone, which is no error.
        CommandError: it cannot be written.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop_stdout()
        raise unwritable("standard output", error) from error


def drop_stdout() -> None:
    """What is still to be printed goes nowhere, so that it raises no more as the process ends."""
    with contextlib.suppress(OSError):  # a stream of a test may have no descriptor
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

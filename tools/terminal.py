"""What a command says besides its result, on stderr and in a log; stdout is for results alone."""

from __future__ import annotations

import contextlib
import contextvars
import json
import re
import shutil
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_ERASE = "\r\x1b[2K"
# What a terminal would obey, colours aside, or what turns the direction of letters.
_COMMANDS = re.compile(
    r"\x1b(?!\[\d\d?m)|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)


@dataclass(frozen=True)
class Terminal:
    """How much a command says, and how.

    Args:
        verbosity: 1 for `-v`, -1 for `-q`.
        color: auto, always or never.
        log: file that gets a line of JSON an event, or None.
    """

    verbosity: int = 0
    color: str = "auto"
    log: str | None = None


_USUAL = Terminal()
_CURRENT: contextvars.ContextVar[Terminal] = contextvars.ContextVar("terminal", default=_USUAL)


@contextlib.contextmanager
def talking(terminal: Terminal) -> Iterator[None]:
    """Has every command in the block talk this way."""
    token = _CURRENT.set(terminal)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def verbosity() -> int:
    """1 after `-v`, -1 after `-q`, else 0."""
    return _CURRENT.get().verbosity


def asked_color() -> str:
    """What `--color` says: auto, always or never."""
    return _CURRENT.get().color


def harmless(text: str) -> str:
    """Text that a terminal shows and does not obey: names in files may be anything.

    Example:
        >>> harmless("\\x1b[2Ja\\rb")
        '\\\\x1b[2Ja\\\\rb'
    """
    return _COMMANDS.sub(lambda found: ascii(found[0])[1:-1], text)


def note(text: str) -> None:
    """Tells the user something on stderr, unless `-q` is given."""
    log("note", text=text)
    if verbosity() >= 0:
        status("")
        print(harmless(text), file=sys.stderr)


def warn(text: str) -> None:
    """A warning on stderr, unless `-q` is given."""
    note(f"kgraph: warning: {text}")


def has_status() -> bool:
    """Whether there is a terminal that wants to know how far things are."""
    return verbosity() >= 0 and sys.stderr.isatty()


def status(text: str) -> None:
    """Shows a line on the terminal that the next one replaces; "" takes it away."""
    if has_status():
        text = harmless(text)
        print(f"{_ERASE}{text[: shutil.get_terminal_size().columns - 1]}", end="", file=sys.stderr)
        sys.stderr.flush()


def log(event: str, **fields: Any) -> None:
    """Appends one line of JSON to the file of `--log-json`."""
    path = _CURRENT.get().log
    if path is None:
        return
    line = json.dumps({"time": round(time.time(), 3), "event": event, **fields})
    try:
        with open(path, "a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:  # the command may end well all the same
        print(f"kgraph: warning: {path} cannot be written: {error.strerror}", file=sys.stderr)

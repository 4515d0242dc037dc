"""What a command says besides its result: notes, progress, colours; stdout is for results alone."""

from __future__ import annotations

import contextlib
import contextvars
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TextIO, TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")
_STYLES = {"error": "31", "warning": "33", "good": "32", "dim": "2", "bold": "1"}


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


def note(text: str) -> None:
    """Tells the user something on stderr, unless `-q` is given."""
    log("note", text=text)
    if verbosity() >= 0:
        print(text, file=sys.stderr)


def warn(text: str) -> None:
    """A warning on stderr, unless `-q` is given."""
    note(f"kgraph: warning: {text}")


def log(event: str, **fields: Any) -> None:
    """Appends one line of JSON to the file of `--log-json`."""
    path = _CURRENT.get().log
    if path is None:
        return
    line = json.dumps({"time": round(time.time(), 3), "event": event, **fields})
    with open(path, "a", encoding="utf-8") as file:
        file.write(line + "\n")


def has_color(stream: TextIO) -> bool:
    """Whether text for a stream may have colours: `--color`, else `NO_COLOR` and the stream."""
    asked = _CURRENT.get().color
    if asked != "auto":
        return asked == "always"
    known = Console(file=stream)  # it reads the variable, and what the terminal is
    return known.is_terminal and not known.no_color and known.color_system is not None


def paint(text: str, style: str) -> str:
    """The text for stdout in a style: error, warning, good, dim or bold.

    Example:
        >>> paint("fine", "good")
        'fine'
        >>> with talking(Terminal(color="always")):
        ...     paint("fine", "good")
        '\\x1b[32mfine\\x1b[0m'
    """
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if has_color(sys.stdout) else text


def console(stream: TextIO | None = None) -> Console:
    """What prints tables of `rich`, in colours or without."""
    stream = stream or sys.stdout
    color = has_color(stream)
    return Console(file=stream, force_terminal=color or None, no_color=not color)


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """The items, with a bar on stderr while they are gone through, if that is a terminal.

    Args:
        items: what is gone through.
        what: says the bar.
        total: how many there are, if `len` does not say so.
    """
    if verbosity() < 0 or not sys.stderr.isatty():
        return iter(items)
    shown = console(sys.stderr)
    return iter(track(items, what, total=total, console=shown, transient=True))

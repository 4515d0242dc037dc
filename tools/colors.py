"""Colours and tables on a terminal; the part of the commands that loads rich."""

from __future__ import annotations

import sys
from typing import TextIO

from rich.console import Console

from kgraph.tools.terminal import asked_color

_STYLES = {"error": "31", "warning": "33", "good": "32", "dim": "2", "bold": "1"}


def has_color(stream: TextIO) -> bool:
    """Whether text for a stream may have colours: `--color`, else `NO_COLOR` and the stream."""
    asked = asked_color()
    if asked != "auto":
        return asked == "always"
    known = Console(file=stream)  # it reads the variable, and what the terminal is
    return known.is_terminal and not known.no_color and known.color_system is not None


def paint(text: str, style: str) -> str:
    """The text for stdout in a style: error, warning, good, dim or bold.

    Example:
        >>> paint("fine", "good")
        'fine'
        >>> from kgraph.tools.terminal import Terminal, talking
        >>> with talking(Terminal(color="always")):
        ...     paint("fine", "good")
        '\\x1b[32mfine\\x1b[0m'
    """
    return f"\x1b[{_STYLES[style]}m{text}\x1b[0m" if has_color(sys.stdout) else text


class _Console(Console):
    """Leaves it to `main` what happens when the reader has gone."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """What prints tables of `rich`, in colours or without."""
    color = has_color(sys.stdout)
    return _Console(file=sys.stdout, force_terminal=color or None, no_color=not color)

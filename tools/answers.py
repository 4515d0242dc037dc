"""What a command answers: text or JSON on stdout, or a file that appears whole."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kgraph.ir.files import atomic_write
from kgraph.ir.printer import show_bytes
from kgraph.tools.complaints import CommandError, unwritable
from kgraph.tools.stdout import say, to_stdout
from kgraph.tools.terminal import note


def add_json(parser: argparse.ArgumentParser) -> None:
    """Adds `--json` to a command."""
    parser.add_argument("--json", action="store_true", help="the answer as JSON")


def answer(args: argparse.Namespace, document: Mapping[str, Any], text: str, code: int = 0) -> int:
    """Prints the answer, as JSON if `--json` asks for it.

    Args:
        args: of the command.
        document: the answer as data; `ok` and `code` are added.
        text: the same for people.
        code: the exit code.

    Returns:
        The exit code.

    Example:
        >>> answer(argparse.Namespace(json=True), {"least": float("inf")}, "", 1)
        {
         "ok": false,
         "code": 1,
         "least": "inf"
        }
        1
    """
    if args.json:
        say(as_json(document, code))
    elif text:
        say(text)
    return code


def as_json(document: Mapping[str, Any], code: int = 0) -> str:
    """The answer as text of JSON, with `ok` and `code`."""
    return to_json({"ok": code == 0, "code": code, **document})


def to_json(value: Any) -> str:
    """Any value as text of JSON; what it has no word for, such as infinity, is text.

    Example:
        >>> to_json({"nan": np.float32("nan"), "count": np.int64(3), "raw": b"k"}).split()
        ['{', '"nan":', '"nan",', '"count":', '3,', '"raw":', '"k"', '}']
    """
    return json.dumps(_plain(value), indent=1, allow_nan=False)


def _plain(value: Any) -> Any:
    """The value with what JSON has no word for as text."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(map(_plain, value), key=str)
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    known = value is None or isinstance(value, (bool, int, float, str))
    return value if known else str(value)


def add_no_clobber(parser: argparse._ActionsContainer) -> None:
    """Adds `--no-clobber` to a command that writes files."""
    parser.add_argument("--no-clobber", action="store_true", help="never replace a file")


def refuse_existing(args: argparse.Namespace, *paths: str) -> None:
    """Ends the command before its work if `--no-clobber` forbids what it would replace.

    Raises:
        CommandError: a file or folder is there already.
    """
    for path in paths:
        if args.no_clobber and path != "-" and Path(path).exists():
            raise CommandError("E0101", f"{path} cannot be written: {path} is there already")


def write_file(path: str, data: bytes) -> None:
    """Writes a file and says so; `-` is standard output.

    Raises:
        CommandError: it cannot be written.
    """
    if path == "-":
        with to_stdout():
            sys.stdout.flush()
            sys.stdout.buffer.write(data)
        return
    try:
        with atomic_write(path) as file:
            file.write(data)
    except OSError as error:
        raise unwritable(path, error) from error
    note(f"wrote {path} ({show_bytes(len(data))})")


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows as aligned columns: the first one to the left, numbers to the right.

    Example:
        >>> print(columns([("op", "us"), ("matmul", "9.5"), ("add", "12.0")]))
        op        us
        matmul   9.5
        add     12.0
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)

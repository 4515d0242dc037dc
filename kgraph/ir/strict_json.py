"""Reads JSON from strangers: what Python's reader lets pass is refused, with a JSON pointer.

Refused are duplicate keys (readers disagree on which one counts), NaN and Infinity, numbers that
overflow, integers beyond 64 bits, and nesting deeper than Python's stack.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable
from typing import Any

from kgraph.errors import ParseError, explain

_LARGEST = 1 << 64


class _Fault:
    """Stands where the value that is wrong stood, until its place is known."""

    def __init__(self, message: str) -> None:
        self.message = message


def read_json(text: str | bytes) -> Any:
    """Reads one JSON document.

    Args:
        text: the document; bytes must be UTF-8.

    Returns:
        Dictionaries, lists, strings, numbers, booleans and None.

    Raises:
        ParseError: it is not JSON, or holds something that strict readers refuse.

    Example:
        >>> read_json('{"a": [1, 2.5]}')
        {'a': [1, 2.5]}
    """
    faults: list[_Fault] = []

    def fault(message: str) -> _Fault:
        faults.append(_Fault(message))
        return faults[-1]

    def pairs(items: list[tuple[str, Any]]) -> Any:
        table = dict(items)
        if len(table) < len(items):
            keys = [key for key, _ in items]
            twice = next(key for key in keys if keys.count(key) > 1)
            return fault(f"key {twice[:80]!r} stands twice")
        return table

    def integer(digits: str) -> Any:
        if len(digits) > 21 or not -_LARGEST < int(digits) < _LARGEST:
            return fault("an integer needs more than 64 bits")
        return int(digits)

    def number(digits: str) -> Any:
        value = float(digits)
        return value if math.isfinite(value) else fault(f"{digits[:40]} is too large a number")

    document = _decode(
        text,
        object_pairs_hook=pairs,
        parse_int=integer,
        parse_float=number,
        parse_constant=lambda word: fault(f"{word} is not a JSON number"),
    )
    if faults:
        path, message = _locate(document)
        raise ParseError(explain(message, where=pointer(path)), "syntax")
    return document


def _decode(text: str | bytes, **hooks: Callable[..., Any]) -> Any:
    """`json.loads`, with our errors."""
    try:
        if isinstance(text, bytes):
            text = text.decode("utf-8")
        return json.loads(text, **hooks)  # type: ignore[arg-type]  # each hook has its own name
    except UnicodeDecodeError as error:
        raise ParseError(f"not JSON: byte {error.start} is not UTF-8", "syntax") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}, character {error.pos}"
        raise ParseError(explain(f"not JSON: {error.msg}", where=place), "syntax") from None
    except RecursionError:
        raise ParseError("JSON is nested too deeply", "syntax") from None


def pointer(path: Iterable[object]) -> str:
    """A place in a document as RFC 6901 writes it.

    Example:
        >>> pointer(["nodes", 17, "a/b"])
        '/nodes/17/a~1b'
    """
    return "".join("/" + str(p).replace("~", "~0").replace("/", "~1") for p in path)


def _locate(document: Any) -> tuple[tuple[object, ...], str]:
    """The first fault that is still in the document; one inside a refused object is not."""
    stack: list[tuple[Any, tuple[object, ...]]] = [(document, ())]
    while stack:
        value, path = stack.pop()
        if isinstance(value, _Fault):
            return path, value.message
        inner: list[tuple[Any, Any]] = []
        if isinstance(value, dict):
            inner = list(value.items())
        elif isinstance(value, list):
            inner = list(enumerate(value))
        stack.extend((child, (*path, key)) for key, child in reversed(inner))
    raise AssertionError("a fault vanished from the document")

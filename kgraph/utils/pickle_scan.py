"""Goes through the instructions of a pickle without running them, and bounds what they claim.

The unpickler of C reserves memory for every index that a pickle names before it looks whether
there is so much: ten bytes can ask for gigabytes. Millions of small instructions, which is what
lists of numbers are, are skipped by one regular expression; all others are looked at.

Instructions and their encodings: Python's module `pickletools` describes each.
"""

from __future__ import annotations

import pickletools
import re
from collections.abc import Container
from dataclasses import dataclass

from kgraph.errors import FileFormatError, UnsafeFileError, explain


@dataclass(frozen=True)
class Limits:
    """What a pickle may claim.

    Args:
        size: its bytes; objects take about ten times as much memory.
        containers: lists, tuples and dictionaries.
        tuples: tuples alone. An array needs four. Hashing a tuple uses as much of the stack as it
            is deep, and no stack bears a million.

    Example:
        >>> Limits().tuples
        10000
    """

    size: int = 1 << 28
    containers: int = 1_000_000
    tuples: int = 10_000


# Numbers, constants, marks, short memo references, and what fills containers; no names, no
# lengths. The count is bounded because a match keeps a state for every repetition.
_PLAIN = re.compile(
    rb"(?:K.|M..|J.{4}|G.{8}|[qh\x80].|j.{4}|\x95.{8}|[(N\x88\x89aesu\x94]|I-?[0-9]{1,18}\n)"
    rb"{1,4096}",
    re.DOTALL,
)
_PLAIN_STARTS = b"KMJGqh\x80j\x95"
_TUPLES, _CONTAINERS = b")t\x85\x86\x87", b"]}ld"
# What applies names; the names themselves are judged where they are looked up.
_CALLS = b"Rb\x81\x92\x93"
# Bytes of the length that precedes data.
_COUNTED = {"U": 1, "C": 1, "\x8c": 1, "\x8a": 1, "T": 4, "B": 4, "X": 4}
_COUNTED |= {"\x8d": 8, "\x8e": 8, "\x96": 8}
_INSTRUCTIONS = {instruction.code: instruction.name for instruction in pickletools.opcodes}
# Longest line of text; None where a line is data.
_LINES: dict[str, int | None] = {"I": 100, "L": 100, "F": 100, "g": 100, "p": 100}
_LINES |= {"S": None, "V": None}


def scan(data: bytes, name: str, names: Container[tuple[str, str]], limits: Limits) -> None:
    """Checks a pickle before it is read.

    Args:
        data: the pickle.
        name: the file that it comes from, for messages.
        names: pairs (module, name) that it may ask for.
        limits: what it may claim.

    Raises:
        UnsafeFileError: it asks for another name, or exceeds the limits.
        FileFormatError: it is damaged.

    Example:
        >>> scan(b"K\\x01.", "one.pkl", (), Limits())
        >>> scan(b"cos\\nsystem\\n.", "bad.pkl", (), Limits())
        Traceback (most recent call last):
        kgraph.errors.UnsafeFileError: bad.pkl is refused: its pickle asks for os.system
          ...
    """
    if len(data) > limits.size:
        raise _too_much(name, f"of more than {limits.size} bytes")
    position, tuples, containers = 0, 0, 0
    while data[position : position + 1] != b".":
        if plain := _PLAIN.match(data, position):
            position = plain.end()
            continue
        code = data[position : position + 1]
        tuples += code in _TUPLES
        containers += code in _TUPLES + _CONTAINERS
        if tuples > limits.tuples or containers > limits.containers:
            what = f"{limits.tuples} tuples or {limits.containers} containers"
            raise _too_much(name, f"with more than {what}")
        position = _skip(data, position, name, names)


def refuse(name: str, wish: object) -> UnsafeFileError:
    """The error for a pickle that wants what it may not have."""
    return UnsafeFileError(
        explain(
            f"{name} is refused: its pickle asks for {wish}",
            expected="numbers, strings, lists, dictionaries and NumPy arrays of them",
            hint="this is not the file that was published; fetch it again, with its hash",
        )
    )


def _too_much(name: str, what: str) -> UnsafeFileError:
    return UnsafeFileError(explain(f"{name} is refused: it has a pickle {what}"))


def _damaged(name: str) -> FileFormatError:
    return FileFormatError(explain(f"{name} is no readable pickle", got="it ends too early"))


def _skip(data: bytes, position: int, name: str, names: Container[tuple[str, str]]) -> int:
    """The position after one instruction that is not plain."""
    code = data[position : position + 1].decode("latin1")
    byte, after = data[position : position + 1], position + 1
    if not byte or byte in _PLAIN_STARTS:
        raise _damaged(name)
    if byte in _TUPLES + _CONTAINERS + _CALLS:
        return after
    if code in _COUNTED:
        start = after + _COUNTED[code]
        end = start + int.from_bytes(data[after:start], "little")
        if end > len(data):
            raise _damaged(name)
        return end
    if code == "r":
        _check_index(int.from_bytes(data[after : after + 4], "little"), position, name)
        return after + 4
    if code in _LINES:
        line, after = _line(data, after, name, _LINES[code])
        if code == "p":
            _check_index(int(line) if line.isdigit() else -1, position, name)
        return after
    if code in "ci":
        module, after = _line(data, after, name, 200)
        attribute, after = _line(data, after, name, 200)
        pair = module.decode("utf-8", "replace"), attribute.decode("utf-8", "replace")
        if code == "i" or pair not in names:
            raise refuse(name, ".".join(pair))
        return after
    raise refuse(name, f"the instruction {_INSTRUCTIONS.get(code, byte)}")


def _line(data: bytes, start: int, name: str, limit: int | None) -> tuple[bytes, int]:
    """A line of text, and the position after it."""
    end = data.find(b"\n", start, None if limit is None else start + limit + 1)
    if end >= 0:
        return data[start:end], end + 1
    raise _damaged(name) if limit is None else _too_much(name, f"with a line over {limit} bytes")


def _check_index(index: int, position: int, name: str) -> None:
    """Memo indexes count objects; an object takes three bytes with its index."""
    if not 0 <= index <= 256 + position // 3:
        raise _too_much(name, f"that counts to {index} within {position} bytes")

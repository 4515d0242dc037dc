"""Numbers on the command line: what an option takes, and the complaint about anything else."""

from __future__ import annotations

import argparse
import math


def count(text: str) -> int:
    """A whole number above 0.

    Example:
        >>> count("8")
        8
    """
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def whole(text: str) -> int:
    """A whole number from 0 on.

    Example:
        >>> whole("0")
        0
    """
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def positive(text: str) -> float:
    """A finite number above 0.

    Example:
        >>> positive("0.5")
        0.5
    """
    found = _number(text)
    if not 0 < found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return found


def tolerance(text: str) -> float:
    """A finite number from 0 on.

    Example:
        >>> tolerance("1e-3")
        0.001
    """
    found = _number(text)
    if not 0 <= found < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 on")
    return found


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan

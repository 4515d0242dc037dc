"""Automatic names of layers, numbered from 1 for each class as in Keras 2: `dense_1`, `dense_2`.

The counters are the process's; `reset_uids` starts them again. Names that a user or a file gives
are taken as they are.
"""

from __future__ import annotations

import re
from collections import Counter

_COUNTS: Counter[str] = Counter()


def to_snake_case(name: str) -> str:
    """A class name in the spelling of layer names.

    Example:
        >>> to_snake_case("MaxPooling2D"), to_snake_case("LSTM"), to_snake_case("InputLayer")
        ('max_pooling2d', 'lstm', 'input_layer')
    """
    spaced = re.sub("(.)([A-Z][a-z0-9]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", spaced).lower()


def get_uid(prefix: str = "") -> int:
    """The next number of a prefix, from 1."""
    _COUNTS[prefix] += 1
    return _COUNTS[prefix]


def unique_name(prefix: str) -> str:
    """The next automatic name of a prefix."""
    return f"{prefix}_{get_uid(prefix)}"


def reset_uids() -> None:
    """Starts all numbers again from 1."""
    _COUNTS.clear()

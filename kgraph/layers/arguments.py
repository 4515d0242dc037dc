"""Checks of constructor arguments that several layers share."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import config


def positive_int(name: str, value: Any) -> int:
    """The argument as an int.

    Raises:
        ValueError: it is not a whole number above 0.

    Example:
        >>> positive_int("units", 3.0)
        3
    """
    whole = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not whole or value != int(value) or value <= 0:
        raise ValueError(
            f"Received an invalid value for `{name}`, expected a positive integer. "
            f"Received: {name}={value}"
        )
    return int(value)


def normalize_data_format(value: str | None) -> str:
    """The axis order that an argument means, None for the global setting.

    Raises:
        ValueError: it is neither channels_last nor channels_first.

    Example:
        >>> normalize_data_format(None)
        'channels_last'
    """
    name = str(value or config.image_data_format()).lower()
    if name not in ("channels_last", "channels_first"):
        raise ValueError(
            'The `data_format` argument must be one of "channels_first", "channels_last". '
            f"Received: {value}"
        )
    return name


def implementation_number(value: Any) -> int:
    """The argument `implementation` of recurrent layers, also as Keras 1's `consume_less`.

    Raises:
        ValueError: it is none of Keras's.

    Example:
        >>> implementation_number("mem")
        1
    """
    number = {"cpu": 0, "mem": 1, "gpu": 2}.get(value, value) if isinstance(value, str) else value
    if number not in (0, 1, 2):
        raise ValueError(
            f"`implementation` must be 0, 1 or 2 (all of them compute the same here). "
            f"Received: {value!r}"
        )
    return int(number)

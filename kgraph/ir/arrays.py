"""Arrays as text: readable numbers where they are exact, base64 of the bytes otherwise."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.ir.types import TensorType, canonical_dtype

_KINDS: dict[str, type] = {"b": bool, "i": int, "u": int, "f": float}


def array_type(array: np.ndarray) -> TensorType:
    """The type that holds the array."""
    return TensorType(array.shape, canonical_dtype(array.dtype))


def to_numbers(array: np.ndarray) -> list[Any] | None:
    """The elements as Python numbers, or None if their bits would not survive.

    Floats get the shortest decimal that names them in their own dtype. NaN with a sign or payload
    has no such name.

    Example:
        >>> to_numbers(np.array([0.1, 2.0], "float32"))
        [0.1, 2.0]
    """
    flat = array.ravel()
    if array.dtype.kind == "f":
        numbers = [float(str(x)) for x in flat]
    else:
        numbers = flat.tolist()
    with np.errstate(all="ignore"):
        exact = np.array(numbers, array.dtype).tobytes() == flat.tobytes()
    return numbers if exact else None


def from_numbers(numbers: Sequence[Any], type_: TensorType) -> np.ndarray:
    """The array that `to_numbers` described.

    Raises:
        ValueError: a number has the wrong kind or does not fit, or there are too many or too few.
    """
    count = element_count(type_)
    if len(numbers) != count:
        raise ValueError(f"{type_} has {count} elements, got {len(numbers)}")
    kind = _KINDS[np.dtype(type_.dtype).kind]
    for number in numbers:
        if type(number) is not kind:
            raise ValueError(f"{type_} holds {kind.__name__}s, got {number!r}")
    with np.errstate(all="ignore"):
        try:
            array = np.array(numbers, type_.dtype)
        except OverflowError:
            raise ValueError(f"a number does not fit {type_.dtype}") from None
    if kind is float and np.isinf(array).sum() != sum(map(math.isinf, numbers)):
        raise ValueError(f"a number does not fit {type_.dtype}")
    return array.reshape(type_.shape)  # type: ignore[arg-type]


def to_base64(array: np.ndarray) -> str:
    """The little-endian bytes of the elements in C order."""
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(little.tobytes()).decode("ascii")


def from_base64(text: str, type_: TensorType) -> np.ndarray:
    """The array that `to_base64` described.

    Raises:
        ValueError: the text is not base64, or has too many or too few bytes.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("not base64") from None
    wanted = element_count(type_) * type_.itemsize
    if len(data) != wanted:
        raise ValueError(f"{type_} has {wanted} bytes, got {len(data)}")
    little = np.frombuffer(data, np.dtype(type_.dtype).newbyteorder("<"))
    return little.astype(type_.dtype).reshape(type_.shape)  # type: ignore[arg-type]


def element_count(type_: TensorType) -> int:
    """Number of elements of a type without symbols.

    Raises:
        ValueError: a size is symbolic.
    """
    if not isinstance(type_.size, int) or not all(isinstance(d, int) for d in type_.shape):
        raise ValueError(f"{type_} has a symbolic size, but an array needs numbers")
    return type_.size

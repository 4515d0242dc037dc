"""Attribute values of nodes: made immutable, compared by bits and type.

`1`, `True`, `1.0`, `0.0` and `-0.0` are five different attributes, and arrays are equal when dtype,
shape and bytes are.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Hashable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from kgraph.ir.dim import Dim, evaluate

_LARGE = 1024
# Types of most attributes, which are immutable and hold nothing -> their names.
_PLAIN = {kind: kind.__name__ for kind in (int, bool, str, type(None))}
_NONE: Mapping[str, Any] = MappingProxyType({})


class Constant:
    """A read-only array that is compared by dtype, shape and bytes.

    Example:
        >>> Constant(np.zeros(2)) == Constant(-np.zeros(2))
        False
    """

    __slots__ = ("_key", "array")

    def __init__(self, array: np.ndarray) -> None:
        owned = np.array(array, order="C", copy=True)
        owned.flags.writeable = False
        data = owned.tobytes()
        digest = hashlib.sha256(data).digest() if len(data) > _LARGE else data
        self.array = owned
        self._key = (owned.dtype.str, owned.shape, digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Constant) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    def __repr__(self) -> str:
        return f"Constant({self.array.dtype.name}{list(self.array.shape)})"


class Nested:
    """Base of attributes that hold nodes, such as `Body`: it knows its own key and sizes."""

    __slots__ = ()

    def key(self) -> Hashable:
        """What `attribute_key` compares it by; it keeps nothing alive."""
        raise NotImplementedError(type(self).__name__)

    def map(self, function: Callable[[Any], Any]) -> Nested:
        """The same with every symbolic size inside replaced by what `function` makes of it."""
        raise NotImplementedError(type(self).__name__)

    def numbered(self, binding: Mapping[str, int]) -> Nested:
        """The same with the numbers of all symbolic sizes inside."""
        raise NotImplementedError(type(self).__name__)


def freeze(value: Any) -> Any:
    """Makes an attribute immutable: lists become tuples, NumPy scalars Python ones."""
    if type(value) in _PLAIN:
        return value
    if isinstance(value, (list, tuple)):
        return tuple([freeze(v) for v in value])
    if isinstance(value, np.ndarray):
        return Constant(value)
    if isinstance(value, np.generic):
        return value.item()
    return value


def attribute_key(value: Any) -> Hashable:
    """A hashable that is equal for equal attributes only.

    It stands for the value only as long as somebody keeps the value: what is compared by identity,
    such as a layer's call, goes in as its number, so that a table of keys keeps no layer alive.
    """
    kind = type(value)
    if kind in _PLAIN:
        return _PLAIN[kind], value
    if isinstance(value, float):
        return "float", struct.pack("<d", value)
    if isinstance(value, tuple):
        return "tuple", tuple([attribute_key(v) for v in value])
    if isinstance(value, Nested):
        return value.key()
    return kind.__name__, id(value) if kind.__eq__ is object.__eq__ else value


def freeze_attributes(attrs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Freezes all attributes of a node, sorted by name."""
    if not attrs:
        return _NONE
    names = sorted(attrs) if len(attrs) > 1 else attrs
    return MappingProxyType({name: freeze(attrs[name]) for name in names})


def map_attribute(value: Any, function: Callable[[Any], Any]) -> Any:
    """Applies `function` to every leaf of a nested attribute, of a body to its symbolic sizes."""
    if isinstance(value, tuple):
        return tuple([map_attribute(v, function) for v in value])
    return value.map(function) if isinstance(value, Nested) else function(value)


def bind_attributes(attrs: Mapping[str, Any], binding: Mapping[str, int]) -> dict[str, Any]:
    """Gives the symbolic sizes in attributes their numbers."""

    def bind(value: Any) -> Any:
        if type(value) in _PLAIN:
            return value
        if isinstance(value, tuple):
            return tuple([bind(v) for v in value])
        if isinstance(value, Nested):
            return value.numbered(binding)
        return evaluate(value, binding) if isinstance(value, Dim) else value

    return {name: bind(value) for name, value in attrs.items()}

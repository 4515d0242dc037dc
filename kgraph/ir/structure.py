"""Arguments and results of traced functions: leaves in nested tuples, lists and dictionaries.

A `Structure` is what is left without the leaves; it is hashable, so that compiled code can be
kept by it. `None` is a container without leaves.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Structure:
    """A container without its leaves.

    Args:
        kind: `tuple` (or a named tuple's class), `list`, `dict`, None's type, or None for a leaf.
        keys: a dictionary's keys, a named tuple's fields, otherwise the positions.
        parts: the structure of each element.
    """

    kind: type | None = None
    keys: tuple[Hashable, ...] = ()
    parts: tuple[Structure, ...] = ()

    def pack(self, leaves: Iterable[Any]) -> Any:
        """Puts leaves in their places.

        Example:
            >>> leaves, structure = flatten({"w": [1, 2], "b": None})
            >>> structure.pack([3, 4])
            {'w': [3, 4], 'b': None}
        """
        return self._pack(iter(leaves))

    def paths(self, prefix: str) -> list[str]:
        """One name a leaf, an identifier when `prefix` and the keys are: `params_w_0`."""
        if self.kind is None:
            return [prefix]
        names = (f"{prefix}_{key}" if prefix else str(key) for key in self.keys)
        return [path for name, part in zip(names, self.parts) for path in part.paths(name)]

    def _pack(self, leaves: Iterator[Any]) -> Any:
        if self.kind is None:
            return next(leaves)
        values = [part._pack(leaves) for part in self.parts]
        if self.kind is dict:
            return dict(zip(self.keys, values, strict=True))
        if self.kind is type(None):
            return None
        return self.kind(*values) if hasattr(self.kind, "_fields") else self.kind(values)


LEAF = Structure()


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """Takes the leaves out of a tree, in the order of its elements.

    Args:
        tree: nested tuples, lists and dictionaries; everything else is a leaf.

    Returns:
        The leaves, and the structure that packs them again.

    Example:
        >>> flatten((1, {"a": 2}))[0]
        [1, 2]
    """
    leaves: list[Any] = []
    return leaves, _flatten(tree, leaves)


def _flatten(tree: Any, leaves: list[Any]) -> Structure:
    if tree is None:
        return Structure(type(None))
    if isinstance(tree, dict):
        keys = tuple(tree)
        return Structure(dict, keys, tuple([_flatten(v, leaves) for v in tree.values()]))
    if isinstance(tree, (tuple, list)):
        named = hasattr(tree, "_fields")
        kind = type(tree) if named else tuple if isinstance(tree, tuple) else list
        keys = tree._fields if named else tuple(range(len(tree)))  # type: ignore[union-attr]
        return Structure(kind, keys, tuple([_flatten(v, leaves) for v in tree]))
    leaves.append(tree)
    return LEAF

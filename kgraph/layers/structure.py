"""Arguments and results of calls: tensors anywhere in tuples, lists and dictionaries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from kgraph.ir.node import Node


@dataclass(frozen=True, slots=True)
class Slot:
    """The place of leaf `index` in a structure whose leaves were taken out."""

    index: int


def map_structure(function: Callable[[Any], Any], tree: Any) -> Any:
    """Applies `function` to every leaf and keeps the containers."""
    if isinstance(tree, tuple) and hasattr(tree, "_fields"):
        return type(tree)(*[map_structure(function, v) for v in tree])
    if isinstance(tree, (list, tuple)):
        return type(tree)(map_structure(function, v) for v in tree)
    if isinstance(tree, dict):
        return {k: map_structure(function, v) for k, v in tree.items()}
    return function(tree)


def flatten(tree: Any, is_leaf: Callable[[Any], bool]) -> tuple[tuple[Any, ...], Any]:
    """Takes the chosen leaves out of a structure.

    Args:
        tree: nested tuples, lists and dictionaries.
        is_leaf: which leaves to take; the others stay where they are.

    Returns:
        The leaves in order, and the structure with a `Slot` for each.

    Example:
        >>> flatten({"a": [1, "x"], "b": 2}, lambda v: isinstance(v, int))
        ((1, 2), {'a': [Slot(index=0), 'x'], 'b': Slot(index=1)})
    """
    leaves: list[Any] = []

    def take(value: Any) -> Any:
        if not is_leaf(value):
            return value
        leaves.append(value)
        return Slot(len(leaves) - 1)

    template = map_structure(take, tree)
    return tuple(leaves), template


def pack(template: Any, leaves: Sequence[Any]) -> Any:
    """Puts leaves back into the structure that `flatten` returned."""
    return map_structure(lambda v: leaves[v.index] if isinstance(v, Slot) else v, template)


def leaves_of(tree: Any, is_leaf: Callable[[Any], bool]) -> tuple[Any, ...]:
    """The chosen leaves of a structure, in order."""
    if isinstance(tree, Node):
        return (tree,) if is_leaf(tree) else ()
    return flatten(tree, is_leaf)[0]


def is_node(value: Any) -> bool:
    """Whether a leaf is a symbolic tensor."""
    return isinstance(value, Node)


def unpack_singleton(values: Sequence[Any]) -> Any:
    """The only element, or the list of all."""
    return values[0] if len(values) == 1 else list(values)

"""Masks of attention scores: which keys a query may see, and what weights that gives."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node
from kgraph.ir.op import as_node


def causal_mask(queries: int | Dim, keys: int | Dim) -> Any:
    """Whether query i may see key j: no key behind it.

    Args:
        queries: number of queries.
        keys: number of keys.

    Returns:
        Bools of shape (queries, keys), an array unless a number is symbolic.

    Example:
        >>> causal_mask(2, 3).tolist()
        [[True, False, False], [True, True, False]]
    """
    return ops.greater_equal(ops.expand_dims(_places(queries), 1), _places(keys))


def window_mask(queries: int | Dim, keys: int | Dim, width: int) -> Any:
    """Whether key j is less than `width` away from query i.

    Args:
        queries: number of queries.
        keys: number of keys.
        width: positive.

    Returns:
        Bools of shape (queries, keys), an array unless a number is symbolic.

    Example:
        >>> window_mask(1, 3, 2).tolist()
        [[True, True, False]]
    """
    distance = ops.abs(ops.expand_dims(_places(queries), 1) - _places(keys))
    return ops.less(distance, width)


def joined(*masks: Any) -> Any:
    """Where all masks hold that are not None; None if there is none."""
    given = [ops.cast(m, "bool") for m in masks if m is not None]
    return functools.reduce(ops.logical_and, given) if given else None


def weights_of(scores: Any, seen: Any, zeros: bool) -> Any:
    """The softmax of the scores that may be seen.

    Args:
        scores: shape (..., queries, keys).
        seen: bools that broadcast to the scores, or None.
        zeros: whether a query that may see no key weights all values with 0, else alike.

    Example:
        >>> weights_of(ops.full((1, 3), 2.0), [True, True, False], False).tolist()
        [[0.5, 0.5, 0.0]]
    """
    if seen is None:
        return ops.softmax(scores)
    weights = ops.softmax(ops.where(seen, scores, -large(scores.dtype)))
    return ops.where(seen, weights, 0.0) if zeros else weights


def large(dtype: Any) -> float:
    """What a masked score lies below the others: float16 ends at 65504."""
    return 65504.0 if dtype == "float16" else 1e9


def fitted(x: Any, shape: Sequence[int | Dim]) -> Node:
    """The tensor with the promise that its unknown sizes are those of the shape, from the right.

    Sizes of 1 stay, so that masks broadcast.
    """
    node = as_node(x)
    sizes = list(node.shape)
    for axis in range(1, min(len(sizes), len(shape)) + 1):
        found, wanted = sizes[-axis], shape[-axis]
        if isinstance(found, Dim) or (isinstance(wanted, Dim) and found != 1):
            sizes[-axis] = wanted
    return ops.ensure_shape(node, sizes)


def _places(count: int | Dim) -> Any:
    """1, 2, ..., count."""
    return ops.cumsum(ops.full((count,), 1, "int32"))

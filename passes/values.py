"""What rules know about values and shapes without running anything."""

from __future__ import annotations

import math
import weakref
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from kgraph import ops
from kgraph.ir.attributes import bind_attributes
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import const, const_value, is_const
from kgraph.ir.node import Node
from kgraph.ir.types import DTYPES, INTEGERS, TensorType

# Ops through which a constant is still seen as one.
STRETCHING = (ops.broadcast_to, ops.reshape, ops.expand_dims)

# Why factors stay where they are beside sums: what is left out or taken first may not fit.
TOO_SHORT = "float16 may overflow on the way"

# Ops whose results are never negative; exp, squares and absolute values are never -0.0 either.
_NEVER_NEGATIVE = frozenset(["exp", "abs", "square", "sigmoid", "softmax"])

# Source -> the dtypes that hold each of its values exactly.
HOLDS: dict[str, frozenset[str]] = {
    "bool": frozenset(DTYPES),
    "uint8": frozenset(["uint8", "int32", "int64", "float16", "float32", "float64"]),
    "int32": frozenset(["int32", "int64", "float64"]),
    "int64": frozenset(["int64"]),
    "float16": frozenset(["float16", "float32", "float64"]),
    "float32": frozenset(["float32", "float64"]),
    "float64": frozenset(["float64"]),
}


def constant_like(type_: TensorType, value: float) -> Node:
    """One value in a tensor of this type, stored once."""
    scalar = const(np.asarray(value), type_.dtype)
    return stretch(scalar, type_)


def stretch(node: Node, type_: TensorType) -> Node:
    """The node broadcast to a type's shape; itself where it has that shape."""
    return node if node.shape == type_.shape else ops.broadcast_to(node, type_.shape)


def shaped(node: Node, type_: TensorType) -> Node:
    """The node's elements in a type's shape; itself where it has that shape."""
    return node if node.shape == type_.shape else ops.reshape(node, type_.shape)


def layout(node: Node) -> tuple[int, ...]:
    """The strides of a node's longer axes when all symbolic sizes are `_ANY`; views looked through.

    Where the strides differ NumPy and BLAS may add up in another order.
    """
    chain = []
    while node.op.view is not None:
        chain.append(node)
        node = node.inputs[0]
    binding = dict.fromkeys(symbols_of((node, *chain)), _ANY)
    array = _spread(node, binding)
    for move in reversed(chain):
        assert move.op.view is not None
        viewed = move.op.view(array, **bind_attributes(move.attrs, binding))
        array = _spread(move, binding) if viewed is None else viewed
    return tuple([s for s, d in zip(array.strides, array.shape) if d != 1]) if array.size else ()


_ANY = 997


def symbols_of(nodes: tuple[Node, ...]) -> set[str]:
    """Names of the symbolic sizes in the shapes of nodes."""
    found: set[str] = set()
    for node in nodes:
        for size in node.shape:
            found |= size.symbols if isinstance(size, Dim) else set()
    return found


def _spread(node: Node, binding: dict[str, int]) -> np.ndarray:
    """An array of the node's shape in C order that takes no memory."""
    shape = tuple(int(d) for d in node.type.bind(binding).shape)  # type: ignore[arg-type]
    strides = [node.type.itemsize * math.prod(shape[i + 1 :]) for i in range(len(shape))]
    return as_strided(np.empty(1, node.dtype), shape, strides)


def same_layout(old: Node, new: Node) -> bool:
    """Whether sums over either node come out alike; integers and equal elements have no order."""
    if not old.type.is_float or (old.op.view is None and new.op.view is None):
        return True
    try:
        return uniform_value(new) is not None or layout(old) == layout(new)
    except IndexError:  # a slice that needs an axis longer than `_ANY`
        return False


def not_negative(node: Node) -> bool:
    """Whether no element can be below zero or -0.0; NaN is possible."""
    if is_const(node):
        array = const_value(node)
        return not bool(np.any(np.signbit(array) & ~np.isnan(array)))
    if node.op is ops.multiply:
        return node.inputs[0] is node.inputs[1]
    if node.op is ops.cast and node.inputs[0].dtype in ("bool", "uint8"):
        return True
    return node.op.name in _NEVER_NEGATIVE and node.type.is_float


def exact_cast(source: str, middle: str, target: str) -> bool:
    """Whether casting through `middle` gives the same bits as casting at once.

    The middle must hold every value of the source. From floats to integers that is not enough:
    what NaN and numbers outside the range become is up to the processor.
    """
    if middle not in HOLDS[source]:
        return False
    through_float = middle.startswith("float") and target in INTEGERS
    return not through_float or target in HOLDS[source]


def powers_of_two(array: np.ndarray) -> bool:
    """Whether multiplying by the reciprocals gives the same bits as dividing."""
    mantissa, _ = np.frexp(array)
    with np.errstate(all="ignore"):
        inverse = np.reciprocal(array)
    usable = np.isfinite(inverse) & (inverse != 0)
    return bool(array.size and np.all((np.abs(mantissa) == 0.5) & usable))


def size_one(node: Node, axes: Any) -> bool:
    """Whether all these axes have size 1."""
    return all(isinstance(node.shape[a], int) and node.shape[a] == 1 for a in axes)


# Constant node -> the one value of its elements; large constants are scanned once.
_UNIFORM: weakref.WeakKeyDictionary[Node, float | None] = weakref.WeakKeyDictionary()


def uniform_value(node: Node) -> float | None:
    """The value of all elements of a constant, also of a stretched one; None if they differ.

    Example:
        >>> from kgraph.ir import const
        >>> print(uniform_value(const([2.0, 2.0])), uniform_value(const([2.0, 3.0])))
        2.0 None
    """
    while node.op in STRETCHING:
        node = node.inputs[0]
    if not is_const(node):
        return None
    array = const_value(node)
    if array.size == 1:
        return array.item()
    if node not in _UNIFORM:
        _UNIFORM[node] = _scan(array)
    return _UNIFORM[node]


def _scan(array: np.ndarray) -> float | None:
    if array.size == 0:
        return None
    first = array.flat[0]
    same = np.all(array == first) and np.all(np.signbit(array) == np.signbit(first))
    return first.item() if same else None

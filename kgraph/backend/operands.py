"""What K's functions take: tensors, arrays, numbers, and sizes that are not known yet.

A size is an int or a `Dim`. `Sizes`, what `K.shape` returns, is a tuple of them that calculates
like the vector of integers that Keras has in its place; where a tensor is needed it becomes one.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir import Dim, Node, as_array, size
from kgraph.ir.dim import floor_divide
from kgraph.ir.leaves import CONST, SIZE, const_value


class Sizes(tuple[Any, ...]):
    """The sizes of a tensor, with the arithmetic of a vector.

    Example:
        >>> Sizes((2, 3)) * 2, Sizes((4, 6)) // (2, 3), Sizes((1, 2, 3))[1:]
        ((4, 6), (2, 2), (2, 3))
    """

    __slots__ = ()

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return Sizes(found) if isinstance(key, slice) else found

    def _with(self, other: Any, function: Callable[[Any, Any], Any]) -> Any:
        if isinstance(other, Node):
            return NotImplemented
        if not isinstance(other, (Sequence, np.ndarray)):
            return Sizes(function(a, other) for a in self)
        if len(other) != len(self):
            raise ValueError(
                explain(
                    "Arithmetic of shapes goes element by element, as that of tensors",
                    expected=f"a number, or {len(self)} of them",
                    got=other,
                    hint="K.concatenate joins shapes; K.int_shape returns plain tuples",
                )
            )
        return Sizes(function(a, b) for a, b in zip(self, other))

    def __add__(self, other: Any) -> Any:
        return self._with(other, operator.add)

    def __radd__(self, other: Any) -> Any:
        return self._with(other, lambda a, b: b + a)

    def __sub__(self, other: Any) -> Any:
        return self._with(other, operator.sub)

    def __mul__(self, other: Any) -> Any:
        return self._with(other, operator.mul)

    __rmul__ = __mul__  # type: ignore[assignment]

    def __floordiv__(self, other: Any) -> Any:
        return self._with(other, _divided)


def _divided(a: Any, b: Any) -> Any:
    return floor_divide(a, b) if isinstance(b, int) else a // b


def is_size(value: Any) -> bool:
    """Whether a value is a size: an int or a symbol."""
    return isinstance(value, (int, np.integer, Dim)) and not isinstance(value, bool)


def are_sizes(value: Any) -> bool:
    """Whether a value is a sequence of sizes with a symbol among them, or `Sizes`."""
    if isinstance(value, Sizes):
        return True
    given = isinstance(value, (tuple, list)) and any(isinstance(v, Dim) for v in value)
    return given and all(is_size(v) for v in value)


def tensor(value: Any) -> Any:
    """What a caller passes as a tensor: a node, or an array of a dtype that kgraph has.

    Args:
        value: a tensor, an array, numbers in lists, or sizes.

    Returns:
        A node, or an array; sizes give an int64 tensor.

    Example:
        >>> tensor([1, 2])
        array([1, 2], dtype=int32)
        >>> tensor(Dim.symbol("batch")).dtype
        'int64'
    """
    if isinstance(value, Node):
        return value
    if isinstance(value, Dim):
        return size(value)
    if are_sizes(value):
        known = all(not isinstance(v, Dim) for v in value)
        return np.array(value, "int64") if known else ops.stack([size(v) for v in value])
    if isinstance(value, (tuple, list)) and any(isinstance(v, (Node, Dim)) for v in value):
        return ops.stack([tensor(v) for v in value])
    return as_array(value)


def as_size(value: Any) -> Any:
    """A size that a caller wrote as an int, a symbol, or a tensor that holds one of them.

    Args:
        value: an int, a `Dim`, an array or constant of one element, or `K.shape(x)[i]` as a tensor.

    Returns:
        An int or a `Dim`.

    Raises:
        TypeError: it is a tensor whose value is computed when the graph runs.
    """
    if not isinstance(value, Node):
        return value if isinstance(value, Dim) else int(value)
    inner = value
    while inner.op.name == "cast":
        inner = inner.inputs[0]
    if inner.op is SIZE:
        return inner.attrs["dim"]
    if inner.op is CONST:
        return int(const_value(inner).item())
    raise TypeError(
        explain(
            "A size cannot depend on the values of a tensor: shapes are known before the graph "
            "runs, up to the symbols of its inputs' sizes",
            expected="ints, and what K.shape(x)[i] and arithmetic with it give",
            got=value,
            where=value.origin.where,
        )
    )


def as_sizes(shape: Any) -> tuple[Any, ...]:
    """A shape that a caller wrote as numbers, symbols, or one-element tensors that hold them."""
    if isinstance(shape, Node) and shape.op is CONST:
        shape = const_value(shape)
    if isinstance(shape, Node):
        return (as_size(shape),)
    if is_size(shape):
        return (shape,)
    return tuple(as_size(d) for d in shape)

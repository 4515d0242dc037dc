"""Symbolic sizes get their numbers from the arrays that are fed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from kgraph.errors import BindingError, explain
from kgraph.ir.dim import Dim, evaluate
from kgraph.ir.node import Node

Binding = Mapping[str, int]


def bind_shapes(inputs: Sequence[Node], shapes: Sequence[tuple[int, ...]]) -> dict[str, int]:
    """Solves the inputs' symbolic shapes for the shapes of the arrays.

    Args:
        inputs: input nodes.
        shapes: one shape an input.

    Returns:
        Symbol -> number.

    Raises:
        BindingError: a rank or a size does not fit, or two arrays disagree about a symbol.
    """
    binding: dict[str, int] = {}
    for node, shape in zip(inputs, shapes, strict=True):
        if len(shape) != node.ndim:
            raise _mismatch(node, shape, binding)
        for dim, number in zip(node.shape, shape, strict=True):
            if isinstance(dim, Dim) and dim == Dim.symbol(min(dim.symbols)):
                binding.setdefault(min(dim.symbols), number)
    for node, shape in zip(inputs, shapes, strict=True):
        if tuple(evaluate(d, binding) for d in node.shape) != tuple(shape):
            raise _mismatch(node, shape, binding)
    return binding


def feed_arrays(inputs: Sequence[Node], values: Sequence[object]) -> list[np.ndarray]:
    """Makes what is fed to inputs arrays of the inputs' dtypes.

    Args:
        inputs: input nodes.
        values: one array, or what NumPy makes one of, an input.

    Returns:
        One array an input; the caller's own where its dtype fits.

    Raises:
        TypeError: a value is not numeric.
        ValueError: there are too many values or too few.
    """
    if len(inputs) != len(values):
        types = ", ".join(f"{n.name}: {n.type}" for n in inputs)
        raise ValueError(
            explain("wrong number of arrays", expected=types or "none", got=len(values))
        )
    return [feed_array(n, v) for n, v in zip(inputs, values, strict=True)]


def _mismatch(node: Node, shape: tuple[int, ...], binding: Binding) -> BindingError:
    known = ", ".join(f"{name} = {number}" for name, number in binding.items())
    return BindingError(
        explain(
            f"The array for input {node.name} does not fit",
            expected=f"{node.type}" + (f" with {known}" if known else ""),
            got=f"shape {tuple(shape)}",
            where=node.origin.where,
        )
    )


def feed_array(node: Node, value: object) -> np.ndarray:
    """Makes what is fed to an input an array of the input's dtype.

    Raises:
        TypeError: the value is not numeric.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            explain(
                f"The value for input {node.name} is not numeric",
                expected=node.type,
                got=f"{type(value).__name__} of dtype {array.dtype}",
            )
        )
    return array.astype(node.dtype, copy=False)

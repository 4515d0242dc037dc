"""Leaves of the graph (input, const, size, rng_step, arg), and `item`: one of several outputs.

`state`, the sixth leaf, is in `variable.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.attributes import Constant
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op, Sample, as_array, register
from kgraph.ir.types import TensorType, canonical_dtype

_UIDS = itertools.count(1)


def fresh_uid() -> int:
    """A number that no other leaf of this process has."""
    return next(_UIDS)


class Leaf(Op):
    """An op without operands whose value the runtime provides."""

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        raise TypeError(f"{self.name} has no kernel: its value comes from the caller")


class InputOp(Leaf):
    """A tensor that the caller feeds."""

    name = "input"

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return attrs["type"]


class ConstOp(Leaf):
    """A fixed array."""

    name = "const"

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        if not isinstance(attrs["value"], Constant):
            attrs["value"] = Constant(as_array(attrs["value"]))
        return attrs

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        array = attrs["value"].array
        return TensorType(array.shape, canonical_dtype(array.dtype))

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        return attrs["value"].array


class SizeOp(Leaf):
    """The number that a symbolic size has in this run, as an int64 scalar."""

    name = "size"

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        if not isinstance(attrs["dim"], (int, Dim)):
            raise InferenceError(f"dim must be a size, not {attrs['dim']!r}")
        return TensorType((), "int64")

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        return np.array(attrs["dim"], dtype=np.int64)


class RngStepOp(Leaf):
    """The number of the run, which random ops take as their counter."""

    name = "rng_step"

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return TensorType((), "int64")


class ArgOp(Leaf):
    """Parameter `index` of the body that it stands in; equal bodies have equal ones."""

    name = "arg"

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        if type(attrs["index"]) is not int or not isinstance(attrs["type"], TensorType):
            raise InferenceError("needs an index and a type")
        return attrs["type"]


class ItemOp(Op):
    """One output of a node that has several."""

    name = "item"

    def infer_node(
        self, inputs: tuple[Node, ...], attrs: Mapping[str, Any]
    ) -> tuple[TensorType, ...]:
        types, index = inputs[0].types, attrs["index"]
        if not 0 <= index < len(types):
            raise InferenceError(f"output {index} of a node that has {len(types)}")
        return (types[index],)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        raise TypeError("item has no kernel: the runtime hands the output on")

    def samples(self) -> Iterable[Sample]:
        return ()


INPUT, CONST, SIZE = register(InputOp()), register(ConstOp()), register(SizeOp())
RNG_STEP, ARG, ITEM = register(RngStepOp()), register(ArgOp()), register(ItemOp())
LEAVES = ("input", "const", "size", "rng_step", "arg", "state")


def input_node(shape: tuple[int | Dim, ...], dtype: str = "float32", name: str = "input") -> Node:
    """A new input.

    Args:
        shape: sizes, symbolic ones as `Dim`.
        dtype: element type.
        name: the key under which the caller feeds it.

    Returns:
        A new leaf, different from all others.

    Example:
        >>> input_node((2, 3), name="x")
        <x = input: f32[2, 3]>
    """
    type_ = TensorType(tuple(shape), canonical_dtype(dtype))
    return build(INPUT, (), {"name": name, "type": type_, "uid": fresh_uid()})


def const(value: Any, dtype: str | None = None) -> Node:
    """A constant of `value`, which Python numbers make float32, int32 or bool.

    Args:
        value: a number, nested lists or an array.
        dtype: element type; default the value's.

    Returns:
        A node; equal constants are one node.

    Example:
        >>> const([1.0, 2.0]).type
        TensorType(shape=(2,), dtype='float32')
    """
    array = as_array(value, dtype)
    if dtype is not None:
        array = array.astype(canonical_dtype(dtype))
    return build(CONST, (), {"value": array})


def size(dim: int | Dim) -> Node:
    """The number of a size, as an int64 scalar.

    Args:
        dim: a size, symbolic or not.

    Returns:
        An int64 scalar node.

    Example:
        >>> from kgraph.ir.dim import Dim
        >>> size(Dim.symbol("batch")).op.name
        'size'
    """
    return const(np.int64(dim)) if isinstance(dim, int) else build(SIZE, (), {"dim": dim})


def arg(index: int, type_: TensorType) -> Node:
    """A parameter of a body.

    Args:
        index: its place among the parameters.
        type_: its type.

    Returns:
        The leaf, the same for all bodies.

    Example:
        >>> arg(0, TensorType((2,), "float32"))
        <arg: f32[2]>
    """
    return build(ARG, (), {"index": index, "type": type_})


def item(node: Node, index: int) -> Node:
    """Output `index` of a node.

    Args:
        node: a node of several outputs.
        index: which of them.

    Returns:
        A node of one output.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import const
        >>> item(ops.top_k(const([1.0, 3.0]), 1)[0].inputs[0], 1).dtype
        'int64'
    """
    return node if len(node.types) == 1 else build(ITEM, (node,), {"index": index})


def items(node: Node) -> tuple[Node, ...]:
    """All outputs of a node."""
    return tuple(item(node, i) for i in range(len(node.types)))


def is_const(node: Node) -> bool:
    """Whether the node is a constant.

    Args:
        node: any node.

    Returns:
        Whether it is a constant.

    Example:
        >>> is_const(const(1.0))
        True
    """
    return node.op is CONST


def const_value(node: Node) -> np.ndarray:
    """The array of a constant node.

    Args:
        node: a constant.

    Returns:
        Its array, which must not be written to.

    Example:
        >>> const_value(const([1, 2])).tolist()
        [1, 2]
    """
    return node.attrs["value"].array

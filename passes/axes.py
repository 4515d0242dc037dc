"""Ops that name axes, on a tensor whose axes come in another order.

Where `order[i]` is the old place of axis i, an op that keeps the rank gives its old result in that
order when its attributes name the new places. A row of `RENAMED` says how; what has no row, and
what reads its operand flat, stops a change of layout. A reduction that drops axes gives the very
same result if the axes that are left keep their order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kgraph import ops
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op
from kgraph.ops.program import is_elementwise
from kgraph.ops.reductions import Reduction
from kgraph.passes.rules import FunctionRule, Rule

Order = tuple[int, ...]
Attributes = Mapping[str, Any]

_PLACES = frozenset([ops.argmax, ops.argmin])
# Those that give the same bits in any order of elements.
_EXACT = frozenset([ops.max, ops.min, ops.any, ops.all, *_PLACES])


def _permuted(*names: str) -> Callable[[Attributes, Order], Attributes]:
    """Attributes with one entry for each axis."""
    return lambda attrs, order: {n: tuple(attrs[n][a] for a in order) for n in names}


def _one_axis(attrs: Attributes, order: Order) -> Attributes:
    return {"axis": order.index(attrs["axis"])}


def _axes(attrs: Attributes, order: Order) -> Attributes:
    return {"axis": tuple(sorted(order.index(a) for a in attrs["axis"]))}


def _nothing(attrs: Attributes, order: Order) -> Attributes:
    return {}


# Op -> (attributes, order) -> the attributes that change.
RENAMED: dict[Op, Callable[[Attributes, Order], Attributes]] = {
    ops.masked_scale: _nothing,
    **dict.fromkeys(
        (ops.concatenate, ops.softmax, ops.log_softmax, ops.cumsum, ops.argmax, ops.argmin),
        _one_axis,
    ),
    ops.flip: _axes,
    ops.pad: _permuted("pad_width"),
    ops.slice: _permuted("starts", "stops", "steps"),
    ops.slice_grad: _permuted("shape", "starts", "stops", "steps"),
    ops.slice_add: _permuted("starts", "stops", "steps"),
    ops.broadcast_to: _permuted("shape"),
}


def moves_with_axes(node: Node) -> bool:
    """Whether a node can be computed with its axes in any order.

    Args:
        node: any node; its operands may be stretched to its rank.

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((2, 3), name="x")
        >>> [moves_with_axes(n) for n in (ops.softmax(x), ops.sort(x), ops.sum(x, 1))]
        [True, False, False]
    """
    if is_elementwise(node.op):
        return True
    if node.op in _PLACES or isinstance(node.op, Reduction):
        return bool(node.attrs["keepdims"]) and node.attrs["axis"] is not None
    return node.op in RENAMED


def renamed(node: Node, order: Order) -> Attributes:
    """The attributes of a node that `moves_with_axes`, for its axes in another order.

    Args:
        node: the node in its old layout.
        order: the old place of each axis.

    Example:
        >>> from kgraph.ir import input_node
        >>> renamed(ops.softmax(input_node((2, 3), name="x"), axis=1), (1, 0))
        {'axis': 0}
    """
    if is_elementwise(node.op):
        return node.attrs
    rename = _axes if isinstance(node.op, Reduction) else RENAMED[node.op]
    return {**node.attrs, **rename(node.attrs, order)}


def reduced(node: Node, order: Order) -> Attributes | None:
    """The attributes with which a reduction that drops axes gives the same from another layout.

    Args:
        node: any node.
        order: the old place of each axis of its operand.

    Returns:
        None where it is no such reduction, or the axes that are left would change their order.

    Example:
        >>> from kgraph.ir import input_node
        >>> total = ops.sum(input_node((2, 3, 4), name="x"), axis=1)
        >>> reduced(total, (1, 0, 2))["axis"], reduced(total, (2, 1, 0))
        ((0,), None)
    """
    places = node.op in _PLACES
    if not (places or isinstance(node.op, Reduction)) or node.attrs["keepdims"]:
        return None
    axis = node.attrs["axis"]
    if axis is None:
        return None
    dropped = (axis,) if places else axis
    left = [a for a in order if a not in dropped]
    if left != sorted(left):
        return None
    rename = _one_axis if places else _axes
    return {**node.attrs, **rename(node.attrs, order)}


def _reduce_transposed(node: Node) -> Callable[[], Node] | None:
    """reduce(transpose(x)) reduces x along the axes that those are there."""
    source = node.inputs[0]
    axes: Order = source.attrs["axes"]
    back = tuple(sorted(range(len(axes)), key=axes.__getitem__))
    attrs = reduced(node, back)
    return None if attrs is None else (lambda: build(node.op, source.inputs, attrs))


def _is_reduced(exact: bool) -> Callable[[Op, Sequence[Op]], bool]:
    def looks_at(op: Op, operands: Sequence[Op]) -> bool:
        known = op in _PLACES or isinstance(op, Reduction)
        return known and operands[0] is ops.transpose and (op in _EXACT) == exact

    return looks_at


REDUCED: tuple[Rule, ...] = (
    FunctionRule("reduce-transposed", _reduce_transposed, _is_reduced(exact=True)),
    # Elements are added up in another order.
    FunctionRule("sum-transposed", _reduce_transposed, _is_reduced(exact=False), kind="rounding"),
)

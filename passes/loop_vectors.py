"""What ops look like with a time axis before all others: one call instead of one a step.

A row of `SPREAD` turns a node of a loop's body into the node that does the same to whole sequences.
Ops without a row stay in their loop; among these are random ops, whose counters count steps, and
whatever may fail for the values that it gets.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from kgraph import ops
from kgraph.ir.dim import Dim
from kgraph.ir.node import Node, build, rebuild
from kgraph.ir.op import Op
from kgraph.ir.walk import toposort
from kgraph.ops.base import Elementwise
from kgraph.ops.slicing import slice_

Length = int | Dim
# (node of the body, its operands outside, which of them are sequences, length) -> the sequence.
Spread = Callable[[Node, Sequence[Node], Sequence[bool], Length], Node]


def _padded(x: Node, ndim: int) -> Node:
    """A sequence of tensors with so many axes, of size 1 where there were none."""
    length, *shape = x.shape
    missing = ndim + 1 - x.ndim
    return ops.reshape(x, (length, *[1] * missing, *shape)) if missing else x


def _alike(node: Node, xs: Sequence[Node], moving: Sequence[bool], length: Length) -> Node:
    operands = [_padded(x, node.ndim) if moves else x for x, moves in zip(xs, moving)]
    return build(node.op, tuple(operands), node.attrs)


def _reshape(node: Node, xs: Sequence[Node], moving: Sequence[bool], length: Length) -> Node:
    return ops.reshape(xs[0], (length, *node.shape))


def _transpose(node: Node, xs: Sequence[Node], moving: Sequence[bool], length: Length) -> Node:
    return ops.transpose(xs[0], (0, *(axis + 1 for axis in node.attrs["axes"])))


def _broadcast(node: Node, xs: Sequence[Node], moving: Sequence[bool], length: Length) -> Node:
    return ops.broadcast_to(_padded(xs[0], node.ndim), (length, *node.shape))


def _flip(node: Node, xs: Sequence[Node], moving: Sequence[bool], length: Length) -> Node:
    return ops.flip(xs[0], tuple(axis + 1 for axis in node.attrs["axis"]))


def _slice(node: Node, xs: Sequence[Node], moving: Sequence[bool], length: Length) -> Node:
    starts, stops, steps = (node.attrs[name] for name in ("starts", "stops", "steps"))
    return slice_(xs[0], (0, *starts), (length, *stops), (1, *steps))


def _concatenate(node: Node, xs: Sequence[Node], moving: Sequence[bool], length: Length) -> Node:
    operands = [
        x if moves else ops.broadcast_to(x, (length, *x.shape)) for x, moves in zip(xs, moving)
    ]
    return ops.concatenate(operands, node.attrs["axis"] + 1)


def _product(node: Node, xs: Sequence[Node], moving: Sequence[bool], length: Length) -> Node:
    """The rows of all steps times one matrix."""
    rows: Length = 1
    for size in xs[0].shape[:-1]:
        rows = rows * size
    flat = ops.reshape(xs[0], (rows, xs[0].shape[-1]))
    return ops.reshape(ops.matmul(flat, xs[1]), (length, *node.shape))


SPREAD: dict[Op, Spread] = {
    ops.cast: _alike,
    ops.where: _alike,
    ops.reshape: _reshape,
    ops.expand_dims: _reshape,
    ops.squeeze: _reshape,
    ops.transpose: _transpose,
    ops.broadcast_to: _broadcast,
    ops.flip: _flip,
    ops.slice: _slice,
    ops.concatenate: _concatenate,
    ops.matmul: _product,
}


def can_spread(node: Node, moving: Collection[Node]) -> bool:
    """Whether a node can be computed for all steps at once.

    Args:
        node: a node of a body.
        moving: the nodes that differ from step to step; some operand is one of them.
    """
    if node.op is ops.matmul:
        return is_product(node) and node.inputs[0] in moving and node.inputs[1] not in moving
    return (node.op in SPREAD or isinstance(node.op, Elementwise)) and not may_fail(node)


def may_fail(node: Node) -> bool:
    """Whether a node may raise for some values or sizes: where there is no step it must not run."""
    if node.op is ops.power:
        return not node.type.is_float
    bounds = [*node.attrs.get("starts", ()), *node.attrs.get("stops", ())]
    return not all(isinstance(b, int) or b in node.inputs[0].shape for b in bounds)


def is_product(node: Node) -> bool:
    """Whether a node multiplies rows by one matrix or vector."""
    return node.op is ops.matmul and node.inputs[1].ndim <= 2


def spread(
    roots: Sequence[Node],
    sequences: Mapping[Node, Node],
    shared: Mapping[Node, Node],
    length: Length,
) -> list[Node]:
    """Computes nodes of a body for all steps at once.

    Args:
        roots: nodes that differ from step to step.
        sequences: what they are made of -> its sequence.
        shared: leaves of the body that are the same in all steps -> what they stand for.
        length: number of steps.

    Returns:
        The sequences of the roots.

    Example:
        >>> from kgraph.ir import TensorType, input_node
        >>> from kgraph.ir.leaves import arg
        >>> x, w = arg(0, TensorType((2,), "float32")), arg(1, TensorType((2, 5), "float32"))
        >>> xs, weight = input_node((7, 2)), input_node((2, 5))
        >>> spread([ops.tanh(x @ w)], {x: xs}, {w: weight}, 7)
        [<tanh: f32[7, 5]>]
    """
    found, fixed = dict(sequences), dict(shared)
    for node in toposort(roots, stop=(*found, *fixed)):
        if node in found or node in fixed:
            continue
        moving = [n in found for n in node.inputs]
        operands = [found[n] if n in found else fixed[n] for n in node.inputs]
        if any(moving):
            row = SPREAD.get(node.op, _alike)
            found[node] = row(node, operands, moving, length)
        else:
            fixed[node] = rebuild(node, tuple(operands))
    return [found[root] for root in roots]

"""Folding of normalisations into the weights beside them, where the weights are fixed.

At inference a batch normalisation multiplies each channel by a factor and adds an offset, both
made of variables alone. Beside a product with a fixed weight they become part of weight and bias:

    (x @ W + b) * s + t  =  x @ (W * s) + (b * s + t)
    (x * s + t) @ W + b  =  x @ (s[:, None] * W) + (t @ W + b)

and in the same way beside a convolution, but for shifts before one that pads with zeros.

The rules know factors and offsets of channels, not layers, so a normalisation that a user wrote
himself and a plain rescaling fold as well. An op joins by a row in `LINEAR`. Graphs that update
variables are left alone: there the new weights would be computed in every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from kgraph import ops
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op
from kgraph.ir.types import Shape
from kgraph.passes.products import fixed, is_product, is_steady
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule, Rule

SCALES, SHIFTS = (ops.multiply, ops.divide), (ops.add, ops.subtract)
AFFINE = (*SCALES, *SHIFTS)
Found = tuple[Callable[[], Node], tuple[Node, ...]]
OTHER_AXES = "the operand differs along other axes than that of the channels"


@dataclass(frozen=True)
class Linear:
    """How an op that is linear in its first operand and in its weight takes up its surroundings.

    Channels are the last axis of the operand and of the result. A scale is `multiply` or `divide`
    with one number for each channel, or one for all.

    Args:
        accepts: node -> whether it is of the form that the functions know.
        scaled_outputs: (weight, op, vector) -> the weight that scales the result.
        scaled_inputs: (weight, op, vector) -> the weight that does as if the operand were scaled.
        offset: (node, vector) -> what adding the vector to the operand adds to the result's
            channels, if that is the same at every position.
        is_uniform: node -> whether it is; it is not where zeros are padded.
    """

    accepts: Callable[[Node], bool]
    scaled_outputs: Callable[[Node, Op, Node], Node]
    scaled_inputs: Callable[[Node, Op, Node], Node]
    offset: Callable[[Node, Node], Node]
    is_uniform: Callable[[Node], bool] = lambda node: True


def _scaled_rows(weight: Node, op: Op, vector: Node) -> Node:
    return op(weight, ops.expand_dims(vector, 1) if vector.ndim else vector)


def _scaled_channels(weight: Node, op: Op, vector: Node) -> Node:
    """A kernel (*window, channels of a group, filters) whose images would have been scaled."""
    if not vector.ndim or vector.shape == (1,):
        return op(weight, vector)
    *window, seen, filters = map(int, weight.shape)  # a convolution knows its channels
    groups = int(vector.shape[0]) // seen
    if groups == 1:
        return _scaled_rows(weight, op, vector)
    apart = ops.swapaxes(ops.reshape(vector, (groups, seen)), 0, 1)
    grouped = ops.reshape(weight, (*window, seen, groups, filters // groups))
    return ops.reshape(op(grouped, ops.expand_dims(apart, -1)), weight.shape)


def _moved_sums(node: Node, vector: Node) -> Node:
    """What a convolution without padding makes of the same vector in each cell."""
    scaled = _scaled_channels(node.inputs[1], ops.multiply, vector)
    return ops.sum(scaled, axis=tuple(range(scaled.ndim - 1)))


def _is_unpadded(node: Node) -> bool:
    return all(pair == (0, 0) for pair in node.attrs["padding"])


LINEAR: dict[Op, Linear] = {
    ops.matmul: Linear(
        accepts=is_product,
        scaled_outputs=lambda weight, op, vector: op(weight, vector),
        scaled_inputs=_scaled_rows,
        offset=lambda node, vector: ops.matmul(vector, node.inputs[1]),
    ),
    ops.conv: Linear(
        accepts=lambda node: True,
        scaled_outputs=lambda weight, op, vector: op(weight, vector),
        scaled_inputs=_scaled_channels,
        offset=_moved_sums,
        is_uniform=_is_unpadded,
    ),
    # The kernel of a transposed convolution is (*window, filters, channels); at the borders
    # windows overlap less than inside.
    ops.conv_input_grad: Linear(
        accepts=lambda node: node.attrs["groups"] == 1,
        scaled_outputs=_scaled_rows,
        scaled_inputs=lambda weight, op, vector: op(weight, vector),
        offset=_moved_sums,
        is_uniform=lambda node: False,
    ),
}


@dataclass(frozen=True)
class _Biased:
    """`reshape(product + bias)`, where reshape and bias may be missing; `inner` is all of it."""

    product: Node
    given: Node | None
    shift: Op
    shape: Shape
    inner: tuple[Node, ...]

    @property
    def bias(self) -> Node | None:
        """What is added."""
        return None if self.given is None else _signed(self.shift, self.given)

    def rebuilt(self, product: Node, bias: Node | None) -> Node:
        """The same form over another product and bias."""
        result: Any = product if bias is None else product + bias
        return result if result.shape == self.shape else ops.reshape(result, self.shape)


def _biased(node: Node) -> _Biased | None:
    """Reads a node as a product with a fixed weight, its bias and a reshape of its rows."""
    inner, shape = [node], node.shape
    if node.op is ops.reshape and node.shape[-1:] == node.inputs[0].shape[-1:]:
        node = node.inputs[0]
        inner.append(node)
    bias: Node | None = None
    op: Op = ops.add
    if node.op in SHIFTS:
        for other, vector in _sides(node):
            if other.op in LINEAR and fixed(vector) and _per_channel(vector, node.shape):
                bias, op, node = vector, node.op, other
                inner.append(node)
                break
    if node.op not in LINEAR or not LINEAR[node.op].accepts(node):
        return None
    if fixed(node.inputs[0]) or not fixed(node.inputs[1]):
        return None
    return _Biased(node, bias, op, shape, tuple(inner))


def _sides(node: Node) -> Iterator[tuple[Node, Node]]:
    """(tensor, what is done to it), in both orders where the op has no order."""
    a, b = node.inputs
    if a.shape == node.shape:
        yield a, b
    if b.shape == node.shape and node.op in (ops.add, ops.multiply):
        yield b, a


def _per_channel(vector: Node, shape: Shape) -> bool:
    """Whether a tensor broadcasts to the shape along all axes but the last."""
    fits = vector.ndim <= len(shape) and vector.shape[-1:] in ((), (1,), shape[-1:])
    return fits and all(size == 1 for size in vector.shape[:-1])


def _signed(shift: Op, vector: Node) -> Node:
    """What is added, where the shift may be a subtraction."""
    return vector if shift is ops.add else ops.negative(vector)


def _flat(vector: Node) -> Node:
    """One number for each channel, or one for all, without the axes of size 1 in front."""
    return ops.reshape(vector, vector.shape[-1:]) if vector.ndim > 1 else vector


# -- what stands behind a product --------------------------------------------------------------
def fold_after(node: Node) -> Found | str | None:
    """(x @ W + b) * s and (x @ W + b) + t."""
    for tensor, vector in _sides(node):
        found = _biased(tensor) if fixed(vector) else None
        if found is None or (node.op in SHIFTS and found.given is None):
            continue
        if not _per_channel(vector, node.shape):
            return OTHER_AXES
        return partial(_absorb, found, node.op, vector), found.inner
    return None


def _absorb(found: _Biased, op: Op, vector: Node) -> Node:
    product, bias, vector = found.product, found.bias, _flat(vector)
    if op in SCALES:
        x, weight = product.inputs
        weight = LINEAR[product.op].scaled_outputs(weight, op, vector)
        product = build(product.op, (x, weight), product.attrs)
    return found.rebuilt(product, None if bias is None else op(_flat(bias), vector))


# -- what stands before a product --------------------------------------------------------------
@dataclass(frozen=True)
class _Affine:
    """The operand of a product as `reshape(op(tensor, vector))`, the reshape maybe missing."""

    product: Node
    tensor: Node
    op: Op
    vector: Node
    inner: tuple[Node, ...]

    @property
    def operand(self) -> Node:
        """The product's operand without what is done to it."""
        shape = self.product.inputs[0].shape
        return self.tensor if self.tensor.shape == shape else ops.reshape(self.tensor, shape)

    @property
    def channels(self) -> Node:
        """What is done, by channel of the product's operand."""
        shape, last = self.tensor.shape, self.product.inputs[0].shape[-1:]
        if shape[-1:] == last:
            return _flat(self.vector)
        full = ops.broadcast_to(self.vector, (1, *shape[1:]))
        return ops.reshape(full, last)

    def fits(self) -> bool:
        """Whether the same is done to each row of the product's operand."""
        shape, arranged = self.tensor.shape, self.product.inputs[0].shape
        if shape[-1:] == arranged[-1:]:
            return _per_channel(self.vector, shape)
        below = self.vector.ndim < len(shape) or self.vector.shape[0] == 1
        return below and len(arranged) == 2 and arranged[0] == shape[0]


def _affine(product: Node, wanted: Sequence[Op]) -> _Affine | None:
    linear, operand = LINEAR[product.op], product.inputs[0]
    if not linear.accepts(product) or not fixed(product.inputs[1]):
        return None
    if wanted is SHIFTS and not linear.is_uniform(product):
        return None
    changed = operand.inputs[0] if operand.op is ops.reshape else operand
    for tensor, vector in _sides(changed) if changed.op in wanted else ():
        if fixed(vector) and not fixed(tensor):
            inner = (operand,) if changed is operand else (operand, changed)
            return _Affine(product, tensor, changed.op, vector, inner)
    return None


def fold_scale_before(node: Node) -> Found | str | None:
    """(x * s) @ W."""
    found = _affine(node, SCALES)
    if found is None:
        return None
    return (partial(_scale_weight, found), found.inner) if found.fits() else OTHER_AXES


def _scale_weight(found: _Affine) -> Node:
    product = found.product
    scaled = LINEAR[product.op].scaled_inputs(product.inputs[1], found.op, found.channels)
    return build(product.op, (found.operand, scaled), product.attrs)


def fold_shift_before(node: Node) -> Found | str | None:
    """(x + t) @ W, where adding to the result is no more work, or x * s can follow."""
    found = _affine(node, SHIFTS)
    if found is None:
        return None
    if not found.fits():
        return OTHER_AXES
    given, made = node.inputs[0].shape[-1], node.shape[-1]
    if found.tensor.op not in SCALES and not made <= given:
        return "there is no bias, and the result has more channels than the operand"
    return partial(_move_shift, found, None), found.inner


def fold_shift_into_bias(node: Node) -> Found | None:
    """(x + t) @ W + b."""
    for product, bias in _sides(node) if node.op is ops.add else ():
        known = product.op in LINEAR and fixed(bias) and _per_channel(bias, node.shape)
        found = _affine(product, SHIFTS) if known else None
        if found is not None and found.fits():
            return partial(_move_shift, found, bias), (product, *found.inner)
    return None


def _move_shift(found: _Affine, bias: Node | None) -> Node:
    product, last = found.product, found.product.inputs[0].shape[-1:]
    vector = ops.broadcast_to(found.channels, last)
    offset = LINEAR[product.op].offset(product, _signed(found.op, vector))
    moved = build(product.op, (found.operand, product.inputs[1]), product.attrs)
    return ops.add(moved, offset if bias is None else offset + _flat(bias))


def _at_affine(op: Op, operands: Sequence[Op]) -> bool:
    return op in AFFINE


def _at_linear(op: Op, operands: Sequence[Op]) -> bool:
    return op in LINEAR and operands[0] in (*AFFINE, ops.reshape)


FOLD_BATCH_NORM: tuple[Rule, ...] = (
    FunctionRule("fold-scale-before", fold_scale_before, _at_linear, "rounding", users=1),
    FunctionRule("fold-shift-before", fold_shift_before, _at_linear, "rounding", users=1),
    FunctionRule("fold-shift-into-bias", fold_shift_into_bias, _at_affine, "rounding", users=1),
    FunctionRule("fold-after", fold_after, _at_affine, "rounding", users=1),
)


@dataclass(frozen=True)
class FoldBatchNorm(Rewrite):
    """Folds factors and offsets of channels into fixed weights; not in graphs with updates.

    Example:
        >>> from kgraph.ir import Variable, input_node
        >>> import numpy as np
        >>> x, w = input_node((5, 2), name="x"), Variable(np.ones((2, 3), "float32"), name="w")
        >>> s = Variable(np.ones(3, "float32"), name="s")
        >>> graph = FoldBatchNorm().run(Graph((x,), (("y", ops.matmul(x, w) * s),)))
        >>> graph.outputs[0][1].op
        <op matmul>
    """

    rules: tuple[Rule, ...] = field(default=FOLD_BATCH_NORM, repr=False)

    def run(self, graph: Graph) -> Graph:
        """The graph with all rules applied, where that pays."""
        return super().run(graph) if is_steady(graph) else graph

"""Rewrites of what differentiation leaves behind: sparse parts of gradients stay sparse.

A gradient of `take`, of a slice or of class ids is zeros that hold a few numbers. Added to another
tensor, the numbers alone are added; slices that tile a tensor are joined. A step size that is not
finite then reaches the rows that were looked up, not all rows of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial, reduce
from typing import Any

from kgraph import ops
from kgraph.ir.dim import Dim, evaluate
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.passes.cost import SIZE_HINT
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule, MemoryRule, Rule, at, rule
from kgraph.passes.values import shaped, uniform_value

Found = tuple[Callable[[], Node], tuple[Node, ...]]
# Where a piece of a tensor lies, and the piece.
Piece = tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...], Node]

# Adding an update costs about what passing twice over an element of a table does.
MOST_UPDATES = 2
LONGEST_DOT = 1 << 20

x, y = unknowns("x y")
(ids,) = unknowns("ids", dtypes="i")
p, q = unknowns("p q")


# -- tables ------------------------------------------------------------------------------------
@dataclass(frozen=True)
class _Sparse:
    """A tensor of zeros to which rows are added, times numbers.

    Args:
        added: the `scatter_add` nodes, the first one first.
        factors: functions that each turn updates into scaled ones, the first one first.
        nodes: what is no longer needed when the rows are added elsewhere.
    """

    added: tuple[Node, ...]
    factors: tuple[Callable[[Node], Node], ...]
    nodes: tuple[Node, ...]

    def add_to(self, table: Node, sign: int) -> Node:
        """The rows added to a table, or taken off it."""
        parts = [node.inputs[1:] for node in self.added]
        axes = {node.attrs["axis"] for node in self.added}
        if len(parts) > 1 and axes == {0}:
            # One op, which can work in the table's own memory.
            flat = [(ops.reshape(i, (i.size,)), _rows(i, g)) for i, g in parts]
            parts = [tuple(ops.concatenate(column) for column in zip(*flat))]
        for (indices, updates), node in zip(parts, self.added):
            scaled = reduce(lambda g, factor: factor(g), self.factors, updates)
            if sign < 0:
                scaled = ops.negative(scaled)
            table = ops.scatter_add(table, indices, scaled, node.attrs["axis"])
        return table


def _rows(indices: Node, updates: Node) -> Node:
    """Updates with one axis for all ids."""
    return ops.reshape(updates, (indices.size, *updates.shape[indices.ndim :]))


def _read_sparse(node: Node) -> _Sparse | None:
    """Reads a node as zeros with rows added, scaled by scalars."""
    factors: list[Callable[[Node], Node]] = []
    nodes: list[Node] = []
    while node.op is not ops.scatter_add:
        step = _read_factor(node)
        if step is None:
            return None
        nodes.append(node)
        factor, node = step
        factors.append(factor)
    added: list[Node] = []
    while node.op is ops.scatter_add:
        added.append(node)
        node = node.inputs[0]
    if uniform_value(node) != 0:
        return None
    return _Sparse(tuple(added[::-1]), tuple(factors[::-1]), (*nodes, *added))


def _read_factor(node: Node) -> tuple[Callable[[Node], Node], Node] | None:
    """What a node multiplies by, as a function, and what it multiplies."""
    if node.op is ops.multiply:
        for scalar, other in (node.inputs, node.inputs[::-1]):
            if scalar.ndim == 0 and other.ndim:
                return partial(ops.multiply, scalar), other
    elif node.op is ops.divide and node.inputs[1].ndim == 0:
        return lambda g: ops.divide(g, node.inputs[1]), node.inputs[0]
    elif node.op is ops.negative:
        return ops.negative, node.inputs[0]
    elif node.op is ops.cast and node.type.is_float and node.inputs[0].type.is_float:
        return lambda g: ops.cast(g, node.dtype), node.inputs[0]
    return None


def _add_rows(node: Node) -> Found | str | None:
    """w + s * scatter_add(zeros, ids, g) is scatter_add(w, ids, s * g), with no dense tensor."""
    first, second = node.inputs
    sign = -1 if node.op is ops.subtract else 1
    choices = ((second, first),) if sign < 0 else ((second, first), (first, second))
    for candidate, table in choices:
        sparse = _read_sparse(candidate)
        if sparse is None:
            continue
        if candidate.type != node.type or table.type != node.type:
            return "the table is broadcast"
        updates = sum(_count(n.inputs[2]) for n in sparse.added)
        if updates > MOST_UPDATES * _count(node):
            return "there are more updates than elements of the table"
        return partial(sparse.add_to, table, sign), sparse.nodes
    return None


def _count(node: Node) -> int:
    """The number of elements, with the hint for symbolic sizes."""
    size = node.size
    return evaluate(size, dict.fromkeys(size.symbols, SIZE_HINT)) if isinstance(size, Dim) else size


# -- slices ------------------------------------------------------------------------------------
def _read_piece(node: Node) -> Piece | None:
    """Where in zeros a node puts its only operand."""
    if node.op is ops.slice_grad:
        return node.attrs["starts"], node.attrs["stops"], node.attrs["steps"], node.inputs[0]
    if node.op is ops.pad and node.attrs["constant_values"] == 0:
        (given,), starts = node.inputs, tuple(before for before, _ in node.attrs["pad_width"])
        stops = tuple(start + size for start, size in zip(starts, given.shape))
        return starts, stops, (1,) * node.ndim, given
    return None


def _add_slice(node: Node) -> Found | None:
    """x + slice_grad(g) adds g to a part of x, without the zeros around it."""
    for piece, whole in (node.inputs[::-1], node.inputs):
        found = _read_piece(piece)
        if found is not None and whole.type == node.type == piece.type:
            *bounds, g = found
            return partial(ops.slice_add, whole, g, *bounds), (piece,)
    return None


def _join_pieces(node: Node) -> Found | None:
    """A sum of slices' gradients that tile an axis is their concatenation."""
    pieces: list[Piece] = []
    inner: list[Node] = []
    stack = [node]
    while stack:
        part = stack.pop()
        if part is not node:
            inner.append(part)
        if part.type != node.type:
            return None
        found = _read_piece(part)
        if found is not None:
            pieces.append(found)
        elif part.op is ops.slice_add:
            bounds = (part.attrs[k] for k in ("starts", "stops", "steps"))
            pieces.append((*bounds, part.inputs[1]))  # type: ignore[arg-type]
            stack.append(part.inputs[0])
        elif part.op is ops.add:
            stack.extend(part.inputs)
        else:
            return None
    for axis in range(node.ndim):
        tiles = _tiles(node, pieces, axis)
        if tiles is not None:
            return partial(ops.concatenate, tiles, axis), tuple(inner)
    return None


def _tiles(node: Node, pieces: Sequence[Piece], axis: int) -> list[Node] | None:
    """The pieces in the order in which they fill the node's shape along an axis, if they do."""
    after: dict[Any, tuple[Any, Node]] = {}
    for starts, stops, steps, g in pieces:
        whole = all((starts[i], stops[i]) == (0, d) for i, d in enumerate(node.shape) if i != axis)
        if not whole or any(step != 1 for step in steps) or starts[axis] in after:
            return None
        after[starts[axis]] = stops[axis], g
    position, found = 0, []
    while position in after:
        position, g = after.pop(position)
        found.append(g)
    return found if not after and position == node.shape[axis] else None


# -- masks and uniform tensors -----------------------------------------------------------------
def _through_dropout(node: Node, seen: dict[Any, Any]) -> Found | str | None:
    """The gradient of relu with dropout behind it asks the dropout's output instead of the mask.

    An element of the output is positive where relu's is and the mask lets it through. The mask is
    not needed after the forward pass then, and neither is what relu gave. The output must have come
    before in the walk, as it does wherever the cotangent depends on it.
    """
    if node.op is ops.masked_scale:
        seen[node.inputs, node.attrs["scale"]] = node
        return None
    dropped, y = node.inputs
    if dropped.op is not ops.masked_scale:
        return None
    (g, mask), scale = dropped.inputs, dropped.attrs["scale"]
    output = seen.get(((y, mask), scale))
    if output is None:
        return "the mask belongs to another tensor"
    if scale < 1:
        return "scaling may round a positive number to zero"
    return (lambda: ops.relu_grad(g * scale, output)), (dropped,)


def _sums_products(x: Node, y: Node, p: tuple[int, ...]) -> bool | str:
    """Whether a sum of products may be a dot product, whose sum is not made in pairs."""
    if x.dtype == "float16" or x.type != y.type or len(p) != x.ndim or not x.ndim:
        return False
    if not isinstance(x.size, int) or x.size > LONGEST_DOT:
        return "a sum of that many products would lose accuracy"
    return True


def _dot(x: Node, y: Node, root: Node) -> Node:
    flat = [shaped(n, n.type.with_shape((n.size,))) for n in (x, y)]
    return shaped(ops.matmul(*flat), root.type)


def _reads_mask(op: Op, operands: Sequence[Op]) -> bool:
    return op is ops.masked_scale or (op is ops.relu_grad and operands[0] is ops.masked_scale)


def _adds_piece(op: Op, operands: Sequence[Op]) -> bool:
    return op in (ops.add, ops.slice_add) and not {ops.slice_grad, ops.pad}.isdisjoint(operands)


GRADIENTS: tuple[Rule, ...] = (
    FunctionRule("add-scatter", _add_rows, at(ops.add, ops.subtract), kind="rounding", users=1),
    # Adding zeros turns -0.0 into 0.0, which these two save.
    FunctionRule("join-slices", _join_pieces, _adds_piece, kind="rounding", users=1),
    FunctionRule("add-slice", _add_slice, _adds_piece, kind="rounding", users=1),
    rule("sub-one-hot", x - P.one_hot(ids, num_classes=p, dtype=q),
         lambda x, ids: ops.subtract_one_hot(x, ids), users=1,
         where=lambda x, ids, p: (*ids.shape, p) == x.shape or "the tensors are broadcast"),
    MemoryRule("relu-grad-dropout", _through_dropout, _reads_mask, users=1),
    # Norms of gradients, in one pass over them.
    rule("sum-square", P.sum(P.square(x), axis=p, keepdims=q),
         lambda x, root: _dot(x, x, root), kind="rounding", users=1,
         where=lambda x, p: _sums_products(x, x, p)),
    rule("sum-products", P.sum(x * y, axis=p, keepdims=q), _dot, kind="rounding", users=1,
         where=_sums_products),
)  # fmt: skip


@dataclass(frozen=True)
class Gradients(Rewrite):
    """Keeps gradients sparse where differentiation made them so.

    Example:
        >>> from kgraph.ir import Graph, Variable, input_node
        >>> w, ids = Variable([[1.0], [2.0]], "w"), input_node((3,), "int32", "ids")
        >>> g = input_node((3, 1), name="g")
        >>> step = w - 0.1 * ops.scatter_add(ops.zeros_like(w), ids, g)
        >>> Gradients().run(Graph((ids, g), (), ((w, step),))).updates[0][1]
        <scatter_add: f32[2, 1]>
    """

    rules: tuple[Rule, ...] = field(default=GRADIENTS, repr=False)

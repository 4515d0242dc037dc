"""Identities of ops that only move elements: transposes, reshapes, broadcasts, joins.

Sizes may be symbolic: two shapes are the same only if their polynomials are. Broadcasts move down,
towards the outputs, where less is computed; transposes stay, for they are free views, unless one
of them goes away (those around elementwise ops are for `transposes.py`). Slices are in `slices.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kgraph import ops
from kgraph.errors import InferenceError, UndecidableError
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op
from kgraph.ir.types import broadcast_shapes
from kgraph.ops.program import is_elementwise
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.rules import FunctionRule, Rule, at, rule
from kgraph.passes.slices import SLICES
from kgraph.passes.values import shaped

(a,) = unknowns("a", dtypes="bif")
p, q, r = unknowns("p q r")

Found = tuple[Callable[[], Node], tuple[Node, ...]]

_RESHAPING = (ops.reshape, ops.expand_dims, ops.squeeze)
_RESHAPES = {
    "reshape": lambda inner, attr: P.reshape(inner, shape=attr),
    "expand-dims": lambda inner, attr: P.expand_dims(inner, axis=attr),
    "squeeze": lambda inner, attr: P.squeeze(inner, axis=attr),
}


def _same_type(a: Node, root: Node) -> bool:
    return a.type == root.type


def _in_shape_of_root(a: Node, root: Node) -> Node:
    return shaped(a, root.type)


def _reshape_chains() -> tuple[Rule, ...]:
    """Two reshapes are one, or none where the shape comes back."""
    rules = []
    for outer, make_outer in _RESHAPES.items():
        rules.append(rule(f"{outer}-same", make_outer(a, p), lambda a: a, where=_same_type))
        for inner, make_inner in _RESHAPES.items():
            if inner == outer != "reshape":
                continue
            # Without a reshape among them they stay the plain views that they are.
            where = None if "reshape" in (outer, inner) else _same_type
            chain = make_outer(make_inner(a, p), q)
            rules.append(rule(f"{outer}-{inner}", chain, _in_shape_of_root, where=where))
    return tuple(rules)


def _composed(p: tuple[int, ...], q: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(p[axis] for axis in q)


def _drop_broadcasts(node: Node) -> Callable[[], Node] | None:
    """Elementwise ops broadcast by themselves where another operand has the full shape."""
    operands = list(node.inputs)
    for index, operand in enumerate(operands):
        if operand.op is not ops.broadcast_to:
            continue
        source = operand.inputs[0]
        others = [o.shape for i, o in enumerate(operands) if i != index]
        if _broadcast(source.shape, *others) == node.shape:
            operands[index] = source
    if tuple(operands) == node.inputs:
        return None
    return lambda: build(node.op, tuple(operands), node.attrs)


def _broadcast(*shapes: tuple[object, ...]) -> tuple[object, ...] | None:
    try:
        return broadcast_shapes(*shapes)  # type: ignore[arg-type]
    except (InferenceError, UndecidableError):
        return None


def _broadcasts(op: Op, operands: Sequence[Op]) -> bool:
    return is_elementwise(op) and len(operands) > 1 and ops.broadcast_to in operands


def _sink_broadcast(node: Node) -> Callable[[], Node] | None:
    """What is computed on equal elements is computed once and then stretched."""
    stretched = [o for o in node.inputs if o.ndim]
    if not node.type.is_float or any(o.op is not ops.broadcast_to for o in stretched):
        return None
    sources = {o.inputs[0].shape for o in stretched}
    if len(sources) != 1 or any(o.shape != node.shape for o in stretched):
        return None
    operands = tuple(o.inputs[0] if o.ndim else o for o in node.inputs)
    return lambda: ops.broadcast_to(build(node.op, operands, node.attrs), node.shape)


def _sinks(op: Op, operands: Sequence[Op]) -> bool:
    return is_elementwise(op) and ops.broadcast_to in operands


def _uniform_view(node: Node) -> Callable[[], Node] | None:
    """One number in every element needs no reshaping: it is stretched to the new shape at once."""
    stretched = node.inputs[0] if node.op is not ops.broadcast_to else node
    if stretched.op is not ops.broadcast_to:
        return None
    source = stretched.inputs[0]
    if source.size != 1 or (stretched is node and not source.ndim):
        return None
    return lambda: ops.broadcast_to(_scalar(source), node.shape)


def _scalar(node: Node) -> Node:
    """The only element of a node, without axes."""
    while node.ndim and node.op in _RESHAPING and node.inputs[0].size == 1:
        node = node.inputs[0]
    return ops.reshape(node, ()) if node.ndim else node


def _moves_ones(a: Node, p: tuple[int, ...]) -> bool:
    """Whether a transpose leaves the order of all axes that are longer than 1."""
    long = [axis for axis in p if a.shape[axis] != 1]
    return long == sorted(long) and p != tuple(range(len(p)))


def _transpose_product(node: Node) -> Found | None:
    """(a.T @ b).T is b.T @ a, which has a transpose less."""
    product = node.inputs[0]
    left, right = product.inputs
    lead, axes = product.ndim - 2, node.attrs["axes"]
    swapped = (*range(lead), lead + 1, lead)
    if axes != swapped or min(left.ndim, right.ndim) < 2:
        return None
    if not any(o.op is ops.transpose and _swaps_last(o) for o in (left, right)):
        return None
    return lambda: ops.matmul(_swapped(right), _swapped(left)), (product,)


def _swaps_last(node: Node) -> bool:
    return node.attrs["axes"] == (*range(node.ndim - 2), node.ndim - 1, node.ndim - 2)


def _swapped(node: Node) -> Node:
    if node.op is ops.transpose and _swaps_last(node):
        return node.inputs[0]
    return ops.swapaxes(node, -1, -2)


def _at(outer: Op, inner: Op) -> Callable[[Op, Sequence[Op]], bool]:
    return lambda op, operands: op is outer and operands[0] is inner


MOVEMENT: tuple[Rule, ...] = (
    *_reshape_chains(),
    rule("transpose-identity", P.transpose(a, axes=p), lambda a: a,
         where=lambda p: p == tuple(range(len(p)))),
    rule("transpose-transpose", P.transpose(P.transpose(a, axes=p), axes=q),
         lambda a, p, q: ops.transpose(a, _composed(p, q))),
    rule("transpose-ones", P.transpose(a, axes=p), _in_shape_of_root, where=_moves_ones),
    rule("transpose-broadcast", P.transpose(P.broadcast_to(a, shape=p), axes=q),
         lambda a, root: ops.broadcast_to(ops.reshape(a, ()) if a.ndim else a, root.shape),
         where=lambda a: a.size == 1),
    # The product may be added up in another order.
    FunctionRule("transpose-matmul", _transpose_product, _at(ops.transpose, ops.matmul),
                 kind="rounding", users=1),
    rule("flip-nothing", P.flip(a, axis=p), lambda a: a, where=lambda p: p == ()),
    rule("flip-flip", P.flip(P.flip(a, axis=p), axis=p), lambda a: a),
    rule("broadcast-same", P.broadcast_to(a, shape=p), lambda a: a, where=_same_type),
    rule("broadcast-broadcast", P.broadcast_to(P.broadcast_to(a, shape=p), shape=q),
         lambda a, q: ops.broadcast_to(a, q)),
    FunctionRule("uniform-view", _uniform_view, at(ops.broadcast_to, *_RESHAPING)),
    rule("slice-all", P.slice(a, starts=p, stops=q, steps=r), lambda a: a,
         where=lambda a, root, p: a.type == root.type and all(start == 0 for start in p)),
    rule("concatenate-one", P.concatenate(a, axis=p), lambda a: a),
    rule("pad-nothing", P.pad(a, pad_width=p, constant_values=q), lambda a: a,
         where=lambda p: all(pair == (0, 0) for pair in p)),
    FunctionRule("elementwise-broadcast", _drop_broadcasts, _broadcasts),
    # What is added up afterwards lies otherwise in memory, so sums may round otherwise.
    FunctionRule("broadcast-last", _sink_broadcast, _sinks, kind="rounding"),
    *SLICES,
)  # fmt: skip

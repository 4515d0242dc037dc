"""Identities of ops that only move elements: transposes, reshapes, slices, broadcasts, joins.

All are exact. Sizes may be symbolic: two shapes are the same only if their polynomials are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from kgraph import ops
from kgraph.errors import InferenceError, UndecidableError
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op
from kgraph.ir.types import broadcast_shapes
from kgraph.ops.base import Elementwise
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.rules import FunctionRule, Rule, at, rule
from kgraph.passes.values import shaped

(a,) = unknowns("a", dtypes="bif")
p, q, r = unknowns("p q r")

_BOUNDS = ("starts", "stops", "steps")
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


def _compose_slices(node: Node) -> Callable[[], Node] | None:
    """slice(slice(x)): positions in the inner slice become positions in x."""
    inner = node.inputs[0]
    if inner.op is not ops.slice:
        return None
    bounds = []
    for axis, size in enumerate(inner.inputs[0].shape):
        outer, within = ([n.attrs[k][axis] for k in _BOUNDS] for n in (node, inner))
        if within == [0, size, 1]:
            bounds.append(outer)
        elif all(isinstance(d, int) for d in (size, *outer, *within)) and outer[0] < outer[1]:
            first, _, step = within
            # The stop lies just behind the last element, not where the next one would be.
            last = first + (outer[1] - 1) * step
            bounds.append([first + outer[0] * step, last + 1, step * outer[2]])
        else:
            return None  # a size that comes out too small must still be refused
    return lambda: ops.slice(inner.inputs[0], *zip(*bounds))


def _join_slices(node: Node) -> Callable[[], Node] | None:
    """concatenate(x[:i], x[i:j], x[j:]) is x."""
    axis, parts = node.attrs["axis"], node.inputs
    if any(part.op is not ops.slice for part in parts):
        return None
    whole = parts[0].inputs[0]
    position = 0
    for part in parts:
        starts, stops, steps = (part.attrs[name] for name in _BOUNDS)
        full = all((starts[i], stops[i]) == (0, d) for i, d in enumerate(whole.shape) if i != axis)
        if part.inputs[0] is not whole or not full or any(step != 1 for step in steps):
            return None
        if starts[axis] != position:
            return None
        position = stops[axis]
    return partial(_itself, whole) if position == whole.shape[axis] else None


def _piece_of_join(node: Node) -> Callable[[], Node] | None:
    """The slice of a concatenation that is exactly one of its parts."""
    join = node.inputs[0]
    if join.op is not ops.concatenate or any(step != 1 for step in node.attrs["steps"]):
        return None
    axis, position = join.attrs["axis"], 0
    wanted = tuple(zip(node.attrs["starts"], node.attrs["stops"]))
    for part in join.inputs:
        end = position + part.shape[axis]
        bounds = tuple((position, end) if i == axis else (0, d) for i, d in enumerate(part.shape))
        if bounds == wanted:
            return partial(_itself, part)
        position = end
    return None


def _itself(node: Node) -> Node:
    return node


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
    elementwise = op is ops.where or isinstance(op, Elementwise)
    return elementwise and len(operands) > 1 and ops.broadcast_to in operands


MOVEMENT: tuple[Rule, ...] = (
    *_reshape_chains(),
    rule("transpose-identity", P.transpose(a, axes=p), lambda a: a,
         where=lambda p: p == tuple(range(len(p)))),
    rule("transpose-transpose", P.transpose(P.transpose(a, axes=p), axes=q),
         lambda a, p, q: ops.transpose(a, _composed(p, q))),
    rule("flip-nothing", P.flip(a, axis=p), lambda a: a, where=lambda p: p == ()),
    rule("flip-flip", P.flip(P.flip(a, axis=p), axis=p), lambda a: a),
    rule("broadcast-same", P.broadcast_to(a, shape=p), lambda a: a, where=_same_type),
    rule("broadcast-broadcast", P.broadcast_to(P.broadcast_to(a, shape=p), shape=q),
         lambda a, q: ops.broadcast_to(a, q)),
    rule("slice-all", P.slice(a, starts=p, stops=q, steps=r), lambda a: a,
         where=lambda a, root, p: a.type == root.type and all(start == 0 for start in p)),
    FunctionRule("slice-slice", _compose_slices, at(ops.slice)),
    FunctionRule("slice-concatenate", _piece_of_join, at(ops.slice)),
    rule("concatenate-one", P.concatenate(a, axis=p), lambda a: a),
    FunctionRule("concatenate-slices", _join_slices, at(ops.concatenate)),
    rule("pad-nothing", P.pad(a, pad_width=p, constant_values=q), lambda a: a,
         where=lambda p: all(pair == (0, 0) for pair in p)),
    FunctionRule("elementwise-broadcast", _drop_broadcasts, _broadcasts),
)  # fmt: skip

"""Reductions: over axes of size 1, of reductions, of what was scaled, transposed or stretched.

Sums of floats in another order round otherwise, so most rules here are `rounding`. Their twins for
integers and bools, whose sums wrap around and whose extremes have one zero, are exact. Factors do
not move out of sums of float16, whose largest number is 65504: what is left may not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.ir.dim import product
from kgraph.ir.leaves import const, const_value, is_const
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op
from kgraph.ops.base import reduced_shape
from kgraph.ops.reductions import count
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.rules import FunctionRule, Rule, rule
from kgraph.passes.values import TOO_SHORT, constant_like, shaped, size_one

Found = tuple[Callable[[], Node], tuple[Node, ...]]

x, p, q, r, t = unknowns("x p q r t")
(a,) = unknowns("a", dtypes="bif")
i = unknowns("i", dtypes="bi")[0]
(k,) = unknowns("k", constant=True)

REDUCE = frozenset([ops.sum, ops.mean, ops.prod, ops.max, ops.min, ops.any, ops.all])
# Ops with the attributes `axis` and `keepdims` and nothing else.
KEEPING = REDUCE | {ops.logsumexp}
# Of many equal elements these make one of them.
_IDEMPOTENT = frozenset([ops.mean, ops.max, ops.min, ops.any, ops.all])
_RESHAPING = frozenset([ops.reshape, ops.squeeze, ops.expand_dims])


def _over(outer: frozenset[Op], inner: frozenset[Op]) -> Callable[[Op, Sequence[Op]], bool]:
    return lambda op, operands: op in outer and operands[0] in inner


def _axes(node: Node) -> tuple[int, ...]:
    return tuple(node.attrs["axis"])


def _reduce_reduce(node: Node) -> Found | None:
    """One reduction over the axes of both."""
    inner = node.inputs[0]
    if inner.op is not node.op:
        return None
    source, axes = inner.inputs[0], _axes(inner)
    kept = [i for i in range(source.ndim) if inner.attrs["keepdims"] or i not in axes]
    both = tuple(sorted({*axes, *(kept[i] for i in _axes(node))}))
    keepdims = len(reduced_shape(source.shape, both, True)) == node.ndim
    attrs = {"axis": both, "keepdims": keepdims}
    return lambda: shaped(build(node.op, (source,), attrs), node.type), (inner,)


def _reduce_scaled(node: Node) -> Found | str | None:
    """sum(x * c) is sum(x) * c for one finite number c, and sum(-x) is -sum(x)."""
    inner = node.inputs[0]
    if not node.type.is_float:
        return None
    if inner.op is not ops.negative:
        if node.dtype == "float16":
            return TOO_SHORT
        factor = inner.inputs[1]
        if not is_const(factor) or factor.ndim or inner.inputs[0].shape != inner.shape:
            return None
        value = const_value(factor)
        if not np.isfinite(value) or value == 0:
            return None
    scale = inner.inputs[1:]
    return (
        lambda: build(inner.op, (build(node.op, (inner.inputs[0],), node.attrs), *scale)),
        (inner,),
    )


def _reduce_transposed(node: Node) -> Found | None:
    """The same elements reduced where they lie; what is left may be transposed instead."""
    inner = node.inputs[0]
    source, order = inner.inputs[0], inner.attrs["axes"]
    axes = tuple(sorted(order[i] for i in _axes(node)))
    left = [order[i] for i in range(source.ndim) if i not in _axes(node)]
    sorted_left = sorted(left)

    def make() -> Node:
        result = build(node.op, (source,), {"axis": axes, "keepdims": False})
        if left != sorted_left:
            result = ops.transpose(result, [sorted_left.index(i) for i in left])
        return shaped(result, node.type)

    return make, () if left == sorted_left else (inner,)


def _stretched(node: Node) -> tuple[tuple[int | Any, ...], tuple[int, ...]]:
    """The shape of a broadcast's operand with all axes, and the axes along which it repeats."""
    before, after = node.inputs[0].shape, node.shape
    padded = (1,) * (len(after) - len(before)) + before
    return padded, tuple(i for i, (b, a) in enumerate(zip(padded, after)) if b != a)


def _reduce_broadcast(node: Node) -> Callable[[], Node] | str | None:
    """The sum of n equal elements is n times one; their mean or extreme is the element."""
    inner = node.inputs[0]
    padded, repeated = _stretched(inner)
    gone = tuple(i for i in _axes(node) if i in repeated)
    rest = tuple(i for i in _axes(node) if i not in repeated)
    number = product(inner.shape[i] for i in gone)
    if not gone or node.op is ops.prod or node.dtype != inner.dtype:
        return None
    if node.op in _IDEMPOTENT and (not isinstance(number, int) or number == 0):
        return "there may be no elements"
    kept = reduced_shape(inner.shape, _axes(node), True)

    def make() -> Node:
        one = shaped(inner.inputs[0], inner.type.with_shape(padded))
        one = build(node.op, (one,), {"axis": rest, "keepdims": True}) if rest else one
        if node.op is ops.sum:
            one = _times(one, number, inner, gone)
        one = one if one.shape == kept else ops.broadcast_to(one, kept)
        return shaped(one, node.type)

    return make


def _times(one: Node, number: Any, inner: Node, axes: tuple[int, ...]) -> Node:
    """one * number, and 0 where there are no elements, however large the one that repeats."""
    if number == 0:
        return constant_like(one.type, 0)
    if one.dtype == "float16":  # the number of elements may exceed its range
        wide, elements = ops.cast(one, "float32"), ops.cast(inner, "float32")
        return ops.cast(_times(wide, number, elements, axes), one.dtype)
    if isinstance(number, int):
        return one * const(np.asarray(number), one.dtype)
    factor = count(inner, axes)
    return ops.where(ops.equal(factor, 0), 0, one * factor)


def _flip_keepdims(node: Node) -> Found | None:
    """Reductions keep or drop their axes by themselves."""
    inner = node.inputs[0]
    keepdims = not inner.attrs["keepdims"]
    if reduced_shape(inner.inputs[0].shape, _axes(inner), keepdims) != node.shape:
        return None
    attrs = {"axis": _axes(inner), "keepdims": keepdims}
    return lambda: build(inner.op, inner.inputs, attrs), (inner,)


def _twins(
    name: str,
    find: Callable[[Node], Any],
    looks_at: Callable[[Op, Sequence[Op]], bool],
    users: int | None = 1,
) -> tuple[Rule, ...]:
    """A rule that rounds floats otherwise, and is exact for everything else."""

    def floats(node: Node) -> Any:
        return find(node) if node.inputs[0].type.is_float else None

    def others(node: Node) -> Any:
        return None if node.inputs[0].type.is_float else find(node)

    return (
        FunctionRule(name, floats, looks_at, "rounding", users),
        FunctionRule(f"{name}-int", others, looks_at, "exact", users),
    )


def _is_scalar(k: Node, x: Node, p: tuple[int, ...]) -> bool | str:
    if x.dtype == "float16":
        return TOO_SHORT
    number = product(x.shape[axis] for axis in p)
    if k.ndim or not isinstance(number, int) or number < 2:
        return False
    with np.errstate(all="ignore"):
        factor = np.abs(const_value(k) / const_value(k).dtype.type(number))
    return bool(np.isfinite(factor) and factor >= np.finfo(factor.dtype).tiny)


def _sum_scaled(x: Node, k: Node, p: tuple[int, ...], q: bool) -> Node:
    number: Any = product(x.shape[axis] for axis in p)
    factor = const_value(k) / const_value(k).dtype.type(number)
    return ops.sum(x, axis=p, keepdims=q) * const(factor, k.dtype)


# Also for `transposes.py`, before gradients are taken.
REDUCE_TRANSPOSED: tuple[Rule, ...] = tuple(
    _twins("reduce-transpose", _reduce_transposed, _over(REDUCE, frozenset([ops.transpose])))
)

REDUCTIONS: tuple[Rule, ...] = (
    rule("max-one", P.max(a, axis=p, keepdims=q), lambda a, root: shaped(a, root.type),
         where=lambda a, p: size_one(a, p)),
    rule("min-one", P.min(a, axis=p, keepdims=q), lambda a, root: shaped(a, root.type),
         where=lambda a, p: size_one(a, p)),
    rule("sum-one-int", P.sum(i, axis=p, keepdims=q), lambda i, root: shaped(i, root.type),
         where=lambda i, p, root: size_one(i, p) and i.dtype == root.dtype),
    # NumPy starts a sum from 0.0, so a lone -0.0 loses its sign.
    rule("sum-one", P.sum(x, axis=p, keepdims=q), lambda x, root: shaped(x, root.type),
         kind="rounding", where=lambda x, p: size_one(x, p)),
    rule("mean-one", P.mean(x, axis=p, keepdims=q), lambda x, root: shaped(x, root.type),
         kind="rounding", where=lambda x, p: size_one(x, p)),
    FunctionRule("flip-keepdims", _flip_keepdims, _over(_RESHAPING, KEEPING), users=1),
    *_twins("reduce-reduce", _reduce_reduce, _over(REDUCE, REDUCE)),
    FunctionRule("reduce-scaled", _reduce_scaled,
                 _over(frozenset([ops.sum, ops.mean]),
                       frozenset([ops.multiply, ops.divide, ops.negative])), "rounding", 1),
    *REDUCE_TRANSPOSED,
    *_twins("reduce-broadcast", _reduce_broadcast, _over(REDUCE, frozenset([ops.broadcast_to])),
            None),
    # The mean divides the sum by itself; with a factor beside it one division is one too many.
    rule("mean-scaled", P.mean(x, axis=p, keepdims=q) * k, _sum_scaled, kind="rounding", users=1,
         where=_is_scalar),
)  # fmt: skip

"""Constants meet: two around one operand become one, and one beside an operand stands last.

On floats these are other roundings, and never where constants cancel, overflow or vanish: who
writes `(x + 1e8) - 1e8` wants the rounding. On integers they are exact, for those count modulo a
power of two. A difference stays a difference: `a + (-1) * b` would hide it from other rules.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kgraph import ops
from kgraph.ir.leaves import CONST, const, const_value
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op
from kgraph.ir.types import INTEGERS
from kgraph.ops.program import is_elementwise
from kgraph.passes.pattern import P, Pattern, unknowns
from kgraph.passes.rules import FunctionRule, MemoryRule, PatternRule, Rule, at, rule

Found = tuple[Callable[[], Node], tuple[Node, ...]]

(x,) = unknowns("x")
(n,) = unknowns("n", dtypes="i")
(s,) = unknowns("s", dtypes="if")
k, h = unknowns("k h", dtypes="if", constant=True)
i, j = unknowns("i j", dtypes="i", constant=True)

# Equal bits in both orders. Of 0.0 and -0.0 NumPy's maximum returns the second, so the extremes of
# floats are not among them.
COMMUTATIVE = frozenset(
    [ops.add, ops.multiply, ops.equal, ops.not_equal, ops.logaddexp, ops.logical_and,
     ops.logical_or, ops.logical_xor, ops.bitwise_and, ops.bitwise_or, ops.bitwise_xor]
)  # fmt: skip
EXTREMES = frozenset([ops.maximum, ops.minimum])


def _small(k: Node, h: Node) -> bool:
    """Whether the constant made of both is no larger than they are."""
    return k.shape == h.shape or () in (k.shape, h.shape)


def _usable(array: np.ndarray) -> bool:
    """Whether no element has overflowed, vanished or lost digits below the smallest normal."""
    normal = np.abs(array) >= np.finfo(array.dtype).tiny
    return bool(np.all(np.isfinite(array) & normal))


def _joined(k: Node, h: Node, ufunc: np.ufunc) -> np.ndarray:
    with np.errstate(all="ignore"):
        return np.asarray(ufunc(const_value(k), const_value(h)))


def _product(k: Node, h: Node) -> bool | str:
    if not _small(k, h):
        return False
    return _usable(_joined(k, h, np.multiply)) or "the constants' product is out of range"


def _quotient(k: Node, h: Node) -> bool | str:
    if not _small(k, h):
        return False
    return _usable(_joined(k, h, np.true_divide)) or "the constants' quotient is out of range"


def _same_signs(k: Node, h: Node) -> bool | str:
    if not _small(k, h):
        return False
    same = _joined(k, h, lambda a, c: np.sign(a) * np.sign(c) > 0)  # type: ignore[arg-type]
    return bool(same.all() and _usable(_joined(k, h, np.add))) or "the constants cancel"


def _other_signs(k: Node, h: Node) -> bool | str:
    if not _small(k, h):
        return False
    other = _joined(k, h, lambda a, c: np.sign(a) * np.sign(c) < 0)  # type: ignore[arg-type]
    return bool(other.all() and _usable(_joined(k, h, np.subtract))) or "the constants cancel"


def _float(
    name: str, left: Pattern, right: Callable[..., Node], where: Callable[..., bool | str]
) -> PatternRule:
    return rule(name, left, right, where=where, kind="rounding", users=1)


def _integer(name: str, left: Pattern, right: Callable[..., Node]) -> PatternRule:
    return rule(name, left, right, where=lambda i, j: _small(i, j), users=1)


def _no_zeros(k: Node, h: Node) -> bool:
    """Which of 0.0 and -0.0 wins is up to the order of the operands."""
    return _small(k, h) and all(const_value(c).all() for c in (k, h))


def _bounds(k: Node, h: Node) -> bool:
    low, high = const_value(k), const_value(h)
    return low.ndim == high.ndim == 0 and bool(low <= high)


def _clip(s: Node, k: Node, h: Node) -> Node:
    return ops.clip(s, const_value(k).item(), const_value(h).item())


def _factored(node: Node) -> tuple[Node, Node, Node] | None:
    """x, a and b of x * a + x * b."""
    left, right = (product.inputs for product in node.inputs)
    shared = [i for i in left if i in right]
    if not shared or node.inputs[0] is node.inputs[1]:
        return None
    factor = shared[0]
    a, c = (i[1] if i[0] is factor else i[0] for i in (left, right))
    return (factor, a, c) if a.shape == c.shape else None


def _factor(node: Node, allowed: Callable[[Node, Node], bool | str]) -> Found | str | None:
    parts = _factored(node)
    if parts is None:
        return None
    factor, a, c = parts
    verdict = allowed(a, c)
    if verdict is not True:
        return verdict or None
    return lambda: factor * (a + c), node.inputs


def _factor_constants(node: Node) -> Found | str | None:
    both = lambda a, c: a.op is c.op is CONST and _same_signs(a, c)  # noqa: E731
    return _factor(node, both) if node.type.is_float else None


def _factor_int(node: Node) -> Found | str | None:
    return _factor(node, lambda a, c: True) if node.dtype in INTEGERS else None


def _factor_any(node: Node) -> Found | str | None:
    return _factor(node, lambda a, c: True) if node.type.is_float else None


def _sum_of_products(op: Op, operands: Sequence[Op]) -> bool:
    return op is ops.add and operands[0] is operands[1] is ops.multiply


def _put_last(node: Node) -> Callable[[], Node] | None:
    """Constants on the right, so that `2 * x` and `x * 2` are one node."""
    first, second = node.inputs
    return lambda: build(node.op, (second, first))


def _constant_first(op: Op, operands: Sequence[Op]) -> bool:
    return op in COMMUTATIVE and operands[0] is CONST and operands[1] is not CONST


def _first_order(
    node: Node, memory: dict[tuple[Op, frozenset[Node]], Node]
) -> Callable[[], Node] | None:
    """`b + a` is the `a + b` that was there before."""
    known = memory.setdefault((node.op, frozenset(node.inputs)), node)
    return None if known is node else lambda: known


# Rules that make quotients which should be whole fall short of it.
QUOTIENTS = ("div-constant", "div-constants", "div-mul-constants", "mul-div-constants")
# Here a quotient that should be whole must be.
_COUNTING = frozenset(
    [ops.floor, ops.ceil, ops.round, ops.floor_divide, ops.mod, ops.equal, ops.not_equal]
)  # fmt: skip


def counts_quotients(nodes: Sequence[Node]) -> bool:
    """Whether a quotient by a constant decides where a step is: 49 * (1 / 49) rounds to below 1.

    Args:
        nodes: all nodes of a graph, operands first.
    """
    quotients = {n for n in nodes if n.op is ops.divide and n.inputs[1].op is CONST}
    for node in nodes if quotients else ():
        if not quotients.isdisjoint(node.inputs):
            to_integer = node.op is ops.cast and not node.type.is_float
            if to_integer or node.op in _COUNTING:
                return True
            if is_elementwise(node.op):
                quotients.add(node)
    return False


def _has_reciprocal(k: Node) -> bool:
    with np.errstate(all="ignore"):
        return _usable(np.reciprocal(const_value(k)))


CONSTANTS: tuple[Rule, ...] = (
    FunctionRule("constant-last", _put_last, _constant_first),
    _float("mul-constants", x * k * h, lambda x, k, h: x * (k * h), _product),
    _float("div-mul-constants", x / k * h, lambda x, k, h: x * (h / k),
           lambda k, h: _quotient(h, k)),
    _float("mul-div-constants", x * k / h, lambda x, k, h: x * (k / h), _quotient),
    _float("div-constants", x / k / h, lambda x, k, h: x / (k * h), _product),
    _float("constant-div-mul", k / x * h, lambda x, k, h: k * h / x, _product),
    _float("add-constants", (x + k) + h, lambda x, k, h: x + (k + h), _same_signs),
    _float("sub-constants", (x - k) - h, lambda x, k, h: x - (k + h), _same_signs),
    _float("add-sub-constants", (x + k) - h, lambda x, k, h: x + (k - h), _other_signs),
    _float("sub-add-constants", (x - k) + h, lambda x, k, h: x - (k - h), _other_signs),
    _float("constant-sub-add", (k - x) + h, lambda x, k, h: (k + h) - x, _same_signs),
    FunctionRule("factor-constants", _factor_constants, _sum_of_products, "rounding", 1),
    _integer("mul-constants-int", n * i * j, lambda n, i, j: n * (i * j)),
    _integer("add-constants-int", (n + i) + j, lambda n, i, j: n + (i + j)),
    _integer("sub-constants-int", (n - i) - j, lambda n, i, j: n - (i + j)),
    _integer("add-sub-constants-int", (n + i) - j, lambda n, i, j: n + (i - j)),
    _integer("sub-add-constants-int", (n - i) + j, lambda n, i, j: n - (i - j)),
    _integer("constant-sub-add-int", (i - n) + j, lambda n, i, j: (i + j) - n),
    FunctionRule("factor-int", _factor_int, _sum_of_products, users=1),
    # With an infinite x the sum may be NaN on one side only.
    FunctionRule("factor", _factor_any, _sum_of_products, "fast", 1),
    rule("negative-mul-constant", P.negative(s * k), lambda s, k: s * -k, users=1),
    rule("mul-constant-negative", -s * k, lambda s, k: s * -k),
    rule("negative-div-constant", P.negative(x / k), lambda x, k: x / -k, users=1),
    # Multiplication is several times as fast; see `counts_quotients` for when it may not be.
    rule("div-constant", x / k, lambda x, k: x * const(1 / const_value(k), k.dtype),
         where=_has_reciprocal, kind="rounding"),
    rule("max-max-constants", P.maximum(P.maximum(s, k), h),
         lambda s, k, h: ops.maximum(s, ops.maximum(k, h)), where=_no_zeros, users=1),
    rule("min-min-constants", P.minimum(P.minimum(s, k), h),
         lambda s, k, h: ops.minimum(s, ops.minimum(k, h)), where=_no_zeros, users=1),
    # At a bound of 0 the sign of zero may differ.
    rule("min-max-clip", P.minimum(P.maximum(s, k), h), _clip, kind="rounding", where=_bounds,
         users=1),
    rule("max-min-clip", P.maximum(P.minimum(s, h), k), _clip, kind="rounding", where=_bounds,
         users=1),
)  # fmt: skip

# Tried last: only normal forms are worth remembering.
COMMUTED: tuple[Rule, ...] = (
    MemoryRule("commuted", _first_order, at(*COMMUTATIVE)),
    # The one of two zeros that wins is the second, whichever it is.
    MemoryRule("commuted-extremes", _first_order, at(*EXTREMES), kind="rounding"),
)

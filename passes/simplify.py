"""Algebraic identities, folded together with constants to one fixpoint.

Each line is an equation with its name. `x y z` stand for floats, `n m` for integers, `a b d` for
numbers of any dtype, `c` for bools, `k` for constants and `p q` for attributes. All rules are exact
unless they say otherwise; `fast` ones hold for real numbers only and are off by default.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from kgraph import ops
from kgraph.ir.graph import Graph, toposort
from kgraph.ir.leaves import const, const_value
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.passes.constants import COMMUTED, CONSTANTS, QUOTIENTS, counts_quotients
from kgraph.passes.fold import FOLD
from kgraph.passes.movement import MOVEMENT
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.reducing import REDUCTIONS
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule, Rule, at, rule
from kgraph.passes.values import (
    constant_like,
    exact_cast,
    not_negative,
    powers_of_two,
    stretch,
)

x, y, p, q = unknowns("x y p q")
n, m = unknowns("n m", dtypes="i")
a, b, d = unknowns("a b d", dtypes="bif")
s, t = unknowns("s t", dtypes="if")
c, e = unknowns("c e", dtypes="b")
i = unknowns("i", dtypes="bi")[0]
(k,) = unknowns("k", constant=True)


def _reciprocal(k: Node) -> Node:
    return const(1 / const_value(k), k.dtype)


_OPPOSITE: dict[Op, Op] = {
    ops.less: ops.greater_equal, ops.less_equal: ops.greater, ops.greater: ops.less_equal,
    ops.greater_equal: ops.less, ops.equal: ops.not_equal, ops.not_equal: ops.equal,
}  # fmt: skip


def _negated_comparison(node: Node) -> Callable[[], Node] | None:
    """not (n < m) is n >= m; with a NaN among floats both are false."""
    inner = node.inputs[0]
    if inner.inputs[0].type.is_float and inner.op not in (ops.equal, ops.not_equal):
        return None
    return lambda: _OPPOSITE[inner.op](*inner.inputs)


def _of_comparison(op: Op, operands: Sequence[Op]) -> bool:
    return op is ops.logical_not and operands[0] in _OPPOSITE


def _round_rounded(node: Node) -> Callable[[], Node] | None:
    """An integer is its own floor, ceil and round, in a float too."""
    operand = node.inputs[0]
    if operand.type.is_float and operand.op not in _ROUNDING:
        return None
    return lambda: operand


_ROUNDING = (ops.floor, ops.ceil, ops.round)


ARITHMETIC: tuple[Rule, ...] = (
    rule("mul-one", a * 1, lambda a: a),
    rule("mul-minus-one", s * -1, lambda s: -s),
    rule("div-one", x / 1, lambda x: x),
    rule("div-minus-one", x / -1, lambda x: -x),
    # Both sides round the same real number, so multiplying gives the bits of dividing.
    rule("div-power-of-two", x / k, lambda x, k: x * _reciprocal(k),
         where=lambda k: powers_of_two(const_value(k))),
    rule("floor-div-one", P.floor_divide(n, 1), lambda n: n),
    rule("mod-one", P.mod(n, 1), lambda n, root: constant_like(root.type, 0)),
    rule("sub-zero", s - 0, lambda s: s),
    rule("add-zero", i + 0, lambda i: i),
    rule("add-minus-zero", x + -0.0, lambda x: x),
    # -0.0 + 0.0 is 0.0, so the zero may go only where no -0.0 can come.
    rule("add-zero-positive", x + 0, lambda x: x,
         where=lambda x: not_negative(x) or "the operand may be -0.0"),
    rule("sub-negative", s - -t, lambda s, t: s + t),
    rule("add-negative", s + -t, lambda s, t: s - t),
    rule("mul-negatives", -s * -t, lambda s, t: s * t),
    rule("div-negatives", -x / -y, lambda x, y: x / y),
    rule("negative-negative", P.negative(-s), lambda s: s),
    rule("sub-same-int", n - n, lambda root: constant_like(root.type, 0)),
    rule("mul-zero-int", n * 0, lambda root: constant_like(root.type, 0)),
    rule("mul-same", s * s, lambda s: ops.square(s)),
    FunctionRule("round-rounded", _round_rounded, at(*_ROUNDING)),
    rule("abs-abs", P.abs(P.abs(a)), lambda a: ops.abs(a)),
    rule("abs-negative", P.abs(-x), lambda x: ops.abs(x)),
    rule("abs-positive", P.abs(x), lambda x: x, where=lambda x: not_negative(x)),
    rule("max-same", P.maximum(a, a), lambda a: a),
    rule("min-same", P.minimum(a, a), lambda a: a),
    rule("relu-relu", P.relu(P.relu(s)), lambda s: ops.relu(s)),
)  # fmt: skip

POWERS: tuple[Rule, ...] = (
    rule("power-one", s**1, lambda s: s),
    rule("power-zero", s**0, lambda root: constant_like(root.type, 1)),
    rule("power-two-int", n**2, lambda n: ops.square(n)),
    rule("power-three-int", n**3, lambda n: ops.square(n) * n),
    # NumPy's own x**2 is a square; pow(x, 2) may differ in the last bit.
    rule("power-two", x**2, lambda x: ops.square(x), kind="rounding"),
    rule("power-three", x**3, lambda x: ops.square(x) * x, kind="rounding"),
    rule("power-four", x**4, lambda x: ops.square(ops.square(x)), kind="rounding"),
    rule("power-minus-one", x**-1, lambda x: ops.reciprocal(x), kind="rounding"),
    # The square of a large number may overflow where that of its reciprocal does not vanish.
    rule("power-minus-two", x**-2, lambda x: ops.square(ops.reciprocal(x)), kind="rounding"),
    rule("reciprocal-sqrt", P.reciprocal(P.sqrt(x)), lambda x: ops.rsqrt(x)),
    rule("one-over-sqrt", 1 / P.sqrt(x), lambda x: ops.rsqrt(x)),
)  # fmt: skip

LOGIC: tuple[Rule, ...] = (
    # Arithmetic of bools is logic; no rule for numbers need think of it.
    rule("mul-bools", c * e, lambda c, e: c & e),
    rule("add-bools", c + e, lambda c, e: c | e),
    rule("max-bools", P.maximum(c, e), lambda c, e: c | e),
    rule("min-bools", P.minimum(c, e), lambda c, e: c & e),
    rule("not-not", ~~c, lambda c: c),
    rule("and-same", c & c, lambda c: c),
    rule("and-true", c & True, lambda c: c),
    rule("and-false", c & False, lambda root: constant_like(root.type, False)),
    rule("or-same", c | c, lambda c: c),
    rule("or-false", c | False, lambda c: c),
    rule("or-true", c | True, lambda root: constant_like(root.type, True)),
    rule("xor-same", c ^ c, lambda root: constant_like(root.type, False)),
    rule("xor-false", c ^ False, lambda c: c),
    rule("xor-true", c ^ True, lambda c: ~c),
    # NaN differs from itself, so these hold for integers and bools only.
    rule("equal-same", P.equal(i, i), lambda root: constant_like(root.type, True)),
    rule("not-equal-same", P.not_equal(i, i), lambda root: constant_like(root.type, False)),
    FunctionRule("not-compare", _negated_comparison, _of_comparison),
    rule("less-same", i < i, lambda root: constant_like(root.type, False)),
    rule("less-equal-same", i <= i, lambda root: constant_like(root.type, True)),
    rule("greater-same", i > i, lambda root: constant_like(root.type, False)),
    rule("greater-equal-same", i >= i, lambda root: constant_like(root.type, True)),
    rule("where-true", P.where(True, a, b), lambda a, root: stretch(a, root.type)),
    rule("where-false", P.where(False, a, b), lambda b, root: stretch(b, root.type)),
    rule("where-same", P.where(c, a, a), lambda a, root: stretch(a, root.type)),
    rule("where-not", P.where(~c, a, b), lambda c, a, b: ops.where(c, b, a)),
    rule("cast-same", P.cast(a, dtype=p), lambda a: a, where=lambda a, p: a.dtype == p),
    rule("cast-cast", P.cast(P.cast(a, dtype=p), dtype=q), lambda a, q: ops.cast(a, q),
         where=lambda a, p, q: exact_cast(a.dtype, p, q)
         or f"{p} does not carry every {a.dtype} to {q}"),
)  # fmt: skip

BITS: tuple[Rule, ...] = (
    rule("bits-not-not", P.bitwise_not(P.bitwise_not(i)), lambda i: i),
    rule("bits-and-same", P.bitwise_and(i, i), lambda i: i),
    rule("bits-or-same", P.bitwise_or(i, i), lambda i: i),
    rule("bits-xor-same", P.bitwise_xor(i, i), lambda root: constant_like(root.type, 0)),
    rule("bits-and-zero", P.bitwise_and(n, 0), lambda root: constant_like(root.type, 0)),
    rule("bits-or-zero", P.bitwise_or(n, 0), lambda n: n),
    rule("bits-xor-zero", P.bitwise_xor(n, 0), lambda n: n),
)

FAST: tuple[Rule, ...] = (
    rule("add-zero-fast", x + 0, lambda x: x, kind="fast"),
    rule("mul-zero", x * 0, lambda root: constant_like(root.type, 0), kind="fast"),
    rule("sub-same", x - x, lambda root: constant_like(root.type, 0), kind="fast"),
    rule("div-same", x / x, lambda root: constant_like(root.type, 1), kind="fast"),
    rule("log-exp", P.log(P.exp(x)), lambda x: x, kind="fast"),
    rule("exp-log", P.exp(P.log(x)), lambda x: x, kind="fast"),
    rule("sqrt-square", P.sqrt(P.square(x)), lambda x: ops.abs(x), kind="fast"),
    # It does not overflow, but is slower.
    rule("sqrt-squares", P.sqrt(P.square(x) + P.square(y)), lambda x, y: ops.hypot(x, y),
         kind="fast", users=1),
    rule("div-exp", x / P.exp(y), lambda x, y: x * ops.exp(-y), kind="fast", users=1),
    rule("div-sqrt", x / P.sqrt(y), lambda x, y: x * ops.rsqrt(y), kind="fast", users=1),
    rule("power-exp", P.exp(x) ** y, lambda x, y: ops.exp(x * y), kind="fast", users=1),
    rule("power-half", x**0.5, lambda x: ops.sqrt(x), kind="fast"),
    rule("mul-exp", P.exp(x) * P.exp(y), lambda x, y: ops.exp(x + y), kind="fast", users=1),
    rule("recip-recip", 1 / (1 / x), lambda x: x, kind="fast"),
)  # fmt: skip

SIMPLIFY = (
    FOLD, *ARITHMETIC, *POWERS, *LOGIC, *BITS, *CONSTANTS, *REDUCTIONS, *MOVEMENT, *FAST, *COMMUTED
)  # fmt: skip

MARKERS: tuple[Rule, ...] = (
    rule("identity", P.identity(a, tag=p), lambda a: a),
    rule("stop-gradient", P.stop_gradient(a), lambda a: a),
)


@dataclass(frozen=True)
class Simplify(Rewrite):
    """Folds constants and applies algebraic identities until none is left.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> Simplify().run(Graph((x,), (("y", -(-x) * 1),))).outputs[0][1] is x
        True
    """

    rules: tuple[Rule, ...] = field(default=SIMPLIFY, repr=False)

    def run_level(self, graph: Graph) -> Graph:
        """The graph with all rules applied to its own nodes."""
        step = self._for(graph.nodes)
        result = Rewrite.run_level(step, graph)
        # Who counted with a quotient may have lost it on the way.
        return result if self._for(result.nodes) is step else Rewrite.run_level(self, result)

    def rewrite_level(self, roots: Sequence[Node]) -> tuple[Node, ...]:
        """What `run_level` does, on bare nodes."""
        step = self._for(toposort(roots))
        found = Rewrite.rewrite_level(step, roots)
        if self._for(toposort(found)) is step:
            return found
        return Rewrite.rewrite_level(self, found)

    def _for(self, nodes: Sequence[Node]) -> Simplify:
        """The pass for these nodes: quotients stay where somebody counts with them."""
        return self._careful if counts_quotients(nodes) else self

    # Kept with the pass, as its table of rules is.
    @cached_property
    def _careful(self) -> Simplify:
        known = [n for n in QUOTIENTS if n in self.rule_names and n not in self.without]
        return replace(self, without=(*self.without, *known)) if known else self


@dataclass(frozen=True)
class DropMarkers(Rewrite):
    """Removes what only matters to gradients: run it when none will be taken any more."""

    rules: tuple[Rule, ...] = field(default=MARKERS, repr=False)

"""Patterns: expressions with unknowns, written with the real operators and op names.

`P.log(P.softmax(x, axis=p))` matches every such node and binds `x` to a node and `p` to an
attribute. An unknown that stands twice must be the same node, commutative ops match in both
orders, and a number matches constants of that value. A pattern names all attributes of an op:
one that it leaves out could be lost by the rewrite, so the match is refused and says so.
"""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir.attributes import attribute_key, freeze
from kgraph.ir.leaves import CONST, const_value, is_const
from kgraph.ir.node import Node
from kgraph.ir.op import Op, find_op
from kgraph.ir.types import DTYPES, broadcast_shapes

# Both orders give the same bits (a NaN's payload aside).
COMMUTATIVE = frozenset(
    "add multiply maximum minimum equal not_equal logical_and logical_or logical_xor".split()
)
MAX_VARIANTS = 64
# Ops through which a constant is still seen as one.
_STRETCHING = (ops.broadcast_to, ops.reshape, ops.expand_dims)
_KINDS = {"bool": "b", "uint8": "i", "int32": "i", "int64": "i"}
_KIND_NAMES = {"b": "bools", "i": "integers", "f": "floats"}
_SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "matmul": "@",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip


@dataclass
class Match:
    """What a pattern found at a node.

    Attributes:
        bound: unknown -> the node or attribute that it stands for; `root` is the whole node.
        inner: the op nodes that the pattern covers, without the root.
        reasons: conditions that the node does not meet; empty if the rule may fire.
    """

    bound: dict[str, Any]
    inner: list[Node] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


Matcher = Callable[[Node, Match], bool]
Heads = list[tuple[int, tuple[Op, ...]]]


def _infix(name: str, swapped: bool = False) -> Callable[..., Any]:
    def method(self: Pattern, other: Any) -> Call:
        operands = (other, self) if swapped else (self, other)
        return Call(find_op(name), tuple(as_pattern(o) for o in operands), {})

    return method


def _prefix(name: str) -> Callable[..., Any]:
    return lambda self: Call(find_op(name), (self,), {})


class Pattern:
    """Base of patterns: the operators of nodes build bigger ones."""

    __add__, __radd__ = _infix("add"), _infix("add", swapped=True)
    __sub__, __rsub__ = _infix("subtract"), _infix("subtract", swapped=True)
    __mul__, __rmul__ = _infix("multiply"), _infix("multiply", swapped=True)
    __truediv__, __rtruediv__ = _infix("divide"), _infix("divide", swapped=True)
    __pow__, __rpow__ = _infix("power"), _infix("power", swapped=True)
    __matmul__, __lt__, __le__ = _infix("matmul"), _infix("less"), _infix("less_equal")
    __gt__, __ge__ = _infix("greater"), _infix("greater_equal")
    __and__, __or__, __xor__ = _infix("logical_and"), _infix("logical_or"), _infix("logical_xor")
    __neg__, __abs__, __invert__ = _prefix("negative"), _prefix("abs"), _prefix("logical_not")


@dataclass(frozen=True, eq=False)
class Unknown(Pattern):
    """Any node of the given kinds of dtypes, or any attribute.

    Args:
        name: how functions of the rule call it.
        dtypes: kinds that a node may have, of "b" (bool), "i" (integers), "f" (floats).
        constant: whether only constant nodes match.
    """

    name: str
    dtypes: str = "f"
    constant: bool = False

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class Number(Pattern):
    """A constant whose elements all have this value; 0.0 and -0.0 are two values."""

    value: float

    def __str__(self) -> str:
        return repr(self.value)


@dataclass(frozen=True, eq=False)
class Call(Pattern):
    """An op on patterns."""

    op: Op
    operands: tuple[Pattern, ...]
    attrs: dict[str, Any]

    def __str__(self) -> str:
        symbol = _SYMBOLS.get(self.op.name)
        operands = [str(o) for o in self.operands]
        if symbol is not None:
            return f" {symbol} ".join(map(_bracketed, self.operands))
        if self.op.name == "negative":
            return f"-{_bracketed(self.operands[0])}"
        attrs = [f"{name}={value}" for name, value in self.attrs.items()]
        return f"{self.op.name}({', '.join(operands + attrs)})"


def _bracketed(pattern: Pattern) -> str:
    compound = isinstance(pattern, Call) and (
        pattern.op.name in _SYMBOLS or pattern.op.name == "negative"
    )
    return f"({pattern})" if compound else str(pattern)


class Ops:
    """Patterns by op name: `P.softmax(x, axis=a)` takes operands first, attributes by name."""

    def __getattr__(self, name: str) -> Callable[..., Call]:
        op = find_op(name)

        def call(*operands: Any, **attrs: Any) -> Call:
            return Call(op, tuple(as_pattern(o) for o in operands), attrs)

        return call


P = Ops()


def unknowns(names: str, dtypes: str = "f", constant: bool = False) -> tuple[Unknown, ...]:
    """Makes unknowns for patterns.

    Args:
        names: their names, separated by spaces.
        dtypes: kinds of dtypes that they stand for, of "b", "i" and "f".
        constant: whether they stand for constants only.

    Returns:
        One unknown a name.

    Example:
        >>> x, p = unknowns("x p")
        >>> print(P.log(P.softmax(x, axis=p)) * 2)
        log(softmax(x, axis=p)) * 2
    """
    return tuple(Unknown(name, dtypes, constant) for name in names.split())


def as_pattern(value: Any) -> Pattern:
    """Patterns as they are, Python numbers as constants of that value."""
    if isinstance(value, Pattern):
        return value
    if isinstance(value, (bool, int, float)):
        return Number(value)
    raise TypeError(
        explain("not a pattern", expected="an unknown, P.op(...) or a number", got=repr(value))
    )


def names_in(pattern: Pattern) -> frozenset[str]:
    """The unknowns of a pattern, attribute unknowns included."""
    if isinstance(pattern, Unknown):
        return frozenset([pattern.name])
    if not isinstance(pattern, Call):
        return frozenset()
    attrs = {v.name for v in pattern.attrs.values() if isinstance(v, Unknown)}
    return frozenset(attrs).union(*(names_in(o) for o in pattern.operands))


class Finder:
    """A compiled pattern: one matcher for each order of its commutative operands.

    Ops and numbers among the operands are tested before anything is allocated.
    """

    def __init__(self, pattern: Call) -> None:
        variants = tuple(itertools.islice(_variants(pattern), MAX_VARIANTS + 1))
        if len(variants) > MAX_VARIANTS:
            raise ValueError(f"{pattern} has more than {MAX_VARIANTS} orders of operands")
        self.op, self.count = pattern.op, len(pattern.operands)
        self.variants = [(_heads(v), _numbers(v), _matcher(v)) for v in variants]

    def may_match(self, op: Op, operands: Sequence[Op]) -> bool:
        """Whether ops alone leave the possibility of a match."""
        return (
            op is self.op
            and len(operands) == self.count
            and any(_heads_fit(heads, operands) for heads, _, _ in self.variants)
        )

    def find(self, node: Node) -> Match | None:
        """The first match without objections, else the first match, else None.

        The node is one that `may_match` let through.
        """
        refused = None
        operands = [i.op for i in node.inputs]
        for heads, numbers, matcher in self.variants:
            if not _heads_fit(heads, operands):
                continue
            if any([not test(node.inputs[i]) for i, test in numbers]):
                continue
            match = Match({"root": node})
            if not matcher(node, match):
                continue
            match.inner.pop()  # the root, which is matched last
            if not match.reasons:
                return match
            refused = refused or match
        return refused


def _heads_fit(heads: Heads, operands: Sequence[Op]) -> bool:
    for index, allowed in heads:
        if operands[index] not in allowed:
            return False
    return True


def _heads(pattern: Call) -> Heads:
    """Which ops the operands must have, as (index, ops)."""
    heads: Heads = []
    for i, operand in enumerate(pattern.operands):
        if isinstance(operand, Call):
            heads.append((i, (operand.op,)))
        elif isinstance(operand, Number):
            heads.append((i, (CONST, *_STRETCHING)))
    return heads


def _numbers(pattern: Call) -> list[tuple[int, Callable[[Node], bool]]]:
    """Which values the operands must have, as (index, test)."""
    return [
        (i, _is_number(o.value)) for i, o in enumerate(pattern.operands) if isinstance(o, Number)
    ]


def _variants(pattern: Call) -> Iterator[Call]:
    """The pattern with the operands of commutative ops in every order."""
    choices = (tuple(_variants(o)) if isinstance(o, Call) else (o,) for o in pattern.operands)
    for operands in itertools.product(*choices):
        yield Call(pattern.op, operands, pattern.attrs)
        if pattern.op.name in COMMUTATIVE and operands[0] is not operands[1]:
            yield Call(pattern.op, operands[::-1], pattern.attrs)


def _matcher(pattern: Pattern) -> Matcher:
    if isinstance(pattern, Unknown):
        return _unknown_matcher(pattern)
    if isinstance(pattern, Number):
        test = _is_number(pattern.value)
        return lambda node, match: test(node)
    assert isinstance(pattern, Call)
    return _call_matcher(pattern)


def _unknown_matcher(pattern: Unknown) -> Matcher:
    name, dtypes, constant = pattern.name, pattern.dtypes, pattern.constant
    wanted = " or ".join(_KIND_NAMES[k] for k in dtypes)

    def match_unknown(node: Node, match: Match) -> bool:
        known = match.bound.get(name)
        if known is not None:
            return known is node
        if constant and not is_const(node):
            return False
        if len(node.types) == 1 and _KINDS.get(node.dtype, "f") not in dtypes:
            match.reasons.append(f"{name} is {DTYPES[node.dtype]}, the rule takes {wanted}")
        match.bound[name] = node
        return True

    return match_unknown


def _is_number(value: float) -> Callable[[Node], bool]:
    wanted = {dtype: _rounded(value, dtype) for dtype in DTYPES}

    def test(node: Node) -> bool:
        found = uniform_value(node)
        if found is None or found != wanted[node.dtype]:
            return False
        return found != 0 or math.copysign(1, found) == math.copysign(1, value)

    return test


def _rounded(value: float, dtype: str) -> float:
    """The number that stands in a tensor of that dtype for a Python number."""
    if not dtype.startswith("float"):
        return value
    with np.errstate(all="ignore"):
        return float(np.dtype(dtype).type(value))


def _call_matcher(pattern: Call) -> Matcher:
    op, matchers = pattern.op, [_matcher(o) for o in pattern.operands]
    count = len(matchers)
    attrs = {k: v if isinstance(v, Unknown) else freeze(v) for k, v in pattern.attrs.items()}
    tensors = [i for i, o in enumerate(pattern.operands) if not isinstance(o, Number)]
    has_number = 0 < len(tensors) < count

    def match_call(node: Node, match: Match) -> bool:
        if node.op is not op or len(node.inputs) != count:
            return False
        for matcher, operand in zip(matchers, node.inputs):
            if not matcher(operand, match):
                return False
        if (attrs or node.attrs) and not _match_attrs(attrs, node, match):
            return False
        if has_number and broadcast_shapes(*(node.inputs[i].shape for i in tensors)) != node.shape:
            match.reasons.append("the constant's shape widens the result")
        match.inner.append(node)
        return True

    return match_call


def _match_attrs(wanted: dict[str, Any], node: Node, match: Match) -> bool:
    for name, value in wanted.items():
        if name not in node.attrs:
            return False
        found = node.attrs[name]
        if isinstance(value, Unknown):
            value = match.bound.setdefault(value.name, found)
        if attribute_key(value) != attribute_key(found):
            return False
    for name in node.attrs:
        if name not in wanted:
            match.reasons.append(f"the pattern does not name attribute {name} of {node.op.name}")
    return True


# Constant node -> the one value of its elements; large constants are scanned once.
_UNIFORM: weakref.WeakKeyDictionary[Node, float | None] = weakref.WeakKeyDictionary()


def uniform_value(node: Node) -> float | None:
    """The value of all elements of a constant, also of a stretched one; None if they differ.

    Example:
        >>> from kgraph.ir import const
        >>> print(uniform_value(const([2.0, 2.0])), uniform_value(const([2.0, 3.0])))
        2.0 None
    """
    while node.op in _STRETCHING:
        node = node.inputs[0]
    if not is_const(node):
        return None
    array = const_value(node)
    if array.size == 1:
        return array.item()
    if node not in _UNIFORM:
        _UNIFORM[node] = _scan(array)
    return _UNIFORM[node]


def _scan(array: np.ndarray) -> float | None:
    if array.size == 0:
        return None
    first = array.flat[0]
    same = np.all(array == first) and np.all(np.signbit(array) == np.signbit(first))
    return first.item() if same else None

"""Patterns: expressions with unknowns, written with the real operators and op names.

`P.log(P.softmax(x, axis=p))` stands for every such node, `x` for a node and `p` for an attribute.
How patterns are found is in `matching.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.ir.op import Op, find_op

_SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "**", "matmul": "@",
    "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip


def _infix(name: str, swapped: bool = False) -> Callable[..., Any]:
    def method(self: Pattern, other: Any) -> Call:
        operands = (other, self) if swapped else (self, other)
        return Call(find_op(name), tuple(as_pattern(o) for o in operands), {})

    return method


def _prefix(name: str) -> Callable[..., Any]:
    return lambda self: Call(find_op(name), (self,), {})


class Pattern:
    """Base of patterns: the operators of nodes build bigger ones."""

    __array_ufunc__ = None  # so that NumPy's numbers leave the operators to patterns

    def __array__(self, *_: Any, **__: Any) -> Any:
        """What ops ask for: they take nodes and arrays, and a pattern is neither.

        Raises:
            TypeError: always.
        """
        raise TypeError(
            explain("a pattern is no tensor", got=str(self), hint="left sides call P: P.exp(x)")
        )

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
    hint = "right sides call ops, not P" if isinstance(value, Node) else None
    raise TypeError(
        explain("not a pattern", expected="an unknown, P.op(...) or a Python number",
                got=repr(value), hint=hint)
    )  # fmt: skip


def names_in(pattern: Pattern) -> frozenset[str]:
    """The unknowns of a pattern, attribute unknowns included."""
    if isinstance(pattern, Unknown):
        return frozenset([pattern.name])
    if not isinstance(pattern, Call):
        return frozenset()
    attrs = {v.name for v in pattern.attrs.values() if isinstance(v, Unknown)}
    return frozenset(attrs).union(*(names_in(o) for o in pattern.operands))

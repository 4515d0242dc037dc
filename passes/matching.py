"""Matching: patterns compiled to functions that find them at a node.

An unknown that stands twice must be the same node, commutative ops match in both orders, and a
number matches constants of that value. A pattern names all attributes of an op: one that it left
out could be lost by the rewrite, so such a match is refused and says so.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgraph.ir.attributes import attribute_key, freeze
from kgraph.ir.leaves import CONST, is_const
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.ir.types import DTYPES, broadcast_shapes
from kgraph.passes.pattern import Call, Number, Pattern, Unknown
from kgraph.passes.values import STRETCHING, uniform_value

# Both orders give the same bits (a NaN's payload aside).
COMMUTATIVE = frozenset(
    ["add", "multiply", "maximum", "minimum", "equal", "not_equal", "logaddexp", "logical_and",
     "logical_or", "logical_xor", "bitwise_and", "bitwise_or", "bitwise_xor"]
)  # fmt: skip
MAX_VARIANTS = 64
_KINDS = {"bool": "b", "uint8": "i", "int32": "i", "int64": "i"}
_KIND_NAMES = {"b": "bools", "i": "integers", "f": "floats"}


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
Tests = list[Callable[[Sequence[Node]], bool]]


class Finder:
    """A compiled pattern: one matcher for each order of its commutative operands.

    What can be told of the operands alone is tested before anything is allocated.
    """

    def __init__(self, pattern: Call) -> None:
        if _count_variants(pattern) > MAX_VARIANTS:
            raise ValueError(f"{pattern} has more than {MAX_VARIANTS} orders of operands")
        self.op, self.count = pattern.op, len(pattern.operands)
        self.variants = [(_heads(v), _tests(v), _matcher(v)) for v in _variants(pattern)]
        # Ops of the operands -> the variants that they fit.
        self._fitting: dict[tuple[Op, ...], list[tuple[Tests, Matcher]]] = {}

    def may_match(self, op: Op, operands: Sequence[Op]) -> bool:
        """Whether ops alone leave the possibility of a match."""
        return (
            op is self.op
            and len(operands) == self.count
            and any(_heads_fit(heads, operands) for heads, _, _ in self.variants)
        )

    def fitting(self, operands: tuple[Op, ...]) -> list[tuple[Tests, Matcher]]:
        """The variants that operands of these ops leave possible."""
        found = self._fitting.get(operands)
        if found is None:
            found = [(t, m) for heads, t, m in self.variants if _heads_fit(heads, operands)]
            self._fitting[operands] = found
        return found

    def find(self, node: Node) -> Match | None:
        """The first match without objections, else the first match, else None.

        The node is one that `may_match` let through.
        """
        refused, operands = None, node.inputs
        for tests, matcher in self.fitting(tuple([i.op for i in operands])):
            for test in tests:
                if not test(operands):
                    break
            else:
                match = Match({"root": node})
                if not matcher(node, match):
                    continue
                match.inner.pop()  # the root, which is matched last
                if not match.reasons:
                    return match
                refused = refused or match
        return refused


def _heads_fit(heads: Heads, operands: Sequence[Op]) -> bool:
    return all(operands[index] in allowed for index, allowed in heads)


def _heads(pattern: Call) -> Heads:
    """Which ops the operands must have, as (index, ops)."""
    heads: Heads = []
    for i, operand in enumerate(pattern.operands):
        if isinstance(operand, Call):
            heads.append((i, (operand.op,)))
        elif isinstance(operand, Number):
            heads.append((i, (CONST, *STRETCHING)))
        elif isinstance(operand, Unknown) and operand.constant:
            heads.append((i, (CONST,)))
    return heads


def _tests(pattern: Call) -> Tests:
    """What the operands must be: numbers, no floats where no rule takes any, one and the same."""
    tests: Tests = []
    for i, operand in enumerate(pattern.operands):
        first = pattern.operands.index(operand)
        if isinstance(operand, Number):
            tests.append(_at(i, _is_number(operand.value)))
        elif isinstance(operand, Unknown) and first < i:
            tests.append(_same(first, i))
        elif isinstance(operand, Unknown) and "f" not in operand.dtypes:
            tests.append(_at(i, _is_no_float))
    return tests


def _at(index: int, test: Callable[[Node], bool]) -> Callable[[Sequence[Node]], bool]:
    return lambda operands: test(operands[index])


def _same(first: int, second: int) -> Callable[[Sequence[Node]], bool]:
    return lambda operands: operands[first] is operands[second]


def _is_no_float(node: Node) -> bool:
    return len(node.types) == 1 and node.dtype in _KINDS


def _swaps(pattern: Call) -> bool:
    return pattern.op.name in COMMUTATIVE and pattern.operands[0] is not pattern.operands[1]


def _count_variants(pattern: Pattern) -> int:
    if not isinstance(pattern, Call):
        return 1
    return math.prod(map(_count_variants, pattern.operands)) * (2 if _swaps(pattern) else 1)


def _variants(pattern: Call) -> Iterator[Call]:
    """The pattern with the operands of commutative ops in every order."""
    choices = (tuple(_variants(o)) if isinstance(o, Call) else (o,) for o in pattern.operands)
    for operands in itertools.product(*choices):
        yield Call(pattern.op, operands, pattern.attrs)
        if _swaps(pattern):
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
        kind = _KINDS.get(node.dtype, "f") if len(node.types) == 1 else "f"
        if kind not in dtypes:
            if kind == "f":
                return False  # floats are no near miss of a rule for integers
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
        if value is not found and attribute_key(value) != attribute_key(found):
            return False
    for name in node.attrs:
        if name not in wanted:
            match.reasons.append(f"the pattern does not name attribute {name} of {node.op.name}")
    return True

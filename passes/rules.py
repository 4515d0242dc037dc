"""Rules: what a rewrite replaces by what, how exact it is, and on which conditions.

A rule never changes a type, and says how far it may change values by its kind:

    exact     the same bits, NaN, infinities, signs of zeros and empty tensors included
    stable    differs only where the old form overflowed, underflowed or cancelled
    rounding  another order of additions or multiplications
    fast      equal for real numbers only: NaN, infinities and signs of zero may change
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kgraph import config
from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.passes.matching import Finder, Match
from kgraph.passes.pattern import Call, Pattern, names_in

# No commas, braces or spaces, which mean something in a line of passes.
_NAME = re.compile(r"[\w.:-]+")
KINDS = ("exact", "stable", "rounding", "fast")
# Value of `config.numerics` -> the kinds of rules that may fire.
ADMITTED = {
    "strict": frozenset(["exact"]),
    "safe": frozenset(["exact", "stable", "rounding"]),
    "fast": frozenset(KINDS),
}

Condition = Callable[..., "bool | str"]


class Rule(Protocol):
    """What the rewriter asks of a rule."""

    @property
    def name(self) -> str:
        """Kebab-case, unique in its pass."""

    @property
    def kind(self) -> str:
        """One of `KINDS`."""

    @property
    def users(self) -> int | None:
        """How many users an inner node may have, None for any number."""

    def may_match(self, op: Op, operands: Sequence[Op]) -> bool:
        """Whether a node of this op on operands of those ops is worth a look."""

    def match(self, node: Node) -> Match | None:
        """What is found at the node; the rule may fire if the match has no `reasons`."""

    def build(self, match: Match) -> Any:
        """The replacement of a match's root."""


@dataclass(frozen=True, eq=False)
class PatternRule:
    """left pattern -> right function; made by `rule`."""

    name: str
    kind: str
    pattern: Call
    users: int | None
    finder: Finder
    right: Callable[..., Any]
    right_names: tuple[str, ...]
    where: Condition | None
    where_names: tuple[str, ...]

    def may_match(self, op: Op, operands: Sequence[Op]) -> bool:
        """Whether the ops fit the pattern."""
        return self.finder.may_match(op, operands)

    def match(self, node: Node) -> Match | None:
        """The pattern's match, with the condition's objection if it has one."""
        match = self.finder.find(node)
        if match is None or match.reasons or self.where is None:
            return match
        verdict = self.where(*[match.bound[n] for n in self.where_names])
        if verdict is False:
            return None
        if verdict is not True:
            match.reasons.append(str(verdict))
        return match

    def build(self, match: Match) -> Any:
        """The right-hand side on what the left one bound."""
        return self.right(*[match.bound[n] for n in self.right_names])

    def __str__(self) -> str:
        return f"{self.name}: {self.pattern}"


@dataclass(frozen=True, eq=False)
class FunctionRule:
    """A rule as a plain function, for what no pattern can say.

    Args:
        name: kebab-case name.
        find: node -> a function that builds the replacement, a reason to refuse, or None; or
            (function, inner nodes), where `users` counts for the inner nodes.
        looks_at: (op, ops of the operands) -> whether a node with these is worth a look.
        kind: one of `KINDS`.
        users: refuse when an inner node has more users than this.
    """

    name: str
    find: Callable[[Node], Any]
    looks_at: Callable[[Op, Sequence[Op]], bool]
    kind: str = "exact"
    users: int | None = None

    def may_match(self, op: Op, operands: Sequence[Op]) -> bool:
        """What `looks_at` says."""
        return self.looks_at(op, operands)

    def match(self, node: Node) -> Match | None:
        """What the function found."""
        found = self.find(node)
        if found is None:
            return None
        if isinstance(found, str):
            return Match({"root": node}, reasons=[found])
        make, inner = found if isinstance(found, tuple) else (found, ())
        return Match({"root": node, "make": make}, list(inner))

    def build(self, match: Match) -> Any:
        """Runs what the function returned."""
        return match.bound["make"]()

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False)
class MemoryRule(FunctionRule):
    """A function rule that remembers what it has seen in one run.

    `find` takes the node and a dictionary, which is empty when a pipeline starts.
    """

    find: Callable[..., Any]

    def started(self, memory: dict[Any, Any]) -> FunctionRule:
        """The rule for one run, with its dictionary."""
        find = self.find
        return FunctionRule(self.name, lambda node: find(node, memory), self.looks_at, self.kind,
                            self.users)  # fmt: skip


def at(*ops: Op) -> Callable[[Op, Sequence[Op]], bool]:
    """For `looks_at`: nodes of these ops."""
    return lambda op, operands: op in ops


def rule(
    name: str,
    left: Pattern,
    right: Callable[..., Any],
    *,
    kind: str = "exact",
    where: Condition | None = None,
    users: int | None = None,
) -> PatternRule:
    """States an equation between expressions, to be used from left to right.

    Args:
        name: kebab-case name, unique in its pass.
        left: the pattern, an op at its root.
        right: builds the replacement; its parameters are names of unknowns, or `root` for the
            whole node. The result must have the root's type.
        kind: "exact", "stable", "rounding" or "fast".
        where: a further condition with parameters like `right`; returns True, False (nothing to
            do here) or the reason why the rule must not fire, which is reported as a near miss.
        users: refuse when an inner node has more users than this, 1 where firing would duplicate
            work that others need anyway.

    Returns:
        The rule, for the `rules` of a `Rewrite` pass.

    Example:
        >>> from kgraph.passes.pattern import unknowns
        >>> (x,) = unknowns("x")
        >>> print(rule("mul-one", x * 1, lambda x: x))
        mul-one: x * 1
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            explain("the name of a rule is one word", expected='kebab-case, such as "mul-one"',
                    got=repr(name), hint="a line of passes leaves rules out by name")
        )  # fmt: skip
    if not isinstance(left, Call):
        raise TypeError(explain(f"rule {name}: the left side must be an op", got=repr(left)))
    if kind not in KINDS:
        raise ValueError(explain(f"rule {name}: unknown kind", expected=", ".join(KINDS), got=kind))
    known = names_in(left) | {"root"}
    return PatternRule(
        name=name,
        kind=kind,
        pattern=left,
        users=users,
        finder=Finder(left),
        right=right,
        right_names=_parameters(name, right, known),
        where=where,
        where_names=_parameters(name, where, known) if where else (),
    )


def _parameters(name: str, function: Callable[..., Any], known: frozenset[str]) -> tuple[str, ...]:
    found = tuple(inspect.signature(function).parameters)
    strange = [n for n in found if n not in known]
    if strange:
        raise TypeError(
            explain(f"rule {name}: {', '.join(strange)} is not in the pattern",
                    expected=", ".join(sorted(known)))
        )  # fmt: skip
    return found


def admitted_kinds(numerics: str | None = None) -> frozenset[str]:
    """The kinds of rules that a level of exactness allows.

    Args:
        numerics: "strict", "safe" or "fast"; default `config.numerics`.

    Example:
        >>> sorted(admitted_kinds("safe"))
        ['exact', 'rounding', 'stable']
    """
    level = config.numerics if numerics is None else numerics
    if level not in ADMITTED:
        raise ValueError(explain("unknown numerics", expected=", ".join(ADMITTED), got=level))
    return ADMITTED[level]

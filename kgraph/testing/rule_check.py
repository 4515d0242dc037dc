"""`check_rule`: a rewrite rule against what its kind promises, on instances of its left side.

Instances are drawn from the pattern: every dtype that its unknowns admit, scalars, empty and
symbolic shapes, operands that broadcast, inner nodes with other users. A rule that is a function
has no pattern to draw from: give examples.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import KGraphError, explain
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import input_node
from kgraph.ir.node import Node
from kgraph.ir.types import Shape
from kgraph.passes.journal import Journal, keeping
from kgraph.passes.pattern import Call, Pattern, Unknown
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import PatternRule, Rule
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret
from kgraph.testing.choices import Drawn
from kgraph.testing.comparing import Difference, compare_bits, compare_values
from kgraph.testing.failures import CheckError, expression
from kgraph.testing.feeds import feed
from kgraph.testing.grids import MODERATE, SMALL, feed_grid
from kgraph.testing.planting import build_left_side
from kgraph.testing.pool import BATCH
from kgraph.testing.reduction import simplest_values

NUMERICS = {"exact": "strict", "stable": "safe", "rounding": "safe", "fast": "fast"}
_DTYPES = {
    "f": ("float32", "float64", "float16"),
    "i": ("int32", "uint8", "int64"),
    "b": ("bool",),
}
# Shapes of all unknowns; or the first one's, and that of the others.
SHAPES: tuple[tuple[Shape, Shape], ...] = (
    ((), ()),
    ((BATCH, 3), (BATCH, 3)),
    ((3,), (3,)),
    ((0, 3), (0, 3)),
    ((1,), (1,)),
    ((BATCH, 3), (3,)),
    ((3,), (BATCH, 3)),
    ((3, 3), (3, 3)),
    ((BATCH, 1), (BATCH, 1)),
    ((BATCH, 2, 3), (BATCH, 2, 3)),
    ((BATCH, 1), (1, 3)),
    ((1, 1), (3,)),
    ((2, 3), (3, 2)),
    ((2, BATCH, 3), (3,)),
)
DRESSES: tuple[Callable[[Node], Node], ...] = (ops.relu, ops.sigmoid, ops.abs, ops.negative)
ROWS = 33
_SAME, _TINY = 1e-9, 1e-6


def check_rule(
    rule: Rule,
    examples: Iterable[Graph] | None = None,
    *,
    instances: int = 40,
    grid: Sequence[float] | None = None,
    gradients: bool = True,
    nans: bool = True,
    beside: Sequence[Rule] = (),
    seed: int = 0,
) -> int:
    """Checks that a rule keeps what its kind promises.

    An exact rule keeps every bit, the sign of zeros and the places of NaNs included. A stable or
    rounding one comes as near to the truth, a float64 evaluation, as the old form. A fast one
    keeps the meaning for real numbers. All keep types, end, and commute with differentiation.

    Args:
        rule: made by `rule(...)`, or a `FunctionRule`.
        examples: CORE graphs on which the rule fires; a `FunctionRule` needs some. Instances of a
            pattern are drawn as well.
        instances: how many instances of a pattern to check.
        grid: float32 numbers that stable and rounding rules are compared on.
        gradients: whether rewriting commutes with differentiation.
        nans: whether a stable or rounding rule must keep the places of NaNs.
        beside: rules of the same pass without which this one finds no end in gradients, such as
            constant folding.
        seed: of instances and arrays.

    Returns:
        On how many instances the rule fired.

    Raises:
        CheckError: the rule breaks its promise, with the smallest example found; or it never fired.
        TypeError: it is no rule.

    Example:
        >>> from kgraph.passes import P, rule, unknowns
        >>> x, y = unknowns("x y")
        >>> good = rule("mul-exp", P.exp(x) * P.exp(y), lambda x, y: ops.exp(x + y), kind="fast")
        >>> check_rule(good) > 10
        True
        >>> bad = rule("zero", x * 0, lambda root: ops.zeros_like(root))
        >>> check_rule(bad)
        Traceback (most recent call last):
        kgraph.testing.failures.CheckError: rule zero (exact) changes a bit of y
          rule: zero: x * 0
          before: x * 0.0
          after: ...
          y before: float32 -0.0
          y after: float32 0.0
          seed: 0
          graph:
            graph core
            input %0 'x' : f32[]
            %1 = const(0.0) : f32[]
            %2 = multiply(%0, %1) : f32[] ...
            output 'y' %2
          x = float32 -...
    """
    if not all(hasattr(rule, name) for name in ("name", "kind", "match", "build")):
        raise TypeError(
            explain("check_rule: no rule", expected="rule(...) or a FunctionRule", got=rule)
        )
    check = _Check(rule, grid, gradients, nans, tuple(beside), seed)
    given = list(examples or ())
    if isinstance(rule, PatternRule):
        drawn: Iterable[Graph] = itertools.islice(_instances(rule, seed), instances)
    elif given:
        drawn = ()
    else:
        raise CheckError(f"rule {rule.name} has no pattern: give examples", [("rule", rule)])
    fired = sum(check.run(graph, given_by_user=True) for graph in given)
    fired += sum(check.run(graph) for graph in drawn)
    if not fired:
        reasons = "; ".join(sorted(check.refusals)) or "the conditions returned False"
        hint = "give examples on which the rule fires"
        raise CheckError(
            f"rule {rule.name} never fired", [("rule", rule), ("because", reasons), ("hint", hint)]
        )
    return fired


# -- instances ---------------------------------------------------------------------------------
def _instances(rule: PatternRule, seed: int) -> Iterator[Graph]:
    """Graphs of the left side over every dtype and shape, again and again with other attributes."""
    kinds = dict.fromkeys(u.dtypes for u in _unknowns(rule.pattern))
    # Of a fast rule only real numbers are compared, and a float16 is far from most of them.
    choices = [[d for d in _dtypes_of(k) if d != "float16" or rule.kind != "fast"] for k in kinds]
    dtypes = [dict(zip(kinds, chosen)) for chosen in itertools.product(*choices)]
    for number in itertools.count():
        # Each round visits all pairs of dtypes and shapes, the simplest first.
        places = [(i + j, i, j) for i in range(len(SHAPES)) for j in range(len(dtypes))]
        for place, (_, i, j) in enumerate(sorted(places)):
            rng = np.random.default_rng([seed, number, place])
            graph = _instance(rule.pattern, dtypes[j], SHAPES[i], rng)
            if graph is not None:
                yield graph
        if number >= 3:
            return


def _dtypes_of(kinds: str) -> tuple[str, ...]:
    return tuple(d for k in sorted(kinds, key="fib".index) for d in _DTYPES[k])


def _unknowns(pattern: Pattern) -> list[Unknown]:
    """The unknowns that stand for nodes."""
    if isinstance(pattern, Unknown):
        return [pattern]
    if not isinstance(pattern, Call):
        return []
    return [u for operand in pattern.operands for u in _unknowns(operand)]


def _instance(
    pattern: Call, dtypes: dict[str, str], shapes: tuple[Shape, Shape], rng: np.random.Generator
) -> Graph | None:
    """The left side on new inputs; None where these do not go together."""
    inputs: list[Node] = []

    def operand(unknown: Unknown) -> Node:
        shape = shapes[1 if inputs else 0]
        node = input_node(shape, dtypes[unknown.dtypes], unknown.name)
        if unknown.constant:
            return node
        inputs.append(node)
        # What is not negative, or a negation: conditions of rules ask for such operands.
        return choices.among(DRESSES)(node) if choices.chance(20) and node.type.is_float else node

    choices = Drawn(rng)
    try:
        root, inner = build_left_side(pattern, choices, operand)
    except (KGraphError, ValueError):
        return None
    outputs = [("y", root)]
    if choices.chance(20):  # users of inner nodes, for whom they must be kept
        outputs += [(f"inner{i}", n) for i, n in enumerate(inner) if len(n.types) == 1]
    return Graph(tuple(inputs), tuple(outputs))


# -- checks ------------------------------------------------------------------------------------
@dataclass
class _Check:
    rule: Rule
    grid: Sequence[float] | None
    gradients: bool
    nans: bool
    beside: tuple[Rule, ...]
    seed: int
    refusals: set[str] = field(default_factory=set)

    @property
    def step(self) -> Rewrite:
        """A pass of this rule alone."""
        return Rewrite((self.rule,), numerics=NUMERICS[self.rule.kind])

    def run(self, graph: Graph, given_by_user: bool = False) -> bool:
        """Checks one instance; returns whether the rule fired."""
        result, fired = self.apply(graph)
        if not fired:
            if given_by_user:
                facts = [("because", "; ".join(sorted(self.refusals)) or "nothing matched")]
                raise CheckError(f"rule {self.rule.name} does not fire on an example", facts, graph)
            return False
        again, fired_again = self.apply(result)
        if fired_again and again.roots != result.roots:
            facts = [("after", expression(result.roots[0])), ("then", expression(again.roots[0]))]
            raise CheckError(f"rule {self.rule.name} is not done after one run", facts, graph)
        for rows in (1, ROWS, 0) if graph.symbols else (ROWS,):
            self.check_values(graph, rows)
        if self.gradients:
            self.check_gradient(graph)
        return True

    def apply(self, graph: Graph) -> tuple[Graph, bool]:
        """The graph after the rule, and whether it fired."""
        with keeping(Journal()) as journal:
            try:
                result = self.step.run(graph)
            except KGraphError as error:
                facts = [("rule", self.rule), ("error", error)]
                raise CheckError(f"rule {self.rule.name} fails", facts, graph) from error
        self.refusals |= {reason for _, reason in journal.missed}
        return result, any(f.rule == self.rule.name for f in journal.firings)

    def check_values(self, graph: Graph, rows: int) -> None:
        """The result means what the left side meant, as far as the rule's kind promises."""
        rng = np.random.default_rng([self.seed, rows])
        for arrays in self.feeds(graph, rows, rng):
            try:
                interpret(graph, arrays)
            except (IndexError, ValueError):
                return  # no largest of no elements: the left side refuses this size
            if self.differs(graph, arrays):
                raise self.failure(graph, arrays)

    def feeds(
        self, graph: Graph, rows: int, rng: np.random.Generator
    ) -> Iterator[list[np.ndarray]]:
        """Arrays of the values that the rule's kind is judged on."""
        if self.rule.kind == "exact":
            for _ in range(3 if rows else 1):
                yield feed(graph, rng, batch=rows, kind="special")
            return
        if self.rule.kind == "fast":
            yield feed(graph, rng, batch=rows, kind="smooth")
        wide = any(n.dtype == "float64" for n in graph.inputs)
        grid = SMALL if wide or self.rule.kind == "fast" else self.grid or MODERATE
        yield feed_grid(graph, rng, grid, rows)
        if self.nans and self.rule.kind != "fast":
            yield feed_grid(graph, rng, (*grid, float("nan")), rows)

    def differs(self, graph: Graph, arrays: list[np.ndarray]) -> bool:
        """Whether the rule changes more than it may."""
        return self.compare(graph, arrays) is not None

    def compare(self, graph: Graph, arrays: list[np.ndarray]) -> Difference | None:
        """The first output that changed more than it may."""
        result, _ = self.apply(graph)
        if self.rule.kind == "exact":
            return compare_bits(graph, result, arrays)
        if self.rule.kind == "fast":
            return _compare_reals(graph, result, arrays)
        wide = any(t.dtype == "float64" for n in graph.nodes for t in n.types)
        finite = all(np.isfinite(a).all() for a in arrays)
        overflows = self.rule.kind == "stable" and finite
        return compare_values(
            graph, result, arrays, unit=_SAME if wide else None, overflows=overflows
        )

    def failure(self, graph: Graph, arrays: list[np.ndarray]) -> CheckError:
        """The error, with the simplest values found."""
        graph, arrays = simplest_values(graph, arrays, self.differs)
        result, found = self.apply(graph)[0], self.compare(graph, arrays)
        assert found is not None
        rule = self.rule
        facts: list[tuple[str, Any]] = [
            ("rule", rule),
            ("before", expression(graph.outputs[0][1])),
            ("after", expression(result.outputs[0][1])),
            *found.facts(),
            ("seed", self.seed),
        ]
        how = "a bit of" if rule.kind == "exact" else "the value of"
        summary = f"rule {rule.name} ({rule.kind}) changes {how} {found.output}"
        return CheckError(summary, facts, graph, arrays)

    def check_gradient(self, graph: Graph) -> None:
        """Differentiating and then rewriting gives what rewriting and then differentiating does."""
        floats = [n for n in graph.inputs if n.type.is_float]
        roots = [n for _, n in graph.outputs if n.type.is_float]
        if not floats or not roots or any(n.dtype != "float64" for n in (*floats, *roots)):
            return
        step = Rewrite((*self.beside, self.rule), numerics=NUMERICS[self.rule.kind])
        late = step.rewrite(_slopes(roots, floats))
        early = _slopes(step.rewrite(roots), floats)
        rng = np.random.default_rng(self.seed)
        arrays = feed(graph, rng, batch=3, kind="smooth")
        found = [
            interpret(Graph(graph.inputs, tuple((n.name, g) for n, g in zip(floats, side))), arrays)
            for side in (early, late)
        ]
        for node, a, b in zip(floats, found[0][0], found[1][0]):
            if not np.allclose(a, b, _SAME, _SAME, equal_nan=True):
                facts = [("rewritten first", a), ("differentiated first", b), ("seed", self.seed)]
                summary = f"rule {self.rule.name} changes the gradient with respect to {node.name}"
                raise CheckError(summary, facts, graph, arrays)


def _slopes(roots: Sequence[Node], wrt: Sequence[Node]) -> list[Node]:
    """The gradients, zeros where nothing flows back."""
    found = grad(list(roots), list(wrt))
    return [ops.zeros_like(x) if g is None else g for g, x in zip(found, wrt, strict=True)]


def _compare_reals(old: Graph, new: Graph, arrays: Sequence[np.ndarray]) -> Difference | None:
    """The first output that differs by more than rounding where the old form was a number."""
    before, after = (interpret(g, arrays)[0] for g in (old, new))
    for (name, node), a, b in zip(old.outputs, before, after):
        limit = _TINY if node.dtype == "float64" else 1e-3
        with np.errstate(all="ignore"):
            wide = [x.astype("float64") for x in (a, b)]
            where = np.isfinite(wide[0]) & ~(
                np.abs(wide[0] - wide[1]) <= limit * np.maximum(np.abs(wide[0]), 1)
            )
        if where.any():
            return Difference(name, a, b, where)
    return None

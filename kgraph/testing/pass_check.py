"""`check_pass`: what a pass must keep, on graphs that are given or drawn."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.errors import KGraphError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.verify import verify
from kgraph.passes.journal import Journal, keeping
from kgraph.passes.lower import lower
from kgraph.passes.manager import Pass, Pipeline
from kgraph.runtime.interp import interpret
from kgraph.testing.choices import seeds
from kgraph.testing.comparing import Difference, compare_bits, compare_values
from kgraph.testing.drawn_graphs import Plant, draw_graph
from kgraph.testing.failures import CheckError, expression
from kgraph.testing.feeds import Kind, feed
from kgraph.testing.reduction import simplest_values, smallest
from kgraph.testing.widening import as_functions

BATCHES = (3, 1, 0)
STEP = 2  # of random ops


def check_pass(
    pass_: Pass | Pipeline,
    graph: Graph | Iterable[Graph] | None = None,
    *,
    exact: bool | None = None,
    patterns: Sequence[Plant] = (),
    batches: Sequence[int] = BATCHES,
    draws: int = 40,
    seed: int = 0,
    idempotent: bool = True,
) -> int:
    """Checks that a pass keeps signature, types and values, and is done after one run.

    Args:
        pass_: the pass, or a pipeline.
        graph: a graph or several; default random ones, half of them full of NaNs and infinities if
            the pass is exact. The pass must change one of the random ones, or nothing was checked.
        exact: whether every bit must stay; default: where no rule fired that is not exact.
        patterns: left sides of rules to plant in random graphs.
        batches: numbers of rows; a graph that refuses one is not run with it.
        draws: how many graphs to draw.
        seed: of graphs and arrays.
        idempotent: whether a second run may change nothing.

    Returns:
        How many of the graphs the pass changed.

    Raises:
        CheckError: the pass breaks a promise; the message holds the smallest graph found. Or it
            changes none of the random graphs.
        TypeError: it is no pass.

    Example:
        >>> from kgraph.passes.simplify import Simplify
        >>> check_pass(Simplify(), draws=4) > 0
        True
    """
    if not isinstance(pass_, (Pass, Pipeline)):
        raise TypeError(explain("check_pass: no pass", expected="a Pass or a Pipeline", got=pass_))
    if graph is None:
        graphs: Iterable[Graph] = _drawn(draws, seed, patterns, exact)
    else:
        graphs = [graph] if isinstance(graph, Graph) else graph
    check = _Check(pass_, exact, tuple(batches), seed, idempotent)
    changed = sum(check.run(g) for g in graphs)
    if graph is None and not changed:
        hint = "give graphs that it changes, or what to plant, such as patterns=[P.exp(x)]"
        raise CheckError(f"pass {check.name} changes no graph", [("drawn", draws), ("hint", hint)])
    return changed


def _drawn(count: int, seed: int, patterns: Sequence[Plant], exact: bool | None) -> Iterator[Graph]:
    for number, rng in enumerate(seeds(count, seed)):
        tame = not exact or number % 2 == 0
        yield draw_graph(rng, most=20, patterns=patterns, tame=tame)


@dataclass(frozen=True)
class _Check:
    step: Pass | Pipeline
    exact: bool | None
    batches: tuple[int, ...]
    seed: int
    idempotent: bool

    @property
    def name(self) -> str:
        """What messages call the pass."""
        return self.step.name if isinstance(self.step, Pass) else "pipeline"

    def run(self, graph: Graph) -> bool:
        """Checks one graph; returns whether the pass changed it."""
        needs = self.step.needs if isinstance(self.step, Pass) else Stage.CORE
        if needs is Stage.CORE:
            graph = lower(graph)
        try:
            result, kinds = self.check_structure(graph)
        except CheckError as error:
            raise self.smaller(graph, error) from error.__cause__
        if result.roots == graph.roots:
            return False
        exact = kinds <= {"exact"} if self.exact is None else self.exact
        for batch in self.batches if graph.symbols else self.batches[:1]:
            self.check_values(graph, result, batch, "whole", exact)
            for number in range(_draws_needed(graph) if exact and batch else 0):
                self.check_values(graph, result, batch, "special", exact, number)
        return True

    def check_structure(self, graph: Graph) -> tuple[Graph, set[str]]:
        """What needs no arrays; returns the graph after the pass, and the kinds of its rules."""
        result, kinds = self.apply(graph)
        self.check_signature(graph, result)
        if self.idempotent and result.stage is graph.stage and result.roots != graph.roots:
            self.check_again(result)
        return result, kinds

    def smaller(self, graph: Graph, error: CheckError) -> CheckError:
        """The error of the smallest graph for which the pass breaks its promise.

        That graph updates nothing: what is about updates may show as another promise, or not at
        all.
        """
        (pure,) = as_functions(graph)
        found: dict[Graph, CheckError] = {}

        def fails(small: Graph, arrays: list[np.ndarray]) -> bool:
            try:
                self.check_structure(small)
            except CheckError as again:
                found[small] = again
            return small in found and _promise(found[small]) == _promise(found[pure])

        rng = np.random.default_rng(self.seed)
        arrays = [*feed(graph, rng, batch=self.batches[0]), *(v.numpy() for v in graph.states)]
        if not fails(pure, arrays):
            return error
        return found[smallest(pure, arrays, fails)[0]]

    def apply(self, graph: Graph) -> tuple[Graph, set[str]]:
        """The graph after the pass, and the kinds of the rules that fired."""
        journal = Journal()
        try:
            if isinstance(self.step, Pipeline):
                result, report = self.step.run(graph)
                fired = [f for record in report.passes for f in record.firings]
                return result, {f.kind for f in fired}
            with keeping(journal):
                result = self.step.run(graph)
            if not isinstance(result, Graph):
                raise TypeError(explain("a pass returns a graph", got=result))
            verify(result)
        except Exception as error:  # the pass is the user's, and may raise anything
            kind = "" if isinstance(error, KGraphError) else f"{type(error).__name__}: "
            raise CheckError(f"pass {self.name} failed: {kind}{error}", (), graph) from error
        return result, {f.kind for f in journal.firings}

    def check_signature(self, graph: Graph, result: Graph) -> None:
        """Inputs, names, types and updated variables stay."""
        for what, old, new in zip(
            ("inputs", "outputs", "updates"), _signature(graph), _signature(result), strict=True
        ):
            if old != new:
                facts = [("before", old), ("after", new)]
                raise CheckError(f"pass {self.name} changes the graph's {what}", facts, graph)

    def check_again(self, result: Graph) -> None:
        """A second run changes nothing."""
        again, _ = self.apply(result)
        if again.roots != result.roots:
            facts = [("after a second run", f"\n{again}")]
            raise CheckError(f"pass {self.name} is not done after one run", facts, result)

    def check_values(
        self, graph: Graph, result: Graph, batch: int, kind: Kind, exact: bool, number: int = 0
    ) -> None:
        """Outputs and updates are the same, or as near to the truth."""
        old, new = as_functions(graph, result)
        rng = np.random.default_rng([self.seed, batch, number])
        arrays = [*feed(graph, rng, batch=batch, kind=kind), *(v.numpy() for v in graph.states)]
        try:
            interpret(old, arrays, step=STEP)
        except (IndexError, ValueError):
            return  # no first row, no largest of no elements: such a size is refused
        found = self.compare(old, new, arrays, exact)
        if found is not None:
            raise self.failure(old, arrays, found, exact)

    def compare(
        self, old: Graph, new: Graph, arrays: Sequence[np.ndarray], exact: bool
    ) -> Difference | None:
        """The first output that changed more than it may."""
        return (compare_bits if exact else compare_values)(old, new, arrays, STEP)

    def failure(
        self, graph: Graph, arrays: list[np.ndarray], found: Difference, exact: bool
    ) -> CheckError:
        """The error, with the smallest graph on which the pass does the same."""

        def fails(small: Graph, fed: list[np.ndarray]) -> bool:
            return self.compare(small, self.apply(small)[0], fed, exact) is not None

        if fails(graph, arrays):
            graph, arrays = simplest_values(*smallest(graph, arrays, fails), fails)
            again = self.compare(graph, self.apply(graph)[0], arrays, exact)
            assert again is not None
            found = again
        result, _ = self.apply(graph)
        facts: list[tuple[str, Any]] = [
            ("expression", expression(graph.outputs[0][1])),
            ("becomes", expression(result.outputs[0][1])),
            *found.facts(),
            ("seed", self.seed),
        ]
        how = "a bit of" if exact else "the value of"
        return CheckError(f"pass {self.name} changes {how} {found.output}", facts, graph, arrays)


def _promise(error: CheckError) -> tuple[str, type]:
    """Which promise an error is about, whatever the graph."""
    return str(error).splitlines()[0].partition(":")[0], type(error.__cause__)


def _draws_needed(graph: Graph) -> int:
    """How often to draw special values until small inputs have probably seen each of them."""
    sizes = [n.size for n in graph.inputs if n.type.is_float]
    least = min([s for s in sizes if isinstance(s, int)], default=10)
    return int(np.clip(60 // max(least, 1), 1, 15))


def _signature(graph: Graph) -> tuple[Any, Any, Any]:
    return (
        graph.inputs,
        [(name, str(n.type)) for name, n in graph.outputs],
        [(v, str(n.type)) for v, n in graph.updates],
    )

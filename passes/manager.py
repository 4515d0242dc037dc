"""The pass manager: a pass takes a graph and returns a better one, a pipeline runs several.

`Pipeline.run` times, verifies and records every pass and tells observers. A pass that fails, or
that returns what is not a valid graph of the same signature, ends in a `PassError`.
"""

from __future__ import annotations

import contextlib
import contextvars
import importlib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from kgraph import config
from kgraph.errors import PassError, StageError, explain, told
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.node import Node
from kgraph.ir.verify import verify
from kgraph.passes.journal import Firing, Journal, NearMiss, keeping
from kgraph.passes.options import RULE, enter, parse_items, print_pass, snake_case, unknown
from kgraph.passes.report import CompileReport, Cost, PassRecord, estimate
from kgraph.passes.rules import admitted_kinds

__all__ = [
    "CHECKS", "CompileReport", "Cost", "Firing", "NearMiss", "Observer", "Pass", "PassRecord",
    "Pipeline", "estimate", "observing", "parse_pipeline",
]  # fmt: skip

# Value of `config.check` -> module and name of the observer that checks. By name, for an observer
# that runs graphs lives above the passes.
CHECKS = {"values": ("kgraph.testing.values", "ValueCheck")}


@dataclass(frozen=True)
class Pass:
    """Base of passes: a frozen dataclass whose fields are its options.

    Attributes:
        needs: the stage of the graphs that it takes.
        gives: the stage of those that it returns.
        rule_names: the rules that it may fire.
    """

    needs: ClassVar[Stage] = Stage.CORE
    gives: ClassVar[Stage] = Stage.CORE

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Makes the pass known by its name, for pipelines that are given as text."""
        super().__init_subclass__(**kwargs)
        enter(cls)

    @property
    def name(self) -> str:
        """The class's name as a snake_case verb."""
        return snake_case(type(self).__name__)

    @property
    def rule_names(self) -> tuple[str, ...]:
        """Names of the rules that it may fire, by which they can be left out."""
        return ()

    def run(self, graph: Graph) -> Graph:
        """The better graph; the same object when nothing changed."""
        raise NotImplementedError(f"class {type(self).__name__} has no method run(graph)")

    def rewrite(self, roots: Sequence[Node]) -> tuple[Node, ...]:
        """The same on bare nodes, where a pass needs no more than these."""
        raise NotImplementedError(self.name)


class Observer:
    """Watches pipelines: dumps, diffs, viewers; a subclass overrides what it wants to see."""

    def start(self, pipeline: Pipeline, graph: Graph) -> None:
        """A pipeline is about to run."""

    def before(self, step: Pass, graph: Graph) -> None:
        """A pass is about to run."""

    def after(self, step: Pass, old: Graph, new: Graph) -> None:
        """A pass has run, and its result is verified."""

    def finish(self, report: CompileReport) -> None:
        """The pipeline has run."""


_OBSERVERS: contextvars.ContextVar[tuple[Observer, ...]] = contextvars.ContextVar(
    "observers", default=()
)


@contextlib.contextmanager
def observing(*observers: Observer) -> Iterator[None]:
    """Shows every pipeline that runs in the block to observers, those inside `fit` included."""
    token = _OBSERVERS.set((*_OBSERVERS.get(), *observers))
    try:
        yield
    finally:
        _OBSERVERS.reset(token)


@dataclass(frozen=True)
class Pipeline:
    """Passes in their order; as text, one line that `parse_pipeline` reads.

    Args:
        passes: what to run.
        observers: whom to tell.
        excluded: names of rules that must not fire in any pass.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes.simplify import Simplify
        >>> x = input_node((2,), name="x")
        >>> graph, report = Pipeline((Simplify(),)).run(Graph((x,), (("y", -(-x)),)))
        >>> graph.outputs[0][1] is x, dict(report.fired)
        (True, {'negative-negative': 1})
        >>> print(Pipeline((Simplify(numerics="fast"),)).without("rule:mul-one"))
        simplify{numerics='fast'},-rule:mul-one
    """

    passes: tuple[Pass, ...]
    observers: tuple[Observer, ...] = ()
    excluded: tuple[str, ...] = ()

    def run(self, graph: Graph) -> tuple[Graph, CompileReport]:
        """Runs the passes one after the other.

        Args:
            graph: a graph of the stage that the first pass needs.

        Returns:
            The last graph, and the report.

        Raises:
            StageError: a pass needs another stage.
            PassError: a pass failed; the original error is its cause.
            ValueError: `config` has no such numerics, or no such check.
        """
        source, records = graph, []
        admitted_kinds()  # a wrong `config.numerics` is no fault of a pass
        observers = (*self.observers, *_OBSERVERS.get(), *_checks())
        checked: set[Node] = set()
        with keeping(Journal(excluded=frozenset(self.excluded))) as journal:
            for observer in observers:
                observer.start(self, graph)
            for i, step in enumerate(self.passes):
                for observer in observers:
                    observer.before(step, graph)
                records.append(_run_pass(step, graph, journal, self.passes[:i], checked))
                graph = records[-1].after
                for observer in observers:
                    observer.after(step, records[-1].before, graph)
            report = CompileReport(source, tuple(records), str(self), _options())
            for observer in observers:
                observer.finish(report)
        return graph, report

    def rewrite(self, roots: Sequence[Node]) -> tuple[Node, ...]:
        """The same on bare nodes, for passes of rules and code that has no graph yet."""
        with keeping(Journal(excluded=frozenset(self.excluded))):
            for step in self.passes:
                roots = step.rewrite(roots)
        return tuple(roots)

    def without(self, *names: str) -> Pipeline:
        """The pipeline less the passes of these names, and less the rules called `rule:name`.

        Raises:
            ValueError: there is no such pass or rule.
        """
        known = [p.name for p in self.passes]
        rules = [name for p in self.passes for name in p.rule_names]
        excluded = list(self.excluded)
        for name in names:
            rule = name.removeprefix(RULE)
            if rule == name and name not in known:
                raise unknown("no pass", name, known)
            if rule != name and rule not in (*rules, *excluded):
                raise unknown("no rule", rule, rules)
            if rule != name and rule not in excluded:
                excluded.append(rule)
        left = tuple(p for p in self.passes if p.name not in names)
        return replace(self, passes=left, excluded=tuple(excluded))

    def __str__(self) -> str:
        return ",".join([*map(print_pass, self.passes), *(f"-{RULE}{n}" for n in self.excluded)])


def parse_pipeline(text: str, default: Sequence[Pass] = ()) -> Pipeline:
    """Reads a pipeline from one line.

    Args:
        text: passes such as `simplify{numerics="fast"},finish`, and what to leave out of them,
            such as `-stabilize` and `-rule:mul-one`.
        default: the passes when the text only says what to leave out.

    Returns:
        The pipeline.

    Raises:
        ValueError: a pass, an option or a rule is unknown, or a value is no Python literal.

    Example:
        >>> from kgraph.passes import CORE
        >>> print(parse_pipeline("simplify{without=('mul-one',)},finish"))
        simplify{without=('mul-one',)},finish
        >>> parse_pipeline("-stabilize", CORE) == Pipeline(CORE).without("stabilize")
        True
    """
    passes, left_out = parse_items(text)
    return Pipeline(passes or tuple(default)).without(*left_out)


def _options() -> dict[str, Any]:
    """The switches that decide what the passes do."""
    return {"numerics": config.numerics, "fuel": config.fuel, "verify": config.verify,
            "check": config.check}  # fmt: skip


def _checks() -> list[Observer]:
    """The observer that `config.check` asks for."""
    if not config.check:
        return []
    if config.check not in CHECKS:
        raise unknown("no check", config.check, CHECKS)
    module, name = CHECKS[config.check]
    return [getattr(importlib.import_module(module), name)()]


def _run_pass(
    step: Pass, graph: Graph, journal: Journal, earlier: Sequence[Pass], checked: set[Node]
) -> PassRecord:
    if graph.stage is not step.needs:
        raise StageError(
            explain(f"pass {step.name} cannot take this graph",
                    expected=f"stage {step.needs.name}", got=f"stage {graph.stage.name}",
                    hint=_stage_hint(graph.stage))
        )  # fmt: skip
    start = time.perf_counter()
    try:
        new = step.run(graph)
        ran = time.perf_counter()
        _check_result(step, graph, new)
        new = _count_whole(step, graph, new, journal)
        if config.verify and new is not graph:
            verify(new, checked)
    except Exception as error:
        raise _failure(step, journal, earlier, error) from error
    done = time.perf_counter()
    return PassRecord(step.name, ran - start, done - ran, graph, new, *journal.turn_page())


def _count_whole(step: Pass, old: Graph, new: Graph, journal: Journal) -> Graph:
    """The result of a pass that replaced nodes without any rule counts as one firing.

    A pass that changes the stage is needed and never held back: it minds the fuel itself.
    """
    if journal.firings or step.needs is not step.gives or new.roots == old.roots:
        return new
    if not journal.may_fire(step.name):
        return old
    before, after = next((a, b) for a, b in zip(old.roots, new.roots) if a is not b)
    journal.fired(step.name, "pass", before, after)
    return new


def _stage_hint(stage: Stage) -> str:
    if stage is Stage.LAYERS:
        return "lower the layers first: kgraph.passes.lower.lower(graph, training=...)"
    return "an optimized graph goes to the runtime as it is"


def _check_result(step: Pass, old: Graph, new: Graph) -> None:
    """Names, types, inputs and updated variables are the caller's; no pass may touch them."""
    if not isinstance(new, Graph):
        raise PassError(explain("a pass returns a graph", got=repr(new)[:200]))
    if new.stage is not step.gives:
        raise PassError(explain("the result has the wrong stage", expected=step.gives.name,
                                got=new.stage.name))  # fmt: skip
    before, after = _signature(old), _signature(new)
    if before != after:
        missing = [part for part in before if part not in after]
        extra = [part for part in after if part not in before]
        raise PassError(
            explain("the result has another signature",
                    expected=_show(missing) or "inputs, outputs and updates in their order",
                    got=_show(extra) or "fewer, or in another order",
                    where=next((n.origin.where for name, n in old.outputs
                                if ("output", name, n.types) in missing), None))
        )  # fmt: skip
    if new == old and new is not old:
        raise PassError("a pass that changes nothing returns the graph that it got")


def _signature(graph: Graph) -> list[tuple[Any, ...]]:
    """What a pass must keep, as (kind, node or name, types)."""
    inputs = [("input", n, n.types) for n in graph.inputs]
    outputs = [("output", name, n.types) for name, n in graph.outputs]
    return [*inputs, *outputs, *(("update of", v, n.types) for v, n in graph.updates)]


def _show(parts: Sequence[tuple[Any, ...]]) -> str:
    return "; ".join(f"{kind} {what!r}: {', '.join(map(str, t))}" for kind, what, t in parts[:4])


def _failure(step: Pass, journal: Journal, earlier: Sequence[Pass], error: Exception) -> PassError:
    before = ", ".join(p.name for p in earlier) or "none"
    rules = ", ".join(f"{rule} x{n}" for rule, n in journal.counts().items()) or "none"
    return PassError(
        f"pass {step.name} failed: {told(error)}\n"
        f"  passes before it: {before}\n  rules it fired: {rules}"
    )

"""The pass manager: a pass takes a graph and returns a better one, a pipeline runs several.

`Pipeline.run` times, verifies and records every pass and tells observers. A pass that fails, or
that returns what is not a valid graph of the same signature, ends in a `PassError`.
"""

from __future__ import annotations

import contextlib
import contextvars
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from kgraph import config
from kgraph.errors import PassError, StageError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.verify import verify
from kgraph.passes.journal import Firing, Journal, NearMiss, keeping
from kgraph.passes.report import CompileReport, Cost, PassRecord, estimate

__all__ = [
    "CompileReport", "Cost", "Firing", "NearMiss", "Observer", "Pass", "PassRecord", "Pipeline",
    "estimate", "observing",
]  # fmt: skip


@dataclass(frozen=True)
class Pass:
    """Base of passes: a frozen dataclass whose fields are its options.

    Attributes:
        needs: the stage of the graphs that it takes.
        gives: the stage of those that it returns.
    """

    needs: ClassVar[Stage] = Stage.CORE
    gives: ClassVar[Stage] = Stage.CORE

    @property
    def name(self) -> str:
        """The class's name as a snake_case verb."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(self).__name__).lower()

    def run(self, graph: Graph) -> Graph:
        """The better graph; the same object when nothing changed."""
        raise NotImplementedError(self.name)


class Observer(Protocol):
    """Watches a pipeline: dumps, diffs, viewers."""

    def before(self, step: Pass, graph: Graph) -> None:
        """A pass is about to run."""
        ...

    def after(self, step: Pass, old: Graph, new: Graph) -> None:
        """A pass has run, and its result is verified."""
        ...


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
    """Passes in their order.

    Args:
        passes: what to run.
        observers: whom to tell.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes.simplify import Simplify
        >>> x = input_node((2,), name="x")
        >>> graph, report = Pipeline((Simplify(),)).run(Graph((x,), (("y", -(-x)),)))
        >>> graph.outputs[0][1] is x, dict(report.fired)
        (True, {'negative-negative': 1})
    """

    passes: tuple[Pass, ...]
    observers: tuple[Observer, ...] = ()

    def run(self, graph: Graph) -> tuple[Graph, CompileReport]:
        """Runs the passes one after the other.

        Args:
            graph: a graph of the stage that the first pass needs.

        Returns:
            The last graph, and the report.

        Raises:
            StageError: a pass needs another stage.
            PassError: a pass failed; the original error is its cause.
        """
        source, records = graph, []
        observers = (*self.observers, *_OBSERVERS.get())
        with keeping(Journal(fuel=config.fuel)) as journal:
            for i, step in enumerate(self.passes):
                for observer in observers:
                    observer.before(step, graph)
                records.append(_run_pass(step, graph, journal, self.passes[:i]))
                graph = records[-1].after
                for observer in observers:
                    observer.after(step, records[-1].before, graph)
        return graph, CompileReport(source, tuple(records))

    def without(self, *names: str) -> Pipeline:
        """The pipeline less the passes of these names.

        Raises:
            ValueError: there is no such pass.
        """
        known = [p.name for p in self.passes]
        for name in names:
            if name not in known:
                raise ValueError(explain(f"no pass {name!r}", expected=", ".join(known)))
        return replace(self, passes=tuple(p for p in self.passes if p.name not in names))


def _run_pass(step: Pass, graph: Graph, journal: Journal, earlier: Sequence[Pass]) -> PassRecord:
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
        if config.verify and new is not graph:
            verify(new)
    except Exception as error:
        raise _failure(step, journal, earlier, error) from error
    done = time.perf_counter()
    return PassRecord(step.name, ran - start, done - ran, graph, new, *journal.turn_page())


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
    signatures = [_signature(g) for g in (old, new)]
    if signatures[0] != signatures[1]:
        raise PassError(explain("the result has another signature", expected=signatures[0],
                                got=signatures[1]))  # fmt: skip
    if new == old and new is not old:
        raise PassError("a pass that changes nothing returns the graph that it got")


def _signature(graph: Graph) -> tuple[object, ...]:
    outputs = tuple((name, *map(str, node.types)) for name, node in graph.outputs)
    updates = tuple((v, *map(str, node.types)) for v, node in graph.updates)
    return graph.inputs, outputs, updates


def _failure(step: Pass, journal: Journal, earlier: Sequence[Pass], error: Exception) -> PassError:
    before = ", ".join(p.name for p in earlier) or "none"
    rules = ", ".join(f"{rule} x{n}" for rule, n in journal.counts().items()) or "none"
    return PassError(
        f"pass {step.name} failed: {error}\n  passes before it: {before}\n  rules it fired: {rules}"
    )

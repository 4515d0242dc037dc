"""Executable: a compiled graph. It makes a plan for each binding of symbolic sizes and keeps it.

Variables are shared by everything that reads them: a prediction sees what training wrote. Calls
from several threads get plans of their own; calls that update variables wait for one another.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph import config
from kgraph.errors import StageError, UndecidableError, explain
from kgraph.ir.collecting import without_collection
from kgraph.ir.graph import Graph, Stage, substitute
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.node import API, build
from kgraph.ir.variable import Variable
from kgraph.passes.lower import lower
from kgraph.passes.manager import CompileReport, Pipeline
from kgraph.passes.pipeline import optimize
from kgraph.passes.rematerialize import check_budget
from kgraph.runtime.binding import bind_shapes, feed_arrays
from kgraph.runtime.budget import plan_within
from kgraph.runtime.emit import Plan
from kgraph.runtime.memory_report import MemoryReport, memory_report
from kgraph.runtime.plan import PlanData
from kgraph.runtime.planning import make_plan
from kgraph.runtime.profile import Profile, profile

Key = tuple[tuple[str, int], ...]


class Executable:
    """A graph that is ready to run on arrays.

    Args:
        graph: a FUSED (or CORE) graph.
        report: what the passes did to get there.
        memory_budget: bytes, or a part of the plain plan's arena; see `compile`.

    Attributes:
        graph: the graph that the plans are made of.
        report: the same.
        memory_budget: the same.
    """

    def __init__(
        self,
        graph: Graph,
        report: CompileReport | None = None,
        memory_budget: int | float | None = None,
    ) -> None:
        if graph.stage is Stage.LAYERS:
            raise StageError("A graph of layers cannot be run: lower it first, or use compile().")
        if memory_budget is not None:
            check_budget(memory_budget)
        self.graph, self.report, self.memory_budget = graph, report, memory_budget
        self._data: OrderedDict[Key, PlanData] = OrderedDict()
        self._idle: dict[Key, list[Plan]] = {}
        self._bound: dict[Key, Plan] = {}
        self._lock = threading.RLock()
        self._running = threading.RLock()

    def __call__(self, *arrays: Any) -> tuple[np.ndarray, ...]:
        """Runs once.

        Args:
            arrays: one an input, of its shape; cast to its dtype.

        Returns:
            One new array an output.

        Raises:
            ValueError: a shape does not fit.
        """
        fed = feed_arrays(self.graph.inputs, arrays)
        key = self._key(bind_shapes(self.graph.inputs, [a.shape for a in fed]))
        if not self.graph.updates:
            return self._run(key, fed)
        with self._running:
            return self._run(key, fed)

    def _run(self, key: Key, fed: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        plan = self._take(key)
        try:
            plan.run(plan.feed(fed))
            return tuple(array.copy() for array in plan.outputs)
        finally:
            with self._lock:
                if key in self._data:
                    self._idle.setdefault(key, []).append(plan)

    @without_collection
    def bind(self, binding: Mapping[str, int]) -> Plan:
        """The one plan that belongs to whoever drives the loop: fill `inputs`, `run()`, repeat.

        Args:
            binding: a number for each of `graph.symbols`.

        Returns:
            The plan; the same one for the same binding, as long as it is kept.

        Raises:
            UndecidableError: a symbol has no number.
        """
        key = self._key(binding)
        with self._lock:
            data = self._plan_data(key)
            if key not in self._bound:
                self._bound[key] = Plan(data)
            return self._bound[key]

    @property
    def source(self) -> str:
        """The generated Python of the plan that was used last."""
        with self._lock:
            key = next(reversed(self._data), None)
            if key is None:
                raise StageError("No plan yet: call the executable or bind() it first.")
            plans = [self._bound[key]] if key in self._bound else self._idle.get(key, [])
            return plans[0].source if plans else Plan(self._data[key]).source

    def profile(self, binding: Mapping[str, int], runs: int = 20) -> Profile:
        """Times each step of the bound plan on the inputs that it holds.

        Args:
            binding: a number for each of `graph.symbols`.
            runs: repetitions of each step.

        Returns:
            The measured steps; variables keep their values.
        """
        plan = self.bind(binding)
        with self._running:
            return profile(plan, runs)

    def memory(self, binding: Mapping[str, int]) -> MemoryReport:
        """What the memory of the plan for these sizes is spent on.

        Args:
            binding: a number for each of `graph.symbols`.

        Returns:
            The arena, its lower bound, and the largest values at the fullest moment.
        """
        key = self._key(binding)
        with self._lock:
            return memory_report(self._plan_data(key))

    def _key(self, binding: Mapping[str, int]) -> Key:
        try:
            return tuple((name, int(binding[name])) for name in self.graph.symbols)
        except KeyError as error:
            raise UndecidableError(
                explain(
                    f"The size {error} has no number",
                    expected=", ".join(self.graph.symbols),
                    got=", ".join(f"{name} = {number}" for name, number in binding.items()),
                    hint="bind it, or give the graph an input whose shape shows it",
                )
            ) from None

    def _take(self, key: Key) -> Plan:
        with self._lock:
            data = self._plan_data(key)
            idle = self._idle.get(key)
            if idle:
                return idle.pop()
        return Plan(data)

    @without_collection
    def _plan_data(self, key: Key) -> PlanData:
        if key not in self._data:
            self._data[key] = self._make_plan(dict(key))
            while len(self._data) > max(config.plan_cache_size, 1):
                old, _ = self._data.popitem(last=False)
                self._idle.pop(old, None)
                self._bound.pop(old, None)
        self._data.move_to_end(key)
        return self._data[key]

    def _make_plan(self, binding: Mapping[str, int]) -> PlanData:
        if self.memory_budget is None:
            return make_plan(self.graph, binding)
        return plan_within(self.graph, binding, self.memory_budget)


@without_collection
def compile(
    graph: Graph,
    *,
    rng_step: Variable | None = None,
    pipeline: Pipeline | None = None,
    memory_budget: int | float | None = None,
) -> Executable:
    """Optimizes a graph and makes it ready to run.

    Args:
        graph: a graph of any stage; layers are lowered for inference.
        rng_step: the counter of random ops, an int64 scalar; default one of its own.
        pipeline: passes to use instead of the default ones.
        memory_budget: the arena that a plan may take, in bytes as an int, or as a float up to 1.0
            the part of what it takes without a budget. Values are computed twice to keep to it.

    Returns:
        What runs the graph on arrays of any sizes that fit. With a budget, making a plan raises
        `MemoryBudgetError` where none is small enough for the sizes at hand.

    Raises:
        ValueError: the budget is no amount of memory.

    Example:
        >>> from kgraph.ir import Dim, Graph, input_node
        >>> from kgraph import ops
        >>> x = input_node((Dim.symbol("batch"), 2), name="x")
        >>> compile(Graph((x,), (("y", ops.sum(x, axis=1)),)))([[1.0, 2.0], [3.0, 4.0]])
        (array([3., 7.], dtype=float32),)
    """
    if graph.stage is Stage.LAYERS:
        graph = lower(graph)
    graph = count_runs(graph, rng_step)
    if graph.stage is Stage.FUSED:
        return Executable(graph, None, memory_budget)
    return Executable(*optimize(graph, pipeline), memory_budget)


def count_runs(graph: Graph, counter: Variable | None) -> Graph:
    """Gives random ops a counter variable that grows by one with every run."""
    if (RNG_STEP,) not in graph.kinds:
        return graph
    leaf = build(RNG_STEP)
    counter = counter if counter is not None else Variable(0, "rng_step", "int64", trainable=False)
    roots = substitute(graph.roots, {leaf: counter})
    graph = graph.with_roots(roots)
    updates = (*graph.updates, (counter, API["add"](counter, 1)))
    return Graph(graph.inputs, graph.outputs, updates, graph.stage)

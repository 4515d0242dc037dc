"""The compiled steps of one model: one executable for each kind of step and type of data."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph import config
from kgraph.ir import Graph, Node, TensorType, Variable
from kgraph.ir.collecting import without_collection
from kgraph.runtime.binding import bind_shapes
from kgraph.runtime.executable import Executable, compile, count_runs
from kgraph.runtime.watched import WatchedPlan
from kgraph.training.added import check_names, check_same_names
from kgraph.training.compilation import Compilation, Head
from kgraph.training.custom import overrides
from kgraph.training.data import as_arrays, check_counts
from kgraph.training.loop import Batches
from kgraph.training.sources import Stream, StreamBatches
from kgraph.training.sources.unpacking import unpack
from kgraph.training.step import (
    NO_LOSS,
    Forward,
    Signature,
    evaluation_graph,
    forward,
    training_graph,
)
from kgraph.training.targets import (
    of_heads,
    sample_weights,
    target_arrays,
    target_type,
    weight_type,
    with_class_weights,
)
from kgraph.training.totals import Totals
from kgraph.training.traced_steps import STEPS, traced_graph

_MOST_SHAPES = 64
AnyBatches = Batches | StreamBatches


@dataclass
class Data:
    """Checked arrays.

    Attributes:
        inputs: one an input of the model.
        targets: one a head.
        weights: one a head, None where it has none.
        samples: their length.
    """

    inputs: list[np.ndarray]
    targets: list[np.ndarray]
    weights: list[np.ndarray | None]
    samples: int

    @property
    def arrays(self) -> list[np.ndarray]:
        """What a step is fed, in the order of its inputs."""
        return [*self.inputs, *self.targets, *(w for w in self.weights if w is not None)]

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal only for data that one step can take."""
        return tuple(
            None if a is None else (a.shape[1:], a.dtype.char)
            for a in (*self.targets, *self.weights)
        )

    def part(self, rows: slice) -> Data:
        """Some of the samples."""
        weights = [None if w is None else w[rows] for w in self.weights]
        inputs, targets = [a[rows] for a in self.inputs], [a[rows] for a in self.targets]
        return Data(inputs, targets, weights, len(range(self.samples)[rows]))


class Step:
    """An executable with its plans, found by the shapes of the arrays.

    Args:
        executable: what to run.
        lock: shared by steps that write the same variables; default one of its own.
        watched: whether plans are interpreted node by node, with a look at every value.

    Attributes:
        lock: held by whoever fills the plans' inputs and reads their outputs. Two threads that
            filled one plan would exchange its ids after they were checked.
    """

    def __init__(
        self,
        executable: Executable,
        lock: threading.RLock | None = None,
        watched: bool = False,
    ) -> None:
        self.executable, self._watched = executable, watched
        self.lock = lock or threading.RLock()
        self._plans: dict[tuple[tuple[int, ...], ...], Any] = {}

    def plan(self, shapes: tuple[tuple[int, ...], ...]) -> Any:
        """The plan for arrays of these shapes."""
        found = self._plans.get(shapes)
        if found is None:
            if len(self._plans) >= config.plan_cache_size:
                self._plans.clear()
            found = self._plans[shapes] = self._make_plan(shapes)
        return found

    def _make_plan(self, shapes: tuple[tuple[int, ...], ...]) -> Any:
        graph = self.executable.graph
        binding = bind_shapes(graph.inputs, shapes)
        return WatchedPlan(graph, binding) if self._watched else self.executable.bind(binding)

    def run(self, arrays: Sequence[np.ndarray]) -> Any:
        """Runs on one batch; returns the plan, which holds the outputs until the next run."""
        plan = self.plan(tuple([a.shape for a in arrays]))
        with self.lock:
            plan.run(plan.feed(arrays))
        return plan

    def outputs(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The outputs for one batch, copied."""
        with self.lock:
            return [output.copy() for output in self.run(arrays).outputs]


class Program:
    """Everything that belongs to one `compile` of one model.

    Args:
        model: the model; what its layers do in training is fixed here.
        compiled: losses, metrics, optimizer.
        rng_step: the model's counter of random ops.

    Attributes:
        names: names of the logged values: those of `compile`, then the added metrics.
        totals: the variables behind the logs, by kind of step: a callback that evaluates in the
            middle of an epoch leaves the epoch's means alone.
        custom: whether the user wrote the step, by kind.

    Raises:
        ValueError: there is no loss at all, or two metrics have one name.
    """

    def __init__(self, model: Any, compiled: Compilation, rng_step: Variable) -> None:
        self.compiled, self.rng_step = compiled, rng_step
        self.graph: Graph = model.graph
        self.input_names = list(model.input_names)
        self.input_types: list[TensorType] = [n.type for n in model.inputs]
        self.outputs: list[Node] = list(model.outputs)
        self.output_names: list[str] = list(model.output_names)
        self._model = model
        self.custom = {kind: overrides(model, name) for kind, name in STEPS.items()}
        self._sources: dict[str, Forward] = {"train": forward(model, training=True)}
        self.names = [*compiled.names, *(m.name for m in self._sources["train"].added)]
        check_names(self.names)
        self.totals = {kind: Totals(self.names) for kind in ("train", "evaluate")}
        self._graphs: dict[tuple[str, Signature], Graph] = {}
        self._steps: dict[tuple[str, Signature], Step] = {}
        self._found: dict[Any, Step] = {}  # shortcuts from shapes of data to steps
        self._lock = threading.RLock()
        if not compiled.heads and not self._sources["train"].penalties:
            raise ValueError(NO_LOSS)

    def data(self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None) -> Data:
        """Checks and casts what the user passed.

        Raises:
            ValueError: it does not fit the model, or there is none: a mean over no samples would
                be NaN, and so would the weights after a step on it.
            TypeError: it holds no arrays.
        """
        heads = self._heads(y)
        y, sample_weight = self.of_heads(y), self.of_heads(sample_weight)
        inputs = as_arrays(x, self.input_names, self.input_types, "input")
        targets = target_arrays(y, heads, self.outputs)
        weights = sample_weights(sample_weight, heads, targets)
        samples = check_counts(inputs, targets, weights)
        if not samples:
            raise ValueError(f"Empty data: the arrays for {self.input_names} hold no samples.")
        weights = with_class_weights(weights, self.of_heads(class_weight), heads, targets)
        return Data(inputs, targets, weights, samples)

    def of_heads(self, given: Any) -> Any:
        """What is given for all outputs, without those that are not trained."""
        return of_heads(given, self.compiled.heads, self.output_names)

    def weigh_classes(self, data: Data, class_weight: Any) -> Data:
        """The same data with class weights."""
        heads, class_weight = self.compiled.heads, self.of_heads(class_weight)
        weights = with_class_weights(data.weights, class_weight, heads, data.targets)
        return Data(data.inputs, data.targets, weights, data.samples)

    def read(self, batch: Any, class_weight: Any = None) -> Data:
        """A batch of a stream, checked and cast."""
        return self.data(*unpack(batch), class_weight)

    def batches(
        self,
        kind: str,
        data: Data | Stream,
        batch_size: int,
        shuffle: bool | str = False,
        class_weight: Any = None,
    ) -> AnyBatches:
        """Data, as runs of a step of a kind.

        Args:
            kind: "train" or "evaluate".
            data: arrays or a stream.
            batch_size: samples in a batch of arrays.
            shuffle: whether arrays get a new order in each epoch.
            class_weight: weights of a stream's classes.
        """
        if isinstance(data, Data):
            return Batches(self.step(kind, data), data.arrays, batch_size, shuffle=shuffle)

        def run_of(batch: Any) -> tuple[Callable[[], Any], int]:
            found = self.read(batch, class_weight)
            return functools.partial(self.step(kind, found).run, found.arrays), found.samples

        return StreamBatches(data, run_of)

    def step(self, kind: str, data: Data) -> Step:
        """The compiled step of a kind for data like these, built when it is first needed.

        Args:
            kind: "train" or "evaluate".
            data: decides the types of targets and weights.
        """
        key = (kind, data.key)
        found = self._found.get(key)
        if found is None:
            if len(self._found) >= _MOST_SHAPES:
                self._found.clear()
            signature = self._signature(data)
            if (kind, signature) not in self._steps:
                made = self._build(kind, signature), self._lock, self.compiled.run_eagerly
                self._steps[kind, signature] = Step(*made)
            found = self._found[key] = self._steps[kind, signature]
        return found

    def source(self, kind: str, data: Data) -> Graph:
        """The graph of the step for data like these before the passes; nothing is compiled.

        Args:
            kind: "train" or "evaluate".
            data: decides the types of targets and weights.
        """
        return self._source(kind, self._signature(data))

    def _signature(self, data: Data) -> Signature:
        heads = self.compiled.heads[: len(data.targets)]
        outputs = [self.outputs[head.index] for head in heads]
        given = zip(data.targets, heads, outputs, strict=True)
        return Signature(
            tuple(target_type(array, head, output) for array, head, output in given),
            tuple(weight_type(w, n) for w, n in zip(data.weights, outputs, strict=True)),
        )

    def _heads(self, y: Any) -> tuple[Head, ...]:
        """The outputs that have targets; a step of the user's own may do without any."""
        own = self.custom["train"] or self.custom["evaluate"]
        return () if y is None and own else self.compiled.heads

    @without_collection
    def _source(self, kind: str, signature: Signature) -> Graph:
        if (kind, signature) not in self._graphs:
            graph = self._graph(kind, signature)
            self._graphs[kind, signature] = count_runs(graph, self.rng_step)
        return self._graphs[kind, signature]

    def _graph(self, kind: str, signature: Signature) -> Graph:
        if self.custom[kind]:
            totals = self.totals[kind]
            return traced_graph(kind, self._model, self.compiled, signature, totals)
        if kind not in self._sources:
            source = forward(self._model, training=False)
            check_same_names(self._sources["train"].added, source.added)
            self._sources[kind] = source
        make: Callable[..., Graph] = training_graph if kind == "train" else evaluation_graph
        return make(self._sources[kind], self.compiled, signature, self.totals[kind])

    def _build(self, kind: str, signature: Signature) -> Executable:
        graph = self._source(kind, signature)
        if self.compiled.run_eagerly:
            return Executable(graph)
        # Only a step that goes forth and back has values that wait long enough to be dropped.
        budget = self.compiled.memory_budget if kind == "train" else None
        return compile(graph, memory_budget=budget)

    def run_once(self, kind: str, data: Data, reset: bool = True) -> dict[str, float]:
        """One step on one batch, and the means of the logged values.

        Args:
            kind: "train" or "evaluate".
            data: the batch.
            reset: whether the means start with this batch.
        """
        step, totals = self.step(kind, data), self.totals[kind]
        with self._lock:
            if reset:
                totals.reset()
            step.run(data.arrays)
            return totals.results()

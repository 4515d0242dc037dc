"""Runs of batches with callbacks around them: the epochs of `fit`, `evaluate`, `predict`."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgraph.callbacks import CallbackList, Logs, ProgbarLogger
from kgraph.callbacks.progress import ProgressBar
from kgraph.ir import Dim, Variable
from kgraph.training.epochs import Epochs, Position, whole_number
from kgraph.training.loop import Batches
from kgraph.training.program import AnyBatches, Data, Program, Step
from kgraph.training.rounds import in_rounds
from kgraph.training.sources import Stream
from kgraph.training.totals import Totals

DEFAULT_BATCH = 32


@dataclass
class Fit:
    """One call of `fit`, after its arguments were checked.

    Args:
        model: only its `stop_training` is used.
        program: the compiled steps.
        train: training data, or a stream of batches.
        validation: likewise, or None.
        batch_size: samples in a batch.
        validation_batch_size: the same for validation.
        shuffle: True, False or "batch".
        epochs: which epochs run.
        class_weight: weights of a stream's classes; those of data are in its sample weights.
        callbacks: all callbacks.
        position: where the run is.
    """

    model: Any
    program: Program
    train: Data | Stream
    validation: Data | Stream | None
    batch_size: int
    validation_batch_size: int
    shuffle: bool | str
    epochs: Epochs
    class_weight: Any = None
    callbacks: CallbackList = field(default_factory=CallbackList)
    position: Position = field(default_factory=lambda: Position(0))

    def run(self) -> None:
        """Runs the epochs."""
        make, check = self.program.batches, None
        train = make("train", self.train, self.batch_size, self.shuffle, self.class_weight)
        if self.validation is not None:
            check = make("evaluate", self.validation, self.validation_batch_size)
        self.position = Position(self.epochs.first)
        self.callbacks.call("on_train_begin", Logs())
        train.skip(self.position.epoch - self.epochs.first)
        logs = Logs()
        for epoch in range(self.position.epoch, self.epochs.last):
            if self.model.stop_training or not train.ready():
                break
            logs = Logs()
            self.callbacks.call("on_epoch_begin", epoch, logs)
            if not self.position.batch:
                self.totals.reset()
            whole = self._batches(train)
            logs.update(self.totals.results())
            if check is not None and whole and self.epochs.checked(epoch) and check.ready():
                measured = run_test(self.program, check, self.callbacks)
                logs.update({f"val_{name}": value for name, value in measured.items()})
            self.position = Position(epoch + 1)
            self.callbacks.call("on_epoch_end", epoch, logs)
        optimizer = self.program.compiled.optimizer
        optimizer.finalize_variable_values(self.program.compiled.trainable)
        self.callbacks.call("on_train_end", logs)

    @property
    def totals(self) -> Totals:
        """The running totals of training."""
        return self.program.totals["train"]

    @functools.cached_property
    def _step(self) -> Step:
        """The step of training, that of an example where the batches are not known before."""
        data = self.train
        if isinstance(data, Stream):
            data = self.program.read(data.example(), self.class_weight)
        return self.program.step("train", data)

    @property
    def variables(self) -> list[Variable]:
        """All that training reads and writes, and the model's other weights."""
        graph = self._step.executable.graph
        own = [*self.model.weights, *self.program.compiled.optimizer.weights]
        found = [*own, self.program.rng_step, *self.totals.variables, *graph.states]
        return list(dict.fromkeys(found))

    def _order(self, batches: AnyBatches) -> np.ndarray | None:
        """The order of the epoch; that of an epoch that goes on is drawn again."""
        place = self.position
        if place.before is None:
            place.before = np.random.get_state()
            return batches.order()
        now = np.random.get_state()
        np.random.set_state(place.before)
        order = batches.order()
        np.random.set_state(now)
        return order

    def _batches(self, batches: AnyBatches) -> bool:
        """Runs an epoch's batches; False if training was stopped before the last."""
        order = self._order(batches)
        bar = find_bar(self.callbacks)
        if not isinstance(batches, Batches) or self.callbacks.watches_batches("train"):
            return self._each(batches, order, bar)
        results, clock = self.totals.results, time.perf_counter
        if bar is None or not bar.live:
            with np.errstate(all="ignore"):
                for index in range(self.position.batch, len(batches)):
                    batches.run_bare(index, order)
            return True
        for index in range(self.position.batch, len(batches)):
            batches.run(index, order)
            if clock() >= bar.due:
                bar.refresh(batches.bounds[index][1], results())
        return True

    def _each(self, batches: AnyBatches, order: np.ndarray | None, bar: ProgressBar | None) -> bool:
        """The same batch by batch, with hooks and with a user's code between the batches."""
        watched, place = self.callbacks.watches_batches("train"), self.position
        progress, batch_logs = Progress(bar, batches, place.batch), BatchLogs(self)
        together = self.program.compiled.steps_per_execution
        for each in in_rounds(batches.pieces(place.batch, order), together):
            if watched:
                logs = Logs(batch=each.first, size=each.size)
                self.callbacks.call("on_train_batch_begin", each.first, logs)
            each.run()
            place.batch = each.last + 1
            if watched:
                logs = Logs({"batch": each.last, "size": each.size, **batch_logs.read()})
                self.callbacks.call("on_train_batch_end", each.last, logs)
            progress.add(each.size, self.totals.results, len(each.pieces))
            if self.model.stop_training:
                return place.batch == batches.steps
        progress.end()
        return True


class BatchLogs:
    """The logs of single batches: losses are the batch's, metrics the epoch's."""

    def __init__(self, run: Fit) -> None:
        heads = run.program.compiled.heads
        self._totals = run.totals
        # A step of the user's own says its names only when it is traced.
        own = run.program.custom["train"]
        self._names = [] if own else ["loss", *(h.log for h in heads if h.log is not None)]
        self._seen, self._sums = self._totals.snapshot(self._names)

    def read(self) -> dict[str, Any]:
        """Those of the batches since the last call."""
        logs, before, seen = self._totals.results(), self._sums, self._seen
        self._seen, self._sums = self._totals.snapshot(self._names)
        for name, now, old in zip(self._names, self._sums, before, strict=True):
            logs[name] = (now - old) / (self._seen - seen)
        return logs


class Progress:
    """How far an epoch is, shown by a bar if there is one.

    Args:
        bar: the bar or None.
        batches: what is run; says whether samples or steps are counted.
        done: batches that were run before.
    """

    def __init__(self, bar: ProgressBar | None, batches: AnyBatches, done: int = 0) -> None:
        self._bar, self._counted = bar, batches.counted
        self._seen = done
        if self._counted and done and isinstance(batches, Batches):
            self._seen = batches.bounds[done - 1][1]

    def add(self, size: int, read: Callable[[], Mapping[str, float]], steps: int = 1) -> None:
        """Shows that batches are done; their values are read only where they are shown."""
        self._seen += size if self._counted else steps
        bar = self._bar
        if bar is not None and time.perf_counter() >= bar.due:
            bar.refresh(self._seen, read())

    def end(self) -> None:
        """Takes what was seen for the whole, where that was unknown or more."""
        if self._bar is not None:
            self._bar.target = self._seen


def run_test(
    program: Program,
    batches: AnyBatches,
    callbacks: CallbackList,
    bar: ProgressBar | None = None,
) -> dict[str, float]:
    """Measures all batches; the means of the logged values."""
    totals = program.totals["evaluate"]
    totals.reset()
    callbacks.call("on_test_begin", Logs())
    together = program.compiled.steps_per_execution
    run_batches(batches, callbacks, "test", totals.results, bar, None, together)
    found = totals.results()
    callbacks.call("on_test_end", Logs(found))
    return found


def run_batches(
    batches: AnyBatches,
    callbacks: CallbackList,
    mode: str,
    read: Any,
    bar: ProgressBar | None = None,
    take: Any = None,
    together: int = 1,
) -> None:
    """Runs all batches of an epoch in their order.

    Args:
        batches: what to run.
        callbacks: whose hooks are called, if there are any.
        mode: "test" or "predict".
        read: gives the logs of a batch.
        bar: progress to show, or None.
        take: function of (what the run returned, number of samples), called after each batch.
        together: batches between two calls of hooks.
    """
    watched, progress = callbacks.watches_batches(mode), Progress(bar, batches)
    order = batches.order()
    if isinstance(batches, Batches) and not watched and bar is None:
        run_alone(batches, order, take)
        return
    for each in in_rounds(batches.pieces(0, order), together):
        if watched:
            logs = Logs(batch=each.first, size=each.size)
            callbacks.call(f"on_{mode}_batch_begin", each.first, logs)
        each.run(take)
        if watched:
            logs = Logs({"batch": each.last, "size": each.size, **read()})
            callbacks.call(f"on_{mode}_batch_end", each.last, logs)
        progress.add(each.size, dict, len(each.pieces))
    progress.end()


def run_alone(batches: Batches, order: np.ndarray | None, take: Any) -> None:
    """Runs all batches where nobody wants to know of them: as little as a batch can cost.

    Args:
        batches, take: as for `run_batches`.
        order: of the rows.
    """
    with np.errstate(all="ignore"):
        for index, (start, stop) in enumerate(batches.bounds):
            plan = batches.run_bare(index, order)
            if take is not None:
                take(plan, stop - start)


def run_predict(
    batches: AnyBatches,
    samples: int | None,
    callbacks: CallbackList,
    bar: ProgressBar | None,
    together: int = 1,
) -> list[np.ndarray]:
    """The outputs for all rows, each batch written straight into its place.

    Args:
        batches: their runs return plans, or lists of outputs of their own.
        samples: the number of rows, None where it is unknown.
        callbacks: get the hooks.
        bar: progress to show, or None.
        together: batches between two calls of hooks.

    Raises:
        ValueError: an output does not have one row a sample.
    """
    callbacks.call("on_predict_begin", Logs())
    rows = Rows(samples)
    run_batches(batches, callbacks, "predict", dict, bar, rows.take, together)
    callbacks.call("on_predict_end", Logs())
    return rows.results()


class Rows:
    """The outputs of batches, one array an output.

    Args:
        samples: the number of rows, None where it is unknown.
    """

    def __init__(self, samples: int | None) -> None:
        self._samples, self._start = samples, 0
        self._whole: list[np.ndarray] = []
        self._parts: list[list[np.ndarray]] = []

    def take(self, outputs: Any, size: int) -> None:
        """Takes the outputs of the next batch, copied where they are a plan's."""
        outputs = getattr(outputs, "outputs", outputs)
        if self._samples is None:
            self._parts.append(outputs)
            return
        if not self._whole:
            shapes = [(self._samples, *out.shape[1:]) for out in outputs]
            self._whole = [np.empty(s, out.dtype) for s, out in zip(shapes, outputs, strict=True)]
        for whole, out in zip(self._whole, outputs, strict=True):
            whole[self._start : self._start + size] = out
        self._start += size

    def results(self) -> list[np.ndarray]:
        """One array an output."""
        if self._samples is None:
            return [np.concatenate(parts) for parts in zip(*self._parts, strict=True)]
        return self._whole


def choose_batch_size(given: int | None, batch: int | Dim) -> int:
    """The batch size that the user asked for, else the model's fixed one, else 32.

    Raises:
        ValueError: it is none, or not the model's.
    """
    if given is None:
        return batch if isinstance(batch, int) else DEFAULT_BATCH
    size = whole_number("batch_size", given, least=1)
    if isinstance(batch, int) and size != batch:
        raise ValueError(
            f"The `batch_size` argument value {size} is incompatible with the specified batch "
            f"size of your Input Layer: {batch}"
        )
    return size


def check_stateful(model: Any, data: Any, size: int) -> None:
    """Refuses samples that a stateful model would have left over.

    Raises:
        ValueError: there are some.
    """
    fixed = data is not None and isinstance(model.inputs[0].shape[0], int)
    if fixed and (data.samples or 0) % size and model.stateful:
        raise ValueError(
            "In a stateful network, you should only pass inputs with a number of samples that can "
            f"be divided by the batch size. Found: {data.samples} samples, batch size {size}"
        )


def find_bar(callbacks: CallbackList) -> ProgressBar | None:
    """The bar that shows the present epoch, or None."""
    for callback in callbacks.callbacks:
        if isinstance(callback, ProgbarLogger):
            return callback.bar
    return None

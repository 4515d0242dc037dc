"""Runs of batches with callbacks around them: the epochs of `fit`, `evaluate`, `predict`."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from kgraph.callbacks import CallbackList, Logs, ProgbarLogger
from kgraph.callbacks.progress import ProgressBar
from kgraph.ir import Dim, Variable
from kgraph.training.loop import Batches, epoch_order
from kgraph.training.program import Data, Program, Step
from kgraph.training.totals import Totals

DEFAULT_BATCH = 32


@dataclass
class Position:
    """Where a run of `fit` is; a callback may set it before the first epoch.

    Attributes:
        epoch: the epoch that is under way or comes next, from 0.
        batch: how many of its batches are done.
        before: NumPy's random state before the epoch's rows were shuffled, None if they were not.
    """

    epoch: int
    batch: int = 0
    before: Any = None


@dataclass
class Fit:
    """One call of `fit`, after its arguments were checked.

    Args:
        model: only its `stop_training` is used.
        program: the compiled steps.
        train: training data.
        validation: validation data or None.
        batch_size: samples in a batch.
        validation_batch_size: the same for validation.
        shuffle: True, False or "batch".
        callbacks: all callbacks.
        frequency: validation runs each so many epochs, or after the epochs listed (from 1).
        position: where the run is.
    """

    model: Any
    program: Program
    train: Data
    validation: Data | None
    batch_size: int
    validation_batch_size: int
    shuffle: bool | str
    callbacks: CallbackList
    frequency: int | Container[int] = 1
    position: Position = field(default_factory=lambda: Position(0))

    def run(self, first: int, epochs: int) -> None:
        """Runs the epochs from `first` (counted from 0) up to `epochs`."""
        train = Batches(self.program.step("train", self.train), self.train.arrays, self.batch_size)
        check = None
        if self.validation is not None:
            step = self.program.step("evaluate", self.validation)
            check = Batches(step, self.validation.arrays, self.validation_batch_size)
        self.position = Position(first)
        self.callbacks.call("on_train_begin", Logs())
        logs = Logs()
        for epoch in range(self.position.epoch, epochs):
            if self.model.stop_training:
                break
            logs = Logs()
            self.callbacks.call("on_epoch_begin", epoch, logs)
            if not self.position.batch:
                self.totals.reset()
            whole = self._batches(train)
            logs.update(self.totals.results())
            if check is not None and whole and due(epoch, self.frequency):
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

    @property
    def variables(self) -> list[Variable]:
        """All that training reads and writes, and the model's other weights."""
        graph = self.program.step("train", self.train).executable.graph
        own = [*self.model.weights, *self.program.compiled.optimizer.weights]
        found = [*own, self.program.rng_step, *self.totals.variables, *graph.states]
        return list(dict.fromkeys(found))

    def _order(self, samples: int) -> np.ndarray | None:
        """The rows of the epoch; those of an epoch that goes on are drawn again."""
        place = self.position
        if place.before is None:
            place.before = np.random.get_state()
            return epoch_order(samples, self.batch_size, self.shuffle)
        now = np.random.get_state()
        np.random.set_state(place.before)
        order = epoch_order(samples, self.batch_size, self.shuffle)
        np.random.set_state(now)
        return order

    def _batches(self, batches: Batches) -> bool:
        """Runs an epoch's batches; False if training was stopped before the last."""
        order = self._order(batches.samples)
        bar = find_bar(self.callbacks)
        if self.callbacks.watches_batches("train"):
            return self._watched(batches, order, bar)
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

    def _watched(self, batches: Batches, order: np.ndarray | None, bar: ProgressBar | None) -> bool:
        """The same with batch hooks: losses in the logs are the batch's, metrics the epoch's."""
        totals = self.totals
        names = ["loss", *(h.log for h in self.program.compiled.heads if h.log is not None)]
        seen, sums = totals.snapshot(names)
        for index in range(self.position.batch, len(batches)):
            start, stop = batches.bounds[index]
            logs = Logs(batch=index, size=stop - start)
            self.callbacks.call("on_train_batch_begin", index, logs)
            batches.run(index, order)
            logs.update(totals.results())
            old, (seen, sums) = (seen, sums), totals.snapshot(names)
            for name, now, before in zip(names, sums, old[1], strict=True):
                logs[name] = (now - before) / (seen - old[0])
            self.position.batch = index + 1
            self.callbacks.call("on_train_batch_end", index, logs)
            if bar is not None and time.perf_counter() >= bar.due:
                bar.refresh(stop, totals.results())
            if self.model.stop_training:
                return stop == batches.samples
        return True


def due(epoch: int, frequency: int | Container[int]) -> bool:
    """Whether an epoch, counted from 0, is followed by validation.

    Example:
        >>> [due(e, 2) for e in range(4)], due(4, [1, 5])
        ([False, True, False, True], True)
    """
    if isinstance(frequency, int):
        return (epoch + 1) % frequency == 0
    return epoch + 1 in frequency


def run_test(
    program: Program,
    batches: Batches,
    callbacks: CallbackList,
    bar: ProgressBar | None = None,
) -> dict[str, float]:
    """Measures all batches; the means of the logged values."""
    totals = program.totals["evaluate"]
    totals.reset()
    callbacks.call("on_test_begin", Logs())
    run_batches(batches, callbacks, "test", totals.results, bar)
    found = totals.results()
    callbacks.call("on_test_end", Logs(found))
    return found


def run_batches(
    batches: Batches,
    callbacks: CallbackList,
    mode: str,
    read: Any,
    bar: ProgressBar | None = None,
    take: Any = None,
) -> None:
    """Runs all batches in their order.

    Args:
        batches: what to run.
        callbacks: whose hooks are called, if there are any.
        mode: "test" or "predict".
        read: gives the logs of a batch.
        bar: progress to show, or None.
        take: function of (plan, first row, row after the last), called after each batch, or None.
    """
    watched = callbacks.watches_batches(mode)
    # A user's code between the batches sees NumPy's warnings.
    run = batches.run if watched else batches.run_bare
    with contextlib.nullcontext() if watched else np.errstate(all="ignore"):
        for index, (start, stop) in enumerate(batches.bounds):
            size = stop - start
            if watched:
                callbacks.call(f"on_{mode}_batch_begin", index, Logs(batch=index, size=size))
            plan = run(index)
            if take is not None:
                take(plan, start, stop)
            if watched:
                logs = Logs({"batch": index, "size": size, **read()})
                callbacks.call(f"on_{mode}_batch_end", index, logs)
            if bar is not None and bar.live and time.perf_counter() >= bar.due:
                bar.refresh(stop, {})


def run_predict(
    step: Step,
    arrays: list[np.ndarray],
    batch_size: int,
    callbacks: CallbackList,
    bar: ProgressBar | None,
) -> list[np.ndarray]:
    """The outputs for all rows, each batch written straight into its place.

    Raises:
        ValueError: an output does not have one row a sample.
    """
    results: list[np.ndarray] = []

    def take(plan: Any, start: int, stop: int) -> None:
        if not results:
            results.extend(
                np.empty((len(arrays[0]), *out.shape[1:]), out.dtype) for out in plan.outputs
            )
        for result, output in zip(results, plan.outputs):
            result[start:stop] = output

    callbacks.call("on_predict_begin", Logs())
    steady = not callbacks.watches_batches("predict")
    batches = Batches(step, arrays, batch_size, steady)
    run_batches(batches, callbacks, "predict", dict, bar, take)
    callbacks.call("on_predict_end", Logs())
    return results


def choose_batch_size(given: int | None, batch: int | Dim) -> int:
    """The batch size that the user asked for, else the model's fixed one, else 32."""
    if given is None:
        return batch if isinstance(batch, int) else DEFAULT_BATCH
    return whole_number("batch_size", given, least=1)


def whole_number(name: str, value: Any, least: int = 0) -> int:
    """A count that the user gave, such as 32 or `64 / 2`.

    Raises:
        ValueError: it is no whole number, or too small.

    Example:
        >>> whole_number("epochs", 64 / 2)
        32
    """
    if not isinstance(value, (int, float, np.number)) or value != int(value):
        raise ValueError(f"`{name}` must be a whole number. Received: {value!r}")
    if value < least:
        raise ValueError(f"`{name}` must be at least {least}. Received: {value}")
    return int(value)


def find_bar(callbacks: CallbackList) -> ProgressBar | None:
    """The bar that shows the present epoch, or None."""
    for callback in callbacks.callbacks:
        if isinstance(callback, ProgbarLogger):
            return callback.bar
    return None

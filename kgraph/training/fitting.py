"""fit and evaluate, as a mixin of models."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from kgraph.callbacks import Callback, CallbackList, History, ProgbarLogger
from kgraph.training import old_names
from kgraph.training.epochs import Epochs
from kgraph.training.feeding import (
    Batching,
    check_no_batches,
    count_of,
    evaluation_data,
    fit_data,
    held_out,
    open_stream,
)
from kgraph.training.old_names import renamed
from kgraph.training.predictor import (
    as_verbosity,
    callback_list,
    closing,
    make_bar,
    run_params,
    unbuilt_on_error,
)
from kgraph.training.program import Data
from kgraph.training.results import announce, as_result
from kgraph.training.running import Fit, check_stateful, choose_batch_size, run_test
from kgraph.training.sources import Reading
from kgraph.training.trained import Trained


class Fitting(Trained):
    """The part of a model that trains and measures on whole data sets."""

    @renamed(old_names.FIT)
    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = 1,
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool | str = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_freq: int | Container[int] = 1,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
        validation_batch_size: int | None = None,
    ) -> History:
        """Trains for a number of epochs.

        Args:
            x: inputs: an array, a list of arrays, or a dict by input name; arrays may be pandas
                objects, sparse matrices or rows of a file. Or batches (x, y) or (x, y,
                sample_weight): a generator, a `Sequence`, any iterable.
            y: targets, likewise by output; batches have their own.
            batch_size: samples in a step; default 32. The last batch may be smaller.
            epochs: number of the last epoch.
            verbose: 0 silent, 1 or "auto" a progress bar, 2 a line an epoch.
            callbacks: called in their order, after the bar and before the `History`.
            validation_split: fraction at the end of the data that is measured, not trained on.
            validation_data: (x, y), (x, y, sample_weight) or batches to measure after each epoch.
            shuffle: whether each epoch has a new order, of rows or of a `Sequence`'s batches;
                "batch" keeps batches together.
            class_weight: {class: weight}; a list or a dict of these for several outputs.
            sample_weight: weights of the samples (n,) or of their steps (n, steps).
            initial_epoch: number of epochs that were done before.
            steps_per_epoch: batches in an epoch; a generator needs it. The next epoch goes on
                where one ended.
            validation_steps: batches that are measured after an epoch; likewise.
            validation_freq: validate each so many epochs, or after the epochs listed (from 1).
            max_queue_size: batches that are made in advance; default 10, or the data set's own.
            workers: threads or processes that make them; default 1, or the data set's own. 0 makes
                them in this thread. They are used in their order, however many make them.
            use_multiprocessing: processes instead of threads, for a `Sequence`.
            validation_batch_size: default `batch_size`.

        Returns:
            The `History` of the epochs.

        Raises:
            RuntimeError: the model is not compiled.
            ValueError: the data does not fit the model.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.compile("sgd", "mse")
            >>> history = model.fit(np.ones((8, 2)), np.ones((8, 1)), epochs=3, verbose=0).history
            >>> len(history["loss"]), history["loss"][0]
            (3, 1.0)
        """
        reading = Reading(workers, use_multiprocessing, max_queue_size, shuffle)
        check_no_batches(x, y, sample_weight, batch_size, validation_split)
        run = Epochs.of(initial_epoch, epochs, validation_freq)
        steps = count_of("steps_per_epoch", steps_per_epoch)
        checks = count_of("validation_steps", validation_steps)
        x = open_stream(x, reading, steps, "steps_per_epoch", run.count)
        reading = reading.in_order()
        held = open_stream(validation_data, reading, checks, "validation_steps", run.checks)
        with closing(x, held):
            with unbuilt_on_error(self):
                program, given = self._compiled(x), (x, y, sample_weight)
                size, last = self._sizes(batch_size, validation_batch_size)
                cut = Batching(size, steps, shuffle)
                train, part = fit_data(program, given, class_weight, cut, validation_split)
                tested = held_out(program, held, part, Batching(last, checks))
            fit = Fit(self, program, train, tested, size, last, shuffle, run, class_weight)
            return self._run(fit, verbose, callbacks)

    def _sizes(self, size: int | None, validation: int | None) -> tuple[int, int]:
        """Samples in a batch of training and of validation."""
        batch = self.inputs[0].shape[0]
        chosen = choose_batch_size(size, batch)
        return chosen, chosen if validation is None else choose_batch_size(validation, batch)

    def _run(self, run: Fit, verbose: Any, callbacks: Any) -> History:
        """Runs the epochs; callbacks find the run at the model meanwhile."""
        train, validation, history = run.train, run.validation, History()
        check_stateful(self, train, run.batch_size)
        check_stateful(self, validation, run.validation_batch_size)
        verbose, given, names = as_verbosity(verbose), callback_list(callbacks), run.program.names
        self._check_trainable(run.program)
        self.history, self.stop_training = history, False
        several = run.epochs.last, train, run.batch_size, verbose
        params = run_params(*several, names, validation is not None)
        bars = [ProgbarLogger()] if verbose else []
        called = CallbackList([*bars, *given, history], self, params)
        arrays = validation.arrays if isinstance(validation, Data) else None
        for callback in called.callbacks:
            callback.validation_data = arrays
        if verbose:
            announce(train, validation)
        run.callbacks = called
        self.run = run
        try:
            run.run()
        finally:
            self.run = None
        return history

    @renamed(old_names.MEASURE)
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = 1,
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
        return_dict: bool = False,
    ) -> Any:
        """Measures the loss and the metrics.

        Args:
            x: inputs, as for `fit`.
            y: targets, as for `fit`.
            batch_size: samples in a step; default 32.
            verbose: 0 silent, else a progress bar.
            sample_weight: as for `fit`.
            steps: batches that are measured; default all, a generator needs it.
            callbacks: get the `on_test_` hooks.
            max_queue_size: as for `fit`.
            workers: as for `fit`.
            use_multiprocessing: as for `fit`.
            return_dict: whether to return a dict by name.

        Returns:
            The loss, or a list in the order of `metrics_names`; penalties are part of the loss.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.compile("sgd", "mse", metrics=["mae"])
            >>> model.evaluate(np.ones((8, 2)), np.zeros((8, 1)), verbose=0)
            [4.0, 2.0]
        """
        check_no_batches(x, y, sample_weight, batch_size)
        reading = Reading(workers, use_multiprocessing, max_queue_size)
        wanted, verbose = count_of("steps", steps), as_verbosity(verbose)
        x = open_stream(x, reading, wanted, "steps")
        with closing(x):
            with unbuilt_on_error(self):
                program = self._compiled(x)
                size = choose_batch_size(batch_size, self.inputs[0].shape[0])
                data = evaluation_data(program, (x, y, sample_weight), Batching(size, wanted))
            check_stateful(self, data, size)
            params = run_params(1, data, size, verbose, program.names)
            called = CallbackList(callback_list(callbacks), self, params)
            bar = make_bar(params)
            found = run_test(program, program.batches("evaluate", data, size), called, bar)
        if bar is not None:
            bar.finish({})
        return as_result(found, return_dict)

"""compile, fit, evaluate and their one-batch forms, as a mixin of models.

The model provides `graph`, `inputs`, `outputs`, `input_names`, `output_names`,
`trainable_weights`, `penalties()` and `flattened_layers()`; nothing here knows how it is made.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Container, Sequence
from typing import Any

from kgraph import optimizers
from kgraph.callbacks import Callback, CallbackList, History, ProgbarLogger
from kgraph.callbacks.progress import ProgressBar
from kgraph.ir import Variable
from kgraph.optimizers import Optimizer
from kgraph.passes.rematerialize import check_budget
from kgraph.runtime.executable import Executable
from kgraph.training.compilation import Compilation, looks_like_weights, make_heads
from kgraph.training.data import split_point
from kgraph.training.loop import Batches
from kgraph.training.predictor import (
    FIT_HINTS,
    Predictor,
    as_verbosity,
    callback_list,
    check_hints,
    run_params,
)
from kgraph.training.program import Data, Program
from kgraph.training.running import Fit, choose_batch_size, run_test, whole_number

NOT_COMPILED = (
    "You must compile a model before training/testing. Use `model.compile(optimizer, loss)`."
)
DISCREPANCY = (
    "Discrepancy between trainable weights and collected trainable weights, did you set "
    "`model.trainable` without calling `model.compile` after ?"
)
# Arguments of other versions of Keras that change nothing about the result here.
COMPILE_HINTS = ("run_eagerly", "steps_per_execution", "jit_compile", "auto_scale_loss")
NOT_EAGER = (
    "`run_eagerly=True` is not supported: a step is always compiled. To look at every value, run "
    "`kgraph.runtime.interp.interpret` on `model.executable(x, y).graph`."
)


class Trainer(Predictor):
    """The part of a model that trains, measures and predicts.

    Attributes:
        optimizer: what `compile` was given.
        loss, loss_weights, metrics: likewise.
        history: the `History` of the last `fit`.
        run: the `Fit` that is under way, None between two.
        stop_training: set by callbacks to end training after the present batch.
    """

    trainable_weights: list[Variable]
    flattened_layers: Callable[[], list[Any]]

    optimizer: Optimizer | None = None
    loss: Any = None
    loss_weights: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    sample_weight_mode: Any = None
    memory_budget: int | float | None = None
    history: History | None = None
    run: Fit | None = None
    stop_training = False
    _program: Program | None = None
    _rng_step: Variable | None = None

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, under which losses and metrics go."""
        raise NotImplementedError

    # -- compile -------------------------------------------------------------------------------
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        loss_weights: Any = None,
        sample_weight_mode: Any = None,
        weighted_metrics: Any = None,
        *,
        memory_budget: int | float | None = None,
        **hints: Any,
    ) -> None:
        """Says how the model is trained; the trained weights are those trainable now.

        Args:
            optimizer: a name or an optimizer.
            loss: a name, a function of (y_true, y_pred) or a `Loss`; one for all outputs, a list
                with one (or None) an output, or a dict by output name.
            metrics: names or functions; a list for all outputs, a list an output, or a dict.
            loss_weights: factors of the outputs' losses; a number, a list or a dict.
            sample_weight_mode: accepted; the weights' shape says it.
            weighted_metrics: metrics that see sample weights.
            memory_budget: what a training step may take for intermediate values: bytes as an int,
                or as a float up to 1.0 a part of what it takes without a budget. Activations are
                computed twice to keep to it, to the same bits.
            **hints: `jit_compile`, `steps_per_execution`, `auto_scale_loss` change nothing about
                the results and are ignored; `run_eagerly` may only be False.

        Raises:
            ValueError: a name is unknown, a list has the wrong length, there is no loss, the budget
                is no amount of memory, or `run_eagerly` is asked for.
            TypeError: an argument is unknown.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.compile("sgd", "mse", metrics=["mae"])
            >>> model.metrics_names
            ['loss', 'mae']
        """
        check_hints(hints, COMPILE_HINTS)
        if hints.get("run_eagerly"):
            raise ValueError(NOT_EAGER)
        if looks_like_weights(metrics):  # Keras 3 has the weights before the metrics
            metrics, loss_weights = loss_weights, metrics
        self.optimizer = optimizers.get(optimizer)
        self.loss, self.loss_weights = loss, loss_weights
        self.metrics, self.weighted_metrics = metrics, weighted_metrics
        self.sample_weight_mode = sample_weight_mode
        if memory_budget is not None:
            check_budget(memory_budget)
        self.memory_budget = memory_budget
        self._program = None
        if self.graph is not None:
            self._program = self._make_program()

    def _make_program(self) -> Program:
        assert self.optimizer is not None
        heads = make_heads(
            self.output_names, self.loss, self.loss_weights, self.metrics, self.weighted_metrics
        )
        flags = tuple((layer, layer.trainable) for layer in self.flattened_layers())
        compiled = Compilation(
            self.optimizer, heads, tuple(self.trainable_weights), flags, self.memory_budget
        )
        return Program(self, compiled, self.rng_step)

    @property
    def rng_step(self) -> Variable:
        """The counter of training steps by which dropout and noise draw anew."""
        if self._rng_step is None:
            self._rng_step = Variable(0, "rng_step", "int64", trainable=False)
        return self._rng_step

    @property
    def trained_weights(self) -> tuple[Variable, ...]:
        """The weights that training changes: those that were trainable at `compile`."""
        return self._compiled().compiled.trainable

    def _compiled(self, x: Any = None) -> Program:
        """The compiled steps; those of a graph that has changed since are made anew.

        Args:
            x: data that a model without an input shape takes it from.
        """
        if self.optimizer is None:
            raise RuntimeError(NOT_COMPILED)
        self._build_for(x)
        if self._program is None or self._program.graph is not self.graph:
            self._program = self._make_program()
        return self._program

    def _check_trainable(self, program: Program) -> None:
        if any(layer.trainable != flag for layer, flag in program.compiled.flags):
            warnings.warn(DISCREPANCY, stacklevel=3)

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` and `train_on_batch` return, in their order."""
        return self._compiled().compiled.names

    # -- whole data sets -----------------------------------------------------------------------
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
        validation_freq: int | Container[int] = 1,
        validation_batch_size: int | None = None,
        **hints: Any,
    ) -> History:
        """Trains for a number of epochs.

        Args:
            x: inputs: an array, a list of arrays, or a dict by input name.
            y: targets, likewise by output.
            batch_size: samples in a step; default 32. The last batch may be smaller.
            epochs: number of the last epoch.
            verbose: 0 silent, 1 a progress bar, 2 a line an epoch.
            callbacks: called in their order, after the bar and before the `History`.
            validation_split: fraction at the end of the data that is measured, not trained on.
            validation_data: (x, y) or (x, y, sample_weight) to measure after each epoch.
            shuffle: whether each epoch has a new order; "batch" keeps batches together.
            class_weight: {class: weight}; a list or a dict of these for several outputs.
            sample_weight: weights of the samples (n,) or of their steps (n, steps).
            initial_epoch: number of epochs that were done before.
            validation_freq: validate each so many epochs, or after the epochs listed (from 1).
            validation_batch_size: default `batch_size`.
            **hints: `nb_epoch` is Keras 1's `epochs`; `max_queue_size`, `workers` and
                `use_multiprocessing` are ignored.

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
        epochs = whole_number("epochs", hints.pop("nb_epoch", epochs))
        check_hints(hints, FIT_HINTS)
        program = self._compiled(x)
        self._check_trainable(program)
        train, validation = self._fit_data(
            program, (x, y, sample_weight), class_weight, validation_data, validation_split
        )
        size = choose_batch_size(batch_size, self.inputs[0].shape[0])
        validation_size = choose_batch_size(validation_batch_size, size)
        self.history = history = History()
        self.stop_training = False
        names, verbose = program.compiled.names, as_verbosity(verbose)
        params = run_params(epochs, train.samples, size, verbose, names, validation is not None)
        users = [*callback_list(callbacks), history]
        called = self._callbacks(users, params, validation)
        if verbose:
            print(_announce(train, validation))
        sizes = (size, validation_size)
        run = Fit(self, program, train, validation, *sizes, shuffle, called, validation_freq)
        self._go(run, initial_epoch, epochs)
        return history

    def _go(self, run: Fit, first: int, epochs: int) -> None:
        """Runs the epochs; callbacks find the run at the model meanwhile."""
        self.run = run
        try:
            run.run(first, epochs)
        finally:
            self.run = None

    def _callbacks(
        self, callbacks: list[Any], params: dict[str, Any], validation: Data | None
    ) -> CallbackList:
        """The bar and the other callbacks, told what the run is about."""
        bars = [ProgbarLogger()] if params["verbose"] else []
        called = CallbackList([*bars, *callbacks], self, params)
        for callback in called.callbacks:
            callback.validation_data = None if validation is None else validation.arrays
        return called

    def _fit_data(
        self,
        program: Program,
        given: tuple[Any, Any, Any],
        class_weight: Any,
        validation_data: Any,
        split: float,
    ) -> tuple[Data, Data | None]:
        """Training and validation data; class weights are those of training alone."""
        train = program.data(*given)
        validation = None
        if validation_data is not None:
            validation = program.data(*_validation_tuple(validation_data))
        elif split:
            at = split_point(train.samples, split)
            validation, train = train.part(slice(at, None)), train.part(slice(None, at))
        return program.weigh_classes(train, class_weight), validation

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = 1,
        sample_weight: Any = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        return_dict: bool = False,
        **hints: Any,
    ) -> Any:
        """Measures the loss and the metrics.

        Args:
            x: inputs, as for `fit`.
            y: targets, as for `fit`.
            batch_size: samples in a step; default 32.
            verbose: 0 silent, else a progress bar.
            sample_weight: as for `fit`.
            callbacks: get the `on_test_` hooks.
            return_dict: whether to return a dict by name.
            **hints: `max_queue_size`, `workers` and `use_multiprocessing` are ignored.

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
        check_hints(hints, FIT_HINTS)
        program = self._compiled(x)
        data = program.data(x, y, sample_weight)
        size = choose_batch_size(batch_size, self.inputs[0].shape[0])
        verbose = as_verbosity(verbose)
        params = run_params(1, data.samples, size, verbose, program.compiled.names)
        called = CallbackList(callback_list(callbacks), self, params)
        bar = ProgressBar(data.samples, verbose) if verbose == 1 else None
        batches = Batches(program.step("evaluate", data), data.arrays, size)
        found = run_test(program, batches, called, bar)
        if bar is not None:
            bar.finish({})
        return _result(found, return_dict)

    def executable(
        self, x: Any, y: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Executable:
        """The compiled step for data like these: its graph, passes, source and profile.

        Args:
            x: inputs, as for `fit`.
            y: targets, as for `fit`.
            sample_weight: as for `fit`.
            training: the step of `fit`, else that of `evaluate`.

        Returns:
            The `Executable`; calling it changes the weights, if it trains.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2)])
            >>> model.compile("sgd", "mse")
            >>> step = model.executable(np.ones((4, 2)), np.ones((4, 1)))
            >>> [variable.name.split("/")[-1] for variable, _ in step.graph.updates]
            ['iterations', 'kernel', 'bias', 'sums']
        """
        program = self._compiled(x)
        data = program.data(x, y, sample_weight)
        return program.step("train" if training else "evaluate", data).executable

    # -- single batches ------------------------------------------------------------------------
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        reset_metrics: bool = True,
        return_dict: bool = False,
    ) -> Any:
        """One training step on one batch.

        Args:
            x: inputs, as for `fit`.
            y: targets, as for `fit`.
            sample_weight: as for `fit`.
            class_weight: as for `fit`.
            reset_metrics: whether the returned means are those of this batch alone.
            return_dict: whether to return a dict by name.

        Returns:
            The loss, or a list in the order of `metrics_names`.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.compile("sgd", "mse", metrics=["mae"])
            >>> model.train_on_batch(np.ones((8, 2)), np.zeros((8, 1)))
            [4.0, 2.0]
        """
        program = self._compiled(x)
        self._check_trainable(program)
        data = program.data(x, y, sample_weight, class_weight)
        return _result(program.run_once("train", data, reset_metrics), return_dict)

    def test_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        reset_metrics: bool = True,
        return_dict: bool = False,
    ) -> Any:
        """Measures one batch; arguments and result as for `train_on_batch`.

        Args:
            x: inputs, as for `fit`.
            y: targets, as for `fit`.
            sample_weight: as for `fit`.
            reset_metrics: whether the returned means are those of this batch alone.
            return_dict: whether to return a dict by name.

        Returns:
            The loss, or a list in the order of `metrics_names`.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.compile("sgd", "mse", metrics=["mae"])
            >>> model.test_on_batch(np.ones((8, 2)), np.zeros((8, 1)), return_dict=True)
            {'loss': 4.0, 'mae': 2.0}
        """
        program = self._compiled(x)
        data = program.data(x, y, sample_weight)
        return _result(program.run_once("evaluate", data, reset_metrics), return_dict)


def _result(found: dict[str, float], return_dict: bool) -> Any:
    if return_dict:
        return found
    values = list(found.values())
    return values[0] if len(values) == 1 else values


def _validation_tuple(data: Any) -> tuple[Any, ...]:
    if not isinstance(data, (tuple, list)) or len(data) not in (2, 3):
        raise ValueError(
            "When passing a `validation_data` argument, it must contain either 2 items "
            "(x_val, y_val), or 3 items (x_val, y_val, val_sample_weights). However we received "
            f"`validation_data={str(data)[:200]}`"
        )
    return tuple(data)


def _announce(train: Data, validation: Data | None) -> str:
    if validation is None:
        return f"Train on {train.samples} samples"
    return f"Train on {train.samples} samples, validate on {validation.samples} samples"

"""compile, as a mixin of models; the methods that train and measure are its bases.

The model provides `graph`, `inputs`, `outputs`, `input_names`, `output_names`,
`trainable_weights`, `penalties()`, `fixed_metrics()`, `graph_metrics()` and `flattened_layers()`;
nothing here knows how it is made.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable
from typing import Any

from kgraph import optimizers
from kgraph.ir import Graph, Variable
from kgraph.optimizers import Optimizer
from kgraph.passes.rematerialize import check_budget
from kgraph.runtime.executable import Executable
from kgraph.training.compilation import (
    Compilation,
    Settings,
    check_mode,
    in_keras_2s_order,
    make_heads,
)
from kgraph.training.custom import CustomSteps, free_heads, overrides
from kgraph.training.epochs import whole_number
from kgraph.training.generators import Generators
from kgraph.training.old_names import refuse_unknown
from kgraph.training.on_batch import OnBatch
from kgraph.training.program import Program
from kgraph.training.traced_steps import STEPS

NOT_COMPILED = (
    "You must compile a model before training/testing. Use `model.compile(optimizer, loss)`."
)
DISCREPANCY = (
    "Discrepancy between trainable weights and collected trainable weights, did you set "
    "`model.trainable` without calling `model.compile` after ?"
)
# Arguments of other versions of Keras that change nothing about the result here.
COMPILE_HINTS = ("jit_compile", "auto_scale_loss")
TARGET_TENSORS = (
    "`target_tensors` is not supported: targets are data. Pass them as `y` of `fit`, or make an "
    "`Input` for them, compute the loss from it and hand that to `model.add_loss`."
)


class Trainer(CustomSteps, OnBatch, Generators):
    """The part of a model that trains, measures and predicts.

    Attributes:
        optimizer: what `compile` was given.
        loss, loss_weights, metrics: likewise.
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
    _settings: Settings | None = None
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
        run_eagerly: bool = False,
        steps_per_execution: int | None = 1,
        **hints: Any,
    ) -> None:
        """Says how the model is trained; the trained weights are those trainable now.

        After an error the model is compiled as it was before, or not at all.

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
            run_eagerly: whether steps are interpreted node by node, which takes many times as
                long; a NaN or infinity then raises `NotFiniteError`, which names its layer, op,
                operands and the user's line, before any variable is changed.
            steps_per_execution: batches that run between two calls of batch hooks: the one before
                is told the number of the first, the one after that of the last.
            **hints: `jit_compile` and `auto_scale_loss` change nothing about the results and are
                ignored.

        Raises:
            ValueError: a name is unknown, a list has the wrong length, there is no loss, or the
                budget is no amount of memory.
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
        if hints.pop("target_tensors", None) is not None:
            raise TypeError(TARGET_TENSORS)
        unknown = {name: value for name, value in hints.items() if name not in COMPILE_HINTS}
        refuse_unknown(unknown, inspect.signature(Trainer.compile).parameters)
        metrics, loss_weights, sample_weight_mode, weighted_metrics = in_keras_2s_order(
            metrics, loss_weights, sample_weight_mode, weighted_metrics
        )
        if memory_budget is not None:
            check_budget(memory_budget)
        count = 1 if steps_per_execution is None else steps_per_execution
        settings = Settings(
            optimizers.get(optimizer),
            loss,
            loss_weights,
            metrics,
            weighted_metrics,
            sample_weight_mode,
            memory_budget,
            bool(run_eagerly),
            whole_number("steps_per_execution", count, least=1),
        )
        program = None if self.graph is None else self._make_program(settings)
        for name, value in vars(settings).items():
            setattr(self, name, value)
        self._settings, self._program, self._predictor = settings, program, None

    def _make_program(self, told: Settings) -> Program:
        names = self.output_names
        check_mode(told.sample_weight_mode, names)
        heads = make_heads(names, told.loss, told.loss_weights, told.metrics, told.weighted_metrics)
        if not heads and any(overrides(self, name) for name in STEPS.values()):
            heads = free_heads(names)
        flags = tuple((layer, layer.trainable) for layer in self.flattened_layers())
        weights = tuple(self.trainable_weights)
        how = told.memory_budget, told.run_eagerly, told.steps_per_execution
        compiled = Compilation(told.optimizer, heads, weights, flags, *how)
        return Program(self, compiled, self.rng_step)

    def _renew_program(self) -> None:
        """Makes the steps anew for a model that has changed; what `compile` fixed stays."""
        if self._program is not None:
            self._program = Program(self, self._program.compiled, self.rng_step)

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
        if self._settings is None:
            raise RuntimeError(NOT_COMPILED)
        self._build_for(x)
        if self._program is None or self._program.graph is not self.graph:
            self._program = self._make_program(self._settings)
        return self._program

    def _check_trainable(self, program: Program) -> None:
        if any(layer.trainable != flag for layer, flag in program.compiled.flags):
            warnings.warn(DISCREPANCY, stacklevel=3)

    @property
    def metrics_names(self) -> list[str]:
        """Names of what `evaluate` and `train_on_batch` return, in their order."""
        return self._compiled().names

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
        program, data = self._checked(x, y, sample_weight)
        return program.step(_kind(training), data).executable

    def step_graph(
        self, x: Any, y: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Graph:
        """The step for data like these before the passes; nothing is compiled.

        Args:
            x, y, sample_weight, training: as for `executable`.

        Returns:
            The graph that `executable` compiles.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2)])
            >>> model.compile("sgd", "mse")
            >>> model.step_graph(np.ones((4, 2)), np.ones((4, 1))).stage
            <Stage.CORE: 'core'>
        """
        program, data = self._checked(x, y, sample_weight)
        return program.source(_kind(training), data)


def _kind(training: bool) -> str:
    return "train" if training else "evaluate"

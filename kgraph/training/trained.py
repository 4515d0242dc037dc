"""What the mixins that train and measure need of a compiled model."""

from __future__ import annotations

from typing import Any

from kgraph.callbacks import History
from kgraph.training.predictor import Predictor, unbuilt_on_error
from kgraph.training.program import Data, Program
from kgraph.training.running import Fit


class Trained(Predictor):
    """A model that can be compiled.

    Attributes:
        history: the `History` of the last `fit`.
        run: the `Fit` that is under way, None between two.
        stop_training: set by callbacks to end training after the present batch.
    """

    history: History | None = None
    run: Fit | None = None
    stop_training = False

    def _compiled(self, x: Any = None) -> Program:
        """The compiled steps; `x` is data that a model without an input shape takes it from."""
        raise NotImplementedError

    def _checked(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Any = None
    ) -> tuple[Program, Data]:
        """The compiled steps and the data of one batch, after its checks."""
        with unbuilt_on_error(self):
            program = self._compiled(x)
            return program, program.data(x, y, sample_weight, class_weight)

    def _check_trainable(self, program: Program) -> None:
        """Warns if layers were frozen or thawed since `compile`."""
        raise NotImplementedError

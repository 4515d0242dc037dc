"""train_on_batch and test_on_batch, as a mixin of models."""

from __future__ import annotations

from typing import Any

from kgraph.training.results import as_result
from kgraph.training.trained import Trained


class OnBatch(Trained):
    """The part of a model that trains and measures single batches."""

    def reset_metrics(self) -> None:
        """Starts the means anew that `train_on_batch(..., reset_metrics=False)` goes on with."""
        for totals in self._compiled().totals.values():
            totals.reset()

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
        program, data = self._checked(x, y, sample_weight, class_weight)
        self._check_trainable(program)
        return as_result(program.run_once("train", data, reset_metrics), return_dict)

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
        program, data = self._checked(x, y, sample_weight)
        return as_result(program.run_once("evaluate", data, reset_metrics), return_dict)

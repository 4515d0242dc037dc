"""fit_generator and its relatives: Keras 2's names for methods that take batches."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from kgraph.callbacks import Callback, History
from kgraph.training import old_names
from kgraph.training.fitting import Fitting
from kgraph.training.old_names import renamed


class Generators(Fitting):
    """The part of a model that takes generators under Keras 2's names."""

    @renamed(old_names.FIT)
    def fit_generator(
        self,
        generator: Any,
        steps_per_epoch: int | None = None,
        epochs: int = 1,
        verbose: Any = 1,
        callbacks: Callback | Sequence[Callback] | None = None,
        validation_data: Any = None,
        validation_steps: int | None = None,
        validation_freq: int | Container[int] = 1,
        class_weight: Any = None,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
        shuffle: bool = True,
        initial_epoch: int = 0,
    ) -> History:
        """`fit` with batches.

        Args:
            generator: batches, as `x` of `fit`.
            steps_per_epoch: as for `fit`.
            epochs: as for `fit`.
            verbose: as for `fit`.
            callbacks: as for `fit`.
            validation_data: as for `fit`.
            validation_steps: as for `fit`.
            validation_freq: as for `fit`.
            class_weight: as for `fit`.
            max_queue_size: as for `fit`.
            workers: as for `fit`.
            use_multiprocessing: as for `fit`.
            shuffle: whether a `Sequence`'s batches have a new order in each epoch.
            initial_epoch: as for `fit`.

        Returns:
            The `History` of the epochs.

        Raises:
            ValueError: as for `fit`.

        Example:
            >>> import itertools
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.compile("sgd", "mse")
            >>> batches = itertools.repeat((np.ones((4, 2)), np.ones((4, 1))))
            >>> model.fit_generator(batches, steps_per_epoch=3, epochs=2, verbose=0).epoch
            [0, 1]
        """
        return self.fit(
            generator,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_freq=validation_freq,
            max_queue_size=max_queue_size,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
        )

    @renamed(old_names.MEASURE)
    def evaluate_generator(
        self,
        generator: Any,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
        verbose: Any = 0,
    ) -> Any:
        """`evaluate` with batches.

        Args:
            generator: batches, as `x` of `evaluate`.
            steps: as for `evaluate`.
            callbacks: as for `evaluate`.
            max_queue_size: as for `fit`.
            workers: as for `fit`.
            use_multiprocessing: as for `fit`.
            verbose: 0 silent, 1 a progress bar.

        Returns:
            What `evaluate` returns.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.compile("sgd", "mse")
            >>> batches = iter([(np.ones((4, 2)), np.zeros((4, 1)))] * 2)
            >>> model.evaluate_generator(batches, steps=2)
            4.0
        """
        return self.evaluate(
            generator,
            steps=steps,
            callbacks=callbacks,
            max_queue_size=max_queue_size,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            verbose=verbose,
        )

    @renamed(old_names.MEASURE)
    def predict_generator(
        self,
        generator: Any,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
        verbose: Any = 0,
    ) -> Any:
        """`predict` with batches.

        Args:
            generator: batches, as `x` of `predict`; of a tuple, the first entry is used.
            steps: as for `predict`.
            callbacks: as for `predict`.
            max_queue_size: as for `fit`.
            workers: as for `fit`.
            use_multiprocessing: as for `fit`.
            verbose: 0 silent, 1 a progress bar.

        Returns:
            What `predict` returns.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.predict_generator(iter([np.ones((1, 2))] * 2), steps=2).tolist()
            [[2.0], [2.0]]
        """
        return self.predict(
            generator,
            steps=steps,
            callbacks=callbacks,
            max_queue_size=max_queue_size,
            workers=workers,
            use_multiprocessing=use_multiprocessing,
            verbose=verbose,
        )

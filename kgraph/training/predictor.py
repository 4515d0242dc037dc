"""predict and its relatives, as a mixin of models: no `compile` is needed for them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgraph.callbacks import Callback, CallbackList
from kgraph.callbacks.progress import ProgressBar
from kgraph.ir import Graph, Node
from kgraph.runtime.executable import compile as compile_graph
from kgraph.training.compilation import as_list
from kgraph.training.data import as_array, as_arrays, check_counts
from kgraph.training.program import Step
from kgraph.training.running import choose_batch_size, run_predict

# Arguments of `fit`, `evaluate` and `predict` in Keras that change nothing about the result here.
FIT_HINTS = ("max_queue_size", "workers", "use_multiprocessing")


class Predictor:
    """The part of a model that predicts; the properties are what the model provides."""

    build: Callable[..., None]
    _predictor: tuple[Graph, Step] | None = None

    @property
    def graph(self) -> Graph | None:
        """The graph of layer calls, None before the model has an input shape."""
        raise NotImplementedError

    @property
    def inputs(self) -> list[Node]:
        """The input tensors."""
        raise NotImplementedError

    @property
    def input_names(self) -> list[str]:
        """The keys under which the inputs are fed."""
        raise NotImplementedError

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = 0,
        callbacks: Callback | Sequence[Callback] | None = None,
        **hints: Any,
    ) -> Any:
        """The model's outputs, with dropout off and batch normalisation by its moving statistics.

        Args:
            x: inputs, as for `fit`.
            batch_size: samples in a step; default 32.
            verbose: 0 silent, 1 a progress bar.
            callbacks: get the `on_predict_` hooks.
            **hints: `max_queue_size`, `workers` and `use_multiprocessing` are ignored.

        Returns:
            An array with one row a sample, or a list of them for several outputs.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.predict(np.array([[1.0, 2.0], [3.0, 4.0]])).tolist()
            [[3.0], [7.0]]
        """
        check_hints(hints, FIT_HINTS)
        arrays, step = self._input_arrays(x), self._predict_step()
        size = choose_batch_size(batch_size, self.inputs[0].shape[0])
        if len(arrays[0]) <= size and not verbose and not callbacks:
            return self._predict_batch(step, arrays)
        verbose = as_verbosity(verbose)
        samples = len(arrays[0])
        params = run_params(1, samples, size, verbose)
        called = CallbackList(callback_list(callbacks), self, params)
        bar = ProgressBar(samples, verbose) if verbose == 1 else None
        with step.lock:
            results = run_predict(step, arrays, size, called, bar)
        if bar is not None:
            bar.finish({})
        return results[0] if len(results) == 1 else results

    def predict_classes(self, x: Any, batch_size: int | None = None, verbose: int = 0) -> Any:
        """The classes that a model with one output predicts.

        Args:
            x: inputs, as for `fit`.
            batch_size: samples in a step; default 32.
            verbose: 0 silent, 1 a progress bar.

        Returns:
            The index of the largest of several outputs, or whether a single one exceeds 0.5,
            shape (n, 1).

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.predict_classes(np.array([[1.0, 2.0], [0.0, 0.25]])).tolist()
            [[1], [0]]
        """
        found = self.predict(x, batch_size=batch_size, verbose=verbose)
        if isinstance(found, list):
            raise ValueError("predict_classes needs a model with one output.")
        return found.argmax(axis=-1) if found.shape[-1] > 1 else (found > 0.5).astype("int32")

    def predict_proba(self, x: Any, batch_size: int | None = None, verbose: int = 0) -> Any:
        """`predict`, with a warning if the outputs cannot be probabilities.

        Args:
            x: inputs, as for `fit`.
            batch_size: samples in a step; default 32.
            verbose: 0 silent, 1 a progress bar.

        Returns:
            What `predict` returns.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.predict_proba(np.array([[0.5, 0.25]])).tolist()
            [[0.75]]
        """
        found = self.predict(x, batch_size=batch_size, verbose=verbose)
        arrays = found if isinstance(found, list) else [found]
        if any(a.size and (a.min() < 0.0 or a.max() > 1.0) for a in arrays):
            warnings.warn(
                "Network returning invalid probability values. The last layer might not normalize "
                "predictions into probabilities (like softmax or sigmoid would).",
                stacklevel=2,
            )
        return found

    def predict_on_batch(self, x: Any) -> Any:
        """The model's outputs for one batch of any size.

        Args:
            x: inputs, as for `fit`.

        Returns:
            An array with one row a sample, or a list of them for several outputs.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2, kernel_initializer="ones")])
            >>> model.predict_on_batch(np.ones((2, 2))).tolist()
            [[2.0], [2.0]]
        """
        arrays = self._input_arrays(x)
        return self._predict_batch(self._predict_step(), arrays)

    def _build_for(self, x: Any) -> None:
        """Gives a model without an input shape that of the data."""
        if self.graph is None and x is not None:
            first = as_array(x[0] if isinstance(x, (list, tuple)) and x else x, "input")
            self.build((None, *(first.shape[1:] or (1,))))

    def _input_arrays(self, x: Any) -> list[np.ndarray]:
        self._build_for(x)
        arrays = as_arrays(x, self.input_names, [n.type for n in self.inputs], "input")
        check_counts(arrays, [], [])
        return arrays

    def _predict_step(self) -> Step:
        """The compiled graph of the outputs; it belongs to the graph, not to `compile`."""
        graph = self.graph
        assert graph is not None, "`_input_arrays` refuses a model without a graph"
        if self._predictor is None or self._predictor[0] is not graph:
            self._predictor = (graph, Step(compile_graph(graph)))
        return self._predictor[1]

    def _predict_batch(self, step: Step, arrays: list[np.ndarray]) -> Any:
        with step.lock:
            results = [output.copy() for output in step.run(arrays).outputs]
        return results[0] if len(results) == 1 else results


def check_hints(given: dict[str, Any], known: Sequence[str]) -> None:
    """Refuses keyword arguments that no version of Keras has."""
    unknown = {key: value for key, value in given.items() if key not in known}
    if unknown:
        raise TypeError(f"Unrecognized keyword arguments: {unknown}")


def as_verbosity(verbose: Any) -> int:
    """Keras 3's "auto" as a number."""
    return 1 if verbose == "auto" else int(verbose)


def callback_list(callbacks: Any) -> list[Any]:
    """None, one callback, several, or a `CallbackList` as a list."""
    if isinstance(callbacks, CallbackList):
        return callbacks.callbacks
    found = as_list(callbacks)
    for callback in found:
        if not isinstance(callback, Callback):
            raise TypeError(f"`callbacks` must be a list of `Callback` objects. Found: {callback}")
    return found


def run_params(
    epochs: int,
    samples: int,
    batch_size: int,
    verbose: int,
    names: Sequence[str] = (),
    validates: bool = False,
) -> dict[str, Any]:
    """What callbacks are told about a run."""
    return {
        "batch_size": batch_size,
        "epochs": epochs,
        "steps": -(-samples // batch_size),
        "samples": samples,
        "verbose": verbose,
        "do_validation": validates,
        "metrics": [*names, *(f"val_{name}" for name in names if validates)],
    }

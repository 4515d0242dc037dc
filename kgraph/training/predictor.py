"""predict and its relatives, as a mixin of models: no `compile` is needed for them."""

from __future__ import annotations

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.callbacks import Callback, CallbackList
from kgraph.callbacks.progress import ProgressBar
from kgraph.ir import Graph, Node
from kgraph.layers.weights import unchanged_on_error
from kgraph.passes.lower import lower
from kgraph.runtime.executable import Executable, count_runs
from kgraph.runtime.executable import compile as compile_graph
from kgraph.training import old_names
from kgraph.training.compilation import as_list
from kgraph.training.custom import overrides
from kgraph.training.data import as_array, as_arrays, check_counts, is_array
from kgraph.training.feeding import (
    Batching,
    check_no_batches,
    count_of,
    first_batches,
    input_columns,
    open_stream,
    values_of,
)
from kgraph.training.loop import Batches
from kgraph.training.old_names import renamed
from kgraph.training.program import Data, Step
from kgraph.training.running import check_stateful, choose_batch_size, run_predict
from kgraph.training.sources import Reading, Rows, Stream, StreamBatches, is_stream
from kgraph.training.sources.rows import reads_rows
from kgraph.training.sources.unpacking import unpack_inputs
from kgraph.training.traced_steps import traced_outputs


class Predictor:
    """The part of a model that predicts; the properties are what the model provides."""

    build: Callable[..., None]
    run_eagerly = False
    steps_per_execution = 1
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

    @renamed(old_names.MEASURE)
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: Any = 0,
        steps: int | None = None,
        callbacks: Callback | Sequence[Callback] | None = None,
        max_queue_size: int | None = None,
        workers: int | None = None,
        use_multiprocessing: bool | None = None,
    ) -> Any:
        """The model's outputs, with dropout off and batch normalisation by its moving statistics.

        Args:
            x: inputs, as for `fit`.
            batch_size: samples in a step; default 32.
            verbose: 0 silent, 1 a progress bar.
            steps: batches that are predicted; default all, a generator needs it.
            callbacks: get the `on_predict_` hooks.
            max_queue_size: as for `fit`.
            workers: as for `fit`.
            use_multiprocessing: as for `fit`.

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
        plain = isinstance(x, np.ndarray) and steps is None
        if not plain and (steps is not None or is_stream(x) or any(map(reads_rows, values_of(x)))):
            reading = Reading(workers, use_multiprocessing, max_queue_size)
            data = self._predict_stream(x, reading, batch_size, count_of("steps", steps))
            with closing(data):
                return self._predict_all(data, batch_size, as_verbosity(verbose), callbacks)
        arrays = self._input_arrays(x)
        size = choose_batch_size(batch_size, self.inputs[0].shape[0])
        data = Data(arrays, [], [], len(arrays[0]))
        check_stateful(self, data, size)
        if data.samples <= size and not verbose and not callbacks:
            return self._predict_batch(self._predict_step(), arrays)
        return self._predict_all(data, batch_size, as_verbosity(verbose), callbacks)

    def _predict_stream(
        self, x: Any, reading: Reading, batch_size: int | None, steps: int | None
    ) -> Data | Stream:
        """Data other than all rows of arrays: batches, rows of files, some rows."""
        check_no_batches(x, batch_size=batch_size)
        stream = open_stream(x, reading, steps, "steps")
        self._build_for(stream)
        if isinstance(stream, Stream):
            return stream
        size = choose_batch_size(batch_size, self.inputs[0].shape[0])
        columns = input_columns(x, self.input_names)
        if columns is not None:
            return Stream(Rows(first_batches(columns, Batching(size, steps)), size, False))
        arrays = self._input_arrays(x)
        data = first_batches(Data(arrays, [], [], len(arrays[0])), Batching(size, steps))
        check_stateful(self, data, size)
        return data

    def _predict_all(
        self, data: Data | Stream, batch_size: int | None, verbose: int, callbacks: Any
    ) -> Any:
        """The outputs for all batches."""
        size = choose_batch_size(batch_size, self.inputs[0].shape[0])
        params = run_params(1, data, size, verbose)
        called, bar = CallbackList(callback_list(callbacks), self, params), make_bar(params)
        step, together = self._predict_step(), self.steps_per_execution
        if isinstance(data, Data):
            steady = not called.watches_batches("predict")
            with step.lock:
                batches = Batches(step, data.inputs, size, steady)
                results = run_predict(batches, data.samples, called, bar, together)
        else:
            streamed = StreamBatches(data, self._predict_run)
            results = run_predict(streamed, None, called, bar, together)
        if bar is not None:
            bar.finish({})
        return results[0] if len(results) == 1 else results

    def _predict_run(self, batch: Any) -> tuple[Callable[[], Any], int]:
        """What runs a batch of a stream, and the number of its samples."""
        arrays = self._input_arrays(unpack_inputs(batch))
        return functools.partial(self._predict_step().outputs, arrays), len(arrays[0])

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
        if self.graph is not None or x is None:
            return
        if isinstance(x, Stream):
            x = unpack_inputs(x.example())
        values = values_of(x)
        first = values[0] if values and is_array(values[0]) else as_array(x, "input")
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
            whole = traced_outputs(self) if overrides(self, "predict_step") else graph
            self._predictor = (graph, make_step(whole, self.run_eagerly))
        return self._predictor[1]

    def _predict_batch(self, step: Step, arrays: list[np.ndarray]) -> Any:
        results = step.outputs(arrays)
        return results[0] if len(results) == 1 else results


def unbuilt_on_error(model: Any) -> contextlib.AbstractContextManager[None]:
    """A block whose data gives a model its shape, unless the block fails: it has none then."""
    if model.graph is not None:
        return contextlib.nullcontext()
    return unchanged_on_error(model, *model.layers)


def make_step(graph: Graph, watched: bool) -> Step:
    """A graph as a step, compiled or watched."""
    if watched:
        return Step(Executable(count_runs(lower(graph), None)), watched=True)
    return Step(compile_graph(graph))


def as_verbosity(verbose: Any) -> int:
    """Keras 3's "auto" as a number."""
    if verbose == "auto":
        return 1
    if not isinstance(verbose, (int, np.integer)):
        raise ValueError(f"`verbose` must be 0, 1, 2 or 'auto'. Received: {verbose!r}")
    return int(verbose)


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
    data: Data | Stream,
    batch_size: int,
    verbose: int,
    names: Sequence[str] = (),
    validates: bool = False,
) -> dict[str, Any]:
    """What callbacks are told about a run; None for what only the data's end will tell."""
    streamed = isinstance(data, Stream)
    return {
        "batch_size": None if streamed else batch_size,
        "epochs": epochs,
        "steps": data.steps if isinstance(data, Stream) else -(-data.samples // batch_size),
        "samples": data.samples,
        "verbose": verbose,
        "do_validation": validates,
        "metrics": [*names, *(f"val_{name}" for name in names if validates)],
    }


def make_bar(params: Mapping[str, Any]) -> ProgressBar | None:
    """The bar of `evaluate` and `predict`, which counts samples where they are known."""
    if params["verbose"] != 1:
        return None
    samples = params["samples"]
    return ProgressBar(params["steps"] if samples is None else samples, 1)


@contextlib.contextmanager
def closing(*data: Any) -> Iterator[None]:
    """Ends what makes the batches of streams, also after an error."""
    try:
        yield
    finally:
        for given in data:
            if isinstance(given, Stream):
                given.close()

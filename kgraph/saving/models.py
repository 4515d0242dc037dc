"""Whole models in one HDF5 file, in Keras 2.3's layout: layers, weights, training.

Attributes of the root: `model_config` and `training_config` (JSON). Groups: `model_weights`,
`optimizer_weights`. The attribute `kgraph_random` holds what kgraph needs to draw the next numbers
of dropout; Keras does not read it.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from typing import Any

import kgraph.models  # noqa: F401 (the table of layers knows them then, for files name them)
from kgraph.errors import FileFormatError, explain
from kgraph.ir.strict_json import read_json
from kgraph.layers.budget import weights_at_most
from kgraph.layers.serialization import deserialize
from kgraph.saving.dialects import in_our_words
from kgraph.saving.optimizer_state import read_state, write_state
from kgraph.saving.training_config import compile_arguments, training_config
from kgraph.saving.weights import BACKEND, KERAS_VERSION, may_write, read_layers, write_layers
from kgraph.utils import hdf5
from kgraph.utils.hdf5_limits import file_size
from kgraph.utils.registry import custom_object_scope

NO_TRAINING = (
    "No training configuration found in save file: the model was *not* compiled. "
    "Compile it manually."
)
# A configuration may ask for this many elements of weights, and more the larger its file is.
_ELEMENTS = 1 << 24
_ELEMENTS_A_BYTE = 4


def save_model(
    model: Any, filepath: Any, overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Writes a model: its layers, its weights, how it is trained and how far it is.

    Args:
        model: a functional or sequential model that is built.
        filepath: a path, a binary file, or an open h5py group.
        overwrite: whether to replace a file without asking.
        include_optimizer: whether to write what `compile` was told, and the optimizer's state.

    Raises:
        ValueError: the model is not built, or holds what has no name to be found by.

    Example:
        >>> import io
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> file, model = io.BytesIO(), Sequential([Dense(1, input_dim=2)])
        >>> save_model(model, file)
        >>> load_model(file, compile=False).count_params()
        3
    """
    model.require_built()
    _check_suffix(filepath)
    if overwrite or may_write(filepath):
        hdf5.write_file(filepath, lambda file: _write(file, model, include_optimizer))


def _check_suffix(filepath: Any) -> None:
    if isinstance(filepath, (str, os.PathLike)) and os.fspath(filepath).endswith(".keras"):
        raise ValueError(
            explain(
                "Keras 3's `.keras` files are not written",
                got=os.fspath(filepath),
                hint="save as `.h5`, which every Keras reads",
            )
        )


def _write(file: Any, model: Any, include_optimizer: bool) -> None:
    document = json.loads(model.to_json())
    file.attrs["keras_version"] = KERAS_VERSION.encode()
    file.attrs["backend"] = BACKEND.encode()
    config = {key: document[key] for key in ("class_name", "config")}
    file.attrs["model_config"] = json.dumps(config).encode()
    write_layers(file.create_group("model_weights"), model.layers)
    if include_optimizer and model.optimizer is not None:
        file.attrs["training_config"] = json.dumps(training_config(model), default=float).encode()
        file.attrs["kgraph_random"] = json.dumps(_random_state(model)).encode()
        write_state(file, model.optimizer, model.trained_weights)


def _random_state(model: Any) -> dict[str, Any]:
    """The step counter, and the class and the stream of each layer that draws.

    Not the layer's name: a cell is in no configuration by name, so a copy has another.
    """
    layers = [layer for layer in model.flattened_layers() if hasattr(layer, "stream")]
    streams = [[type(layer).__name__, layer.stream] for layer in layers]
    return {"step": int(model.rng_step), "streams": streams}


def load_model(
    filepath: Any,
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Reads a model that kgraph or any Keras wrote to HDF5.

    Nothing in the file is run: names are looked up among kgraph's own and in `custom_objects`.

    Args:
        filepath: a path, a binary file, or an open h5py group.
        custom_objects: classes and functions besides the built-in ones; for a `Lambda` layer whose
            function is stored as code, the function under the layer's name.
        compile: whether to compile the model as it was, with the optimizer's state.
        safe_mode: accepted for Keras 3; code in a file is never run, whatever it says.

    Returns:
        The model; training goes on where it was, to the same bits if kgraph wrote the file.

    Raises:
        FileFormatError: the file is damaged, or holds no model.
        ValueError: it names something unknown.
        OSError: there is no such file, or it is not HDF5.

    Example:
        >>> import io
        >>> import numpy as np
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> file, model = io.BytesIO(), Sequential([Dense(1, input_dim=2)])
        >>> model.compile("adam", "mse")
        >>> _ = model.train_on_batch(np.ones((4, 2)), np.ones((4, 1)))
        >>> save_model(model, file)
        >>> int(load_model(file).optimizer.iterations)
        1
    """
    del safe_mode
    with custom_object_scope(custom_objects or {}):
        return hdf5.read_file(filepath, lambda file: _read(file, compile))


def _read(file: Any, compile: bool) -> Any:
    text = hdf5.read_text(file, "model_config")
    if text is None:
        raise FileFormatError(
            explain(
                "No model configuration found in the file",
                expected="an attribute `model_config`",
                where=file.file.filename,
                hint="a file of weights alone is read by `load_weights` of a model",
            )
        )
    version = hdf5.read_text(file, "keras_version") or "1"
    model = _make_model(file, in_our_words(read_json(text), version))
    layers = [layer for layer in model.layers if layer.weights]
    read_layers(hdf5.find(file, "model_weights"), layers)
    if compile:
        _restore_training(file, model)
    return model


def _make_model(file: Any, document: Any) -> Any:
    """The model of a configuration, with an error that says so where it makes no sense."""
    limit = _ELEMENTS + _ELEMENTS_A_BYTE * file_size(file)
    place = f"{file.file.filename}, attribute `model_config`"
    try:
        with weights_at_most(limit, place):
            model = deserialize(document)
            built = model.require_built() if hasattr(model, "require_built") else None
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        what = f"The model's configuration makes no sense: {type(error).__name__}: {error}"
        raise FileFormatError(explain(what[:400], where=place)) from error
    if built is None:
        got = type(model).__name__
        raise FileFormatError(explain("The file holds no model", got=got, where=place))
    return built


def _restore_training(file: Any, model: Any) -> None:
    """Compiles the model as the file says, and gives the optimizer its state."""
    text = hdf5.read_text(file, "training_config")
    if text is None:
        warnings.warn(NO_TRAINING, stacklevel=6)
        return
    _restore_random(file, model)  # before the steps are built
    place = f"{file.file.filename}, attribute `training_config`"
    try:
        model.compile(**compile_arguments(read_json(text)))
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        message = explain(
            f"The training configuration cannot be read: {error}",
            where=place,
            hint="load_model(..., compile=False) reads the model without it",
        )
        raise FileFormatError(message) from error
    if hdf5.holds(file, "optimizer_weights"):
        read_state(hdf5.find(file, "optimizer_weights"), model.optimizer, model.trained_weights)


def _restore_random(file: Any, model: Any) -> None:
    text = hdf5.read_text(file, "kgraph_random")
    if text is None:
        return
    state = read_json(text)
    layers = [layer for layer in model.flattened_layers() if hasattr(layer, "stream")]
    kinds, streams = zip(*state["streams"], strict=True) if state["streams"] else ((), ())
    if list(kinds) != [type(layer).__name__ for layer in layers]:
        warnings.warn(
            "The layers that draw random numbers are not those of the file: dropout draws others.",
            stacklevel=7,
        )
        return
    for layer, stream in zip(layers, streams, strict=True):
        layer.stream = int(stream)
    model.rng_step.assign(int(state["step"]))

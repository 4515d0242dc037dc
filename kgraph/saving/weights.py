"""Weights in files of Keras 2.3's layout: one group a layer, one dataset a weight.

A nested model is one group with all its weights, trainable ones first. Freezing layers changes
that order, so a group whose weight names are the layer's own is read by these names.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.variable import Variable
from kgraph.saving import hdf5
from kgraph.saving.cudnn import from_cudnn

KERAS_VERSION = "2.3.1"
# Readers convert kernels of files from backends that they know to differ from their own.
BACKEND = "tensorflow"

Pairs = list[tuple[Variable, Any]]


def save_weights(model: Any, filepath: Any, overwrite: bool = True) -> None:
    """Writes the weights of a model.

    Args:
        model: has `layers`.
        filepath: a path, a binary file, or an open h5py group.
        overwrite: whether to replace a file without asking.

    Raises:
        ValueError: the model is not built.

    Example:
        >>> import io
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> file, model = io.BytesIO(), Sequential([Dense(1, input_dim=2)])
        >>> save_weights(model, file)
        >>> file.getvalue()[1:4]
        b'HDF'
    """
    layers = model.require_built().layers
    exists = isinstance(filepath, (str, os.PathLike)) and os.path.isfile(filepath)
    if exists and not overwrite and not ask_to_overwrite(filepath):
        return
    hdf5.write_file(filepath, lambda group: write_layers(group, layers))


def write_layers(group: Any, layers: Sequence[Any]) -> None:
    """Writes one group a layer."""
    hdf5.write_names(group, "layer_names", [layer.name for layer in layers])
    group.attrs["backend"] = BACKEND.encode("utf-8")
    group.attrs["keras_version"] = KERAS_VERSION.encode("utf-8")
    for layer in layers:
        inner = group.require_group(layer.name)  # "block" may hold "block/expand"
        names = stored_names(layer.weights)
        hdf5.write_names(inner, "weight_names", names)
        for name, variable in zip(names, layer.weights, strict=True):
            inner.create_dataset(name, data=variable.value)


def stored_names(variables: Sequence[Variable]) -> list[str]:
    """The weights' paths as datasets, with a number where a path comes again."""
    names: list[str] = []
    for variable in variables:
        base, count = variable.name, 0
        name = f"{base}:0"
        while name in names:
            count += 1
            name = f"{base}_{count}:0"
        names.append(name)
    return names


def load_weights(
    model: Any,
    filepath: Any,
    by_name: bool = False,
    skip_mismatch: bool = False,
    reshape: bool = False,
) -> None:
    """Reads weights into a model; all of them or, after an error, none.

    Args:
        model: has `layers`.
        filepath: a path, a binary file, or an open h5py group; a file of a whole model also works.
        by_name: match layers by their names instead of their order.
        skip_mismatch: with `by_name`, warn of weights that do not fit and go on.
        reshape: take weights of another shape with as many elements.

    Raises:
        ValueError: the file does not fit the model.
        OSError: there is no such file, or it is not HDF5.

    Example:
        >>> import io
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> old, new = (Sequential([Dense(1, input_dim=2)]) for _ in range(2))
        >>> file = io.BytesIO()
        >>> save_weights(old, file)
        >>> load_weights(new, file)
        >>> bool((old.get_weights()[0] == new.get_weights()[0]).all())
        True
    """
    if skip_mismatch and not by_name:
        raise ValueError(
            "When calling model.load_weights, skip_mismatch can only be set to True when "
            "by_name is True."
        )
    layers = [layer for layer in model.require_built().layers if layer.weights]

    def read(root: Any) -> None:
        group = _weights_group(root)
        match = _match_by_name if by_name else _match_by_order
        pairs = match(group, layers, skip_mismatch, reshape)
        values = [_value(v, data, reshape) for v, data in pairs]
        for (variable, _), value in zip(pairs, values, strict=True):
            variable.assign(value)

    hdf5.read_file(filepath, read)


def _weights_group(root: Any) -> Any:
    """The group that holds the layers, also in a file of a whole model."""
    if hdf5.read_names(root, "layer_names"):
        return root
    if "model_weights" in root:
        return hdf5.find(root, "model_weights")
    if "layer_names" in root.attrs:
        return root
    raise ValueError(
        explain(
            "The file does not hold weights in Keras 2's layout",
            expected="an attribute `layer_names`",
            got=f"groups {list(root)[:5]}",
            where=root.file.filename,
        )
    )


def _stored_layers(group: Any) -> list[tuple[str, Any, list[str]]]:
    """(name, group, weight names) of the layers in a file that have weights."""
    found = []
    for name in hdf5.read_names(group, "layer_names"):
        inner = hdf5.find(group, name)
        names = hdf5.read_names(inner, "weight_names")
        if names:
            found.append((name, inner, names))
    return found


def _match_by_order(group: Any, layers: Sequence[Any], skip: bool, reshape: bool) -> Pairs:
    stored = _stored_layers(group)
    if len(stored) != len(layers):
        raise ValueError(
            explain(
                f"You are trying to load a weight file containing {len(stored)} layers into a "
                f"model with {len(layers)} layers.",
                expected=[layer.name for layer in layers],
                got=[name for name, _, _ in stored],
            )
        )
    pairs: Pairs = []
    for k, (layer, (name, inner, names)) in enumerate(zip(layers, stored, strict=True)):
        if len(names) != len(layer.weights):
            raise ValueError(
                f'Layer #{k} (named "{layer.name}" in the current model) was found to correspond '
                f"to layer {name} in the save file. However the new layer {layer.name} expects "
                f"{len(layer.weights)} weights, but the saved weights have {len(names)} elements."
            )
        for variable, data in _pair(layer, inner, names):
            if not _fits(variable, data, reshape):
                raise ValueError(_shape_message(k, layer, variable, data))
            pairs.append((variable, data))
    return pairs


def _match_by_name(group: Any, layers: Sequence[Any], skip: bool, reshape: bool) -> Pairs:
    stored = _stored_layers(group)
    wanted = {layer.name: layer for layer in layers}
    pairs: Pairs = []
    for k, (name, inner, names) in enumerate(stored):
        if name not in wanted:
            continue
        layer = wanted[name]
        if len(names) != len(layer.weights):
            message = (
                f'Layer #{k} (named "{name}") expects {len(layer.weights)} weight(s), but the '
                f"saved weights have {len(names)} element(s)."
            )
            _skip_or_raise(skip, name, "number of weights", message)
            continue
        for variable, data in _pair(layer, inner, names):
            if _fits(variable, data, reshape):
                pairs.append((variable, data))
            else:
                _skip_or_raise(skip, name, "shape", _shape_message(k, layer, variable, data))
    _report([name for name, _, _ in stored], list(wanted))
    return pairs


def _report(stored: Sequence[str], wanted: Sequence[str]) -> None:
    """Says which layers keep their weights, so that none stays random unnoticed."""
    kept = [name for name in wanted if name not in stored]
    unused = [name for name in stored if name not in wanted]
    if kept:
        warnings.warn(
            f"load_weights(by_name=True): the file has no weights for layers {kept}, which keep "
            f"theirs. Layers of the file that the model does not have: {unused}",
            stacklevel=6,
        )


def _pair(layer: Any, group: Any, names: Sequence[str]) -> Pairs:
    """Matches weights by their names if these are the layer's own, else by order."""
    variables = layer.weights
    own = [variable.name for variable in variables]
    stored = [name.removesuffix(":0") for name in names]
    if len(set(own)) == len(own) and set(own) == set(stored):
        names = [names[stored.index(name)] for name in own]
    data = [hdf5.find_array(group, name) for name in names]
    return from_cudnn(layer, list(zip(variables, data, strict=True)))


def _fits(variable: Variable, data: Any, reshape: bool) -> bool:
    return data.shape == variable.value.shape or (reshape and data.size == variable.value.size)


def _value(variable: Variable, data: Any, reshape: bool) -> np.ndarray:
    array = np.asarray(data[()])
    return array.reshape(variable.value.shape) if reshape else array


def _shape_message(k: int, layer: Any, variable: Variable, data: Any) -> str:
    return (
        f'Layer #{k} (named "{layer.name}"), weight {variable.name} has shape '
        f"{variable.value.shape}, but the saved weight has shape {data.shape}."
    )


def _skip_or_raise(skip: bool, name: str, what: str, message: str) -> None:
    if not skip:
        raise ValueError(message)
    warnings.warn(
        f"Skipping loading of weights for layer {name} due to mismatch in {what}: {message}",
        stacklevel=6,
    )


def ask_to_overwrite(filepath: Any) -> bool:
    """Asks on the terminal whether a file may be replaced."""
    answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n]")
    while answer.strip().lower() not in ("y", "n"):
        answer = input('Enter "y" (overwrite) or "n" (cancel).')
    return answer.strip().lower() == "y"

"""Weights in files of Keras 2.3's layout: one group a layer, one dataset a weight."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from kgraph.errors import FileFormatError, explain
from kgraph.ir.variable import Variable, assign_all
from kgraph.saving.matching import match_by_name, match_by_order
from kgraph.utils import hdf5

KERAS_VERSION = "2.3.1"
# Readers convert kernels of files from backends that they know to differ from their own.
BACKEND = "tensorflow"


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
    if overwrite or may_write(filepath):
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
        FileFormatError: it is damaged or has no weights in this layout; an `UnsafeFileError` where
            it points to data outside.
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
        read_layers(_weights_group(root), layers, by_name, skip_mismatch, reshape)

    hdf5.read_file(filepath, read)


def read_layers(
    group: Any,
    layers: Sequence[Any],
    by_name: bool = False,
    skip_mismatch: bool = False,
    reshape: bool = False,
) -> None:
    """Reads the weights of layers from the group that `write_layers` filled; all or none."""
    match = match_by_name if by_name else match_by_order
    pairs = match(group, layers, skip_mismatch, reshape)
    assign_all((v, hdf5.read_array(data).reshape(v.value.shape)) for v, data in pairs)


def _weights_group(root: Any) -> Any:
    """The group that holds the layers, also in a file of a whole model."""
    if hdf5.read_names(root, "layer_names"):
        return root
    if hdf5.holds(root, "model_weights"):
        return hdf5.find(root, "model_weights")
    if "layer_names" in root.attrs:
        return root
    raise FileFormatError(
        explain(
            "The file does not hold weights in Keras 2's layout",
            expected="an attribute `layer_names`",
            got=f"groups {list(root)[:5]}",
            where=root.file.filename,
        )
    )


def may_write(filepath: Any) -> bool:
    """Asks on the terminal whether a file that is there may be replaced."""
    if not (isinstance(filepath, (str, os.PathLike)) and os.path.exists(filepath)):
        return True
    answer = input(f"[WARNING] {filepath} already exists - overwrite? [y/n]")
    while answer.strip().lower() not in ("y", "n"):
        answer = input('Enter "y" (overwrite) or "n" (cancel).')
    return answer.strip().lower() == "y"

"""Which array of a file belongs to which weight of a model.

A nested model is one group with all its weights, trainable ones first. Freezing layers changes
that order, so a group whose weight names are the layer's own is read by these names.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kgraph.errors import explain
from kgraph.ir.variable import Variable
from kgraph.saving.conversions import Dialect, Pairs, convert, dialect_of, join_gates
from kgraph.utils import hdf5


@dataclass(frozen=True)
class Stored:
    """What a file has for one layer.

    Args:
        name: the layer's name in the file.
        group: its group.
        names: of its weights, paths in the group.
        dialect: who wrote the file.
    """

    name: str
    group: Any
    names: list[str]
    dialect: Dialect

    def arrays(self, layer: Any) -> list[Any]:
        """Datasets that are not read yet, or what became of Keras 1's gates."""
        found = [hdf5.find_array(self.group, name) for name in self.names]
        return join_gates(layer, found) if self.dialect.keras_1 else found

    def pairs(self, layer: Any, arrays: list[Any]) -> Pairs:
        """The layer's weights, each with its array: by name where possible, else by order."""
        variables = layer.weights
        order = _order_by_name([v.name for v in variables], self.names)
        if order is not None and len(arrays) == len(order):
            arrays = [arrays[i] for i in order]
        return convert(layer, list(zip(variables, arrays, strict=True)), self.dialect)


def _stored_layers(group: Any) -> list[Stored]:
    """The layers of a file that have weights, in its order."""
    found, dialect = [], dialect_of(group)
    for name in hdf5.read_names(group, "layer_names"):
        inner = hdf5.find(group, name)
        names = hdf5.read_names(inner, "weight_names")
        if names:
            found.append(Stored(name, inner, names, dialect))
    return found


def match_by_order(group: Any, layers: Sequence[Any], skip: bool, reshape: bool) -> Pairs:
    """Pairs the layers with weights of a model and of a file, one by one.

    Args:
        group: holds the layers' groups.
        layers: with weights, in the model's order.
        skip: false, for there is no telling what to skip.
        reshape: whether the number of elements is enough.

    Raises:
        ValueError: numbers or shapes differ.
    """
    del skip
    stored = _stored_layers(group)
    if len(stored) != len(layers):
        raise ValueError(
            explain(
                f"You are trying to load a weight file containing {len(stored)} layers into a "
                f"model with {len(layers)} layers.",
                expected=[layer.name for layer in layers],
                got=[each.name for each in stored],
                where=hdf5.place_of(group),
            )
        )
    pairs: Pairs = []
    for k, (layer, each) in enumerate(zip(layers, stored, strict=True)):
        arrays = each.arrays(layer)
        if len(arrays) != len(layer.weights):
            message = (
                f'Layer #{k} (named "{layer.name}" in the current model) was found to correspond '
                f"to layer {each.name} in the save file. However the new layer {layer.name} "
                f"expects {len(layer.weights)} weights, but the saved weights have {len(arrays)} "
                "elements."
            )
            raise ValueError(explain(message, where=hdf5.place_of(each.group)))
        for variable, data in each.pairs(layer, arrays):
            if not _fits(variable, data, reshape):
                raise ValueError(_shape_message(k, layer, variable, data))
            pairs.append((variable, data))
    return pairs


def match_by_name(group: Any, layers: Sequence[Any], skip: bool, reshape: bool) -> Pairs:
    """Pairs the layers of a model with those of the same name in a file.

    Args:
        group: holds the layers' groups.
        layers: with weights.
        skip: whether what does not fit is only warned of.
        reshape: whether the number of elements is enough.

    Raises:
        ValueError: numbers or shapes differ.
    """
    stored = _stored_layers(group)
    wanted = {layer.name: layer for layer in layers}
    pairs: Pairs = []
    for k, each in enumerate(stored):
        if each.name not in wanted:
            continue
        layer = wanted[each.name]
        arrays = each.arrays(layer)
        if len(arrays) != len(layer.weights):
            message = (
                f'Layer #{k} (named "{each.name}") expects {len(layer.weights)} weight(s), but '
                f"the saved weights have {len(arrays)} element(s)."
            )
            _skip_or_raise(skip, each.name, "number of weights", message)
            continue
        for variable, data in each.pairs(layer, arrays):
            if _fits(variable, data, reshape):
                pairs.append((variable, data))
            else:
                message = _shape_message(k, layer, variable, data)
                _skip_or_raise(skip, each.name, "shape", message)
    _report([each.name for each in stored], list(wanted))
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


def _order_by_name(own: Sequence[str], stored: Sequence[str]) -> list[int] | None:
    """Where each own weight stands in the file, if the names say so.

    Whole paths are compared first, then what the last two parts say: Keras 3 puts the model's name
    in front.
    """
    for cut in (lambda path: path, lambda path: "/".join(path.split("/")[-2:])):
        mine = [cut(name) for name in own]
        theirs = [cut(name.removesuffix(":0")) for name in stored]
        if len(set(mine)) == len(mine) and sorted(mine) == sorted(theirs):
            return [theirs.index(name) for name in mine]
    return None


def _fits(variable: Variable, data: Any, reshape: bool) -> bool:
    return data.shape == variable.value.shape or (reshape and data.size == variable.value.size)


def _shape_message(k: int, layer: Any, variable: Variable, data: Any) -> str:
    message = (
        f'Layer #{k} (named "{layer.name}"), weight {variable.name} has shape '
        f"{variable.value.shape}, but the saved weight has shape {data.shape}."
    )
    # Converted arrays have no place in the file any more.
    return explain(message, where=hdf5.place_of(data) if hasattr(data, "file") else None)


def _skip_or_raise(skip: bool, name: str, what: str, message: str) -> None:
    if not skip:
        raise ValueError(message)
    warnings.warn(
        f"Skipping loading of weights for layer {name} due to mismatch in {what}: {message}",
        stacklevel=6,
    )

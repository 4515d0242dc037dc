"""Targets and their weights: which shape a loss wants, class weights, sample weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph import config, losses
from kgraph.ir import Node, TensorType
from kgraph.losses import function_of
from kgraph.training.compilation import Head, check_keys, per_output
from kgraph.training.data import (
    as_array,
    as_numbers,
    data_type,
    fit_type,
    is_array,
    pick,
)

# Losses whose targets need not have the output's shape.
_OTHER_SHAPES = (losses.circle, losses.categorical_generalized_cross_entropy, losses.ctc)
# Losses whose targets have the output's shape.
_SAME_SHAPE = tuple(f for f in losses.FUNCTIONS.values() if f not in _OTHER_SHAPES)

ONE_HOT_HINT = (
    "You are passing a target array of shape {shape} while using as loss "
    "`categorical_crossentropy`. `categorical_crossentropy` expects targets to be binary matrices "
    "(1s and 0s) of shape (samples, classes). If your targets are integer classes, you can convert "
    "them to the expected format via:\n"
    "```\nfrom kgraph.utils import to_categorical\ny_binary = to_categorical(y_int)\n```\n\n"
    "Alternatively, you can use the loss function `sparse_categorical_crossentropy` instead, which "
    "does expect integer targets."
)


def target_arrays(data: Any, heads: Sequence[Head], outputs: Sequence[Node]) -> list[np.ndarray]:
    """The targets of the heads, checked against their losses and cast.

    Args:
        data: an array, a list with one array a head, or a dict by name.
        heads: the outputs that are trained.
        outputs: all outputs of the model.

    Raises:
        ValueError: the targets do not fit.
    """
    names = [head.name for head in heads]
    found = pick(data, names, "target")
    return [fit_target(a, h, outputs[h.index]) for a, h in zip(found, heads, strict=True)]


def of_heads(data: Any, heads: Sequence[Head], names: Sequence[str]) -> Any:
    """What is given for all outputs, without what outputs that are not trained would get.

    Args:
        data: a list with one entry an output, or a dict by name; anything else stays as it is.
        heads: the outputs that are trained.
        names: names of all outputs.
    """
    if len(names) == len(heads):
        return data
    if isinstance(data, (list, tuple)) and len(data) == len(names):
        return [data[head.index] for head in heads]
    if isinstance(data, Mapping) and not is_array(data):
        idle = set(names).difference(head.name for head in heads)
        return {name: value for name, value in data.items() if name not in idle}
    return data


def fit_target(array: np.ndarray, head: Head, output: Node) -> np.ndarray:
    """Checks one target and casts it."""
    function = function_of(head.loss)
    if function is losses.sparse_categorical_crossentropy:
        return _class_ids(array, head, output)
    if function in _SAME_SHAPE:
        _check_shape(array, function, output)
        return fit_type(array, head.name, output.type, "target")
    array = array.reshape(-1, 1) if array.ndim == 1 else array
    return as_numbers(array, head.name, _float(output.dtype), "target")


def _float(dtype: str) -> str:
    return dtype if dtype.startswith("float") else config.floatx()


def _class_ids(array: np.ndarray, head: Head, output: Node) -> np.ndarray:
    """Ids with a last axis of 1, which the data may leave out; each is checked once."""
    if array.ndim == output.ndim - 1:
        array = array[..., None]
    wanted = TensorType((*output.shape[:-1], 1), "int32")
    ids = fit_type(array, head.name, wanted, "target")
    classes = output.shape[-1]
    ignored = getattr(head.loss, "options", {}).get("ignore_class")
    if isinstance(classes, int) and ids.size and ignored is None:
        low, high = int(ids.min()), int(ids.max())
        if low < 0 or high >= classes:
            raise ValueError(
                f"Error when checking target: class id {low if low < 0 else high} for output "
                f'"{head.name}" is out of range: it has {classes} classes, ids 0 to {classes - 1}'
            )
    return ids


def _check_shape(array: np.ndarray, function: Any, output: Node) -> None:
    shape = (len(array), 1) if array.ndim == 1 else array.shape
    one_hot = function is losses.categorical_crossentropy
    if one_hot and shape[-1] == 1 and output.shape[-1] != 1:
        raise ValueError(ONE_HOT_HINT.format(shape=shape))
    if len(shape) != output.ndim:
        return
    for want, have in zip(output.shape[1:], shape[1:], strict=True):
        if isinstance(want, int) and want != have:
            wanted = tuple(d if isinstance(d, int) else None for d in output.shape)
            raise ValueError(
                f"A target array with shape {shape} was passed for an output of shape {wanted} "
                f"while using as loss `{function.__name__}`. "
                "This loss expects targets to have the same shape as the output."
            )


def target_type(array: np.ndarray, head: Head, output: Node) -> TensorType:
    """The type of the graph's input for a target; labels of `ctc` are no steps of the output."""
    like = output.shape[:1] if function_of(head.loss) is losses.ctc else output.shape
    return data_type(array.shape, like, array.dtype.name)


def sample_weights(
    value: Any, heads: Sequence[Head], targets: Sequence[np.ndarray]
) -> list[np.ndarray | None]:
    """The weights of the heads' samples, None for a head without.

    Args:
        value: an array for all outputs, a list with one an output, a dict by name, or None.
        heads: the outputs that are trained.
        targets: their targets.

    Raises:
        ValueError: a shape does not fit.
    """
    if value is None:
        return [None] * len(heads)
    names = [head.name for head in heads]
    given = per_output("sample_weight", value, names)
    return [
        None if weight is None else _sample_weight(weight, name, target)
        for weight, target, name in zip(given, targets, names, strict=True)
    ]


def with_class_weights(
    weights: Sequence[np.ndarray | None],
    class_weight: Any,
    heads: Sequence[Head],
    targets: Sequence[np.ndarray],
) -> list[np.ndarray | None]:
    """Sample weights times the weights of the samples' classes.

    Args:
        weights: sample weights or None, one a head.
        class_weight: {class: weight}, a list of these, a dict of these by name, or None.
        heads: the outputs that are trained.
        targets: their targets.

    Raises:
        ValueError: a class in the data has no weight.
    """
    if class_weight is None:
        return list(weights)
    by_class = _class_weights(class_weight, [head.name for head in heads])
    found: list[np.ndarray | None] = []
    for array, classes, target in zip(weights, by_class, targets, strict=True):
        if classes is None:
            found.append(array)
            continue
        factor = weigh_classes(target, classes)
        if array is not None:
            factor = array * factor.reshape(-1, *[1] * (array.ndim - 1))
        found.append(factor)
    return found


def _sample_weight(weight: Any, name: str, target: np.ndarray) -> np.ndarray:
    array = as_numbers(as_array(weight, "sample_weight"), name, config.floatx(), "sample_weight")
    if array.ndim == 2 and array.shape[1] == 1 and target.ndim == 2:
        array = array[:, 0]
    fits = 1 <= array.ndim <= target.ndim and array.shape[1:] == target.shape[1 : array.ndim]
    if not fits:
        raise ValueError(
            f"Found a sample_weight array with shape {array.shape} for an input with shape "
            f"{target.shape}. sample_weight cannot be broadcast."
        )
    return array


def _class_weights(value: Any, names: Sequence[str]) -> list[Mapping[Any, float] | None]:
    if isinstance(value, Mapping) and any(isinstance(v, Mapping) for v in value.values()):
        check_keys("class_weight", value, names)
        return [value.get(name) for name in names]
    if isinstance(value, Mapping) and len(names) > 1:
        raise ValueError(
            "The model has multiple outputs, so `class_weight` should be either a list or a dict "
            f"of dicts by output name. Provided `class_weight`: {value}"
        )
    listed = isinstance(value, (list, tuple))
    found = per_output("class_weight", value, names) if listed else [value]
    for entry in found:
        if entry is not None and not isinstance(entry, Mapping):
            raise ValueError(
                "`class_weight` must be a dict from class to weight, or a list or dict of these "
                f"for several outputs. Received: {str(value)[:200]}. The weights of an array are "
                "passed as `dict(enumerate(weights))`."
            )
    return found


def weigh_classes(target: np.ndarray, class_weight: Mapping[Any, float]) -> np.ndarray:
    """The weight of each sample's class.

    Args:
        target: one-hot rows (n, classes) or ids (n, 1).
        class_weight: class -> weight.

    Raises:
        ValueError: a class in the data has no weight, or the target has more than two axes.

    Example:
        >>> weigh_classes(np.array([[1], [0], [1]]), {0: 1.0, 1: 5.0}).tolist()
        [5.0, 1.0, 5.0]
    """
    if target.ndim > 2:
        raise ValueError("`class_weight` not supported for 3+ dimensional targets.")
    ids = target.argmax(axis=1) if target.shape[1] > 1 else target[:, 0]
    values, positions = np.unique(ids, return_inverse=True)
    present = [int(v) if v == int(v) else float(v) for v in values]
    missing = {c for c in present if c not in class_weight}
    if missing:
        raise ValueError(
            "`class_weight` must contain all classes in the data. "
            f"The classes {missing} exist in the data but not in `class_weight`."
        )
    table = np.array([class_weight[c] for c in present], config.floatx())
    return table[positions]


def weight_type(array: np.ndarray | None, output: Node) -> TensorType | None:
    """The type of the graph's input for a weight."""
    return None if array is None else data_type(array.shape, output.shape, array.dtype.name)

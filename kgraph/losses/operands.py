"""What losses and metrics do to their operands first: dtypes, ranks, class ids."""

from __future__ import annotations

from typing import Any

from kgraph import config, ops
from kgraph.ir import Node, as_array


def tensor(value: Any) -> Any:
    """Nodes as they are, everything else as an array of a dtype that kgraph has."""
    return value if isinstance(value, Node) else as_array(value)


def align(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Gives targets the predictions' dtype and rank.

    A column (n, 1) against a vector (n,) would broadcast to (n, n); the target follows the
    prediction instead.
    """
    y_true, y_pred = tensor(y_true), tensor(y_pred)
    if not str(y_pred.dtype).startswith("float"):
        y_pred = ops.cast(y_pred, config.floatx())
    if y_true.ndim == y_pred.ndim + 1 and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    elif y_true.ndim + 1 == y_pred.ndim and y_pred.shape[-1] == 1:
        y_true = ops.expand_dims(y_true, axis=-1)
    return cast(y_true, str(y_pred.dtype)), y_pred


def cast(x: Any, dtype: str) -> Any:
    """Casts a tensor or an array that has another dtype."""
    return x if str(x.dtype) == dtype else ops.cast(x, dtype)


def mean_last(x: Any) -> Any:
    """The mean over the last axis, which for one value is that value."""
    return ops.squeeze(x, axis=-1) if x.shape[-1] == 1 else ops.mean(x, axis=-1)


def class_ids(y_true: Any, y_pred: Any) -> Any:
    """Sparse targets as ids of the shape of `y_pred` without its last axis."""
    y_true = tensor(y_true)
    if y_true.ndim == y_pred.ndim and y_true.shape[-1] == 1:
        y_true = ops.squeeze(y_true, axis=-1)
    return y_true if str(y_true.dtype).startswith(("int", "uint")) else ops.cast(y_true, "int32")


def classes_last(x: Any, axis: int) -> Any:
    """The tensor with the axis of the classes at the end."""
    return x if axis in (-1, x.ndim - 1) else ops.moveaxis(x, axis, -1)


def smooth_binary(y_true: Any, label_smoothing: float) -> Any:
    """Targets in [0, 1], pulled towards one half."""
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + 0.5 * label_smoothing


def smooth_classes(y_true: Any, label_smoothing: float) -> Any:
    """One-hot rows of which a share is spread over all classes."""
    if not label_smoothing:
        return y_true
    return y_true * (1.0 - label_smoothing) + label_smoothing / y_true.shape[-1]

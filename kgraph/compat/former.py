"""Layers and functions of earlier Keras versions, made of the present ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.layers import (
    GRU,
    LSTM,
    Add,
    Average,
    Concatenate,
    Conv1D,
    Conv2D,
    Dense,
    Dot,
    Lambda,
    Maximum,
    Multiply,
    TimeDistributed,
)
from kgraph.layers.dialects import RENAMED
from kgraph.models import Model

__all__ = [
    "AtrousConvolution1D",
    "AtrousConvolution2D",
    "CuDNNGRU",
    "CuDNNLSTM",
    "Merge",
    "TimeDistributedDense",
    "merge",
]

_MODES: dict[str, Callable[..., Any]] = {
    "ave": Average, "max": Maximum, "mul": Multiply, "sum": Add,
}  # fmt: skip


def Merge(
    layers: Sequence[Any] | None = None,
    mode: Any = "sum",
    concat_axis: int = -1,
    dot_axes: Any = -1,
    output_shape: Any = None,
    arguments: Mapping[str, Any] | None = None,
    name: str | None = None,
) -> Any:
    """Keras 1's merging layer: one of today's, by `mode`.

    Args:
        layers: models or layers whose outputs are merged; a Sequential model may begin so.
        mode: "sum", "mul", "concat", "ave", "max", "dot", "cos", or a function of the list.
        concat_axis: the axis of "concat", the batch being 0.
        dot_axes: the axis or pair of axes of "dot" and "cos".
        output_shape: shape without the batch, or a function of shapes, where `mode` is a function.
        arguments: named arguments of that function.
        name: of the layer.

    Returns:
        A layer to call on a list of tensors; with `layers`, the model from their inputs to the
        merged output.

    Raises:
        ValueError: the mode is unknown.

    Example:
        >>> import numpy as np
        >>> Merge(mode="concat")([np.ones((1, 2)), np.zeros((1, 1))]).tolist()
        [[1.0, 1.0, 0.0]]
    """
    if callable(mode):
        made: Any = Lambda(mode, output_shape=output_shape, arguments=arguments, name=name)
    elif mode == "concat":
        made = Concatenate(axis=concat_axis, name=name)
    elif mode in ("dot", "cos"):
        made = Dot(axes=dot_axes, normalize=mode == "cos", name=name)
    elif mode in _MODES:
        made = _MODES[mode](name=name)
    else:
        expected = f"{', '.join(_MODES)}, concat, dot, cos, or a function of the list"
        raise ValueError(explain("Invalid merge mode", expected=expected, got=repr(mode)))
    if layers is None:
        return made
    given = [layer.input for layer in layers]
    inputs = [x for each in given for x in (each if isinstance(each, list) else [each])]
    return Model(inputs, made([layer.output for layer in layers]))


def merge(inputs: Sequence[Any], mode: Any = "sum", **options: Any) -> Any:
    """Keras 1's function: merges tensors; see `Merge`.

    Args:
        inputs: tensors of equal batch size.
        mode: as for `Merge`.
        **options: the other arguments of `Merge`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> merge([np.ones((1, 2)), np.ones((1, 2))], mode="sum").tolist()
        [[2.0, 2.0]]
    """
    return Merge(mode=mode, **options)(inputs)


def AtrousConvolution1D(*args: Any, atrous_rate: int = 1, **kwargs: Any) -> Conv1D:
    """Conv1D with Keras 1's word for `dilation_rate`.

    Args:
        *args: as for Conv1D.
        atrous_rate: cells from one cell of a window to the next.
        **kwargs: as for Conv1D.

    Example:
        >>> AtrousConvolution1D(4, 3, atrous_rate=2).dilation_rate
        (2,)
    """
    return Conv1D(*args, **{**kwargs, "dilation_rate": atrous_rate})


def AtrousConvolution2D(*args: Any, atrous_rate: Any = (1, 1), **kwargs: Any) -> Conv2D:
    """Conv2D with Keras 1's word for `dilation_rate`.

    Args:
        *args: filters, rows and columns of the kernel.
        atrous_rate: cells from one cell of a window to the next.
        **kwargs: as for Conv2D.

    Example:
        >>> layer = AtrousConvolution2D(4, 3, 5, atrous_rate=2)
        >>> layer.kernel_size, layer.dilation_rate
        ((3, 5), (2, 2))
    """
    if len(args) == 3:
        args = (args[0], args[1:])
    return Conv2D(*args, **{**kwargs, "dilation_rate": atrous_rate})


def CuDNNLSTM(units: int, **kwargs: Any) -> LSTM:
    """The LSTM that Keras 2 had for graphics cards; it computes what LSTM does by default.

    Args:
        units: size of the state.
        **kwargs: as for LSTM.

    Example:
        >>> CuDNNLSTM(3, return_sequences=True).units
        3
    """
    return LSTM(units, **{**RENAMED["CuDNNLSTM"][1], **kwargs})


def CuDNNGRU(units: int, **kwargs: Any) -> GRU:
    """The GRU that Keras 2 had for graphics cards: the one with `reset_after`.

    Args:
        units: size of the state.
        **kwargs: as for GRU.

    Example:
        >>> CuDNNGRU(3).reset_after
        True
    """
    return GRU(units, **{**RENAMED["CuDNNGRU"][1], **kwargs})


def TimeDistributedDense(*args: Any, **kwargs: Any) -> TimeDistributed:
    """Keras 1's Dense for each time step.

    Args:
        *args: as for Dense.
        **kwargs: as for Dense; what says the input's shape goes to the wrapper.

    Example:
        >>> TimeDistributedDense(4, input_shape=(5, 3)).compute_output_shape((None, 5, 3))
        (None, 5, 4)
    """
    input_dim, length = kwargs.pop("input_dim", None), kwargs.pop("input_length", None)
    shape = kwargs.pop("input_shape", (length, input_dim) if input_dim else None)
    outer = {} if shape is None else {"input_shape": shape}
    return TimeDistributed(Dense(*args, **kwargs), **outer)

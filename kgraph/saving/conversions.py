"""Arrays of files of other times: Keras 1's gates and kernels, Theano's flipped kernels.

Kernels and gates move as Keras 2.3 moves them when it loads such files.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.ir.variable import Variable
from kgraph.layers import Conv1D, Conv2D, Conv2DTranspose, Conv3D, GRUCell, LSTMCell
from kgraph.saving.cudnn import from_cudnn
from kgraph.utils import hdf5

Pairs = list[tuple[Variable, Any]]

# Keras 1 stores (W, U, b) of each gate: LSTM i, c, f, o; GRU z, r, h. Positions in today's order.
_LSTM_1 = (0, 2, 1, 3)
_GRU_1 = (0, 1, 2)
_CONVOLUTIONS = (Conv1D, Conv2D, Conv3D, Conv2DTranspose)


@dataclass(frozen=True)
class Dialect:
    """Who wrote a file, as far as arrays depend on it.

    Args:
        keras_1: Keras before 2.0, which wrote no version.
        theano: a backend that applies kernels flipped.
    """

    keras_1: bool
    theano: bool


def dialect_of(group: Any) -> Dialect:
    """What the attributes of a group of weights say."""
    version = hdf5.read_text(group, "keras_version") or "1"
    backend = hdf5.read_text(group, "backend")
    return Dialect(version.startswith("1"), backend == "theano")


def join_gates(layer: Any, arrays: Sequence[Any]) -> list[Any]:
    """Keras 1's arrays of single gates as arrays of all gates; others stay as they are.

    Args:
        layer: holds the weights, maybe layers deep.
        arrays: what is stored for it, in the order of its weights.
    """
    cells = {c.kernel: c for c in layer.flattened_layers() if isinstance(c, (LSTMCell, GRUCell))}
    weights = layer.weights
    counts = [3 * cells[v].count if v in cells else 0 if _inside(v, cells) else 1 for v in weights]
    if not cells or sum(counts) != len(arrays) or len(weights) == len(arrays):
        return list(arrays)
    found: list[Any] = []
    start = 0
    for variable, count in zip(weights, counts, strict=True):
        stored = arrays[start : start + count]
        start += count
        found += _joined(cells[variable], stored) if variable in cells else stored
    return found


def _inside(variable: Variable, cells: dict[Variable, Any]) -> bool:
    """Whether a weight comes with the kernel of its cell."""
    return any(variable in (cell.recurrent_kernel, cell.bias) for cell in cells.values())


def _joined(cell: Any, stored: Sequence[Any]) -> list[Any]:
    order = _LSTM_1 if isinstance(cell, LSTMCell) else _GRU_1
    targets = [v for v in (cell.kernel, cell.recurrent_kernel, cell.bias) if v is not None]
    found = []
    for part, variable in enumerate(targets):
        gates = [stored[3 * gate + part] for gate in order]
        fits = sum(g.size for g in gates) == variable.value.size
        # Where it does not fit, the first gate stands there for the message about shapes.
        found.append(np.concatenate(list(map(hdf5.read_array, gates)), -1) if fits else gates[0])
    return found


def convert(layer: Any, pairs: Pairs, dialect: Dialect) -> Pairs:
    """Brings what is stored for a layer's weights into today's layout.

    Args:
        layer: holds the weights, maybe layers deep.
        pairs: each weight and the array stored for it, of any shape.
        dialect: of the file.

    Returns:
        The pairs in the same order; what needs no conversion is not read.
    """
    pairs = from_cudnn(layer, pairs)
    stored: dict[Variable, Any] = dict(pairs)
    for inner in layer.flattened_layers() if dialect.keras_1 or dialect.theano else ():
        kernel = getattr(inner, "kernel", None)
        if not isinstance(inner, _CONVOLUTIONS) or kernel not in stored:
            continue
        if stored[kernel].size != kernel.value.size:
            continue
        value = hdf5.read_array(stored[kernel])
        if dialect.keras_1:
            value = _from_keras_1(inner, value)
        if dialect.theano and value.ndim == kernel.ndim:
            value = np.flip(value, tuple(range(value.ndim - 2)))
        stored[kernel] = value
    return [(variable, stored[variable]) for variable, _ in pairs]


def _from_keras_1(layer: Any, kernel: np.ndarray) -> np.ndarray:
    """The kernel of a convolution of Keras 1."""
    if isinstance(layer, Conv1D):
        return _one_axis(layer, kernel)
    swap: Callable[..., np.ndarray] = kernel.transpose
    first = layer.data_format == "channels_first"
    if isinstance(layer, Conv2DTranspose):
        return swap((2, 3, 0, 1)) if first else swap((0, 1, 3, 2))
    if not first:
        return kernel
    return swap((2, 3, 4, 1, 0)) if kernel.ndim == 5 else swap((2, 3, 1, 0))


def _one_axis(layer: Any, kernel: np.ndarray) -> np.ndarray:
    """(length, 1, in, out), or Keras 1.1's (out, in, length, 1), as (length, in, out)."""
    if kernel.ndim != 4:
        return kernel
    length = layer.kernel_size[0]
    if kernel.shape[:2] != (length, 1) or kernel.shape[3] != layer.filters:
        kernel = kernel.transpose((2, 3, 1, 0))
    return kernel[:, 0]

"""Weights of Keras 2's CuDNNLSTM and CuDNNGRU, for the LSTM and the GRU that stand for them.

Such a layer stores the kernel of each gate transposed and two biases one after the other; only
their lengths, 8 * units and 6 * units, tell these files from others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.ir.variable import Variable
from kgraph.layers import GRUCell, LSTMCell
from kgraph.utils.hdf5 import read_array

Pairs = list[tuple[Variable, Any]]


def from_cudnn(layer: Any, pairs: Sequence[tuple[Variable, Any]]) -> Pairs:
    """Converts what came from layers of cuDNN and leaves the rest.

    Args:
        layer: holds the variables, maybe layers deep.
        pairs: each variable and the array stored for it.

    Returns:
        The pairs in the same order.

    Example:
        >>> from kgraph.layers import LSTM, Input
        >>> lstm = LSTM(1)
        >>> y = lstm(Input((None, 2)))
        >>> stored = [np.arange(8.0).reshape(2, 4), np.ones((1, 4)), np.arange(8.0)]
        >>> from_cudnn(lstm, list(zip(lstm.weights, stored)))[2][1].tolist()
        [4.0, 6.0, 8.0, 10.0]
    """
    stored: dict[Variable, Any] = dict(pairs)
    for cell in layer.flattened_layers():
        if _is_from_cudnn(cell, stored):
            kernel, recurrent, bias = (
                read_array(stored[v]) for v in (cell.kernel, cell.recurrent_kernel, cell.bias)
            )
            stored[cell.kernel] = _by_gate(kernel, cell.count, _input_kernel)
            stored[cell.recurrent_kernel] = _by_gate(recurrent, cell.count, np.transpose)
            halves = bias.reshape(2, -1)
            stored[cell.bias] = halves.sum(0) if isinstance(cell, LSTMCell) else halves
    return [(variable, stored[variable]) for variable, _ in pairs]


def _is_from_cudnn(cell: Any, stored: dict[Variable, Any]) -> bool:
    """Whether the bias that is stored for a cell is cuDNN's."""
    known = isinstance(cell, LSTMCell) or (isinstance(cell, GRUCell) and cell.reset_after)
    if not known or cell.bias is None or cell.bias not in stored:
        return False
    if stored[cell.bias].shape != (2 * cell.count * cell.units,):
        return False
    kernels = (cell.kernel, cell.recurrent_kernel)
    return all(stored[v].shape == v.value.shape for v in kernels if v in stored)


def _input_kernel(gate: np.ndarray) -> np.ndarray:
    """The kernel of one gate, which is stored column by column."""
    return gate.T.reshape(gate.shape, order="F")


def _by_gate(kernel: np.ndarray, count: int, convert: Any) -> np.ndarray:
    return np.hstack([convert(gate) for gate in np.hsplit(kernel, count)])

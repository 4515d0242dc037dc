"""How recurrent layers, cells and wrappers are drawn; a cell is drawn inside an RNN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph.ir.types import TensorType
from kgraph.layers import (
    GRU,
    LSTM,
    RNN,
    Bidirectional,
    ConvLSTM1D,
    ConvLSTM1DCell,
    ConvLSTM2D,
    ConvLSTM2DCell,
    ConvLSTM3D,
    ConvLSTM3DCell,
    Dense,
    GRUCell,
    Layer,
    LSTMCell,
    SimpleRNN,
    SimpleRNNCell,
    StackedRNNCells,
    TimeDistributed,
)
from kgraph.layers.conv_cells import ConvLSTMCell
from kgraph.testing.choices import Choices
from kgraph.testing.pool import BATCH

Make = Callable[[Choices], tuple[Layer, list[TensorType]]]


def _sequence(c: Choices) -> list[TensorType]:
    return [TensorType((BATCH, c.among((2, 1, 3)), c.among((2, 1, 3))), "float32")]


def _cell_arguments(c: Choices, kind: type[Layer]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "units": c.among((2, 1, 3)),
        "activation": c.among(("tanh", "linear", "softsign")),
        "use_bias": not c.chance(20),
        "dropout": c.among((0.0, 0.0, 0.5)),
        "recurrent_dropout": c.among((0.0, 0.0, 0.5)),
        "seed": c.below(100),
    }
    if kind in (GRU, GRUCell):
        found["reset_after"] = c.flag()
    return found


def _loop_arguments(c: Choices) -> dict[str, Any]:
    return {
        "return_sequences": c.flag(),
        "return_state": c.chance(20),
        "go_backwards": c.chance(30),
        "unroll": c.chance(20),
    }


def _built_in(kind: Any) -> Make:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        return kind(**_cell_arguments(c, kind), **_loop_arguments(c)), _sequence(c)

    return make


def _around(kind: Any) -> Make:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        return RNN(kind(**_cell_arguments(c, kind)), **_loop_arguments(c)), _sequence(c)

    return make


def _convolutional(kind: Any, rank: int) -> Make:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        given = {
            **_cell_arguments(c, kind),
            "kernel_size": tuple(c.among((2, 1, 3)) for _ in range(rank)),
            "padding": c.among(("valid", "same")),
            "data_format": "channels_first" if c.chance(25) else "channels_last",
            "dilation_rate" if c.chance(25) else "strides": c.among((1, 2)),
        }
        filters = given.pop("units")
        if issubclass(kind, ConvLSTMCell):
            layer: Any = RNN(kind(filters, **given), **_loop_arguments(c))
        else:
            layer = kind(filters, **given, **_loop_arguments(c))
        sizes = [n + c.below(2) for n in layer.cell.windows().extents]
        channels = c.among((2, 1))
        first = given["data_format"] == "channels_first"
        image = (channels, *sizes) if first else (*sizes, channels)
        return layer, [TensorType((BATCH, c.among((2, 1)), *image), "float32")]

    return make


def _stack(c: Choices) -> tuple[Layer, list[TensorType]]:
    kinds: list[Any] = [c.among((SimpleRNNCell, GRUCell, LSTMCell)) for _ in range(c.between(1, 2))]
    cells = [kind(**_cell_arguments(c, kind)) for kind in kinds]
    return RNN(StackedRNNCells(cells), **_loop_arguments(c)), _sequence(c)


def _bidirectional(c: Choices) -> tuple[Layer, list[TensorType]]:
    kind: Any = c.among((SimpleRNN, GRU, LSTM))
    layer = kind(**_cell_arguments(c, kind), return_sequences=c.flag())
    return Bidirectional(layer, c.among(("concat", "sum", "mul", "ave", None))), _sequence(c)


def _time_distributed(c: Choices) -> tuple[Layer, list[TensorType]]:
    if c.chance(30):
        sizes = [c.among((2, 1, 3)) for _ in range(3)]
        return TimeDistributed(GRU(2)), [TensorType((BATCH, *sizes), "float32")]
    return TimeDistributed(Dense(c.among((2, 1, 3)), activation="tanh")), _sequence(c)


RECURRENT_MAKERS: dict[type[Layer], Make] = {
    SimpleRNN: _built_in(SimpleRNN),
    GRU: _built_in(GRU),
    LSTM: _built_in(LSTM),
    RNN: _around(SimpleRNNCell),
    SimpleRNNCell: _around(SimpleRNNCell),
    GRUCell: _around(GRUCell),
    LSTMCell: _around(LSTMCell),
    StackedRNNCells: _stack,
    ConvLSTM1D: _convolutional(ConvLSTM1D, 1),
    ConvLSTM1DCell: _convolutional(ConvLSTM1DCell, 1),
    ConvLSTM2D: _convolutional(ConvLSTM2D, 2),
    ConvLSTM2DCell: _convolutional(ConvLSTM2DCell, 2),
    ConvLSTM3D: _convolutional(ConvLSTM3D, 3),
    ConvLSTM3DCell: _convolutional(ConvLSTM3DCell, 3),
    Bidirectional: _bidirectional,
    TimeDistributed: _time_distributed,
}

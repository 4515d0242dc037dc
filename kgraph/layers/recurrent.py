"""The recurrent layers and cells, under Keras's path."""

from kgraph.layers.gated_cells import GRUCell, LSTMCell
from kgraph.layers.recurrent_layers import GRU, LSTM, SimpleRNN
from kgraph.layers.rnn import RNN
from kgraph.layers.simple_cell import SimpleRNNCell
from kgraph.layers.stacked_cells import StackedRNNCells

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "GRUCell",
    "LSTMCell",
    "SimpleRNN",
    "SimpleRNNCell",
    "StackedRNNCells",
]

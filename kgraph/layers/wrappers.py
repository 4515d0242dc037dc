"""Layers around other layers, under Keras's path."""

from kgraph.layers.bidirectional import Bidirectional
from kgraph.layers.time_distributed import TimeDistributed
from kgraph.layers.wrapper import Wrapper

__all__ = ["Bidirectional", "TimeDistributed", "Wrapper"]

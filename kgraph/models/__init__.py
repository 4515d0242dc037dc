"""Models: graphs of layers with names for their inputs and outputs."""

from typing import Any

from kgraph import saving
from kgraph.layers.input import Input
from kgraph.layers.serialization import NAMES
from kgraph.models.loading import (
    clone_model,
    model_from_config,
    model_from_json,
    model_from_yaml,
)
from kgraph.models.model import Model
from kgraph.models.sequential import Sequential

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_config",
    "model_from_json",
    "model_from_yaml",
    "save_model",
]

# The names that files of all versions of Keras give to models.
NAMES.update({"Model": Model, "Functional": Model, "Network": Model, "Sequential": Sequential})


def __getattr__(name: str) -> Any:
    if name in ("load_model", "save_model"):  # they read and write HDF5, which loads h5py
        return getattr(saving, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""Models: graphs of layers with names for their inputs and outputs."""

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
from kgraph.saving.models import load_model, save_model

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

"""The table of the built-in layers, which configurations are read with, never a module path."""

from __future__ import annotations

import types

from kgraph.layers import (
    advanced_activations,
    attention,
    convolutional,
    convolutional_recurrent,
    core,
    dropout,
    einsum_dense,
    embeddings,
    encoding,
    lambda_layer,
    legacy,
    local,
    merge,
    noise,
    normalization,
    pooling,
    preprocessing,
    recurrent,
    reshaping,
    resizing,
    wrappers,
)
from kgraph.layers import (
    input as input_module,
)
from kgraph.layers.base import Layer
from kgraph.layers.keras_1 import speak_keras_1
from kgraph.layers.lookup import NAMES, REGISTRY, deserialize, serialize

__all__ = ["NAMES", "REGISTRY", "deserialize", "serialize"]

_MODULES: tuple[types.ModuleType, ...] = (
    advanced_activations, attention, convolutional, convolutional_recurrent, core, dropout,
    einsum_dense, embeddings, encoding, input_module, lambda_layer, legacy, local, merge, noise,
    normalization, pooling, preprocessing, recurrent, reshaping, resizing, wrappers,
)  # fmt: skip

# Class name, or another name that Keras has for it -> class; `kgraph.models` adds Model and
# Sequential.
NAMES.update(
    (name, value)
    for module in _MODULES
    for name, value in vars(module).items()
    if name[0] != "_"
    and isinstance(value, type)
    and issubclass(value, Layer)
    and value is not Layer
)
# What Keras calls the class in its files.
NAMES["GroupedQueryAttention"] = attention.GroupQueryAttention

for made in dict.fromkeys(NAMES.values()):
    speak_keras_1(made)

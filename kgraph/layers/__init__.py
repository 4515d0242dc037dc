"""Layers: Keras's building blocks, each a function from tensors to tensors with its own weights."""

from kgraph.ir.layer_codec import register_layer_codec
from kgraph.layers.attention import (
    AdditiveAttention,
    Attention,
    GroupQueryAttention,
    MultiHeadAttention,
)
from kgraph.layers.base import InputSpec, Layer
from kgraph.layers.codec import Codec
from kgraph.layers.core import Activation, ActivityRegularization, Dense, Dropout, Masking
from kgraph.layers.einsum_dense import EinsumDense
from kgraph.layers.embeddings import Embedding
from kgraph.layers.input import Input, InputLayer
from kgraph.layers.lambda_layer import Lambda
from kgraph.layers.merge import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    dot,
    maximum,
    minimum,
    multiply,
    subtract,
)
from kgraph.layers.normalization import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    SpectralNormalization,
    UnitNormalization,
)
from kgraph.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from kgraph.layers.serialization import deserialize, serialize

__all__ = [
    "Activation",
    "ActivityRegularization",
    "Add",
    "AdditiveAttention",
    "Attention",
    "Average",
    "BatchNormalization",
    "Concatenate",
    "Dense",
    "Dot",
    "Dropout",
    "EinsumDense",
    "Embedding",
    "Flatten",
    "GroupNormalization",
    "GroupQueryAttention",
    "Input",
    "InputLayer",
    "InputSpec",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "Masking",
    "Maximum",
    "Minimum",
    "MultiHeadAttention",
    "Multiply",
    "Permute",
    "RMSNormalization",
    "RepeatVector",
    "Reshape",
    "SpectralNormalization",
    "Subtract",
    "UnitNormalization",
    "add",
    "average",
    "concatenate",
    "deserialize",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "serialize",
    "subtract",
]

register_layer_codec(Codec())

"""Layers: Keras's building blocks, each a function from tensors to tensors with its own weights."""

from kgraph.ir.layer_codec import register_layer_codec
from kgraph.layers.advanced_activations import (
    ELU,
    LeakyReLU,
    PReLU,
    ReLU,
    Softmax,
    ThresholdedReLU,
)
from kgraph.layers.base import InputSpec, Layer
from kgraph.layers.codec import Codec
from kgraph.layers.core import Activation, ActivityRegularization, Dense, Identity, Masking
from kgraph.layers.dropout import Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from kgraph.layers.embeddings import Embedding
from kgraph.layers.encoding import CategoryEncoding, Discretization
from kgraph.layers.input import Input, InputLayer
from kgraph.layers.lambda_layer import Lambda
from kgraph.layers.legacy import Highway, MaxoutDense
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
from kgraph.layers.noise import AlphaDropout, GaussianDropout, GaussianNoise
from kgraph.layers.normalization import BatchNormalization, LayerNormalization
from kgraph.layers.preprocessing import Normalization, Rescaling
from kgraph.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from kgraph.layers.serialization import deserialize, serialize

__all__ = [
    "ELU",
    "Activation",
    "ActivityRegularization",
    "Add",
    "AlphaDropout",
    "Average",
    "BatchNormalization",
    "CategoryEncoding",
    "Concatenate",
    "Dense",
    "Discretization",
    "Dot",
    "Dropout",
    "Embedding",
    "Flatten",
    "GaussianDropout",
    "GaussianNoise",
    "Highway",
    "Identity",
    "Input",
    "InputLayer",
    "InputSpec",
    "Lambda",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "Masking",
    "Maximum",
    "MaxoutDense",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "ReLU",
    "RepeatVector",
    "Rescaling",
    "Reshape",
    "Softmax",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
    "Subtract",
    "ThresholdedReLU",
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

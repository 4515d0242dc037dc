"""How noise, activations with arguments, preprocessing and Keras 1's dense layers are drawn."""

from __future__ import annotations

from kgraph.ir.types import TensorType
from kgraph.layers import (
    ELU,
    AlphaDropout,
    CategoryEncoding,
    Discretization,
    GaussianDropout,
    GaussianNoise,
    Highway,
    Identity,
    Layer,
    LeakyReLU,
    MaxoutDense,
    Normalization,
    PReLU,
    ReLU,
    Rescaling,
    Softmax,
    SpatialDropout1D,
    SpatialDropout2D,
    SpatialDropout3D,
    ThresholdedReLU,
)
from kgraph.testing.choices import Choices
from kgraph.testing.layer_types import SMALL, Make, floats, of_rank

_FORMATS = ("channels_last", "channels_first")
_RATES = (0.5, 0.2, 0.0)


def _relu(c: Choices) -> tuple[Layer, list[TensorType]]:
    layer = ReLU(c.among((None, 1.5, 6.0)), c.among((0.0, 0.1)), c.among((0.0, 0.3)))
    return layer, [of_rank(c, 1, 2)]


def _prelu(c: Choices) -> tuple[Layer, list[TensorType]]:
    type_ = of_rank(c, 1, 3)
    shared = [axis for axis in range(1, type_.ndim) if c.chance(30)]
    return PReLU("uniform", shared_axes=shared or None), [type_]


def _softmax(c: Choices) -> tuple[Layer, list[TensorType]]:
    type_ = of_rank(c, 1, 2)
    return Softmax([1, 2] if type_.ndim == 3 and c.chance(30) else c.among((-1, 1))), [type_]


def _spatial_dropout(c: Choices) -> tuple[Layer, list[TensorType]]:
    return SpatialDropout1D(c.among(_RATES), seed=c.below(100)), [of_rank(c, 2, 2)]


def _spatial_dropout_2d(c: Choices) -> tuple[Layer, list[TensorType]]:
    layer = SpatialDropout2D(c.among(_RATES), data_format=c.among(_FORMATS), seed=c.below(100))
    return layer, [of_rank(c, 3, 3)]


def _spatial_dropout_3d(c: Choices) -> tuple[Layer, list[TensorType]]:
    layer = SpatialDropout3D(c.among(_RATES), data_format=c.among(_FORMATS), seed=c.below(100))
    return layer, [of_rank(c, 4, 4)]


def _normalization(c: Choices) -> tuple[Layer, list[TensorType]]:
    type_ = of_rank(c, 1, 2)
    if c.flag():
        return Normalization(axis=None, mean=0.5, variance=2.0, invert=c.flag()), [type_]
    return Normalization(c.among((-1, 1)), invert=c.flag()), [type_]


def _category_encoding(c: Choices) -> tuple[Layer, list[TensorType]]:
    mode = c.among(("multi_hot", "count", "one_hot"))
    return CategoryEncoding(5, mode), [floats(c.among(SMALL))]


def _discretization(c: Choices) -> tuple[Layer, list[TensorType]]:
    mode = c.among(("int", "one_hot", "multi_hot", "count"))
    return Discretization([-0.5, 0.0, 1.0], output_mode=mode), [of_rank(c, 1, 2)]


ACTIVATION_MAKERS: dict[type[Layer], Make] = {
    Identity: lambda c: (Identity(), [of_rank(c, 1, 2)]),
    LeakyReLU: lambda c: (LeakyReLU(c.among((0.3, 0.0))), [of_rank(c, 1, 2)]),
    PReLU: _prelu,
    ELU: lambda c: (ELU(c.among((1.0, 0.5))), [of_rank(c, 1, 2)]),
    ThresholdedReLU: lambda c: (ThresholdedReLU(c.among((1.0, 0.0))), [of_rank(c, 1, 2)]),
    Softmax: _softmax,
    ReLU: _relu,
    GaussianNoise: lambda c: (GaussianNoise(0.5, seed=c.below(100)), [of_rank(c, 1, 2)]),
    GaussianDropout: lambda c: (GaussianDropout(0.3, seed=c.below(100)), [of_rank(c, 1, 2)]),
    AlphaDropout: lambda c: (AlphaDropout(c.among(_RATES), seed=c.below(100)), [of_rank(c, 1, 2)]),
    SpatialDropout1D: _spatial_dropout,
    SpatialDropout2D: _spatial_dropout_2d,
    SpatialDropout3D: _spatial_dropout_3d,
    Rescaling: lambda c: (Rescaling(c.among((2.0, 0.5)), c.among((0.0, -1.0))), [of_rank(c, 1, 3)]),
    Normalization: _normalization,
    CategoryEncoding: _category_encoding,
    Discretization: _discretization,
    MaxoutDense: lambda c: (
        MaxoutDense(c.among((2, 3)), c.among((4, 1)), bias=not c.chance(25)),
        [floats(c.among(SMALL))],
    ),
    Highway: lambda c: (
        Highway(activation=c.among(("linear", "tanh")), bias=not c.chance(25)),
        [floats(c.among(SMALL))],
    ),
}

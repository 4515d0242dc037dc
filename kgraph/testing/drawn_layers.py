"""Layers with drawn arguments, and inputs that fit them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kgraph import ops
from kgraph.ir.types import TensorType
from kgraph.layers import (
    Activation,
    ActivityRegularization,
    Add,
    Average,
    BatchNormalization,
    Concatenate,
    Dense,
    Dot,
    Dropout,
    Embedding,
    Flatten,
    Lambda,
    Layer,
    LayerNormalization,
    Masking,
    Maximum,
    Minimum,
    Multiply,
    Permute,
    RepeatVector,
    Reshape,
    Subtract,
)
from kgraph.testing.choices import Choices, Drawn, Hypothesis
from kgraph.testing.drawn_activations import ACTIVATION_MAKERS
from kgraph.testing.drawn_attention import ATTENTION_MAKERS
from kgraph.testing.drawn_convolutions import CONVOLUTIONS
from kgraph.testing.drawn_pooling import POOLING_MAKERS
from kgraph.testing.drawn_recurrent import RECURRENT_MAKERS
from kgraph.testing.layer_types import SMALL, Make, floats, of_rank
from kgraph.testing.pool import BATCH
from kgraph.utils.registry import register_keras_serializable

ACTIVATIONS = ("linear", "relu", "tanh", "sigmoid", "softmax", "elu", "gelu", "swish")
_REGULARIZERS = (None, "l2", "l1")


@dataclass(frozen=True)
class LayerCase:
    """A layer and what it may be called on.

    Args:
        layer: not built yet.
        types: of its inputs.
    """

    layer: Layer
    types: tuple[TensorType, ...]

    @property
    def inputs(self) -> tuple[str, ...]:
        """The types as text, for `check_layer` and `check_gradients`."""
        return tuple(str(t) for t in self.types)

    def __repr__(self) -> str:
        arguments = {k: v for k, v in self.layer.get_config().items() if k != "name"}
        return f"LayerCase({type(self.layer).__name__}, {arguments}, {', '.join(self.inputs)})"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Hypothesis would show the fields, and of the layer its name only."""
        printer.text(repr(self))


def _dense(c: Choices) -> tuple[Layer, list[TensorType]]:
    layer = Dense(
        c.among((2, 1, 3, 5)),
        activation=c.among(ACTIVATIONS),
        use_bias=not c.chance(25),
        kernel_regularizer=c.among(_REGULARIZERS),
        kernel_constraint=c.among((None, "maxnorm")),
    )
    return layer, [of_rank(c, 1, 2)]


def _batch_normalization(c: Choices) -> tuple[Layer, list[TensorType]]:
    type_ = of_rank(c, 1, 2)
    axis = -1 if c.chance(70) else c.between(1, type_.ndim - 1)
    layer = BatchNormalization(
        axis=axis, momentum=c.among((0.99, 0.5)), center=not c.chance(20), scale=not c.chance(20)
    )
    return layer, [type_]


def _reshape(c: Choices) -> tuple[Layer, list[TensorType]]:
    n, m = c.among(SMALL), c.among(SMALL)
    return Reshape(c.among(((m, n), (-1,), (n * m, 1)))), [floats(n, m)]


def _merging(make: Callable[..., Layer], most: int = 3) -> Make:
    def merge(c: Choices) -> tuple[Layer, list[TensorType]]:
        type_ = of_rank(c, 1, 2)
        return make(), [type_] * c.between(2, most)

    return merge


def _concatenate(c: Choices) -> tuple[Layer, list[TensorType]]:
    kept = [c.among(SMALL) for _ in range(c.between(0, 1))]
    return Concatenate(), [floats(*kept, c.among(SMALL)) for _ in range(c.between(2, 3))]


def _dot(c: Choices) -> tuple[Layer, list[TensorType]]:
    n, normalize = c.among(SMALL), c.flag()
    if c.flag():
        return Dot(axes=1, normalize=normalize), [floats(n)] * 2
    return Dot(axes=(2, 1), normalize=normalize), [floats(c.among(SMALL), n), floats(n, 2)]


def _embedding(c: Choices) -> tuple[Layer, list[TensorType]]:
    layer = Embedding(c.among((3, 5, 1)), c.among((2, 3)), mask_zero=c.chance(30))
    return layer, [TensorType((BATCH, *[c.among(SMALL) for _ in range(c.between(0, 1))]), "int32")]


def _dropout(c: Choices) -> tuple[Layer, list[TensorType]]:
    type_ = of_rank(c, 1, 2)
    noise = (None, *[1] * (type_.ndim - 1)) if c.chance(20) else None
    return Dropout(c.among((0.5, 0.2, 0.0)), noise_shape=noise, seed=c.below(100)), [type_]


@register_keras_serializable("kgraph.testing")
def bend(x: Any) -> Any:
    """What a drawn `Lambda` computes; registered, so that configurations may name it."""
    return ops.sin(x) * 2 + 1


def _lambda(c: Choices) -> tuple[Layer, list[TensorType]]:
    return Lambda(bend), [of_rank(c, 1, 2)]


# Layer class -> how one is made; the simplest first. `tests/testing` checks that none is missing.
MAKERS: dict[type[Layer], Make] = {
    Dense: _dense,
    Activation: lambda c: (Activation(c.among(ACTIVATIONS)), [of_rank(c, 1, 2)]),
    Dropout: _dropout,
    BatchNormalization: _batch_normalization,
    LayerNormalization: lambda c: (LayerNormalization(), [of_rank(c, 1, 2)]),
    Embedding: _embedding,
    Flatten: lambda c: (Flatten(), [of_rank(c, 1, 3)]),
    Reshape: _reshape,
    Permute: lambda c: (Permute(c.shuffled((1, 2))), [of_rank(c, 2, 2)]),
    RepeatVector: lambda c: (RepeatVector(c.among((2, 1, 3))), [of_rank(c, 1, 1)]),
    Masking: lambda c: (Masking(c.among((0.0, 1.0))), [of_rank(c, 2, 2)]),
    ActivityRegularization: lambda c: (
        ActivityRegularization(l1=c.among((0.0, 0.1)), l2=0.01),
        [of_rank(c, 1, 2)],
    ),
    Lambda: _lambda,
    Add: _merging(Add),
    Subtract: _merging(Subtract, most=2),
    Multiply: _merging(Multiply),
    Average: _merging(Average),
    Maximum: _merging(Maximum),
    Minimum: _merging(Minimum),
    Concatenate: _concatenate,
    Dot: _dot,
    **ACTIVATION_MAKERS,
    **POOLING_MAKERS,
    **ATTENTION_MAKERS,
    **CONVOLUTIONS,
    **RECURRENT_MAKERS,
}


def choose_layer(choices: Choices, kinds: tuple[type[Layer], ...] = ()) -> LayerCase:
    """A layer from any source of decisions; see `layers`."""
    kind = choices.among(kinds or tuple(MAKERS))
    layer, types = MAKERS[kind](choices)
    return LayerCase(layer, tuple(types))


def draw_layer(rng: np.random.Generator, *kinds: type[Layer]) -> LayerCase:
    """Draws a layer and the types of its inputs.

    Args:
        rng: what is drawn from.
        kinds: classes to draw from; default every layer of `kgraph.layers`.

    Returns:
        The layer, not built yet, and the types.

    Example:
        >>> draw_layer(np.random.default_rng(0), Flatten)
        LayerCase(Flatten, {...}, f32[batch, ...])
    """
    return choose_layer(Drawn(rng), kinds)


@st.composite
def layers(draw: Callable[..., Any], *kinds: type[Layer]) -> LayerCase:
    """Layers with drawn arguments and the types of inputs that fit.

    Args:
        kinds: classes to draw from; default every layer of `kgraph.layers`.

    Returns:
        A strategy of `LayerCase`: `layer`, `types`, `inputs`.

    Example:
        >>> from hypothesis import find
        >>> len(find(layers(Dot), lambda case: True).inputs)
        2
    """
    return choose_layer(Hypothesis(draw), kinds)

"""Functional models of drawn layers: several heads, shared layers, residuals, models in models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from kgraph import ops
from kgraph.ir.graph import toposort
from kgraph.ir.node import Node
from kgraph.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    LayerNormalization,
    Multiply,
)
from kgraph.layers.base import Layer
from kgraph.models.model import Model
from kgraph.testing.choices import Choices, Drawn, Hypothesis
from kgraph.testing.drawn_layers import ACTIVATIONS

WIDTHS = (3, 2, 4, 1)


@dataclass
class _Sketch:
    """A model that grows: its tensors of shape (batch, n), and the layers to share."""

    choices: Choices
    tensors: list[Node]
    shared: list[tuple[Layer, Any]] = field(default_factory=list)

    def any(self) -> Node:
        """One of the tensors, most often a young one."""
        recent = self.tensors[-1:-4:-1]
        return self.choices.among(self.tensors if self.choices.chance(30) else recent)

    def call(self, layer: Layer, x: Node) -> Node:
        """The layer's output; the layer may be called again later."""
        self.shared.append((layer, x.shape))
        return layer(x)


def _width(x: Node) -> int:
    width = x.shape[-1]
    assert isinstance(width, int)
    return width


def _chain(sketch: _Sketch) -> Node:
    """A layer on a tensor."""
    c = sketch.choices
    makers: tuple[Callable[[], Layer], ...] = (
        lambda: Dense(c.among(WIDTHS), activation=c.among(ACTIVATIONS)),
        lambda: Activation(c.among(ACTIVATIONS)),
        BatchNormalization,
        lambda: Dropout(0.5, seed=c.below(100)),
        LayerNormalization,
    )
    return sketch.call(c.among(makers)(), sketch.any())


def _residual(sketch: _Sketch) -> Node:
    """A tensor plus what a layer makes of it."""
    x = sketch.any()
    return Add()([x, sketch.call(Dense(_width(x), activation="relu"), x)])


def _share(sketch: _Sketch) -> Node:
    """A layer called once more, on another tensor where there is one."""
    fitting = [(layer, [t for t in sketch.tensors if t.shape == shape])
               for layer, shape in sketch.shared]  # fmt: skip
    if not fitting:
        return _chain(sketch)
    layer, tensors = sketch.choices.among(fitting)
    return layer(sketch.choices.among(tensors))


def _merge(sketch: _Sketch) -> Node:
    """Two tensors as one."""
    a, b = sketch.any(), sketch.any()
    if a.shape == b.shape and a is not b:
        return sketch.choices.among((Add, Multiply))()([a, b])
    return Concatenate()([a, b])


def _raw(sketch: _Sketch) -> Node:
    """Bare ops between layers."""
    x = sketch.any()
    return sketch.choices.among((lambda: x * 2 + 1, lambda: ops.tanh(x), lambda: x - ops.sin(x)))()


def _nest(sketch: _Sketch) -> Node:
    """A model called like a layer."""
    x = sketch.any()
    inner = Input((_width(x),))
    inside = _Sketch(sketch.choices, [inner])
    for _ in range(sketch.choices.between(1, 3)):
        inside.tensors.append(sketch.choices.among(STEPS)(inside))
    return sketch.call(Model(inner, inside.tensors[-1]), x)


STEPS: tuple[Callable[[_Sketch], Node], ...] = (_chain, _chain, _residual, _merge, _share, _raw)


def choose_model(choices: Choices, most: int = 8) -> Model:
    """A model from any source of decisions; see `models`."""
    inputs: list[Node] = [Input((choices.among(WIDTHS),))]
    if choices.chance(30):
        inputs.append(Input((choices.among(WIDTHS),)))
    sketch = _Sketch(choices, list(inputs))
    if choices.chance(25):
        inputs.append(Input((2,), dtype="int32"))
        sketch.tensors.append(Flatten()(Embedding(4, 2)(inputs[-1])))
    steps = (*STEPS, _nest)
    choices.some(1, most, lambda: sketch.tensors.append(choices.among(steps)(sketch)))
    made = [t for t in sketch.tensors if t not in inputs]
    heads: Sequence[Node] = made[-1:]
    if len(made) > 1 and choices.chance(40):
        heads = [made[-1], choices.among(made[:-1])]
    used = set(toposort(heads))
    return Model([x for x in inputs if x in used], heads if len(heads) > 1 else heads[0])


def draw_model(rng: np.random.Generator, *, most: int = 8) -> Model:
    """Draws a functional model of dense layers, normalisations, merges and the like.

    Args:
        rng: what is drawn from; it also sets the seed of the weights.
        most: steps at most; a step adds up to some five layers.

    Returns:
        A model that is not compiled.

    Example:
        >>> model = draw_model(np.random.default_rng(3))
        >>> len(model.outputs) > 0
        True
    """
    return choose_model(Drawn(rng), most)


@st.composite
def models(draw: Callable[..., Any], most: int = 8) -> Model:
    """Functional models: two heads, shared layers, residuals, nested models, an embedding.

    Args:
        most: steps at most.

    Returns:
        A strategy of models that are not compiled.

    Example:
        >>> from hypothesis import find
        >>> small = find(models(), lambda model: len(model.outputs) == 1)
        >>> len(small.layers) < 6
        True
    """
    return choose_model(Hypothesis(draw), most)

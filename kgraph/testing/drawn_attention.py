"""Attention layers, EinsumDense and the rarer normalizations with drawn arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph.ir.types import TensorType
from kgraph.layers import (
    AdditiveAttention,
    Attention,
    Dense,
    EinsumDense,
    GroupNormalization,
    GroupQueryAttention,
    Layer,
    MultiHeadAttention,
    RMSNormalization,
    SpectralNormalization,
    UnitNormalization,
)
from kgraph.testing.choices import Choices
from kgraph.testing.layer_types import SMALL, Make, floats

_EQUATIONS: tuple[tuple[str, Any, str | None], ...] = (
    ("...x,xy->...y", 2, "y"), ("abc,cde->abde", (None, 2, 3), "de"), ("abc,bcd->ad", 3, "d"),
    ("abc,bd->adc", (2, None), None), ("ab...,bc->ac...", 2, "c"), ("abc,cd->abd", (None, 2), "bd"),
)  # fmt: skip


def _sequences(c: Choices, width: int) -> list[TensorType]:
    """A query and a value, perhaps a key of the value's length."""
    lengths = c.among(SMALL), c.among(SMALL)
    types = [floats(n, width) for n in lengths]
    return [*types, types[1]] if c.chance(30) else types


def _attention(c: Choices) -> tuple[Layer, list[TensorType]]:
    mode = c.among(("dot", "concat"))
    layer = Attention(c.flag(), mode, c.among((0.0, 0.5)), seed=c.below(100))
    return layer, _sequences(c, c.among(SMALL))


def _additive(c: Choices) -> tuple[Layer, list[TensorType]]:
    layer = AdditiveAttention(c.flag(), c.among((0.0, 0.5)), seed=c.below(100))
    return layer, _sequences(c, c.among(SMALL))


def _heads(c: Choices) -> dict[str, Any]:
    """Arguments of both layers with heads."""
    return {
        "dropout": c.among((0.0, 0.5)),
        "use_bias": not c.chance(25),
        "sliding_window": c.among((None, 2)),
        "kernel_regularizer": c.among((None, "l2")),
        "activity_regularizer": c.among((None, "l2")),
        "use_gate": c.chance(25),
        "seed": c.below(100),
    }


def _multi_head(c: Choices) -> tuple[Layer, list[TensorType]]:
    shape = c.among((None, 3))
    layer = MultiHeadAttention(
        c.among((2, 1)), c.among((3, 1)), c.among((None, 2)), output_shape=shape, **_heads(c)
    )
    return layer, _sequences(c, c.among((4, 2)))


def _group_query(c: Choices) -> tuple[Layer, list[TensorType]]:
    layer = GroupQueryAttention(c.among((3, 1)), 4, c.among((2, 1, 4)), **_heads(c))
    return layer, _sequences(c, c.among((4, 2)))


def _einsum_dense(c: Choices) -> tuple[Layer, list[TensorType]]:
    equation, shape, bias = c.among(_EQUATIONS)
    layer = EinsumDense(equation, shape, c.among((None, "tanh")), bias if c.flag() else None)
    return layer, [floats(c.among(SMALL), c.among(SMALL))]


def _group_normalization(c: Choices) -> tuple[Layer, list[TensorType]]:
    axis, channels = c.among(((-1, 4), (1, 4), (2, 4)))
    sizes = [3, 2, 3]
    sizes[axis - 1 if axis > 0 else -1] = channels
    layer = GroupNormalization(c.among((2, 1, -1)), axis, center=not c.chance(20))
    return layer, [floats(*sizes)]


def _by_axes(kind: Callable[..., Layer]) -> Make:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        return kind(axis=c.among((-1, 1, [1, 2]))), [floats(c.among(SMALL), c.among(SMALL))]

    return make


def _spectral(c: Choices) -> tuple[Layer, list[TensorType]]:
    layer = SpectralNormalization(Dense(c.among((2, 1, 3))), c.among((1, 3)))
    return layer, [floats(c.among(SMALL))]


# As `MAKERS` of `drawn_layers.py`, which this is part of.
ATTENTION_MAKERS: dict[type[Layer], Make] = {
    Attention: _attention,
    AdditiveAttention: _additive,
    MultiHeadAttention: _multi_head,
    GroupQueryAttention: _group_query,
    EinsumDense: _einsum_dense,
    GroupNormalization: _group_normalization,
    RMSNormalization: _by_axes(RMSNormalization),
    UnitNormalization: _by_axes(UnitNormalization),
    SpectralNormalization: _spectral,
}

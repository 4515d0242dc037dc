"""Convolutional layers with drawn arguments, and inputs that fit them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph.ir.types import TensorType
from kgraph.layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Conv3DTranspose,
    DepthwiseConv1D,
    DepthwiseConv2D,
    Layer,
    LocallyConnected1D,
    LocallyConnected2D,
    SeparableConv1D,
    SeparableConv2D,
)
from kgraph.testing.choices import Choices
from kgraph.testing.pool import BATCH

_ACTIVATIONS = ("linear", "tanh", "sigmoid", "softmax")


def _windows(c: Choices, rank: int, paddings: tuple[str, ...]) -> dict[str, Any]:
    """Arguments that fit each other."""
    found: dict[str, Any] = {
        "kernel_size": tuple(c.among((2, 1, 3)) for _ in range(rank)),
        "padding": c.among(paddings),
        "activation": c.among(_ACTIVATIONS),
        "use_bias": not c.chance(25),
        "data_format": "channels_first" if c.chance(25) else "channels_last",
    }
    name = "dilation_rate" if c.chance(25) else "strides"
    return {**found, name: tuple(c.among((1, 2)) for _ in range(rank))}


def _images(c: Choices, layer: Any, channels: tuple[int, ...]) -> list[TensorType]:
    """An input with room for the windows."""
    extents = layer.windows().extents
    sizes = [c.among((n + 1, n, n + 2)) for n in extents]
    count = c.among(channels)
    first = layer.data_format == "channels_first"
    shape = (count, *sizes) if first else (*sizes, count)
    return [TensorType((BATCH, *shape), "float32")]


def _convolution(kind: Callable[..., Layer], rank: int) -> Callable[..., Any]:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        paddings = ("valid", "same", "causal") if rank == 1 else ("valid", "same")
        groups = 2 if c.chance(25) else 1
        layer = kind(c.among((2, 4)), groups=groups, **_windows(c, rank, paddings))
        return layer, _images(c, layer, (2, 4))

    return make


def _transposed(kind: Callable[..., Layer], rank: int) -> Callable[..., Any]:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        given = _windows(c, rank, ("valid", "same"))
        layer = kind(c.among((2, 1)), **given)
        if c.chance(25):
            more = tuple(s - 1 for s in given.get("strides", (1,) * rank))
            layer = kind(2, output_padding=more, **given)
        return layer, _images(c, layer, (2, 1, 3))

    return make


def _depthwise(kind: Callable[..., Layer], rank: int) -> Callable[..., Any]:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        arguments = _windows(c, rank, ("valid", "same"))
        layer = kind(depth_multiplier=c.among((1, 2)), **arguments)
        return layer, _images(c, layer, (2, 1, 3))

    return make


def _separable(kind: Callable[..., Layer], rank: int) -> Callable[..., Any]:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        arguments = _windows(c, rank, ("valid", "same"))
        layer = kind(c.among((2, 3)), depth_multiplier=c.among((1, 2)), **arguments)
        return layer, _images(c, layer, (2, 1, 3))

    return make


def _local(kind: Callable[..., Layer], rank: int) -> Callable[..., Any]:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        arguments = _windows(c, rank, ("valid",))
        arguments.pop("dilation_rate", None)
        layer = kind(c.among((2, 3)), **arguments)
        return layer, _images(c, layer, (2, 1))

    return make


# Layer class -> how one is made.
CONVOLUTIONS: dict[type[Layer], Callable[[Choices], tuple[Layer, list[TensorType]]]] = {
    Conv1D: _convolution(Conv1D, 1),
    Conv2D: _convolution(Conv2D, 2),
    Conv3D: _convolution(Conv3D, 3),
    Conv1DTranspose: _transposed(Conv1DTranspose, 1),
    Conv2DTranspose: _transposed(Conv2DTranspose, 2),
    Conv3DTranspose: _transposed(Conv3DTranspose, 3),
    DepthwiseConv1D: _depthwise(DepthwiseConv1D, 1),
    DepthwiseConv2D: _depthwise(DepthwiseConv2D, 2),
    SeparableConv1D: _separable(SeparableConv1D, 1),
    SeparableConv2D: _separable(SeparableConv2D, 2),
    LocallyConnected1D: _local(LocallyConnected1D, 1),
    LocallyConnected2D: _local(LocallyConnected2D, 2),
}

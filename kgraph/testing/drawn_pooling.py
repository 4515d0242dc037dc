"""How layers of sequences, images and volumes that have no weights are drawn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph.ir.types import TensorType
from kgraph.layers import (
    AdaptiveAveragePooling1D,
    AdaptiveAveragePooling2D,
    AdaptiveAveragePooling3D,
    AdaptiveMaxPooling1D,
    AdaptiveMaxPooling2D,
    AdaptiveMaxPooling3D,
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    Cropping1D,
    Cropping2D,
    Cropping3D,
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
    GlobalMaxPooling1D,
    GlobalMaxPooling2D,
    GlobalMaxPooling3D,
    Layer,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
    UpSampling1D,
    UpSampling2D,
    UpSampling3D,
    ZeroPadding1D,
    ZeroPadding2D,
    ZeroPadding3D,
)
from kgraph.testing.choices import Choices
from kgraph.testing.layer_types import Make, floats

_FORMATS = ("channels_last", "channels_first")
_SIZES = (4, 3, 5)


def _images(c: Choices, ndim: int, data_format: str, sizes: tuple[int, ...] = _SIZES) -> TensorType:
    spatial, channels = [c.among(sizes) for _ in range(ndim)], c.among((2, 1, 3))
    last = data_format == "channels_last"
    return floats(*spatial, channels) if last else floats(channels, *spatial)


def _pooling(kind: Callable[..., Layer], ndim: int) -> Make:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        form = c.among(_FORMATS)
        size = tuple(c.among((2, 1, 3)) for _ in range(ndim))
        strides = None if c.flag() else tuple(c.among((1, 2)) for _ in range(ndim))
        layer = kind(size, strides, c.among(("valid", "same")), data_format=form)
        return layer, [_images(c, ndim, form)]

    return make


def _global_pooling(kind: Callable[..., Layer], ndim: int) -> Make:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        form = c.among(_FORMATS)
        return kind(form, keepdims=c.flag()), [_images(c, ndim, form)]

    return make


def _adaptive_pooling(kind: Callable[..., Layer], ndim: int) -> Make:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        form = c.among(_FORMATS)
        return kind(c.among((2, 3, 1)), form), [_images(c, ndim, form)]

    return make


def _up_sampling(c: Choices) -> tuple[Layer, list[TensorType]]:
    form, size = c.among(_FORMATS), (c.among((2, 1, 3)), c.among((2, 1)))
    return UpSampling2D(size, form, c.among(("nearest", "bilinear"))), [_images(c, 2, form)]


def _at_edges(kind: Callable[..., Layer], ndim: int) -> Make:
    def make(c: Choices) -> tuple[Layer, list[TensorType]]:
        form = c.among(_FORMATS)
        pairs: Any = tuple((c.below(3), c.below(2)) for _ in range(ndim))
        if ndim == 1:
            return kind(pairs[0]), [_images(c, 1, "channels_last", (4, 5))]
        return kind(pairs, form), [_images(c, ndim, form, (4, 5))]

    return make


POOLING_MAKERS: dict[type[Layer], Make] = {
    MaxPooling1D: _pooling(MaxPooling1D, 1),
    MaxPooling2D: _pooling(MaxPooling2D, 2),
    MaxPooling3D: _pooling(MaxPooling3D, 3),
    AveragePooling1D: _pooling(AveragePooling1D, 1),
    AveragePooling2D: _pooling(AveragePooling2D, 2),
    AveragePooling3D: _pooling(AveragePooling3D, 3),
    GlobalMaxPooling1D: _global_pooling(GlobalMaxPooling1D, 1),
    GlobalMaxPooling2D: _global_pooling(GlobalMaxPooling2D, 2),
    GlobalMaxPooling3D: _global_pooling(GlobalMaxPooling3D, 3),
    GlobalAveragePooling1D: _global_pooling(GlobalAveragePooling1D, 1),
    GlobalAveragePooling2D: _global_pooling(GlobalAveragePooling2D, 2),
    GlobalAveragePooling3D: _global_pooling(GlobalAveragePooling3D, 3),
    AdaptiveAveragePooling1D: _adaptive_pooling(AdaptiveAveragePooling1D, 1),
    AdaptiveAveragePooling2D: _adaptive_pooling(AdaptiveAveragePooling2D, 2),
    AdaptiveAveragePooling3D: _adaptive_pooling(AdaptiveAveragePooling3D, 3),
    AdaptiveMaxPooling1D: _adaptive_pooling(AdaptiveMaxPooling1D, 1),
    AdaptiveMaxPooling2D: _adaptive_pooling(AdaptiveMaxPooling2D, 2),
    AdaptiveMaxPooling3D: _adaptive_pooling(AdaptiveMaxPooling3D, 3),
    UpSampling1D: lambda c: (UpSampling1D(c.among((2, 3))), [_images(c, 1, "channels_last")]),
    UpSampling2D: _up_sampling,
    UpSampling3D: lambda c: (UpSampling3D(c.among((2, 1))), [_images(c, 3, "channels_last")]),
    ZeroPadding1D: _at_edges(ZeroPadding1D, 1),
    ZeroPadding2D: _at_edges(ZeroPadding2D, 2),
    ZeroPadding3D: _at_edges(ZeroPadding3D, 3),
    Cropping1D: _at_edges(Cropping1D, 1),
    Cropping2D: _at_edges(Cropping2D, 2),
    Cropping3D: _at_edges(Cropping3D, 3),
}

"""Steps of windows that slide: convolutions, their gradients as ops, and pools: pool -> values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.ir.node import Node
from kgraph.testing.choices import Choices
from kgraph.testing.pool import Pool, Value
from kgraph.testing.steps import Step

_PADDINGS = ("valid", "same", "causal")


def convolve(pool: Pool) -> list[Value]:
    """A convolution of images with channels at either end, its sum with a bias, and relu of it."""
    choices = pool.choices
    images = pool.pick(_is_image)
    if images is None:
        return []
    x, channels = _channels_last(images.node, choices)
    weights = pool.pick(lambda v: v.dtype == images.dtype and v.ndim == 2 and _known(v.shape))
    if weights is None:
        return []
    taps = choices.between(1, 2)
    matrix = weights.node if choices.flag() else ops.transpose(weights.node)
    if matrix.shape[0] != channels:
        matrix = ops.broadcast_to(ops.reshape(matrix, (-1,))[:1], (channels, 2))
    kernel = ops.stack([matrix, -matrix][:taps])
    kernel = ops.reshape(kernel, (taps, *(1,) * (x.ndim - 3), *matrix.shape))
    strides = choices.between(1, 2)
    dilation = choices.between(1, 2) if strides == 1 else 1
    y = ops.conv(x, kernel, strides, choices.among(_PADDINGS), None, dilation)
    exact = images.exact and weights.exact
    bound = taps * channels * images.bound * weights.bound
    made = [Value(y, exact, bound)]
    if choices.flag():
        back = ops.moveaxis(y, -1, 1)
        made += [Value(back, exact, bound), Value(ops.relu(back), exact, bound)]
    return made


def slide(pool: Pool) -> list[Value]:
    """Pools of each kind, of relu as well; of what is exact, for others may tie by rounding."""
    choices = pool.choices
    v = pool.pick(lambda o: _is_image(o) and (o.exact or not pool.tame))
    if v is None:
        return []
    x, _ = _channels_last(v.node, choices)
    x = ops.relu(x) if choices.flag() else x
    attrs = (2, choices.between(1, 3), choices.among(("valid", "same")))
    if choices.chance(30):
        return [Value(ops.average_pool(x, *attrs), False, v.bound)]
    return [Value(ops.max_pool(x, *attrs), v.exact, v.bound)]


def _known(sizes: Sequence[Any]) -> bool:
    """Whether all sizes are numbers, and none of them is 0."""
    return all(isinstance(d, int) and d for d in sizes)


def _is_image(v: Value) -> bool:
    sizes: Any = v.shape[1:]
    return v.is_float and 2 <= v.ndim <= 5 and _known(sizes) and math.prod(sizes) < 1000


def _channels_last(x: Node, choices: Choices) -> tuple[Node, int]:
    """Images and the number of their channels; what has no spatial axis gets a single channel."""
    if x.ndim == 2:
        x = ops.expand_dims(x, -1)
    elif choices.flag():
        x = ops.moveaxis(x, 1, -1)
    channels: Any = x.shape[-1]
    return x, channels


WINDOWS: tuple[Step, ...] = (convolve, convolve, slide)

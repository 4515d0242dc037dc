"""Dropout of single elements and of whole channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.arguments import normalize_data_format
from kgraph.layers.base import Layer
from kgraph.layers.spec import InputSpec
from kgraph.ops.random import bernoulli


class RandomLayer(Layer):
    """What draws numbers while training and does nothing otherwise: its rate and its stream."""

    def __init__(self, seed: int | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = seed
        self.stream = int(np.random.randint(10**7)) if seed is None else int(seed)
        self.supports_masking = True

    def noise_shape_for(self, inputs: Any, noise_shape: Sequence[int | None] | None) -> Any:
        """The shape of what is drawn: None stands for the input's size.

        Raises:
            ValueError: the number of axes is wrong.
        """
        if noise_shape is None:
            return inputs.shape
        if len(noise_shape) != inputs.ndim:
            raise ValueError(
                explain(
                    f"{type(self).__name__} layer {self.name}: noise_shape has the wrong number "
                    "of axes",
                    expected=f"{inputs.ndim} axes, for the input {inputs.type}",
                    got=f"noise_shape={tuple(noise_shape)}",
                )
            )
        return tuple(
            size if given is None else given
            for size, given in zip(inputs.shape, noise_shape, strict=True)
        )

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape


def checked_rate(rate: float) -> float:
    """A rate of elements to drop.

    Raises:
        ValueError: it is outside [0, 1].
    """
    if not isinstance(rate, (int, float)) or not 0 <= rate <= 1:
        raise ValueError(
            "Invalid value received for argument `rate`. "
            f"Expected a float value between 0 and 1. Received: rate={rate}"
        )
    return rate


class Dropout(RandomLayer):
    """Sets a random part of the inputs to zero while training, and scales the rest up.

    Each call draws its own values. With rate 1 the layer does nothing, as in Keras 2.

    Args:
        rate: the part to drop, from 0 to 1.
        noise_shape: shape of the mask; None for an axis of the input's size, 1 for one decision
            along the whole axis.
        seed: an int for the same masks in every process; default drawn from NumPy's global state.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the rate is outside [0, 1].

    Example:
        >>> Dropout(0.5)(np.ones(3, "float32")).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(
        self,
        rate: float,
        noise_shape: Sequence[int | None] | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(seed, **kwargs)
        self.rate, self.noise_shape = checked_rate(rate), noise_shape

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or not 0 < self.rate < 1:
            return inputs
        keep = 1 - self.rate
        shape = self.noise_shape_for(inputs, self.noise_shape)
        kept = bernoulli(shape, keep, "bool", self.stream)
        return ops.masked_scale(inputs, kept, 1 / keep)

    def get_config(self) -> dict[str, Any]:
        config = {"rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}
        return {**super().get_config(), **config}


class SpatialDropout(Dropout):
    """What the layers that drop whole channels share."""

    spatial_axes = 1

    def __init__(
        self, rate: float, seed: int | None, data_format: str | None, **kwargs: Any
    ) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = normalize_data_format(data_format)
        ones = (1,) * self.spatial_axes
        first = self.data_format == "channels_first"
        self.noise_shape = (None, None, *ones) if first else (None, *ones, None)
        self.input_spec = InputSpec(ndim=self.spatial_axes + 2)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["noise_shape"]
        return {**config, "data_format": self.data_format}


class SpatialDropout1D(SpatialDropout):
    """Sets whole channels of sequences to zero while training, and scales the rest up.

    Args:
        rate: the part of the channels to drop, from 0 to 1.
        seed: an int for the same channels in every process.
        **kwargs: what every layer takes.

    Example:
        >>> y = SpatialDropout1D(0.5, seed=1)(np.ones((2, 5, 8), "float32"), training=True)
        >>> bool((y == y[:, :1]).all())
        True
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed, "channels_last", **kwargs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["data_format"]
        return config


class SpatialDropout2D(SpatialDropout):
    """Sets whole channels of images to zero while training, and scales the rest up.

    Args:
        rate: the part of the channels to drop, from 0 to 1.
        data_format: where the channels are; default the global setting.
        seed: an int for the same channels in every process.
        **kwargs: what every layer takes.

    Example:
        >>> y = SpatialDropout2D(0.5, seed=1)(np.ones((2, 3, 3, 8), "float32"), training=True)
        >>> bool((y == y[:, :1, :1]).all())
        True
    """

    spatial_axes = 2

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed, data_format, **kwargs)


class SpatialDropout3D(SpatialDropout):
    """Sets whole channels of volumes to zero while training, and scales the rest up.

    Args:
        rate: the part of the channels to drop, from 0 to 1.
        data_format: where the channels are; default the global setting.
        seed: an int for the same channels in every process.
        **kwargs: what every layer takes.

    Example:
        >>> y = SpatialDropout3D(0.5, seed=1)(np.ones((2, 2, 3, 3, 8), "float32"), training=True)
        >>> bool((y == y[:, :1, :1, :1]).all())
        True
    """

    spatial_axes = 3

    def __init__(
        self,
        rate: float,
        data_format: str | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(rate, seed, data_format, **kwargs)

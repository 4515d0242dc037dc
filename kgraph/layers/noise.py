"""Layers that add or multiply random numbers while training: GaussianNoise, GaussianDropout,
AlphaDropout."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.layers.dropout import RandomLayer, checked_rate
from kgraph.ops.nn import SELU_ALPHA, SELU_SCALE
from kgraph.ops.random import bernoulli, normal


class GaussianNoise(RandomLayer):
    """Adds normally distributed numbers of mean 0 while training.

    Args:
        stddev: their standard deviation.
        seed: an int for the same numbers in every process.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the standard deviation is negative.

    Example:
        >>> import numpy as np
        >>> GaussianNoise(0.5)(np.ones(3, "float32")).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        if not isinstance(stddev, (int, float)) or not 0 <= stddev < math.inf:
            raise ValueError(
                "Invalid value received for argument `stddev`. "
                f"Expected a float value of at least 0. Received: stddev={stddev}"
            )
        self.stddev = stddev

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or self.stddev == 0:
            return inputs
        return inputs + normal(inputs.shape, 0.0, self.stddev, inputs.dtype, self.stream)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "stddev": self.stddev, "seed": self.seed}


class GaussianDropout(RandomLayer):
    """Multiplies by normally distributed numbers of mean 1 while training.

    Their variance is that of Dropout's factors, rate / (1 - rate) (Srivastava et al. 2014). With
    rate 1 the layer does nothing, as in Keras 2.

    Args:
        rate: as for Dropout, from 0 to 1.
        seed: an int for the same numbers in every process.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the rate is outside [0, 1].

    Example:
        >>> import numpy as np
        >>> GaussianDropout(0.5)(np.ones(3, "float32")).tolist()
        [1.0, 1.0, 1.0]
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(seed, **kwargs)
        self.rate = checked_rate(rate)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or not 0 < self.rate < 1:
            return inputs
        stddev = math.sqrt(self.rate / (1 - self.rate))
        return inputs * normal(inputs.shape, 1.0, stddev, inputs.dtype, self.stream)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


class AlphaDropout(RandomLayer):
    """Sets a random part of the inputs to selu's limit while training, keeping mean and variance.

    What is dropped becomes alpha' = -1.7581; then all is mapped by a x + b, so that inputs of mean
    0 and variance 1 stay so (Klambauer et al. 2017). With rate 1 the layer does nothing.

    Args:
        rate: the part to drop, from 0 to 1.
        noise_shape: shape of the mask, as for Dropout.
        seed: an int for the same masks in every process.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the rate is outside [0, 1].

    Example:
        >>> import numpy as np
        >>> AlphaDropout(0.5)(np.ones(3, "float32")).tolist()
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
        keep, limit = 1 - self.rate, -SELU_ALPHA * SELU_SCALE
        a = (keep * (1 + self.rate * limit**2)) ** -0.5
        b = -a * limit * self.rate
        shape = self.noise_shape_for(inputs, self.noise_shape)
        kept = bernoulli(shape, keep, "bool", self.stream)
        return ops.where(kept, inputs * a + b, a * limit + b)

    def get_config(self) -> dict[str, Any]:
        config = {"rate": self.rate, "noise_shape": self.noise_shape, "seed": self.seed}
        return {**super().get_config(), **config}

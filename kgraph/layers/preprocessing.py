"""Layers that prepare numbers: Rescaling and Normalization."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from kgraph import config, ops
from kgraph.errors import explain
from kgraph.layers.base import Layer

Shape = tuple[int | None, ...]


class Rescaling(Layer):
    """`inputs * scale + offset`.

    Args:
        scale: a number, or one for each channel.
        offset: a number, or one for each channel.
        **kwargs: what every layer takes.

    Example:
        >>> Rescaling(1 / 2, offset=-1)(np.array([0, 2, 4])).tolist()
        [-1.0, 0.0, 1.0]
    """

    def __init__(
        self, scale: float | Sequence[float], offset: float | Sequence[float] = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.scale, self.offset = plain(scale), plain(offset)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        x = as_float(inputs, self)
        return x * self._spread(self.scale, x) + self._spread(self.offset, x)

    def _spread(self, value: Any, x: Any) -> Any:
        """Gives numbers of channels the axes of x."""
        if not isinstance(value, list):
            return value
        array = np.array(value, x.dtype)
        if config.image_data_format() == "channels_first":
            array = array.reshape(array.shape + (1,) * (x.ndim - 1 - array.ndim))
        return array

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


class Normalization(Layer):
    """Subtracts a mean and divides by a standard deviation, given or found by `adapt`.

    Args:
        axis: the axis or axes that have a mean each, default the last; None for one mean of all.
        mean: the means, one for all or of the shape of the axes.
        variance: the variances, in the same shape.
        invert: whether to undo the normalization instead.
        **kwargs: what every layer takes.

    Raises:
        ValueError: only one of mean and variance is given, or their shapes do not fit.

    Example:
        >>> layer = Normalization(axis=None)
        >>> layer.adapt(np.array([1.0, 3.0]))
        >>> layer(np.array([[2.0], [5.0]])).tolist()
        [[0.0], [3.0]]
    """

    def __init__(
        self,
        axis: int | Sequence[int] | None = -1,
        mean: Any = None,
        variance: Any = None,
        invert: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        given = () if axis is None else (axis,) if isinstance(axis, int) else axis
        self.axis = tuple(int(a) for a in given)
        self.mean, self.variance, self.invert = plain(mean), plain(variance), bool(invert)
        self.supports_masking = True
        if (mean is None) != (variance is None):
            raise ValueError(
                "When setting values directly, both `mean` and `variance` must be set. "
                f"Received: mean={mean} and variance={variance}"
            )
        if np.shape(mean) != np.shape(variance) or np.ndim(mean) > len(self.axis):
            raise ValueError(
                explain(
                    "When setting values directly, `mean` and `variance` must have the same "
                    "shape, of no more axes than `axis` names",
                    got=f"shapes {np.shape(mean)} and {np.shape(variance)} for axis {self.axis}",
                )
            )

    def build(self, input_shape: Shape) -> None:
        kept = self._kept(input_shape)
        if self.mean is None:
            shape = tuple(input_shape[a] for a in kept)
            options: dict[str, Any] = {"shape": shape, "trainable": False}
            self.adapted_mean = self.add_weight(name="mean", initializer="zeros", **options)
            self.adapted_variance = self.add_weight(name="variance", initializer="ones", **options)
            # Nothing reads it; weight files of Keras 3 have it.
            self.count = self.add_weight(
                name="count", shape=(), dtype="int32", initializer="zeros", trainable=False
            )
        self.built = True

    def _kept(self, shape: Sequence[Any]) -> list[int]:
        """The axes with a mean each, counted from the front."""
        ndim = len(shape)
        if any(not -ndim <= a < ndim for a in self.axis):
            raise ValueError(
                "All `axis` values must be in the range [-ndim, ndim). "
                f"Received inputs with ndim={ndim}, while axis={self.axis}"
            )
        kept = sorted(a % ndim for a in self.axis)
        if any(shape[a] is None for a in kept):
            raise ValueError(
                "All `axis` values to be kept must have a known shape. "
                f"Received axis={self.axis}, inputs.shape={tuple(shape)}"
            )
        return kept

    def adapt(self, data: Any) -> None:
        """Sets the mean and variance to those of data.

        Args:
            data: an array, or arrays that are its batches.

        Raises:
            ValueError: the mean was given, there is no data, or its shape is not the layer's.

        Example:
            >>> layer = Normalization()
            >>> layer.adapt([np.array([[1.0, 10.0]]), np.array([[3.0, 10.0]])])
            >>> [w.tolist() for w in layer.get_weights()]
            [[2.0, 10.0], [1.0, 0.0], 0]
        """
        if self.mean is not None:
            raise ValueError(f"Layer {self.name} was given its mean: `adapt` would not change it.")
        batches = iter([data] if isinstance(data, np.ndarray) else data)
        first = next(batches, None)
        if first is None:
            raise ValueError(f"Layer {self.name}: adapt() received no data")
        if not self.built:
            self._build_with([(None, *np.shape(first)[1:])])
        mean, variance = self._moments(itertools.chain([first], batches))
        self.adapted_mean.assign(mean)
        self.adapted_variance.assign(variance)

    def _moments(self, batches: Iterable[Any]) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance of the batches joined (Chan, Golub and LeVeque 1979)."""
        count, mean, variance = 0, np.zeros(()), np.zeros(())
        for batch in batches:
            values = np.asarray(batch, "float64")
            kept = self._kept(values.shape)
            sizes, expected = tuple(values.shape[a] for a in kept), self.adapted_mean.shape
            if sizes != expected:
                raise ValueError(
                    explain(
                        f"Layer {self.name}: adapt() received data of another shape",
                        expected=f"sizes {expected} of axes {self.axis}",
                        got=f"shape {values.shape}",
                    )
                )
            reduced = tuple(a for a in range(values.ndim) if a not in kept)
            added = math.prod(values.shape[a] for a in reduced)
            if not added:
                continue
            step = values.mean(reduced) - mean
            part = added / (count + added)
            variance = (1 - part) * variance + part * values.var(reduced)
            variance = variance + part * (1 - part) * step**2
            mean, count = mean + part * step, count + added
        if not count:
            raise ValueError(f"Layer {self.name}: adapt() received no data")
        return mean, variance

    def call(self, inputs: Any) -> Any:
        x = as_float(inputs, self)
        mean, variance = self._given(x) if self.mean is not None else self._adapted(x)
        deviation = ops.maximum(ops.sqrt(variance), config.epsilon())
        return x * deviation + mean if self.invert else (x - mean) / deviation

    def _given(self, x: Any) -> tuple[Any, Any]:
        mean, variance = np.array(self.mean, x.dtype), np.array(self.variance, x.dtype)
        shape = [1] * x.ndim
        kept = self._kept(x.shape)[len(self.axis) - mean.ndim :]
        for axis, size in zip(kept, mean.shape):
            shape[axis] = size
        return mean.reshape(shape), variance.reshape(shape)

    def _adapted(self, x: Any) -> tuple[Any, Any]:
        kept = self._kept(x.shape)
        shape = tuple(d if a in kept else 1 for a, d in enumerate(x.shape))
        weights = self.adapted_mean, self.adapted_variance
        mean, variance = (ops.reshape(ops.cast(w, x.dtype), shape) for w in weights)
        return mean, variance

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": list(self.axis),
            "mean": self.mean,
            "variance": self.variance,
            "invert": self.invert,
        }


def plain(value: Any) -> Any:
    """Numbers as configurations hold them."""
    return value if value is None or isinstance(value, (int, float)) else np.asarray(value).tolist()


def as_float(inputs: Any, layer: Layer) -> Any:
    """Floats as they are, other numbers in the dtype of the layer, if that is a float's."""
    if inputs.type.is_float:
        return inputs
    return ops.cast(inputs, layer.dtype if layer.dtype.startswith("f") else config.floatx())

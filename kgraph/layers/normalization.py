"""Batch and layer normalization, and under Keras's path the normalizations of other files.

Variances are biased and taken in two passes (the mean first), which stays sound where the mean is
large against the spread. The moving variance is the biased one too, as in Keras 3; Keras 2 stored
n / (n - 1.001) times as much. A frozen BatchNormalization uses its moving statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import initializers, ops
from kgraph.config import epsilon as fuzz
from kgraph.errors import explain
from kgraph.layers.affine import AffineNormalization, Shape, checked_axes, known_sizes
from kgraph.layers.group_normalization import GroupNormalization
from kgraph.layers.scaling import RMSNormalization, UnitNormalization
from kgraph.layers.spec import InputSpec
from kgraph.layers.spectral_normalization import SpectralNormalization

__all__ = [
    "BatchNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "SpectralNormalization",
    "UnitNormalization",
]


class BatchNormalization(AffineNormalization):
    """Normalizes each channel over the batch while training, by moving statistics otherwise.

    A mask excludes the steps that it marks from the statistics.

    Args:
        axis: the axis of the channels.
        momentum: part of the moving statistics that each batch leaves as it is.
        epsilon: added to the variance.
        center: whether to add `beta`.
        scale: whether to multiply by `gamma`.
        beta_initializer: initial values of beta, one a channel.
        gamma_initializer: initial values of gamma.
        moving_mean_initializer: initial values of the moving mean.
        moving_variance_initializer: initial values of the moving variance.
        beta_regularizer: penalty on beta.
        gamma_regularizer: penalty on gamma.
        beta_constraint: projection of beta after each update.
        gamma_constraint: projection of gamma after each update.
        renorm: batch renormalization, which is not offered: only False.
        renorm_clipping: of renormalization: only None.
        renorm_momentum: of renormalization: ignored.
        synchronized: whether all devices share their statistics; there is one device here.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the number of channels is not known, or renormalization is asked for.

    Example:
        >>> import numpy as np
        >>> BatchNormalization(epsilon=0.0)(np.array([[1.0], [3.0]], "float32")).tolist()
        [[1.0], [3.0]]
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: Any = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis, epsilon, center, scale, beta_initializer, gamma_initializer, beta_regularizer,
            gamma_regularizer, beta_constraint, gamma_constraint, **kwargs,
        )  # fmt: skip
        if renorm or renorm_clipping:
            raise ValueError(
                explain(
                    f"BatchNormalization layer {self.name}: batch renormalization is not offered",
                    expected="renorm=False, renorm_clipping=None",
                    got=f"renorm={renorm}, renorm_clipping={renorm_clipping}",
                    hint="GroupNormalization and LayerNormalization do not depend on the batch",
                )
            )
        self.momentum, self.synchronized = momentum, synchronized
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)

    def build(self, input_shape: Shape) -> None:
        (size,) = known_sizes(self.axis, input_shape).values()
        self.add_scale_and_offset((size,))
        self.moving_mean = self.add_weight(
            name="moving_mean",
            shape=(size,),
            initializer=self.moving_mean_initializer,
            trainable=False,
        )
        self.moving_variance = self.add_weight(
            name="moving_variance",
            shape=(size,),
            initializer=self.moving_variance_initializer,
            trainable=False,
        )
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: size})
        self.built = True

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        x = ops.cast(inputs, "float32") if inputs.dtype == "float16" else inputs
        normed = self._train(x, mask) if training and self.trainable else self._infer(x)
        return ops.cast(normed, inputs.dtype)

    def _infer(self, x: Any) -> Any:
        factor = ops.rsqrt(self.moving_variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * self.gamma
        offset = -self.moving_mean * factor
        if self.beta is not None:
            offset = offset + self.beta
        return x * self._spread(factor, x) + self._spread(offset, x)

    def _train(self, x: Any, mask: Any) -> Any:
        axes = tuple(a for a in range(x.ndim) if a != self.axis % x.ndim)
        mean, centred, variance = _masked_moments(x, axes, self, mask)
        factor = ops.rsqrt(variance + self.epsilon)
        if self.gamma is not None:
            factor = factor * self.gamma
        self.add_update(
            [
                (self.moving_mean, self._moved(self.moving_mean, mean)),
                (self.moving_variance, self._moved(self.moving_variance, variance)),
            ]
        )
        normed = centred * self._spread(factor, x)
        return normed if self.beta is None else normed + self._spread(self.beta, x)

    def _moved(self, old: Any, new: Any) -> Any:
        return old * self.momentum + ops.cast(new, old.dtype) * (1.0 - self.momentum)

    def _spread(self, per_channel: Any, x: Any) -> Any:
        """Gives a vector of channels the axes of x, where NumPy would not by itself."""
        axis = self.axis % x.ndim
        if axis == x.ndim - 1:
            return per_channel
        return ops.reshape(per_channel, (-1,) + (1,) * (x.ndim - 1 - axis))

    def get_config(self) -> dict[str, Any]:
        only_if_so = {"synchronized": True} if self.synchronized else {}
        return {
            **super().get_config(),
            **only_if_so,
            "momentum": self.momentum,
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
        }


def _masked_moments(x: Any, axes: tuple[int, ...], layer: Any, mask: Any) -> tuple[Any, Any, Any]:
    """Mean per channel, x minus it, and biased variance, over the steps that the mask admits."""
    if mask is None:
        mean = ops.mean(x, axis=axes)
        centred = x - layer._spread(mean, x)
        return mean, centred, ops.mean(ops.square(centred), axis=axes)
    if mask.ndim != x.ndim - 1:
        raise ValueError(
            "The mask provided should be one dimension less than the inputs. "
            f"Received: mask.shape={mask.shape}, inputs.shape={x.shape}"
        )
    weight = ops.broadcast_to(ops.cast(ops.expand_dims(mask, -1), x.dtype), x.shape)
    count = ops.sum(weight, axis=axes) + fuzz()
    mean = ops.sum(x * weight, axis=axes) / count
    centred = x - layer._spread(mean, x)
    return mean, centred, ops.sum(ops.square(centred) * weight, axis=axes) / count


class LayerNormalization(AffineNormalization):
    """Normalizes each sample over the given axes.

    Args:
        axis: the axis or axes to normalize over.
        epsilon: added to the variance.
        center: whether to add `beta`.
        scale: whether to multiply by `gamma`.
        beta_initializer: initial values of beta, of the shape of the normalized axes.
        gamma_initializer: initial values of gamma.
        beta_regularizer: penalty on beta.
        gamma_regularizer: penalty on gamma.
        beta_constraint: projection of beta after each update.
        gamma_constraint: projection of gamma after each update.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an axis does not exist or its size is not known.

    Example:
        >>> import numpy as np
        >>> y = LayerNormalization(epsilon=0.0)(np.array([[1.0, 3.0]], "float32"))
        >>> np.round(y, 5).tolist()
        [[-1.0, 1.0]]
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            axis if isinstance(axis, int) else list(axis),
            epsilon,
            center,
            scale,
            beta_initializer,
            gamma_initializer,
            beta_regularizer,
            gamma_regularizer,
            beta_constraint,
            gamma_constraint,
            **kwargs,
        )

    def build(self, input_shape: Shape) -> None:
        sizes = known_sizes(self.axis, input_shape)
        self.add_scale_and_offset(tuple(sizes.values()))
        self.input_spec = InputSpec(ndim=len(input_shape), axes=sizes)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32") if inputs.dtype == "float16" else inputs
        axes = checked_axes(self.axis, x.shape)
        centred = x - ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
        normed = centred * ops.rsqrt(variance + self.epsilon)
        shape = tuple(d if a in axes else 1 for a, d in enumerate(x.shape))[axes[0] :]
        if self.gamma is not None:
            normed = normed * ops.reshape(self.gamma, shape)
        if self.beta is not None:
            normed = normed + ops.reshape(self.beta, shape)
        return ops.cast(normed, inputs.dtype)

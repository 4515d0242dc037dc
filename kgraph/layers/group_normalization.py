"""Group normalization: each sample's channels in groups, each group over all of its positions."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.affine import AffineNormalization, Shape, known_sizes
from kgraph.layers.spec import InputSpec


class GroupNormalization(AffineNormalization):
    """Normalizes each sample over groups of channels and all positions.

    Args:
        groups: number of groups, a divisor of the number of channels; -1 for one channel a group.
        axis: the axis of the channels.
        epsilon: added to the variance.
        center: whether to add `beta`.
        scale: whether to multiply by `gamma`.
        beta_initializer: initial values of beta, one a channel.
        gamma_initializer: initial values of gamma.
        beta_regularizer: penalty on beta.
        gamma_regularizer: penalty on gamma.
        beta_constraint: projection of beta after each update.
        gamma_constraint: projection of gamma after each update.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the channels are not known or cannot be divided into that many groups.

    Example:
        >>> import numpy as np
        >>> y = GroupNormalization(2, epsilon=0.0)(np.array([[1.0, 3.0, 0.0, 8.0]], "float32"))
        >>> np.round(y, 5).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
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
        if not isinstance(groups, int) or (groups <= 0 and groups != -1):
            raise ValueError(
                "Received an invalid value for argument `groups`, expected a positive integer "
                f"(or `-1` for instance normalization). Received: groups={groups}"
            )
        super().__init__(
            axis,
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
        self.groups = groups

    def build(self, input_shape: Shape) -> None:
        (channels,) = known_sizes(self.axis, input_shape).values()
        if channels % self._groups(channels):
            raise ValueError(
                explain(
                    f"GroupNormalization layer {self.name}: the channels cannot be divided",
                    expected=f"a number of channels that is a multiple of groups={self.groups}",
                    got=f"{channels} channels on axis {self.axis} of {input_shape}",
                    hint="groups=-1 takes each channel by itself",
                )
            )
        self.add_scale_and_offset((channels,))
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: channels})
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32") if inputs.dtype == "float16" else inputs
        axis = self.axis % x.ndim
        channels = x.shape[axis]
        groups = self._groups(channels)
        split = (groups, channels // groups)
        x = ops.reshape(x, (*x.shape[:axis], *split, *x.shape[axis + 1 :]))
        # All axes but the batch and that of the groups.
        axes = tuple(a for a in range(1, x.ndim) if a != axis)
        centred = x - ops.mean(x, axis=axes, keepdims=True)
        variance = ops.mean(ops.square(centred), axis=axes, keepdims=True)
        normed = centred * ops.rsqrt(variance + self.epsilon)
        per_channel = (*split, *(1,) * (x.ndim - axis - 2))
        if self.gamma is not None:
            normed = normed * ops.reshape(self.gamma, per_channel)
        if self.beta is not None:
            normed = normed + ops.reshape(self.beta, per_channel)
        return ops.cast(ops.reshape(normed, inputs.shape), inputs.dtype)

    def _groups(self, channels: int) -> int:
        return channels if self.groups == -1 else self.groups

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "groups": self.groups}

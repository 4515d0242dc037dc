"""What normalizations with a scale and an offset share: arguments, weights, configuration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import constraints, initializers, regularizers
from kgraph.errors import explain
from kgraph.layers.base import Layer

Shape = tuple[int | None, ...]


class AffineNormalization(Layer):
    """What normalizations share: the arguments and weights gamma and beta."""

    def __init__(
        self,
        axis: Any,
        epsilon: float,
        center: bool,
        scale: bool,
        beta_initializer: Any,
        gamma_initializer: Any,
        beta_regularizer: Any,
        gamma_regularizer: Any,
        beta_constraint: Any,
        gamma_constraint: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.axis, self.epsilon = axis, epsilon
        self.center, self.scale = center, scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.supports_masking = True

    def add_scale_and_offset(self, shape: tuple[int, ...]) -> None:
        """Makes gamma and beta, as far as they are wanted."""
        self.gamma = self.beta = None
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                name="beta",
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
        }


def checked_axis(axis: int, shape: Sequence[Any]) -> int:
    """The axis counted from the front; refuses one that the shape does not have."""
    if not -len(shape) <= axis < len(shape):
        raise ValueError(
            explain(f"Axis {axis} is out of bounds for input shape {tuple(shape)}",
                    expected=f"from {-len(shape)} to {len(shape) - 1}")
        )  # fmt: skip
    return axis % len(shape)


def checked_axes(axis: int | Sequence[int], shape: Sequence[Any]) -> tuple[int, ...]:
    """The axis or axes counted from the front, in ascending order."""
    given = [axis] if isinstance(axis, int) else axis
    return tuple(sorted(checked_axis(a, shape) for a in given))


def known_sizes(axis: int | Sequence[int], shape: Shape) -> dict[int, int]:
    """The sizes of the axes that weights run along; refuses sizes that are not known."""
    sizes = {a: shape[a] for a in checked_axes(axis, shape)}
    if None in sizes.values():
        raise ValueError(
            f"Axis {axis} of input tensor should have a defined dimension "
            f"but the layer received an input with shape {shape}."
        )
    return sizes  # type: ignore[return-value]

"""Normalizations that only scale: by the root mean square, by the Euclidean norm."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.layers.affine import Shape, checked_axes, known_sizes
from kgraph.layers.base import Layer
from kgraph.layers.spec import InputSpec


class RMSNormalization(Layer):
    """Divides by the root mean square over the given axes and multiplies by a trained scale.

    Args:
        axis: the axis or axes to normalize over.
        epsilon: added to the mean square.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an axis does not exist or its size is not known.

    Example:
        >>> import numpy as np
        >>> RMSNormalization(epsilon=0.0)(np.array([[2.0, -2.0]], "float32")).tolist()
        [[1.0, -1.0]]
    """

    def __init__(
        self, axis: int | Sequence[int] = -1, epsilon: float = 1e-6, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.epsilon = epsilon
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        sizes = known_sizes(self.axis, input_shape)
        self.scale = self.add_weight("scale", tuple(sizes.values()), initializer="ones")
        self.input_spec = InputSpec(ndim=len(input_shape), axes=sizes)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32") if inputs.dtype == "float16" else inputs
        axes = checked_axes(self.axis, x.shape)
        power = ops.mean(ops.square(x), axis=axes, keepdims=True)
        shape = tuple(d if a in axes else 1 for a, d in enumerate(x.shape))[axes[0] :]
        normed = x * ops.rsqrt(power + self.epsilon) * ops.reshape(self.scale, shape)
        return ops.cast(normed, inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis, "epsilon": self.epsilon}


class UnitNormalization(Layer):
    """Divides by the Euclidean norm over the given axes; zeros stay zeros.

    Args:
        axis: the axis or axes over which the result has norm 1.
        **kwargs: what every layer takes.

    Raises:
        TypeError: the axis is neither an int nor a list of them.
        ValueError: an axis does not exist.

    Example:
        >>> import numpy as np
        >>> UnitNormalization()(np.array([[3.0, 0.0], [0.0, 0.0]], "float32")).tolist()
        [[1.0, 0.0], [0.0, 0.0]]
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axis, (int, list, tuple)):
            raise TypeError(
                explain("UnitNormalization: axis has the wrong type",
                        expected="an int or a list of ints", got=f"axis={axis!r}")
            )  # fmt: skip
        self.axis = axis if isinstance(axis, int) else list(axis)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        x = ops.cast(inputs, "float32") if inputs.dtype == "float16" else inputs
        # Norms below 1e-12 count as 1e-12; their square is still a float32.
        normed = ops.l2_normalize(x, checked_axes(self.axis, x.shape), epsilon=1e-24)
        return ops.cast(normed, inputs.dtype)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}

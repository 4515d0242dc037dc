"""Spectral normalization: a wrapper that divides a layer's kernel by its largest singular value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph import initializers, ops
from kgraph.layers.affine import Shape
from kgraph.layers.arguments import positive_int
from kgraph.layers.base import Layer

# The module and not its functions, which are not there yet: it reads this file for its table.
from kgraph.layers.lookup import deserialize, serialize
from kgraph.layers.spec import InputSpec


class SpectralNormalization(Layer):
    """Divides the kernel of a layer by an estimate of its spectral norm, in each training step.

    The estimate comes from power iterations that start where those of the step before ended. The
    divided kernel is what the step computes with, and it is stored: inference uses the kernel as it
    is. Slopes of the kernel pass through the division. A kernel of zeros stays as it is.

    Args:
        layer: has a `kernel` (Dense, a convolution) or `embeddings`.
        power_iterations: iterations a step.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the layer has no such weight, or `power_iterations` is not positive.

    Example:
        >>> import numpy as np
        >>> from kgraph.layers import Dense
        >>> layer = SpectralNormalization(Dense(2, kernel_initializer="identity"))
        >>> layer(np.array([[3.0, 4.0]], "float32"), training=True).round(4).tolist()
        [[3.0, 4.0]]
    """

    def __init__(self, layer: Layer, power_iterations: int = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(layer, Layer):
            raise ValueError(
                f"Layer {layer} supplied to Wrapper isn't a supported layer type. "
                "Please ensure wrapped layer is a valid Keras layer."
            )
        self.power_iterations = positive_int("power_iterations", power_iterations)
        self.layer = layer
        self.supports_masking = layer.supports_masking

    def build(self, input_shape: Shape) -> None:
        if not self.layer.built:
            self.build_inside(self.layer, input_shape)
        self._attribute = "kernel" if hasattr(self.layer, "kernel") else "embeddings"
        if not hasattr(self.layer, self._attribute):
            raise ValueError(
                f"{type(self.layer).__name__} object has no attribute 'kernel' nor 'embeddings'"
            )
        kernel = self._kernel()
        self.vector_u = self.add_weight(
            name="vector_u",
            shape=(1, kernel.shape[-1]),
            initializer=initializers.TruncatedNormal(stddev=0.02),
            trainable=False,
            dtype=kernel.dtype,
        )
        self.input_spec = InputSpec(min_ndim=1, axes={-1: input_shape[-1]})
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training:
            return self.layer(inputs)
        kernel = self._kernel()
        divided, vector = self._divided(kernel)
        self.add_update([(self.vector_u, vector), (kernel, divided)])
        setattr(self.layer, self._attribute, divided)
        try:
            return self.layer(inputs)
        finally:
            setattr(self.layer, self._attribute, kernel)

    def _kernel(self) -> Any:
        return getattr(self.layer, self._attribute)

    def _divided(self, kernel: Any) -> tuple[Any, Any]:
        """The kernel over its spectral norm, and the singular vector to start from next time."""
        matrix = ops.reshape(kernel, (-1, kernel.shape[-1]))
        fixed, right = ops.stop_gradient(matrix), self.vector_u
        for _ in range(self.power_iterations):
            left = _unit(ops.matmul(right, ops.transpose(fixed)))
            right = _unit(ops.matmul(left, fixed))
        norm = ops.sum(ops.matmul(left, matrix) * right)
        empty = ops.all(ops.equal(fixed, 0))
        divided = kernel / ops.where(empty, 1.0, norm)
        return divided, ops.where(empty, self.vector_u, right)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.layer.compute_mask(inputs, mask)

    def compute_output_shape(self, input_shape: Shape) -> Any:
        return self.layer.compute_output_shape(input_shape)

    def get_config(self) -> dict[str, Any]:
        inner = serialize(self.layer)
        return {**super().get_config(), "layer": inner, "power_iterations": self.power_iterations}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        return cls(**{**config, "layer": deserialize(config["layer"])})


def _unit(vector: Any) -> Any:
    """The vector over its Euclidean norm; zeros stay zeros."""
    return ops.l2_normalize(vector, (0, 1), epsilon=1e-30)

"""Activations that are layers: with weights, arguments or masks of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import activations, constraints, initializers, ops, regularizers
from kgraph.errors import explain
from kgraph.layers.base import Layer
from kgraph.layers.spec import InputSpec

Shape = tuple[int | None, ...]


class ActivationLayer(Layer):
    """What the layers of this file share: shape and mask stay."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape


class LeakyReLU(ActivationLayer):
    """x where it is positive, else x times a small slope.

    Args:
        alpha: the slope below 0.
        negative_slope: Keras 3's name of `alpha`.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the slope is None.

    Example:
        >>> import numpy as np
        >>> LeakyReLU(0.5)(np.array([-2.0, 3.0], "float32")).tolist()
        [-1.0, 3.0]
    """

    def __init__(
        self, alpha: float = 0.3, *, negative_slope: float | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if alpha is None:
            raise ValueError("The slope of a LeakyReLU layer cannot be None. Received: alpha=None")
        self.alpha = float(alpha if negative_slope is None else negative_slope)

    def call(self, inputs: Any) -> Any:
        return ops.leaky_relu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class PReLU(ActivationLayer):
    """x where it is positive, else x times a slope that is learned, one for each place.

    Args:
        alpha_initializer: initial slopes, of the input's shape without the batch.
        alpha_regularizer: penalty on the slopes.
        alpha_constraint: projection of the slopes after each update.
        shared_axes: axes along which all places have the same slope, counted from 1.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an axis that is not shared has no known size, or a shared one does not exist.

    Example:
        >>> import numpy as np
        >>> PReLU("ones")(np.array([[-2.0, 3.0]], "float32")).tolist()
        [[-2.0, 3.0]]
    """

    def __init__(
        self,
        alpha_initializer: Any = "zeros",
        alpha_regularizer: Any = None,
        alpha_constraint: Any = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        single = [shared_axes] if isinstance(shared_axes, int) else shared_axes
        self.shared_axes = None if single is None else list(single)

    def build(self, input_shape: Shape) -> None:
        shared, ndim = self.shared_axes or [], len(input_shape)
        if any(not 1 <= axis < ndim for axis in shared):
            raise ValueError(
                explain(
                    f"PReLU layer {self.name}: shared_axes {shared} do not exist",
                    expected=f"axes from 1 to {ndim - 1}, for the input shape {input_shape}",
                )
            )
        shape = [1 if i in shared else d for i, d in enumerate(input_shape)][1:]
        if None in shape:
            raise ValueError(
                explain(
                    f"PReLU layer {self.name} needs a slope for each place of an unknown size",
                    got=f"input shape {input_shape}",
                    hint=f"name the axis in shared_axes, now {self.shared_axes}",
                )
            )
        self.alpha = self.add_weight(
            name="alpha",
            shape=tuple(shape),
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        kept = {i: input_shape[i] for i in range(1, ndim) if i not in shared}
        self.input_spec = InputSpec(ndim=ndim, axes=kept)
        self.built = True

    def call(self, inputs: Any) -> Any:
        return ops.relu(inputs) - self.alpha * ops.relu(-inputs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "alpha_regularizer": regularizers.serialize(self.alpha_regularizer),
            "alpha_constraint": constraints.serialize(self.alpha_constraint),
            "shared_axes": self.shared_axes,
        }


class ELU(ActivationLayer):
    """x where it is positive, else alpha * (exp(x) - 1).

    Args:
        alpha: minus the limit at minus infinity.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> ELU(2.0)(np.array([-100.0, 3.0], "float32")).tolist()
        [-2.0, 3.0]
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = float(alpha)

    def call(self, inputs: Any) -> Any:
        return ops.elu(inputs, self.alpha)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


class ThresholdedReLU(ActivationLayer):
    """x where it is above a threshold, else 0.

    Args:
        theta: the threshold, at least 0.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the threshold is negative.

    Example:
        >>> import numpy as np
        >>> ThresholdedReLU(2.0)(np.array([-1.0, 2.0, 3.0], "float32")).tolist()
        [0.0, 0.0, 3.0]
    """

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = float(_not_negative(self, "theta", theta))

    def call(self, inputs: Any) -> Any:
        return activations.threshold(inputs, self.theta, 0.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "theta": self.theta}


class Softmax(ActivationLayer):
    """Exponentials divided by their sum; a mask says which entries take part.

    A mask of time steps, as `Masking` makes it, has fewer axes than the input: it says nothing
    about entries and only passes on.

    Args:
        axis: the axis, or the axes, that sum to 1.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the mask does not fit the input.

    Example:
        >>> import numpy as np
        >>> Softmax()(np.zeros((1, 4), "float32"), mask=np.array([[1, 1, 0, 0]], bool)).tolist()
        [[0.5, 0.5, 0.0, 0.0]]
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else [int(a) for a in axis]

    def call(self, inputs: Any, mask: Any = None) -> Any:
        chosen = None if mask is None else self._entries(inputs, mask)
        if chosen is None:
            return self._softmax(inputs)
        least = -3e4 if inputs.dtype == "float16" else -1e9
        found = self._softmax(ops.where(chosen, inputs, least))
        # Where no entry takes part the softmax would be uniform.
        return ops.where(chosen, found, 0.0)

    def _entries(self, inputs: Any, mask: Any) -> Any:
        if mask.ndim < inputs.ndim and mask.shape == inputs.shape[: mask.ndim]:
            return None
        sizes = list(zip(mask.shape[::-1], inputs.shape[::-1]))
        if mask.ndim > inputs.ndim or any(m != d and m != 1 for m, d in sizes):
            raise ValueError(
                "The `mask` must be broadcastable to `inputs`. Each mask dimension must be 1 or "
                "match the corresponding input dimension. "
                f"Received: inputs.shape={inputs.shape}, mask.shape={mask.shape}"
            )
        return mask if mask.dtype == "bool" else ops.greater(mask, 0.5)

    def _softmax(self, x: Any) -> Any:
        axes = [self.axis] if isinstance(self.axis, int) else self.axis
        if len(axes) == 1:
            return activations.softmax(x, axes[0])
        return ops.exp(x - ops.logsumexp(x, axis=tuple(axes), keepdims=True))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class ReLU(ActivationLayer):
    """x above a threshold, at most `max_value`; below it a line.

    Args:
        max_value: upper bound, None for none.
        negative_slope: slope of the line below the threshold.
        threshold: where x begins to pass; the line is 0 there.
        **kwargs: what every layer takes.

    Raises:
        ValueError: an argument is negative, or the slope or threshold None.

    Example:
        >>> import numpy as np
        >>> ReLU(6.0, negative_slope=0.5)(np.array([-2.0, 3.0, 9.0], "float32")).tolist()
        [-1.0, 3.0, 6.0]
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        bound = None if max_value is None else float(_not_negative(self, "max_value", max_value))
        self.max_value = bound
        self.negative_slope = float(_not_negative(self, "negative_slope", negative_slope))
        self.threshold = float(_not_negative(self, "threshold", threshold))

    def call(self, inputs: Any) -> Any:
        return activations.relu(inputs, self.negative_slope, self.max_value, self.threshold)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


def _not_negative(layer: Layer, name: str, value: Any) -> Any:
    if value is None or value < 0:
        raise ValueError(
            f"{name} of a {type(layer).__name__} layer cannot be a negative value. "
            f"Received: {name}={value}"
        )
    return value

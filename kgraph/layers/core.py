"""The core layers: Dense, Activation, Identity, Masking, ActivityRegularization, and under Keras's
path also those of `dropout.py`, `reshaping.py` and `lambda_layer.py`."""

from __future__ import annotations

from typing import Any

from kgraph import activations, constraints, initializers, ops, regularizers
from kgraph.errors import explain
from kgraph.ir.dim import product
from kgraph.layers.arguments import positive_int
from kgraph.layers.base import Layer
from kgraph.layers.dropout import Dropout, SpatialDropout1D, SpatialDropout2D, SpatialDropout3D
from kgraph.layers.lambda_layer import Lambda
from kgraph.layers.reshaping import Flatten, Permute, RepeatVector, Reshape
from kgraph.layers.spec import InputSpec

__all__ = [
    "Activation",
    "ActivityRegularization",
    "Dense",
    "Dropout",
    "Flatten",
    "Identity",
    "Lambda",
    "Masking",
    "Permute",
    "RepeatVector",
    "Reshape",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "SpatialDropout3D",
]


class Dense(Layer):
    """`activation(x @ kernel + bias)` over the last axis.

    Args:
        units: size of the output's last axis.
        activation: function of a tensor, or its name.
        use_bias: whether there is a bias.
        kernel_initializer: initial values of the kernel, shape (in, units).
        bias_initializer: initial values of the bias, shape (units,).
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each update.
        bias_constraint: projection of the bias after each update.
        **kwargs: what every layer takes, among it `input_dim`.

    Raises:
        ValueError: the last axis of the input has no known size.

    Example:
        >>> import numpy as np
        >>> layer = Dense(3, kernel_initializer="ones", input_dim=2)
        >>> layer(np.array([[1.0, 2.0]], "float32")).tolist()
        [[3.0, 3.0, 3.0]]
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        activity_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.units = positive_int("units", units)
        self.activation = activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)
        self.input_spec = InputSpec(min_ndim=2)
        self.supports_masking = True

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        last = input_shape[-1]
        if last is None:
            raise ValueError(
                explain(
                    "The last dimension of the inputs to `Dense` should be defined. Found `None`.",
                    got=f"input shape {input_shape}",
                    hint="give the size of the last axis to Input, or to input_shape",
                )
            )
        self.kernel = self.add_weight(
            name="kernel",
            shape=(last, self.units),
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias",
                shape=(self.units,),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        self.input_spec = InputSpec(min_ndim=2, axes={-1: last})
        self.built = True

    def call(self, inputs: Any) -> Any:
        *lead, last = inputs.shape
        # One large product for all leading axes, forwards and in both gradients.
        rows = inputs if len(lead) == 1 else ops.reshape(inputs, (product(lead), last))
        outputs = ops.matmul(rows, self.kernel)
        if self.bias is not None:
            outputs = outputs + self.bias
        if len(lead) > 1:
            outputs = ops.reshape(outputs, (*lead, self.units))
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*input_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "units": self.units,
            "activation": activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }


class Activation(Layer):
    """Applies a function to each tensor.

    Args:
        activation: function of a tensor, or its name.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> Activation("relu")(np.array([-1.0, 2.0], "float32")).tolist()
        [0.0, 2.0]
    """

    def __init__(self, activation: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.activation = activations.get(activation)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return self.activation(inputs)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}


class Identity(Layer):
    """Returns its input.

    Args:
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> Identity()(np.ones(2, "float32")).tolist()
        [1.0, 1.0]
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return super().get_config()


class Masking(Layer):
    """Tells later layers to skip the time steps at which all features equal `mask_value`.

    Args:
        mask_value: the value that marks a step to skip; such steps are set to zero.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> Masking(9.0)(np.array([[[9.0, 9.0], [9.0, 2.0]]], "float32")).tolist()
        [[[0.0, 0.0], [9.0, 2.0]]]
    """

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.mask_value = mask_value
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return ops.any(ops.not_equal(inputs, self.mask_value), axis=-1)

    def call(self, inputs: Any) -> Any:
        mask = ops.expand_dims(self.compute_mask(inputs), -1)
        return inputs * ops.cast(mask, inputs.dtype)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mask_value": self.mask_value}


class ActivityRegularization(Layer):
    """Returns its input and adds a penalty on it to the loss, divided by the batch size.

    Args:
        l1: factor of the sum of magnitudes.
        l2: factor of the sum of squares.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> ActivityRegularization(l2=0.1)(np.ones(2, "float32")).tolist()
        [1.0, 1.0]
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.l1, self.l2 = l1, l2
        self.activity_regularizer = regularizers.L1L2(l1=l1, l2=l2)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        return inputs

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "l1": self.l1, "l2": self.l2}

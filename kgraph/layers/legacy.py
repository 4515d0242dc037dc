"""Layers of Keras 1 that Keras 2 kept for old models, with Keras 1's argument names."""

from __future__ import annotations

from typing import Any

from kgraph import activations, constraints, initializers, ops, regularizers
from kgraph.layers.arguments import positive_int
from kgraph.layers.base import Layer
from kgraph.layers.spec import InputSpec

Shape = tuple[int | None, ...]


class LegacyDense(Layer):
    """What both layers share: the arguments, and how `W` and `b` are made."""

    def __init__(
        self,
        init: Any,
        W_regularizer: Any,
        b_regularizer: Any,
        W_constraint: Any,
        b_constraint: Any,
        bias: bool,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.init = initializers.get(init)
        self.W_regularizer = regularizers.get(W_regularizer)
        self.b_regularizer = regularizers.get(b_regularizer)
        self.W_constraint = constraints.get(W_constraint)
        self.b_constraint = constraints.get(b_constraint)
        self.bias = bool(bias)
        self.input_spec = InputSpec(ndim=2)

    def width(self, input_shape: Shape) -> int:
        """The number of features, which from now on the input must have."""
        if input_shape[1] is None:
            raise ValueError(
                f"The last dimension of the inputs to `{type(self).__name__}` should be defined. "
                f"Found `None`: input shape {input_shape}."
            )
        self.input_spec = InputSpec(ndim=2, axes={-1: input_shape[1]})
        return input_shape[1]

    def add_kernel(self, shape: tuple[int, ...]) -> Any:
        """Makes the weight `W`."""
        return self.add_weight(
            name="W",
            shape=shape,
            initializer=self.init,
            regularizer=self.W_regularizer,
            constraint=self.W_constraint,
        )

    def add_bias(self, shape: tuple[int, ...]) -> Any:
        """Makes the weight `b`."""
        return self.add_weight(
            name="b",
            shape=shape,
            initializer="zeros",
            regularizer=self.b_regularizer,
            constraint=self.b_constraint,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "init": initializers.serialize(self.init),
            "W_regularizer": regularizers.serialize(self.W_regularizer),
            "b_regularizer": regularizers.serialize(self.b_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "W_constraint": constraints.serialize(self.W_constraint),
            "b_constraint": constraints.serialize(self.b_constraint),
            "bias": self.bias,
        }


class MaxoutDense(LegacyDense):
    """The largest of several linear maps: max over k of x @ W[k] + b[k] (Goodfellow et al. 2013).

    Args:
        output_dim: size of the output.
        nb_feature: number of linear maps.
        init: initial values of W, shape (nb_feature, in, output_dim).
        W_regularizer: penalty on W.
        b_regularizer: penalty on b, shape (nb_feature, output_dim).
        W_constraint: projection of W after each update.
        b_constraint: projection of b after each update.
        bias: whether there is b.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the last axis of the input has no known size.

    Example:
        >>> import numpy as np
        >>> MaxoutDense(3, init="ones")(np.array([[1.0, 2.0]], "float32")).tolist()
        [[3.0, 3.0, 3.0]]
    """

    def __init__(
        self,
        output_dim: int,
        nb_feature: int = 4,
        init: Any = "glorot_uniform",
        W_regularizer: Any = None,
        b_regularizer: Any = None,
        W_constraint: Any = None,
        b_constraint: Any = None,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            init, W_regularizer, b_regularizer, W_constraint, b_constraint, bias, **kwargs
        )
        self.output_dim = positive_int("output_dim", output_dim)
        self.nb_feature = positive_int("nb_feature", nb_feature)

    def build(self, input_shape: Shape) -> None:
        self.W = self.add_kernel((self.nb_feature, self.width(input_shape), self.output_dim))
        self.b = self.add_bias((self.nb_feature, self.output_dim)) if self.bias else None
        self.built = True

    def call(self, inputs: Any) -> Any:
        # One product for all maps: (batch, in) @ (in, maps * out).
        kernel = ops.reshape(ops.transpose(self.W, (1, 0, 2)), (self.W.shape[1], -1))
        shape = (inputs.shape[0], self.nb_feature, self.output_dim)
        maps = ops.reshape(ops.matmul(inputs, kernel), shape)
        return ops.max(maps if self.b is None else maps + self.b, axis=1)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.output_dim)

    def get_config(self) -> dict[str, Any]:
        config = {"output_dim": self.output_dim, "nb_feature": self.nb_feature}
        return {**super().get_config(), **config}


class Highway(LegacyDense):
    """t * activation(x @ W + b) + (1 - t) * x with t = sigmoid(x @ W_carry + b_carry).

    The gate t starts from a bias of 1 (Srivastava, Greff and Schmidhuber 2015).

    Args:
        init: initial values of W and W_carry, both of shape (in, in).
        activation: function of a tensor, or its name.
        W_regularizer: penalty on W.
        b_regularizer: penalty on b, shape (in,).
        W_constraint: projection of W after each update.
        b_constraint: projection of b after each update.
        bias: whether there are b and b_carry.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the last axis of the input has no known size.

    Example:
        >>> import numpy as np
        >>> Highway(init="zeros", bias=False)(np.array([[2.0, 4.0]], "float32")).tolist()
        [[1.0, 2.0]]
    """

    def __init__(
        self,
        init: Any = "glorot_uniform",
        activation: Any = None,
        W_regularizer: Any = None,
        b_regularizer: Any = None,
        W_constraint: Any = None,
        b_constraint: Any = None,
        bias: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            init, W_regularizer, b_regularizer, W_constraint, b_constraint, bias, **kwargs
        )
        self.activation = activations.get(activation)

    def build(self, input_shape: Shape) -> None:
        size = self.width(input_shape)
        self.W = self.add_kernel((size, size))
        self.W_carry = self.add_weight(name="W_carry", shape=(size, size), initializer=self.init)
        self.b = self.b_carry = None
        if self.bias:
            self.b = self.add_bias((size,))
            self.b_carry = self.add_weight(name="b_carry", shape=(size,), initializer="ones")
        self.built = True

    def call(self, inputs: Any) -> Any:
        gate, x = ops.matmul(inputs, self.W_carry), ops.matmul(inputs, self.W)
        if self.b is not None:
            gate, x = gate + self.b_carry, x + self.b
        gate = ops.sigmoid(gate)
        return gate * self.activation(x) + (1 - gate) * inputs

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": activations.serialize(self.activation)}

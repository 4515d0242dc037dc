"""EinsumDense: a trained kernel, multiplied in by an einsum equation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph import activations, constraints, initializers, ops, regularizers
from kgraph.errors import explain
from kgraph.ir.dim import product
from kgraph.layers.base import Layer
from kgraph.layers.spec import InputSpec
from kgraph.ops.einsum import parse

Shape = tuple[int | None, ...]


class EinsumDense(Layer):
    """`activation(einsum(equation, x, kernel) + bias)`.

    Args:
        equation: such as "abc,cd->abd"; axes of the input that have no name may be `...`, in the
            input and the output alike.
        output_shape: sizes of the output's named axes without the batch; None where the input's
            axis of the same name has it.
        activation: function of a tensor, or its name.
        bias_axes: the output's axes that the bias runs along, such as "d"; None for no bias.
        kernel_initializer: initial values of the kernel.
        bias_initializer: initial values of the bias.
        kernel_regularizer: penalty on the kernel.
        bias_regularizer: penalty on the bias.
        activity_regularizer: penalty on the output, divided by the batch size.
        kernel_constraint: projection of the kernel after each update.
        bias_constraint: projection of the bias after each update.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the equation cannot be read, or does not fit the input and `output_shape`.

    Example:
        >>> layer = EinsumDense("...x,xhk->...hk", output_shape=(2, 4), bias_axes="hk")
        >>> layer(np.ones((5, 7, 3), "float32")).shape
        (5, 7, 2, 4)
        >>> [w.shape for w in layer.weights]
        [(3, 2, 4), (2, 4)]
    """

    def __init__(
        self,
        equation: str,
        output_shape: int | Sequence[int | None],
        activation: Any = None,
        bias_axes: str | None = None,
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
        self.equation = equation
        sizes = (output_shape,) if isinstance(output_shape, int) else output_shape
        self.partial_output_shape = tuple(sizes)
        self.activation = activations.get(activation)
        self.bias_axes = bias_axes
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)
        self.activity_regularizer = regularizers.get(activity_regularizer)
        self.kernel_constraint = constraints.get(kernel_constraint)
        self.bias_constraint = constraints.get(bias_constraint)

    def build(self, input_shape: Shape) -> None:
        x, kernel, y = self._terms(len(input_shape))
        sizes = self._sizes(input_shape)
        shape = tuple(sizes[c] for c in kernel)
        self.kernel = self.add_weight(
            name="kernel",
            shape=shape,
            initializer=self._fan_aware(kernel, y),
            regularizer=self.kernel_regularizer,
            constraint=self.kernel_constraint,
        )
        self.bias = None
        if self.bias_axes is not None:
            named = set(self.bias_axes)
            if not named or not named <= set(y):
                raise self._misfit(f"bias_axes={self.bias_axes!r} must name axes of the output")
            tail = y[min(y.index(c) for c in named) :]
            self.bias = self.add_weight(
                name="bias",
                shape=tuple(sizes[c] if c in named else 1 for c in tail),
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
                constraint=self.bias_constraint,
            )
        axes = {i: sizes[c] for i, c in enumerate(x) if c in kernel}
        self.input_spec = InputSpec(ndim=len(input_shape), axes=axes)
        self.built = True

    def call(self, inputs: Any) -> Any:
        x, kernel, y = self._terms(inputs.ndim)
        lead = len([c for c in x if c in y])
        if x[:lead] + kernel[len(x) - lead :] != y or x[lead:] != kernel[: len(x) - lead]:
            outputs = ops.einsum(f"{x},{kernel}->{y}", inputs, self.kernel)
            return self.activation(outputs if self.bias is None else outputs + self.bias)
        # One large product for all leading axes, forwards and in both gradients, as in Dense.
        inner = product(inputs.shape[lead:])
        rows = ops.reshape(inputs, (product(inputs.shape[:lead]), inner))
        columns = self.kernel.shape[len(x) - lead :]
        outputs = ops.matmul(rows, ops.reshape(self.kernel, (inner, product(columns))))
        flat = self.bias is not None and self.bias.shape == columns
        if flat:
            outputs = outputs + ops.reshape(self.bias, (product(columns),))
        outputs = ops.reshape(outputs, (*inputs.shape[:lead], *columns))
        if self.bias is not None and not flat:
            outputs = outputs + self.bias
        return self.activation(outputs)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        sizes = self._sizes(tuple(input_shape))
        return tuple(sizes[c] for c in self._terms(len(input_shape))[2])

    def _terms(self, rank: int) -> tuple[str, str, str]:
        """The letters of input, kernel and output for an input of `rank` axes."""
        names = self.equation.replace(" ", "").partition("->")[0].split(",")
        if len(names) != 2 or "->" not in self.equation or "..." in names[1]:
            raise self._misfit("it must name an input, a kernel without `...`, and an output")
        (x, kernel), y = parse(self.equation, (rank, len(names[1])))
        if set(kernel) - set(x + y) or len(set(x)) < len(x) or len(set(kernel)) < len(kernel):
            raise self._misfit("an axis has one name, and those of the kernel are of input, output")
        return x, kernel, y

    def _sizes(self, shape: Shape) -> dict[str, Any]:
        """The size of each letter, None where it is not known."""
        x, _, y = self._terms(len(shape))
        sizes: dict[str, Any] = dict(zip(x, shape, strict=True))
        # The batch and what `...` stands for are the input's.
        own = [c for c in y[1:] if c in self.equation]
        if len(own) != len(self.partial_output_shape):
            raise self._misfit(f"output_shape must have {len(own)} sizes for an input {shape}")
        for letter, given in zip(own, self.partial_output_shape, strict=True):
            found = sizes.get(letter)
            if None not in (given, found) and given != found:
                raise self._misfit(
                    f"Input shape and output shape do not match at shared dimension '{letter}'. "
                    f"Input shape is {found}, and output shape is {given}."
                )
            sizes[letter] = found if given is None else given
        return sizes

    def _misfit(self, what: str) -> ValueError:
        return ValueError(
            explain(
                f"Invalid einsum equation '{self.equation}' of EinsumDense layer {self.name}: "
                f"{what}",
                got=f"output_shape={self.partial_output_shape}, bias_axes={self.bias_axes}",
                hint="equations look like ab,bc->ac, ...b,bc->...c or ab...,bc->ac...",
            )
        )

    def _fan_aware(self, kernel: str, y: str) -> Any:
        """The initializer; one that scales by the fans takes the kernel for the matrix it is."""
        if not isinstance(self.kernel_initializer, initializers.VarianceScaling):
            return self.kernel_initializer

        def draw(shape: tuple[int, ...], dtype: str | None = None) -> np.ndarray:
            outwards = math.prod(n for c, n in zip(kernel, shape, strict=True) if c in y)
            inwards = math.prod(n for c, n in zip(kernel, shape, strict=True) if c not in y)
            return self.kernel_initializer((inwards, outwards), dtype=dtype).reshape(shape)

        return draw

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "equation": self.equation,
            "output_shape": self.partial_output_shape,
            "activation": activations.serialize(self.activation),
            "bias_axes": self.bias_axes,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
            "kernel_regularizer": regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": regularizers.serialize(self.bias_regularizer),
            "activity_regularizer": regularizers.serialize(self.activity_regularizer),
            "kernel_constraint": constraints.serialize(self.kernel_constraint),
            "bias_constraint": constraints.serialize(self.bias_constraint),
        }

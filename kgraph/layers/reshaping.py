"""Layers that move or repeat elements: Flatten, Reshape, Permute, RepeatVector."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from kgraph import ops
from kgraph.errors import UndecidableError, explain
from kgraph.ir.dim import product
from kgraph.layers.arguments import normalize_data_format
from kgraph.layers.base import Layer
from kgraph.layers.spec import InputSpec

Shape = tuple[int | None, ...]


class Flatten(Layer):
    """Joins all axes but the batch to one.

    Args:
        data_format: "channels_first" moves axis 1 to the end before, so that the weights of a
            following Dense do not depend on the format; default the global setting.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> Flatten()(np.ones((2, 3, 4), "float32")).shape
        (2, 12)
    """

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = normalize_data_format(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: Any) -> Any:
        if self.data_format == "channels_first" and inputs.ndim > 2:
            inputs = ops.moveaxis(inputs, 1, -1)
        return ops.reshape(inputs, (inputs.shape[0], product(inputs.shape[1:])))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        known = [d for d in input_shape[1:] if d is not None]
        return (input_shape[0], math.prod(known) if len(known) == len(input_shape) - 1 else None)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "data_format": self.data_format}


class Reshape(Layer):
    """Gives each sample another shape.

    Args:
        target_shape: sizes without the batch; one of them may be -1, for what is left.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the input does not have that many elements.

    Example:
        >>> import numpy as np
        >>> Reshape((2, -1))(np.ones((5, 6), "float32")).shape
        (5, 2, 3)
    """

    def __init__(self, target_shape: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = tuple(target_shape)
        if self.target_shape.count(-1) > 1:
            raise ValueError("Can only specify one unknown dimension.")

    def call(self, inputs: Any) -> Any:
        target = self._resolve(inputs.shape[1:])
        return ops.reshape(inputs, (inputs.shape[0], *target))

    def _resolve(self, sizes: tuple[Any, ...]) -> tuple[Any, ...]:
        """The target with -1 replaced; sizes may be symbolic."""
        total: Any = product(sizes)
        known = math.prod(d for d in self.target_shape if d != -1)
        try:
            rest = total // known if -1 in self.target_shape and known else 1
        except UndecidableError:
            rest = None
        if rest is None or known * rest != total:
            raise ValueError(
                explain(
                    "total size of new array must be unchanged",
                    expected=f"{total} elements a sample",
                    got=f"target_shape={self.target_shape}",
                    hint=f"layer {self.name} reshapes samples of shape {tuple(sizes)}",
                )
            )
        return tuple(rest if d == -1 else d for d in self.target_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if None in input_shape[1:]:
            target: Shape = tuple(None if d == -1 else d for d in self.target_shape)
            return (input_shape[0], *target)
        return (input_shape[0], *self._resolve(input_shape[1:]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Permute(Layer):
    """Reorders the axes of each sample.

    Args:
        dims: for each place the axis that goes there, counted from 1 without the batch.
        **kwargs: what every layer takes.

    Raises:
        ValueError: the axes are not 1 to their number, each once.

    Example:
        >>> import numpy as np
        >>> Permute((2, 1))(np.ones((5, 10, 64), "float32")).shape
        (5, 64, 10)
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in "
                f"`dims` must be consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: Any) -> Any:
        return ops.transpose(inputs, (0, *self.dims))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], *[input_shape[d] for d in self.dims])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dims": self.dims}


class RepeatVector(Layer):
    """Repeats each vector n times along a new axis 1.

    Args:
        n: number of repetitions.
        **kwargs: what every layer takes.

    Raises:
        TypeError: n is not an int.

    Example:
        >>> import numpy as np
        >>> RepeatVector(3)(np.ones((5, 32), "float32")).shape
        (5, 3, 32)
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(n, int):
            raise TypeError(f"Expected an integer value for `n`, got {type(n)}.")
        self.n = n
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: Any) -> Any:
        batch, features = inputs.shape
        return ops.broadcast_to(ops.expand_dims(inputs, 1), (batch, self.n, features))

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (input_shape[0], self.n, input_shape[1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "n": self.n}

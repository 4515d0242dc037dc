"""Layers that make one tensor of several.

Masks follow Keras 2: a step of the result is valid where it is valid in every input that has a
mask. (Keras 3 lets one valid input suffice.)
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

from kgraph import ops
from kgraph.errors import explain
from kgraph.ir.dim import Dim, product
from kgraph.layers.base import Layer

Shape = tuple[int | None, ...]


class Merge(Layer):
    """Base of merges that combine their inputs element by element.

    Inputs of fewer axes get axes of size 1 right after the batch. A subclass defines
    `merge(a, b)`, which is applied from left to right, or `_merge_function(inputs)`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_masking = True

    def merge(self, a: Any, b: Any) -> Any:
        """Combines two inputs."""
        raise NotImplementedError(f"{type(self).__name__} must define merge(a, b).")

    def build(self, input_shape: Any) -> None:
        self.compute_output_shape(input_shape)
        self.built = True

    def call(self, inputs: Any) -> Any:
        _require_list(inputs)
        rank = max(x.ndim for x in inputs)
        spread = [
            ops.expand_dims(x, tuple(range(1, 1 + rank - x.ndim))) if x.ndim < rank else x
            for x in inputs
        ]
        return self._merge_function(_agree(spread))

    def _merge_function(self, inputs: list[Any]) -> Any:
        return reduce(self.merge, inputs)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return _all_valid(_masks(inputs, mask))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = _shapes(input_shape, "A merge layer")
        batches = {s[0] for s in shapes} - {None}
        if len(batches) > 1:
            raise ValueError(
                "Can not merge tensors with different batch sizes. "
                f"Got tensors with shapes : {shapes}"
            )
        return (batches.pop() if batches else None, *reduce(_broadcast, [s[1:] for s in shapes]))


_Merge = Merge  # the name under which Keras 2's users subclass it


class Add(Merge):
    """The sum of its inputs.

    Example:
        >>> import numpy as np
        >>> Add()([np.ones((1, 2), "float32"), np.ones((1, 2), "float32")]).tolist()
        [[2.0, 2.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return a + b


class Subtract(Merge):
    """The first input minus the second.

    Raises:
        ValueError: there are not exactly two inputs.

    Example:
        >>> import numpy as np
        >>> Subtract()([np.ones((1, 2), "float32"), np.ones((1, 2), "float32")]).tolist()
        [[0.0, 0.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return a - b

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shape = super().compute_output_shape(input_shape)
        if len(input_shape) != 2:
            raise ValueError(
                "A `Subtract` layer should be called on exactly 2 inputs. "
                f"Got {len(input_shape)} inputs."
            )
        return shape


class Multiply(Merge):
    """The elementwise product of its inputs.

    Example:
        >>> import numpy as np
        >>> Multiply()([np.full((1, 2), 2.0), np.full((1, 2), 3.0)]).tolist()
        [[6.0, 6.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return a * b


class Average(Add):
    """The mean of its inputs.

    Example:
        >>> import numpy as np
        >>> Average()([np.zeros((1, 2)), np.ones((1, 2))]).tolist()
        [[0.5, 0.5]]
    """

    def _merge_function(self, inputs: list[Any]) -> Any:
        return super()._merge_function(inputs) / len(inputs)


class Maximum(Merge):
    """The greatest of its inputs, element by element.

    Example:
        >>> import numpy as np
        >>> Maximum()([np.zeros((1, 2)), np.ones((1, 2))]).tolist()
        [[1.0, 1.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return ops.maximum(a, b)


class Minimum(Merge):
    """The least of its inputs, element by element.

    Example:
        >>> import numpy as np
        >>> Minimum()([np.zeros((1, 2)), np.ones((1, 2))]).tolist()
        [[0.0, 0.0]]
    """

    def merge(self, a: Any, b: Any) -> Any:
        return ops.minimum(a, b)


class Concatenate(Merge):
    """Its inputs one after the other along an axis.

    Args:
        axis: the axis, the batch being 0.
        **kwargs: what every layer takes.

    Raises:
        ValueError: other axes differ.

    Example:
        >>> import numpy as np
        >>> Concatenate()([np.zeros((1, 2)), np.ones((1, 1))]).tolist()
        [[0.0, 0.0, 1.0]]
    """

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Any) -> Any:
        _require_list(inputs)
        return ops.concatenate(_agree(inputs, self.axis % inputs[0].ndim), axis=self.axis)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        masks = _masks(inputs, mask)
        given = [m for m in masks if m is not None]
        axis = self.axis % inputs[0].ndim
        if not given or axis >= given[0].ndim:
            return _all_valid(masks)
        rank = given[0].ndim
        full = [
            ops.full(x.shape[:rank], True) if m is None else m
            for x, m in zip(inputs, masks, strict=True)
        ]
        return ops.concatenate(_agree(full, axis), axis=axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        shapes = _shapes(input_shape, "A `Concatenate` layer")
        ranks = {len(s) for s in shapes}
        axis = self.axis % min(ranks) if -min(ranks) <= self.axis < min(ranks) else None
        if len(ranks) > 1 or axis is None or len({s[:axis] + s[axis + 1 :] for s in shapes}) > 1:
            raise ValueError(
                explain(
                    "A `Concatenate` layer requires inputs with matching shapes except for the "
                    f"concat axis. Got inputs shapes: {shapes}",
                    hint=f"the axis is {self.axis}, the batch being 0",
                )
            )
        sizes = [s[axis] for s in shapes]
        total = None if None in sizes else sum(sizes)  # type: ignore[arg-type]
        return (*shapes[0][:axis], total, *shapes[0][axis + 1 :])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axis": self.axis}


class Dot(Merge):
    """The products of two inputs, summed over one axis of each, sample by sample.

    Args:
        axes: the axis of both, or a pair of axes; the batch is 0 and cannot be summed over.
        normalize: whether to give vectors along that axis length 1 before (cosine similarity).
        **kwargs: what every layer takes.

    Raises:
        TypeError: `axes` is neither an int nor a pair.
        ValueError: the two axes differ in size, or there are not two inputs.

    Example:
        >>> import numpy as np
        >>> Dot(axes=1)([np.array([[1.0, 2.0]]), np.array([[3.0, 4.0]])]).tolist()
        [[11.0]]
    """

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(axes, (int, list, tuple)):
            raise TypeError(
                f"Invalid type for `axes` - should be a list or an int. Received: axes={axes}"
            )
        if not isinstance(axes, int):
            if len(axes) != 2:
                raise ValueError(
                    "Invalid format for `axes` - should contain two elements. "
                    f"Received: axes={axes}"
                )
            if not all(isinstance(a, int) for a in axes):
                raise ValueError(
                    'Invalid format for `axes` - list elements should be "int". '
                    f"Received: axes={axes}"
                )
        self.axes, self.normalize = axes, normalize

    def call(self, inputs: Any) -> Any:
        _require_list(inputs)
        a, b = inputs
        i, j = self._axes(a.ndim, b.ndim)
        if self.normalize:
            a, b = _unit(a, i), _unit(b, j)
        if a.ndim == b.ndim == 2:
            a, b = _agree([a, b])
            return ops.sum(a * b, axis=1, keepdims=True)
        batch, count = a.shape[0], a.shape[i]
        left, right = ops.moveaxis(a, i, -1), ops.moveaxis(b, j, 1)
        right = ops.ensure_shape(right, (batch, count, *right.shape[2:]))
        rows, columns = left.shape[1:-1], right.shape[2:]
        outputs = ops.matmul(
            ops.reshape(left, (batch, product(rows), count)),
            ops.reshape(right, (batch, count, product(columns))),
        )
        return ops.reshape(outputs, (batch, *rows, *columns))

    def _axes(self, *ranks: int) -> tuple[int, int]:
        pair = (self.axes, self.axes) if isinstance(self.axes, int) else tuple(self.axes)
        i, j = (
            axis % rank if -rank <= axis < rank else 0
            for axis, rank in zip(pair, ranks, strict=True)
        )
        if 0 in (i, j):
            raise ValueError(
                explain(
                    f"Layer {self.name}: cannot take the products over axes {pair}",
                    expected="an axis of each input other than 0, the batch",
                    got=f"inputs of {ranks[0]} and {ranks[1]} axes",
                )
            )
        return i, j

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return None

    def compute_output_shape(self, input_shape: Any) -> Shape:
        if not _is_list(input_shape) or len(input_shape) != 2:
            raise ValueError("A `Dot` layer should be called on a list of 2 inputs.")
        a, b = (tuple(s) for s in input_shape)
        i, j = self._axes(len(a), len(b))
        if a[i] != b[j]:
            raise ValueError(f"Dimension incompatibility {a[i]} != {b[j]}. Layer shapes: {a}, {b}")
        shape = (*a[:i], *a[i + 1 :], *b[1:j], *b[j + 1 :])
        return shape if len(shape) > 1 else (*shape, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "normalize": self.normalize}


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(s, (list, tuple)) for s in value)


def _require_list(inputs: Any) -> None:
    if not isinstance(inputs, (list, tuple)):
        raise ValueError("A merge layer should be called on a list of inputs.")


def _shapes(input_shape: Any, who: str) -> list[Shape]:
    if not _is_list(input_shape):
        raise ValueError(f"{who} should be called on a list of inputs.")
    if len(input_shape) < 2:
        raise ValueError(
            f"{who} should be called on a list of at least 2 inputs. Got {len(input_shape)} inputs."
        )
    return [tuple(s) for s in input_shape]


def _broadcast(a: Shape, b: Shape) -> Shape:
    longer, shorter = (a, b) if len(a) >= len(b) else (b, a)
    padded = (1,) * (len(longer) - len(shorter)) + shorter
    if any(m != n and 1 not in (m, n) and None not in (m, n) for m, n in zip(longer, padded)):
        raise ValueError(f"Operands could not be broadcast together with shapes {a} {b}")
    return tuple(
        n if m == 1 else m if n == 1 else None if None in (m, n) else m
        for m, n in zip(longer, padded, strict=True)
    )


def _masks(inputs: Any, mask: Any) -> list[Any]:
    if mask is None:
        return [None] * len(inputs)
    if not isinstance(mask, (list, tuple)):
        raise ValueError("`mask` should be a list.")
    if not isinstance(inputs, (list, tuple)):
        raise ValueError("`inputs` should be a list.")
    if len(mask) != len(inputs):
        raise ValueError("The lists `inputs` and `mask` should have the same length.")
    return list(mask)


def _all_valid(masks: list[Any]) -> Any:
    given = [m for m in masks if m is not None]
    return reduce(ops.logical_and, _agree(given)) if given else None


def _agree(tensors: Sequence[Any], free_axis: int | None = None) -> list[Any]:
    """Takes unknown sizes on the same axis for one, as Keras does; the run checks it.

    Args:
        tensors: of equal rank.
        free_axis: the axis along which sizes may differ.
    """
    common = []
    for sizes in zip(*[x.shape for x in tensors], strict=True):
        numbers = [d for d in sizes if isinstance(d, int) and d != 1]
        symbols = [d for d in sizes if isinstance(d, Dim)]
        common.append([*numbers, *symbols, 1][0])
    agreed = []
    for x in tensors:
        shape = [
            same if isinstance(d, Dim) and axis != free_axis else d
            for axis, (d, same) in enumerate(zip(x.shape, common, strict=True))
        ]
        agreed.append(ops.ensure_shape(x, shape))
    return agreed


def _unit(x: Any, axis: int) -> Any:
    # As in Keras the bound is on the squared length, so that a zero vector stays zero.
    squares = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x * ops.rsqrt(ops.maximum(squares, 1e-12))

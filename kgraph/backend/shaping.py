"""The same elements in other shapes and orders; joining and choosing them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph import config, ops
from kgraph.backend.operands import Sizes, are_sizes, as_size, as_sizes, is_size, tensor
from kgraph.errors import explain
from kgraph.ir.dim import product
from kgraph.ops.slicing import slice_


def reshape(x: Any, shape: Any) -> Any:
    """The same elements in another shape.

    Args:
        x: a tensor or an array.
        shape: sizes, ints or symbolic; one may be -1.

    Returns:
        A tensor.

    Example:
        >>> reshape([[1, 2], [3, 4]], (1, -1)).tolist()
        [[1, 2, 3, 4]]
    """
    return ops.reshape(tensor(x), as_sizes(shape))


def flatten(x: Any) -> Any:
    """All elements along one axis.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor of one axis.

    Example:
        >>> flatten([[1, 2], [3, 4]]).tolist()
        [1, 2, 3, 4]
    """
    return ops.reshape(tensor(x), (-1,))


def batch_flatten(x: Any) -> Any:
    """All elements of each sample along one axis.

    Args:
        x: a batch.

    Returns:
        (batch, elements of a sample).

    Example:
        >>> batch_flatten([[[1, 2], [3, 4]]]).tolist()
        [[1, 2, 3, 4]]
    """
    x = tensor(x)
    return ops.reshape(x, (x.shape[0], product(x.shape[1:])))


def expand_dims(x: Any, axis: int = -1) -> Any:
    """A new axis of size 1.

    Args:
        x: a tensor or an array.
        axis: its place in the result.

    Returns:
        A tensor.

    Example:
        >>> expand_dims([1, 2]).tolist()
        [[1], [2]]
    """
    return ops.expand_dims(tensor(x), axis)


def squeeze(x: Any, axis: int) -> Any:
    """The tensor without an axis of size 1.

    Args:
        x: a tensor or an array.
        axis: the axis.

    Returns:
        A tensor.

    Example:
        >>> squeeze([[1], [2]], -1).tolist()
        [1, 2]
    """
    return ops.squeeze(tensor(x), axis)


def transpose(x: Any) -> Any:
    """The axes in reversed order.

    Args:
        x: a tensor or an array.

    Returns:
        A tensor.

    Example:
        >>> transpose([[1, 2], [3, 4]]).tolist()
        [[1, 3], [2, 4]]
    """
    return ops.transpose(tensor(x))


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Any:
    """The axes in another order.

    Args:
        x: a tensor or an array.
        pattern: for each axis of the result, the axis of x.

    Returns:
        A tensor.

    Example:
        >>> permute_dimensions([[1, 2], [3, 4]], (1, 0)).tolist()
        [[1, 3], [2, 4]]
    """
    return ops.transpose(tensor(x), tuple(pattern))


def concatenate(tensors: Sequence[Any], axis: int = -1) -> Any:
    """Joins tensors along an axis; shapes, such as `K.shape(x)[:1]`, give a shape.

    Args:
        tensors: tensors or arrays.
        axis: the axis to join along.

    Returns:
        A tensor, or sizes.

    Example:
        >>> concatenate([[[1, 2]], [[3]]]).tolist()
        [[1, 2, 3]]
    """
    if any(are_sizes(t) for t in tensors) and all(_is_vector_of_sizes(t) for t in tensors):
        return Sizes(d for part in tensors for d in part)
    parts = [tensor(t) for t in tensors]
    return ops.concatenate(parts, axis)


def _is_vector_of_sizes(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(is_size(v) for v in value)


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Joins tensors of one shape along a new axis; sizes give a shape.

    Args:
        x: tensors or arrays.
        axis: the place of the new axis.

    Returns:
        A tensor, or sizes.

    Example:
        >>> stack([[1, 2], [3, 4]], axis=1).tolist()
        [[1, 3], [2, 4]]
    """
    if are_sizes(x):
        return Sizes(x)
    return ops.stack([tensor(t) for t in x], axis)


def tile(x: Any, n: Any) -> Any:
    """Repeats the whole tensor.

    Args:
        x: a tensor or an array.
        n: how often along each axis; ints or symbolic sizes. One number for one axis.

    Returns:
        A tensor.

    Example:
        >>> tile([[1, 2]], [2, 1]).tolist()
        [[1, 2], [1, 2]]
    """
    return ops.tile(tensor(x), as_sizes(n))


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Repeats each slice along an axis, in place.

    Args:
        x: a tensor or an array.
        rep: how often.
        axis: the axis.

    Returns:
        A tensor.

    Example:
        >>> repeat_elements([[1, 2]], 2, axis=1).tolist()
        [[1, 1, 2, 2]]
    """
    return ops.repeat(tensor(x), as_size(rep), axis)


def repeat(x: Any, n: int) -> Any:
    """Repeats each sample of a matrix along a new axis of time.

    Args:
        x: (batch, features).
        n: how often.

    Returns:
        (batch, n, features).

    Raises:
        ValueError: x is no matrix.

    Example:
        >>> repeat([[1, 2]], 2).tolist()
        [[[1, 2], [1, 2]]]
    """
    x = tensor(x)
    if x.ndim != 2:
        raise ValueError(explain("K.repeat repeats rows", expected="2 axes", got=f"{x.ndim}"))
    return ops.repeat(ops.expand_dims(x, 1), as_size(n), 1)


def reverse(x: Any, axes: Any) -> Any:
    """The elements in reversed order along some axes.

    Args:
        x: a tensor or an array.
        axes: an axis or several.

    Returns:
        A tensor.

    Example:
        >>> reverse([1, 2, 3], 0).tolist()
        [3, 2, 1]
    """
    return ops.flip(tensor(x), tuple(axes) if isinstance(axes, (tuple, list)) else axes)


def slice(x: Any, start: Any, size: Any) -> Any:
    """A box of a tensor.

    Args:
        x: a tensor or an array.
        start: where it begins along each axis.
        size: its sizes; -1 for all that is left.

    Returns:
        A tensor.

    Raises:
        ValueError: there is not one number an axis.

    Example:
        >>> slice([[1, 2, 3], [4, 5, 6]], (0, 1), (-1, 2)).tolist()
        [[2, 3], [5, 6]]
    """
    x, starts, sizes = tensor(x), as_sizes(start), as_sizes(size)
    if not len(starts) == len(sizes) == x.ndim:
        raise ValueError(
            explain(
                "K.slice needs a start and a size for each axis",
                expected=x.ndim,
                got=f"{len(starts)} starts and {len(sizes)} sizes",
            )
        )
    stops = [n if d == -1 else b + d for n, b, d in zip(x.shape, starts, sizes)]
    return slice_(x, starts, tuple(stops))


def gather(reference: Any, indices: Any) -> Any:
    """The slices of a tensor at some places of its first axis.

    Args:
        reference: a tensor or an array.
        indices: integers of any shape.

    Returns:
        (*shape of the indices, *other axes of the reference).

    Example:
        >>> gather([10, 20, 30], [[2, 0]]).tolist()
        [[30, 10]]
    """
    return ops.take(tensor(reference), tensor(indices), 0)


def one_hot(indices: Any, num_classes: int) -> Any:
    """1 at the place of each index, else 0; an index outside gives zeros.

    Args:
        indices: integers of any shape.
        num_classes: how many places there are.

    Returns:
        (*shape of the indices, num_classes) in `floatx()`.

    Example:
        >>> one_hot([1], 3).tolist()
        [[0.0, 1.0, 0.0]]
    """
    places = tensor(indices)
    if str(places.dtype).startswith("float"):
        places = ops.cast(places, "int64")
    return ops.one_hot(places, num_classes, dtype=config.floatx())

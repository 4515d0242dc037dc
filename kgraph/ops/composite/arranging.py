"""Tensors put side by side, cut, turned and rolled, by NumPy's shorter names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.dim import Dim
from kgraph.ir.node import API
from kgraph.ops.base import normalize_axis
from kgraph.ops.brackets import getitem
from kgraph.ops.composite.operands import known, tensor
from kgraph.ops.joining import concatenate, pieces, split
from kgraph.ops.shapes import expand_dims, flip, reshape, shape_of, swapaxes


def ravel(x: Any) -> Any:
    """All elements along one axis.

    Example:
        >>> ravel([[1, 2], [3, 4]]).tolist()
        [1, 2, 3, 4]
    """
    return reshape(x, -1)


def get_item(x: Any, key: Any) -> Any:
    """x[key], as a function.

    Example:
        >>> get_item(np.array([1, 2, 3]), slice(1, None)).tolist()
        [2, 3]
    """
    return getitem(x, key)


def append(x1: Any, x2: Any, axis: int | None = None) -> Any:
    """One tensor behind the other, both flat without an axis.

    Example:
        >>> append([1, 2], [[3]]).tolist()
        [1, 2, 3]
    """
    if axis is None:
        return concatenate([ravel(x1), ravel(x2)])
    return concatenate([x1, x2], axis)


def with_axes(x: Any, ndim: int) -> Any:
    """The tensor with at least so many axes, as NumPy's `atleast_1d` and its kin add them."""
    x = tensor(x)
    missing = ndim - len(shape_of(x))
    if missing <= 0:
        return x
    axes = {1: (0,), 2: (0, 1)[:missing], 3: {1: (2,), 2: (0, 2), 3: (0, 1, 2)}[missing]}[ndim]
    return expand_dims(x, axes)


def hstack(xs: Sequence[Any]) -> Any:
    """Tensors side by side: along axis 1, or 0 if there is no other.

    Example:
        >>> hstack([[1, 2], [3]]).tolist()
        [1, 2, 3]
    """
    parts = [with_axes(x, 1) for x in xs]
    return concatenate(parts, 0 if len(shape_of(parts[0])) == 1 else 1)


def vstack(xs: Sequence[Any]) -> Any:
    """Tensors one below the other, along axis 0; vectors are rows.

    Example:
        >>> vstack([[1, 2], [3, 4]]).tolist()
        [[1, 2], [3, 4]]
    """
    return concatenate([with_axes(x, 2) for x in xs], 0)


def dstack(xs: Sequence[Any]) -> Any:
    """Tensors one behind the other, along axis 2.

    Example:
        >>> dstack([[1, 2], [3, 4]]).tolist()
        [[[1, 3], [2, 4]]]
    """
    return concatenate([with_axes(x, 3) for x in xs], 2)


def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Any]:
    """Parts of nearly equal size along an axis; the first ones are the larger.

    Example:
        >>> [part.tolist() for part in array_split([1, 2, 3], 2)]
        [[1, 2], [3]]
    """
    if not isinstance(indices_or_sections, (int, np.integer)):
        return split(x, indices_or_sections, axis)
    count = int(indices_or_sections)
    x = tensor(x)
    axis = normalize_axis(axis, len(shape_of(x)))
    size, rest = divmod(known("array_split", shape_of(x)[axis]), count)
    return pieces(x, [size + 1] * rest + [size] * (count - rest), axis)


def hsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along axis 1, or 0 if there is no other.

    Example:
        >>> [part.tolist() for part in hsplit([[1, 2]], 2)]
        [[[1]], [[2]]]
    """
    return split(x, indices_or_sections, 0 if len(shape_of(x)) == 1 else 1)


def vsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along axis 0."""
    return split(x, indices_or_sections, 0)


def dsplit(x: Any, indices_or_sections: Any) -> list[Any]:
    """Parts along axis 2."""
    return split(x, indices_or_sections, 2)


def fliplr(x: Any) -> Any:
    """The order along axis 1 reversed.

    Example:
        >>> fliplr([[1, 2]]).tolist()
        [[2, 1]]
    """
    return flip(x, 1)


def flipud(x: Any) -> Any:
    """The order along axis 0 reversed."""
    return flip(x, 0)


def rot90(array: Any, k: int = 1, axes: Sequence[int] = (0, 1)) -> Any:
    """The plane of two axes turned by k right angles, from the first towards the second.

    Example:
        >>> rot90([[1, 2], [3, 4]]).tolist()
        [[2, 4], [1, 3]]
    """
    array = tensor(array)
    first, second = (normalize_axis(a, len(shape_of(array))) for a in axes)
    if first == second:
        raise InferenceError(f"rot90: the axes must differ, got {axes}")
    turns = k % 4
    if turns == 2:
        return flip(array, (first, second))
    if turns == 1:
        return swapaxes(flip(array, second), first, second)
    return flip(swapaxes(array, first, second), second) if turns else array


def roll(x: Any, shift: Any, axis: Any = None) -> Any:
    """The elements moved along axes; what leaves at one end comes back at the other.

    Args:
        x: tensor of any shape.
        shift: how far, a number or one for each axis.
        axis: an axis or several; None rolls the flat tensor.

    Returns:
        A tensor like x.

    Raises:
        InferenceError: there are not as many shifts as axes.

    Example:
        >>> roll([1, 2, 3, 4], 1).tolist()
        [4, 1, 2, 3]
    """
    x = tensor(x)
    if axis is None:
        return reshape(roll(ravel(x), shift, 0), shape_of(x))
    axes = axis if isinstance(axis, Sequence) else (axis,)
    shifts = shift if isinstance(shift, Sequence) else (shift,) * len(axes)
    if len(shifts) != len(axes):
        raise InferenceError(f"roll: {len(shifts)} shifts for {len(axes)} axes")
    for places, along in zip(shifts, axes):
        along = normalize_axis(along, len(shape_of(x)))
        size: int | Dim = shape_of(x)[along]
        if isinstance(size, int):
            places = places % size if size else 0
        if places == 0:
            continue
        head = size - places if places > 0 else -places
        front, back = pieces(x, [head, size - head], along)
        x = concatenate([back, front], along)
    return x


API.update(ravel=ravel, append=append, hstack=hstack, vstack=vstack, dstack=dstack)
API.update(array_split=array_split, hsplit=hsplit, vsplit=vsplit, dsplit=dsplit)
API.update(fliplr=fliplr, flipud=flipud, rot90=rot90, roll=roll)

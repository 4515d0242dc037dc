"""Writing at places, and reductions of rows that belong together: `scatter`, `segment_sum`."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import product
from kgraph.ops.base import normalize_axis
from kgraph.ops.comparison import equal, greater_equal, isnan, less, logical_and
from kgraph.ops.composite.operands import known, tensor
from kgraph.ops.elementwise import add, multiply, subtract
from kgraph.ops.extremes import maximum, minimum
from kgraph.ops.indexing import scatter_add, take
from kgraph.ops.one_hot import one_hot
from kgraph.ops.reductions import any as reduce_any
from kgraph.ops.reductions import max as reduce_max
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.resizing import counted, number
from kgraph.ops.scatters import scatter_max, scatter_min, scatter_multiply, scatter_set
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import full, reshape, shape_of
from kgraph.ops.sorting import top_k

REDUCTIONS = {
    None: scatter_set,
    "add": scatter_add,
    "max": scatter_max,
    "min": scatter_min,
    "mul": scatter_multiply,
}


def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Zeros of a shape with values added at places.

    Args:
        indices: integers; the last axis holds the places along the first axes of the result.
        values: what to add, with the other axes of `indices` and those of the result that are left.
        shape: of the result.

    Returns:
        A tensor of the values' dtype.

    Example:
        >>> scatter([[0], [2], [2]], [1.0, 2.0, 3.0], (3,)).tolist()
        [1.0, 0.0, 5.0]
    """
    values = tensor(values)
    return scatter_update(full(tuple(shape), 0, str(values.dtype)), indices, values, "add")


def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """A tensor with updates written at places.

    Args:
        inputs: the tensor.
        indices: integers; the last axis holds the places along the first axes of `inputs`.
        updates: what to write, with the other axes of `indices` and the rest of `inputs`.
        reduction: None for the last update of a place, or add, max, min, mul with what is there.

    Returns:
        A tensor like `inputs`.

    Raises:
        InferenceError: there is no such reduction, or a size that places are counted by is unknown.

    Example:
        >>> scatter_update([1.0, 2.0, 3.0], [[0], [2]], [9.0, 8.0]).tolist()
        [9.0, 2.0, 8.0]
    """
    if reduction not in REDUCTIONS:
        raise InferenceError(
            explain("scatter_update: no such reduction", expected="None, add, max, min or mul",
                    got=repr(reduction))
        )  # fmt: skip
    inputs, indices = tensor(inputs), tensor(indices)
    depth = known("scatter_update", shape_of(indices)[-1])
    lead, rest = shape_of(inputs)[:depth], shape_of(inputs)[depth:]
    places: Any = 0
    for axis, size in enumerate(lead):
        own = indices[..., axis]
        if depth > 1:
            length = number(size, str(indices.dtype))
            own = where(less(own, 0), add(own, length), own)
            places = add(multiply(places, length), own)
        else:
            places = own
    flat = reshape(inputs, (product(lead), *rest))
    updates = cast(tensor(updates), str(inputs.dtype))
    return reshape(REDUCTIONS[reduction](flat, places, updates, 0), shape_of(inputs))


def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """A tensor with another one in place of a part of it.

    Args:
        inputs: the tensor.
        start_indices: the part's first place along each axis, numbers or a tensor of integers,
            which are moved so that the part lies inside.
        updates: the part, of any size.

    Returns:
        A tensor like `inputs`.

    Example:
        >>> slice_update([1.0, 2.0, 3.0], [1], [9.0]).tolist()
        [1.0, 9.0, 3.0]
    """
    inputs = tensor(inputs)
    found, inside = cast(tensor(updates), str(inputs.dtype)), np.array(True)
    own, part = shape_of(inputs), shape_of(updates)
    for axis, (whole, size) in enumerate(zip(own, part, strict=True)):
        if whole == size:
            continue
        start = minimum(maximum(cast(start_indices[axis], "int64"), 0), whole - size)
        place = subtract(counted(whole, "int64"), start)
        along = tuple(whole if a == axis else 1 for a in range(len(own)))
        here = logical_and(greater_equal(place, 0), less(place, size))
        inside = logical_and(inside, reshape(here, along))
        found = take(found, minimum(maximum(place, 0), size - 1), axis)
    return where(inside, found, inputs)


def _segments(name: str, data: Any, segment_ids: Any, num_segments: int | None) -> tuple[Any, Any]:
    if num_segments is None:
        raise InferenceError(
            explain(f"{name}: the number of segments would depend on values",
                    hint="give num_segments")
        )  # fmt: skip
    return tensor(data), tensor(segment_ids)


def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
                ) -> Any:  # fmt: skip
    """The sums of the rows that belong together.

    Args:
        data: tensor of at least one axis.
        segment_ids: for each row the number of its segment.
        num_segments: how many there are.
        sorted: without effect; a hint to other backends that the ids rise.

    Returns:
        A row for each segment, zeros for an empty one.

    Raises:
        InferenceError: `num_segments` is missing.

    Example:
        >>> segment_sum([1.0, 2.0, 4.0], [0, 1, 0], 3).tolist()
        [5.0, 2.0, 0.0]
    """
    data, ids = _segments("segment_sum", data, segment_ids, num_segments)
    return scatter_add(full((num_segments, *shape_of(data)[1:]), 0, str(data.dtype)), ids, data)


def segment_prod(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
                 ) -> Any:  # fmt: skip
    """The products of the rows that belong together; ones for an empty segment."""
    data, ids = _segments("segment_prod", data, segment_ids, num_segments)
    ones = full((num_segments, *shape_of(data)[1:]), 1, str(data.dtype))
    return scatter_multiply(ones, ids, data)


def segment_max(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
                ) -> Any:  # fmt: skip
    """The largest of the rows that belong together; the lowest number for an empty segment.

    Example:
        >>> segment_max([1.0, 2.0, 4.0], [0, 1, 0], 2).tolist()
        [4.0, 2.0]
    """
    data, ids = _segments("segment_max", data, segment_ids, num_segments)
    dtype = str(data.dtype)
    lowest = -np.inf if dtype.startswith("float") else np.iinfo(dtype).min
    return scatter_max(full((num_segments, *shape_of(data)[1:]), lowest, dtype), ids, data)


def segment_min(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False
                ) -> Any:  # fmt: skip
    """The smallest of the rows that belong together; the highest number for an empty segment."""
    data, ids = _segments("segment_min", data, segment_ids, num_segments)
    dtype = str(data.dtype)
    highest = np.inf if dtype.startswith("float") else np.iinfo(dtype).max
    return scatter_min(full((num_segments, *shape_of(data)[1:]), highest, dtype), ids, data)


def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether the prediction of each target class is among the k largest of its row.

    Args:
        targets: class ids, shape (n,).
        predictions: shape (n, classes).
        k: how many count.

    Returns:
        Bools, shape (n,). Predictions equal to the k-th largest count too; none of a row with NaN.

    Example:
        >>> in_top_k([1, 0], [[0.1, 0.7, 0.2], [0.1, 0.7, 0.2]], 2).tolist()
        [True, False]
    """
    predictions = tensor(predictions)
    chosen = one_hot(targets, known("in_top_k", shape_of(predictions)[-1]), dtype="bool")
    own = reduce_sum(where(chosen, predictions, 0), axis=-1)
    least = top_k(predictions, k)[0][..., k - 1]
    found = logical_and(greater_equal(own, least), reduce_any(chosen, axis=-1))
    return logical_and(found, equal(isnan(reduce_max(predictions, axis=-1)), False))


def multi_hot(inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None,
              sparse: bool = False) -> Any:  # fmt: skip
    """Ones at all class ids of a row.

    Args:
        inputs: class ids, with those of a row along the last axis.
        num_classes: how many classes there are.
        axis: where the classes stand in the result.
        dtype: of the result, default float32.
        sparse: must be False: there are no sparse tensors.

    Returns:
        A tensor with the classes in place of the ids.

    Raises:
        InferenceError: `num_classes` is missing.

    Example:
        >>> multi_hot([0, 2, 2], 4).tolist()
        [1.0, 0.0, 1.0, 0.0]
    """
    if num_classes is None:
        raise InferenceError("multi_hot: needs num_classes, which would depend on values")
    inputs = tensor(inputs)
    ndim = len(shape_of(inputs))
    # The ids of a row stand along axis 1, or 0 if there is no batch.
    rows = 1 if ndim > 1 else 0
    place = axis if axis == -1 else normalize_axis(axis, ndim + 1)
    return reduce_max(one_hot(inputs, num_classes, place, dtype, sparse), axis=rows)


def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Parts of the last axis of one length, `sequence_stride` apart.

    Example:
        >>> extract_sequences([1, 2, 3, 4, 5], 2, 2).tolist()
        [[1, 2], [3, 4]]
    """
    x = tensor(x)
    size = known("extract_sequences", shape_of(x)[-1])
    count = max(1 + (size - sequence_length) // sequence_stride, 0)
    starts = np.arange(count)[:, None] * sequence_stride
    return take(x, starts + np.arange(sequence_length), -1)

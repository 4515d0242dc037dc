"""Checks what users pass as data and turns it into arrays, in Keras 2's words where it complains.

Everything is cast once, before the first batch; an array of the right dtype is used as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir import Dim, TensorType
from kgraph.training.compilation import check_keys

ONE_ARRAY = "data should be a Numpy array, or list/dict of Numpy arrays. Found: "


def as_arrays(
    data: Any, names: Sequence[str], types: Sequence[TensorType], kind: str
) -> list[np.ndarray]:
    """The arrays of a model's inputs or targets.

    Args:
        data: an array, a list of arrays, or a dict by name.
        names: names of the inputs or targets.
        types: what each must be; the first axis counts samples.
        kind: "input" or "target", for messages.

    Raises:
        ValueError: the number of arrays, a name or a shape does not fit.
        TypeError: the data holds no arrays.
    """
    found = pick(data, names, kind)
    return [fit_type(a, n, t, kind) for a, n, t in zip(found, names, types, strict=True)]


def pick(
    data: Any,
    names: Sequence[str],
    kind: str,
    read: Callable[[Any, str], Any] | None = None,
) -> list[Any]:
    """One array a name, without a look at shapes.

    Args:
        data: an array, a list of arrays, or a dict by name.
        names: names of the inputs or targets.
        kind: "input" or "target", for messages.
        read: makes an array of a value; default `as_array`.
    """
    read = read or as_array
    if not names:
        if data is None or (hasattr(data, "__len__") and len(data) == 0):
            return []
        raise ValueError(
            f"Error when checking model {kind}: expected no data, but got: {data!r}"[:300]
        )
    if data is None:
        data = {}
    if isinstance(data, Mapping) and not is_array(data):
        for name in names:
            if name not in data:
                raise ValueError(
                    f'No data provided for "{name}". Need data for each key in: {list(names)}'
                )
        check_keys(kind, data, names)
        return [read(data[name], kind) for name in names]
    if isinstance(data, (list, tuple)):
        _check_list(data, names, kind)
        return [read(entry, kind) for entry in data]
    array = read(data, kind)
    if len(names) > 1:
        raise _wrong_count([array], names, kind)
    return [array]


def _check_list(data: Sequence[Any], names: Sequence[str], kind: str) -> None:
    if not all(is_array(entry) for entry in data):
        raise ValueError(
            f"Error when checking model {kind}: you are passing a list as input to your model, "
            f"but the model expects a list of {len(names)} Numpy arrays instead. "
            f"The list you passed was: {str(data)[:200]}"
        )
    if len(data) != len(names):
        raise _wrong_count(data, names, kind)


def _wrong_count(data: Sequence[Any], names: Sequence[str], kind: str) -> ValueError:
    return ValueError(
        f"Error when checking model {kind}: the list of Numpy arrays that you are passing to your "
        f"model is not the size the model expected. Expected to see {len(names)} array(s), for "
        f"{list(names)}, but instead got the following list of {len(data)} arrays: "
        f"{str(list(data))[:200]}..."
    )


def is_array(value: Any) -> bool:
    """Whether a value is an array, a tensor, a pandas object, a sparse matrix or rows of a file."""
    if hasattr(value, "__array__") or hasattr(value, "toarray"):
        return True
    return hasattr(value, "shape") and hasattr(value, "dtype")


def as_array(value: Any, kind: str) -> np.ndarray:
    """One array, from tensors, pandas objects, SciPy's sparse matrices and files' rows too.

    Raises:
        TypeError: it is no array.
    """
    if isinstance(value, np.ndarray):
        return value
    if not is_array(value):
        raise TypeError(f"Error when checking model {kind}: {ONE_ARRAY}{str(value)[:200]}...")
    if hasattr(value, "toarray"):
        return value.toarray()
    return np.asarray(value if hasattr(value, "__array__") else value[:])


def fit_type(array: np.ndarray, name: str, type_: TensorType, kind: str) -> np.ndarray:
    """Checks the shape, adds the last axis of length 1 that a vector lacks, casts.

    Raises:
        ValueError: the shape does not fit or the values are not numbers.
    """
    if array.ndim == 1 and type_.ndim == 2:
        array = array.reshape(-1, 1)
    if array.ndim != type_.ndim:
        raise ValueError(
            f"Error when checking {kind}: expected {name} to have {type_.ndim} dimensions, "
            f"but got array with shape {array.shape}"
        )
    for want, have in zip(type_.shape[1:], array.shape[1:], strict=True):
        if isinstance(want, int) and want != have:
            wanted = tuple(d if isinstance(d, int) else None for d in type_.shape[1:])
            raise ValueError(
                f"Error when checking {kind}: expected {name} to have shape {wanted} "
                f"but got array with shape {array.shape[1:]}"
            )
    return as_numbers(array, name, type_.dtype, kind)


def as_numbers(array: np.ndarray, name: str, dtype: str, kind: str) -> np.ndarray:
    """Casts an array, once and for all batches.

    Raises:
        ValueError: the values are not numbers.
    """
    if array.dtype == dtype:
        return array
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"Error when checking {kind}: expected {name} to hold numbers, "
            f"but got array with dtype {array.dtype}"
        )
    return array.astype(dtype)


def data_type(shape: Sequence[int], like: Sequence[int | Dim], dtype: str) -> TensorType:
    """The type of an array that is only known by example.

    Args:
        shape: the array's shape.
        like: a shape with symbolic sizes; the array's sizes take its symbols in the same places.
        dtype: the type's dtype.
    """
    symbols = [d if isinstance(d, Dim) else None for d in like]
    sizes: list[int | Dim] = [like[0]]
    for axis in range(1, len(shape)):
        symbol = symbols[axis] if axis < len(symbols) else None
        sizes.append(symbol if symbol is not None else int(shape[axis]))
    return TensorType(tuple(sizes), dtype)


def check_counts(
    inputs: Sequence[Any],
    targets: Sequence[Any],
    weights: Sequence[Any],
) -> int:
    """The number of samples, which all arrays must share.

    Raises:
        ValueError: they do not.
    """
    given = [w for w in weights if w is not None]
    named = (("input", "x", inputs), ("target", "y", targets), ("sample_weight", "w", given))
    counts = []
    for kind, letter, arrays in named:
        sizes = {a.shape[0] for a in arrays}
        if len(sizes) > 1:
            raise ValueError(
                f"All {kind} arrays ({letter}) should have the same number of samples. "
                f"Got array shapes: {[a.shape for a in arrays]}"
            )
        counts.append(sizes.pop() if sizes else None)
    x, y, w = counts
    if x is not None and y is not None and x != y:
        raise ValueError(
            "Input arrays should have the same number of samples as target arrays. "
            f"Found {x} input samples and {y} target samples."
        )
    if w is not None and y is not None and w != y:
        raise ValueError(
            "Sample_weight arrays should have the same number of samples as target arrays. "
            f"Found {w} input samples and {y} target samples."
        )
    return next((c for c in counts if c is not None), 0)


def split_point(count: int, fraction: float) -> int:
    """Where the last fraction of the samples begins.

    Args:
        count: number of samples.
        fraction: more than 0 and less than 1.

    Raises:
        ValueError: a part would be empty.

    Example:
        >>> split_point(10, 0.25)
        7
    """
    if not 0 < fraction < 1:
        raise ValueError(f"`validation_split` must be between 0 and 1. Received: {fraction}")
    at = int(count * (1.0 - fraction))
    if at in (0, count):
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a "
            f"validation and training set as specified by `validation_split={fraction}`. Either "
            "provide more data, or a different value for the `validation_split` argument."
        )
    return at

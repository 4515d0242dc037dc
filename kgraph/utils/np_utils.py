"""Array helpers for data preparation."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import explain


def to_categorical(y: Any, num_classes: int | None = None, dtype: str = "float32") -> np.ndarray:
    """Turns class numbers into one-hot rows.

    Args:
        y: integers from 0 to `num_classes - 1` in any shape; a last axis of length 1 is dropped.
        num_classes: number of classes; default the largest number plus one.
        dtype: of the result.

    Returns:
        An array with one more axis, of length `num_classes`.

    Raises:
        IndexError: a class number is negative or too large.

    Example:
        >>> to_categorical([[0], [2]]).tolist()
        [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    classes = np.array(y, dtype="int64")
    if classes.ndim > 1 and classes.shape[-1] == 1:
        classes = classes[..., 0]
    count = num_classes or int(classes.max(initial=-1)) + 1
    outside = classes[(classes < 0) | (classes >= count)]
    if outside.size:
        raise IndexError(
            explain(
                f"to_categorical: class {outside.flat[0]} is out of range",
                expected=f"integers from 0 to {count - 1}",
                hint="num_classes must be larger than the largest class number",
            )
        )
    result = np.zeros((*classes.shape, count), dtype=dtype)
    np.put_along_axis(result, classes[..., None], 1, axis=-1)
    return result


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """Divides vectors by their norms; zero vectors stay.

    Args:
        x: an array.
        axis: the axis of the vectors.
        order: the norm: 1, 2 or any that `numpy.linalg.norm` knows.

    Returns:
        An array of the same shape.

    Example:
        >>> normalize([[3.0, 4.0], [0.0, 0.0]]).tolist()
        [[0.6, 0.8], [0.0, 0.0]]
    """
    norms = np.linalg.norm(x, order, axis, keepdims=True)
    return x / np.where(norms == 0, 1, norms)

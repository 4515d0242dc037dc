"""Split arrays into two parts."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from kgraph.errors import explain


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Any, Any]:
    """Splits arrays into a left and a right part along their first axis.

    Args:
        dataset: an array, or a list or tuple of arrays of one length.
        left_size: how many samples (integer) or which fraction of them (float) go to the left;
            default what the right part leaves.
        right_size: the same for the right part, which is taken from the end.
        shuffle: whether to shuffle the samples first.
        seed: of the shuffle.

    Returns:
        Two data sets of the same structure.

    Raises:
        TypeError: the data are no arrays, or a size is no number.
        ValueError: the sizes do not fit the data.

    Example:
        >>> left, right = split_dataset(np.arange(10), left_size=0.8)
        >>> left.tolist(), right.tolist()
        ([0, 1, 2, 3, 4, 5, 6, 7], [8, 9])
    """
    arrays = _arrays_of(dataset)
    total = len(arrays[0])
    left, right = _split_sizes(left_size, right_size, total)
    order = list(range(total))
    if shuffle:
        seed = random.randint(0, 10**6) if seed is None else seed
        random.Random(seed).shuffle(order)
    parts = []
    for rows in (order[:left], order[total - right :]):
        picked = [array[rows] for array in arrays]
        parts.append(picked[0] if isinstance(dataset, np.ndarray) else type(dataset)(picked))
    return parts[0], parts[1]


def _arrays_of(dataset: Any) -> list[np.ndarray]:
    if isinstance(dataset, np.ndarray):
        return [dataset]
    if not isinstance(dataset, (list, tuple)) or not dataset:
        raise TypeError(
            explain(
                "split_dataset: `dataset` must be an array or a list/tuple of arrays",
                got=f"{type(dataset).__name__} {str(dataset)[:80]}",
            )
        )
    for i, array in enumerate(dataset):
        if not isinstance(array, np.ndarray):
            raise TypeError(f"Expected a list of `numpy.ndarray` objects, got {array!r} at {i}")
        if len(array) != len(dataset[0]):
            raise ValueError(
                explain(
                    f"split_dataset: array {i} has another length than the first",
                    expected=f"{len(dataset[0])} samples",
                    got=f"{len(array)}, shape {array.shape}",
                )
            )
    return list(dataset)


def _split_sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """Numbers of samples left and right; what is rounded is the fraction of the whole."""
    if left is None and right is None:
        raise ValueError("At least one of the `left_size` or `right_size` must be specified.")
    counts = [_split_size("left_size", left, total), _split_size("right_size", right, total)]
    left_count = total - counts[1] if counts[0] is None and counts[1] is not None else counts[0]
    right_count = total - counts[0] if counts[1] is None and counts[0] is not None else counts[1]
    assert left_count is not None
    assert right_count is not None
    if left_count <= 0 or right_count <= 0 or left_count + right_count > total:
        raise ValueError(
            explain(
                f"split_dataset: the sizes do not split {total} samples into two parts",
                expected=f"two positive sizes with a sum of at most {total}",
                got=f"left_size={left} ({left_count}), right_size={right} ({right_count})",
            )
        )
    return left_count, right_count


def _split_size(name: str, size: float | None, total: int) -> int | None:
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, (int, float)):
        raise TypeError(f"Invalid `{name}` Type. Expected: int or float or None, got {size!r}")
    limit = 1 if isinstance(size, float) else total
    if not 0 < size < limit:
        raise ValueError(
            f"`{name}` should be either a positive integer smaller than {total}, or a float "
            f"within the range `[0, 1]`. Received: {name}={size}"
        )
    return round(size * total) if isinstance(size, float) else size

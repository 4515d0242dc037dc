"""Data sets of one table `x` and one column `y` in an `.npz` file."""

from __future__ import annotations

import os

import numpy as np

from kgraph.datasets.sources import fetch
from kgraph.datasets.splits import Split, check_fraction, cut, shuffled
from kgraph.errors import FileFormatError, explain
from kgraph.utils.npz_utils import read_npz


def load_table(
    key: str,
    path: str | os.PathLike[str],
    test_split: float,
    seed: int,
    count: int | None = None,
) -> tuple[Split, Split]:
    """Loads, shuffles and cuts a table.

    Args:
        key: of `kgraph.datasets.sources.SOURCES`.
        path: the file's name in the cache, or its absolute path.
        test_split: the last fraction, after shuffling, becomes the test part.
        seed: of the order.
        count: rows to take from the beginning; default all.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Raises:
        FileFormatError: the file holds something else.

    Example:
        >>> np.savez("mine.npz", x=np.ones((5, 13)), y=np.ones(5))
        >>> _, (x, y) = load_table("boston_housing", os.path.abspath("mine.npz"), 0.4, seed=1)
        >>> x.shape, y.shape
        ((2, 13), (2,))
    """
    check_fraction(test_split)
    place = fetch(key, path)
    arrays = read_npz(place, ("x", "y"))
    x, y = arrays["x"][:count], arrays["y"][:count]
    if x.ndim != 2 or y.shape != x.shape[:1]:
        raise FileFormatError(
            explain(
                f"{place}: x and y do not fit", expected="(n, m) and (n,)", got=(x.shape, y.shape)
            )
        )
    return cut(*shuffled(x, y, np.random.RandomState(seed)), test_split)

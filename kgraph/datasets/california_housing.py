"""California housing: 20,640 districts of 1990 with 8 attributes and the median price of a house.

Source: R. K. Pace and R. Barry, "Sparse Spatial Autoregressions", 1997; the file is the one that
Keras publishes. The attributes: median income, median age of the houses, rooms and bedrooms for
each household, people, people for each household, latitude, longitude.
"""

from __future__ import annotations

import os

from kgraph.datasets.splits import Split
from kgraph.datasets.tables import load_table
from kgraph.errors import explain

_ROWS = {"small": 600, "large": None}


def load_data(
    version: str = "large",
    path: str | os.PathLike[str] = "california_housing.npz",
    test_split: float = 0.2,
    seed: int = 113,
) -> tuple[Split, Split]:
    """Loads the districts.

    Args:
        version: "large" for all, "small" for the first 600.
        path: the file's name in the cache, or its absolute path.
        test_split: the last fraction, after shuffling, becomes the test part.
        seed: of the order of the districts.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x of shape (n, 8), y of shape (n,) in dollars.

    Raises:
        ValueError: `version` is unknown, or `test_split` is not in [0, 1).
        DownloadError: the file is not here and cannot be fetched.
        FileFormatError: it is damaged.

    Example:
        >>> import numpy as np
        >>> np.savez("mine.npz", x=np.ones((700, 8)), y=np.ones(700))
        >>> (x_train, _), (x_test, _) = load_data("small", os.path.abspath("mine.npz"))
        >>> len(x_train), len(x_test)
        (480, 120)
    """
    if version not in _ROWS:
        raise ValueError(
            explain("unknown version", expected="'small' or 'large'", got=repr(version))
        )
    return load_table("california_housing", path, test_split, seed, _ROWS[version])

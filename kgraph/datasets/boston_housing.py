"""Boston housing: 506 districts of 1978 with 13 attributes and the median price of a house.

Source: D. Harrison and D. L. Rubinfeld, "Hedonic prices and the demand for clean air", 1978,
http://lib.stat.cmu.edu/datasets/boston; the file is the one that Keras publishes. One attribute,
"B", rests on the assumption that people's race moves prices; use these data to study that or for
old programs, and `california_housing` else.
"""

from __future__ import annotations

import os

from kgraph.datasets.splits import Split
from kgraph.datasets.tables import load_table


def load_data(
    path: str | os.PathLike[str] = "boston_housing.npz", test_split: float = 0.2, seed: int = 113
) -> tuple[Split, Split]:
    """Loads the districts.

    Args:
        path: the file's name in the cache, or its absolute path.
        test_split: the last fraction, after shuffling, becomes the test part.
        seed: of the order of the districts.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x float64 of shape (n, 13), y float64 of shape (n,)
        in thousands of dollars; 404 to train, 102 to test.

    Raises:
        ValueError: `test_split` is not in [0, 1).
        DownloadError: the file is not here and cannot be fetched.
        FileFormatError: it is damaged.

    Example:
        >>> import numpy as np
        >>> np.savez("mine.npz", x=np.ones((5, 13)), y=np.ones(5))
        >>> (x_train, y_train), (x_test, y_test) = load_data(os.path.abspath("mine.npz"))
        >>> x_train.shape, x_test.shape
        ((4, 13), (1, 13))
    """
    return load_table("boston_housing", path, test_split, seed)

"""The 1,797 handwritten digits (8x8 pixels) of the UCI repository, bundled with kgraph.

Source: E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine
Learning Repository, 1998, https://doi.org/10.24432/C50P49, licence CC BY 4.0; the test part, as
scikit-learn distributes it (BSD-3-Clause). The order of the file is kept, so the last rows are
from other writers than the first.
"""

from __future__ import annotations

from importlib import resources

import numpy as np

Split = tuple[np.ndarray, np.ndarray]


def load_data(test_split: float = 0.2) -> tuple[Split, Split]:
    """Loads the digits; nothing is downloaded.

    Args:
        test_split: the last fraction of the file becomes the test part.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x uint8 of shape (n, 8, 8) with values 0 to 16,
        y uint8 of shape (n,) with values 0 to 9.

    Raises:
        ValueError: `test_split` is not in [0, 1).

    Example:
        >>> (x_train, y_train), (x_test, y_test) = load_data()
        >>> x_train.shape, x_test.shape
        ((1437, 8, 8), (360, 8, 8))
    """
    if not 0 <= test_split < 1:
        raise ValueError(f"test_split must be in [0, 1). Got: {test_split}")
    source = resources.files(__package__).joinpath("data", "digits.npz")
    with source.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        x, y = arrays["x"], arrays["y"]
    cut = int(len(x) * (1 - test_split))
    return (x[:cut], y[:cut]), (x[cut:], y[cut:])

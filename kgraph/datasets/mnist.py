"""MNIST: 70,000 handwritten digits of 28x28 pixels.

Source: Y. LeCun, C. Cortes and C. J. C. Burges, http://yann.lecun.com/exdb/mnist/, licence
CC BY-SA 3.0; the file is the one that Keras publishes. For digits without a download see
`kgraph.datasets.digits`.
"""

from __future__ import annotations

import os

from kgraph.datasets.sources import fetch
from kgraph.datasets.splits import Split
from kgraph.errors import FileFormatError, explain
from kgraph.utils.npz_utils import read_npz


def load_data(path: str | os.PathLike[str] = "mnist.npz") -> tuple[Split, Split]:
    """Loads MNIST.

    Args:
        path: the file's name in the cache, or its absolute path.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x uint8 of shape (n, 28, 28) with values 0 to 255,
        y uint8 of shape (n,) with values 0 to 9; 60,000 to train, 10,000 to test.

    Raises:
        DownloadError: the file is not here and cannot be fetched.
        FileFormatError: it is damaged.

    Example:
        >>> import numpy as np
        >>> x, y = np.zeros((2, 28, 28), "uint8"), np.zeros(2, "uint8")
        >>> np.savez("mine.npz", x_train=x, y_train=y, x_test=x[:1], y_test=y[:1])
        >>> (x_train, y_train), (x_test, y_test) = load_data(os.path.abspath("mine.npz"))
        >>> x_train.shape, y_test.shape
        ((2, 28, 28), (1,))
    """
    place = fetch("mnist", path)
    arrays = read_npz(place, ("x_train", "y_train", "x_test", "y_test"))
    for part in ("train", "test"):
        x, y = arrays[f"x_{part}"], arrays[f"y_{part}"]
        if x.ndim != 3 or y.shape != x.shape[:1]:
            raise FileFormatError(
                explain(
                    f"{place}: images and labels do not fit",
                    expected="(n, 28, 28) and (n,)",
                    got=f"{x.shape} and {y.shape}",
                )
            )
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])

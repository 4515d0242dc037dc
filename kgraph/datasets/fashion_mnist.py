"""Fashion-MNIST: 70,000 pictures of clothes of 28x28 pixels in 10 classes.

Source: H. Xiao, K. Rasul and R. Vollgraf, Zalando Research, 2017,
https://github.com/zalandoresearch/fashion-mnist, licence MIT. The classes: T-shirt, trousers,
pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.
"""

from __future__ import annotations

from kgraph.datasets.idx import read_idx
from kgraph.datasets.sources import fetch
from kgraph.datasets.splits import Split
from kgraph.errors import FileFormatError, explain


def load_data() -> tuple[Split, Split]:
    """Loads Fashion-MNIST.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x uint8 of shape (n, 28, 28) with values 0 to 255,
        y uint8 of shape (n,) with values 0 to 9; 60,000 to train, 10,000 to test.

    Raises:
        DownloadError: a file is not here and cannot be fetched.
        FileFormatError: one is damaged.
    """
    return _part("train"), _part("t10k")


def _part(name: str) -> Split:
    place = fetch(f"fashion_mnist/{name}-labels-idx1")
    y = read_idx(place)
    x = read_idx(fetch(f"fashion_mnist/{name}-images-idx3"))
    if x.ndim != 3 or y.shape != x.shape[:1]:
        raise FileFormatError(
            explain(f"{place} and its images do not fit", got=f"{y.shape} and {x.shape}")
        )
    return x, y

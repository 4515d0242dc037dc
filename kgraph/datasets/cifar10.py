"""CIFAR-10: 60,000 colour pictures of 32x32 pixels in 10 classes.

Source: see `kgraph.datasets.cifar`. The classes: airplane, automobile, bird, cat, deer, dog, frog,
horse, ship, truck.
"""

from __future__ import annotations

from kgraph.datasets import cifar
from kgraph.datasets.splits import Split


def load_data() -> tuple[Split, Split]:
    """Loads CIFAR-10.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x uint8 of shape (n, 32, 32, 3), or (n, 3, 32, 32)
        where `kgraph.config.image_data_format()` says so, with values 0 to 255; y uint8 of shape
        (n, 1) with values 0 to 9; 50,000 to train, 10,000 to test.

    Raises:
        DownloadError: the archive is not here and cannot be fetched.
        FileFormatError: a batch is damaged.
    """
    names = [f"data_batch_{i}" for i in range(1, 6)]
    folder = cifar.folder_of("cifar10", "cifar-10-batches-py", [*names, "test_batch"])
    train = [cifar.load_batch(folder / name) for name in names]
    return cifar.arrange(train, cifar.load_batch(folder / "test_batch"))

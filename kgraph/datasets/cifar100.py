"""CIFAR-100: 60,000 colour pictures of 32x32 pixels in 100 classes, which form 20 groups.

Source: see `kgraph.datasets.cifar`.
"""

from __future__ import annotations

from kgraph.datasets import cifar
from kgraph.datasets.splits import Split
from kgraph.errors import explain


def load_data(label_mode: str = "fine") -> tuple[Split, Split]:
    """Loads CIFAR-100.

    Args:
        label_mode: "fine" for the 100 classes, "coarse" for the 20 groups.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x uint8 of shape (n, 32, 32, 3), or (n, 3, 32, 32)
        where `kgraph.config.image_data_format()` says so, with values 0 to 255; y uint8 of shape
        (n, 1); 50,000 to train, 10,000 to test.

    Raises:
        ValueError: `label_mode` is neither.
        DownloadError: the archive is not here and cannot be fetched.
        FileFormatError: a batch is damaged.
    """
    if label_mode not in ("fine", "coarse"):
        raise ValueError(
            explain("unknown label_mode", expected="'fine' or 'coarse'", got=repr(label_mode))
        )
    folder = cifar.folder_of("cifar100", "cifar-100-python", ["train", "test"])
    train, test = (
        cifar.load_batch(folder / name, f"{label_mode}_labels") for name in ("train", "test")
    )
    return cifar.arrange([train], test)

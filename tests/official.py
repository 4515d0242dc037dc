"""Small files in the official formats, with contents drawn at random."""

import gzip
import io
import pickle
import tarfile

import numpy as np


def npz(**arrays):
    """Bytes of an npz file."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def images(rng, count, *shape):
    """uint8 pictures and labels from 0 to 9."""
    x = rng.integers(0, 256, (count, *shape), dtype=np.uint8)
    return x, rng.integers(0, 10, count, dtype=np.uint8)


def texts(rng, count):
    """An array of lists of numbers of words, and labels."""
    found = np.empty(count, dtype=object)
    found[:] = [rng.integers(1, 60, rng.integers(1, 12)).tolist() for _ in range(count)]
    return found, rng.integers(0, 46, count)


def mnist(rng):
    """`mnist.npz`, and its arrays."""
    (x, y), (x_test, y_test) = images(rng, 6, 28, 28), images(rng, 3, 28, 28)
    return npz(x_train=x, y_train=y, x_test=x_test, y_test=y_test), ((x, y), (x_test, y_test))


def imdb(rng):
    """`imdb.npz`, and its arrays."""
    (x, y), (x_test, y_test) = texts(rng, 40), texts(rng, 30)
    y, y_test = y % 2, y_test % 2
    return npz(x_train=x, y_train=y, x_test=x_test, y_test=y_test), ((x, y), (x_test, y_test))


def reuters(rng):
    """`reuters.npz`, and its arrays."""
    x, y = texts(rng, 50)
    return npz(x=x, y=y), (x, y)


def table(rng, rows, columns):
    """An npz file with a table `x` and a column `y`, and its arrays."""
    x, y = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    return npz(x=x, y=y), (x, y)


def idx(array):
    """A gzip-compressed IDX file of bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return gzip.compress(bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes())


def batch(x, protocol=2, **labels):
    """A batch of CIFAR as Python 2 would write it: its strings are bytes to Python 3."""
    content = {b"batch_label": b"batch", b"data": x.reshape(len(x), -1)}
    content |= {name.encode(): y.tolist() for name, y in labels.items()}
    return pickle.dumps(content, protocol=protocol)


def tar_gz(files):
    """Bytes of a tar archive of files by name."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def cifar10(rng):
    """`cifar-10-python.tar.gz`, and its arrays as (n, 3, 32, 32) and (n,)."""
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    parts = {name: images(rng, 4, 3, 32, 32) for name in names}
    files = {f"cifar-10-batches-py/{name}": batch(x, labels=y) for name, (x, y) in parts.items()}
    train = tuple(np.concatenate(arrays) for arrays in zip(*list(parts.values())[:5]))
    return tar_gz({"cifar-10-batches-py/readme.html": b"<html>"} | files), (
        train,
        parts["test_batch"],
    )


def cifar100(rng):
    """`cifar-100-python.tar.gz`, and its arrays as (n, 3, 32, 32) and (n,), with fine labels."""
    parts = {"train": images(rng, 5, 3, 32, 32), "test": images(rng, 2, 3, 32, 32)}
    files = {
        f"cifar-100-python/{name}": batch(x, fine_labels=y, coarse_labels=y // 5)
        for name, (x, y) in parts.items()
    }
    return tar_gz(files), (parts["train"], parts["test"])

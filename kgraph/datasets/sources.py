"""Where the data sets come from: one row for each file, and how a row becomes a path."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from kgraph.errors import FileFormatError, explain
from kgraph.utils.file_utils import get_file

_BASE = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"
_TORONTO = "https://www.cs.toronto.edu/~kriz/"
_JSON_LIMIT = 1 << 26


@dataclass(frozen=True)
class Source:
    """A published file.

    Args:
        origin: its address; the last part is its name.
        file_hash: its md5 or sha256 hash, if its makers publish one.
        subdir: its folder in the cache.

    Example:
        >>> SOURCES["mnist"].name
        'mnist.npz'
    """

    origin: str
    file_hash: str | None = None
    subdir: str = "datasets"

    @property
    def name(self) -> str:
        """The file's name."""
        return self.origin.rsplit("/", 1)[-1]


SOURCES = {
    "mnist": Source(
        _BASE + "mnist.npz", "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
    ),
    "cifar10": Source(
        _TORONTO + "cifar-10-python.tar.gz",
        "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce",
    ),
    "cifar100": Source(
        _TORONTO + "cifar-100-python.tar.gz",
        "85cd44d02ba6437773c5bbd22e183051d648de2e7d6b014e1ef29b855ba677a7",
    ),
    "imdb": Source(
        _BASE + "imdb.npz", "69664113be75683a8fe16e3ed0ab59fda8886cb3cd7ada244f7d9544e4676b9f"
    ),
    "imdb_word_index": Source(_BASE + "imdb_word_index.json", "bfafd718b763782e994055a2d397834f"),
    "reuters": Source(
        _BASE + "reuters.npz", "d6586e694ee56d7a4e65172e12b3e987c03096cb01eab99753921ef915959916"
    ),
    "reuters_word_index": Source(
        _BASE + "reuters_word_index.json", "4d44cc38712099c9e383dc6e5f11a921"
    ),
    "boston_housing": Source(
        _BASE + "boston_housing.npz",
        "f553886a1f8d56431e820c5b82552d9d95cfcb96d1e678153f8839538947dff5",
    ),
    "california_housing": Source(
        _BASE + "california_housing.npz",
        "1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
    ),
}
SOURCES |= {
    f"fashion_mnist/{part}": Source(
        f"{_BASE}{part}-ubyte.gz", subdir=os.path.join("datasets", "fashion-mnist")
    )
    for part in ("train-labels-idx1", "train-images-idx3", "t10k-labels-idx1", "t10k-images-idx3")
}


def fetch(key: str, path: str | os.PathLike[str] | None = None, extract: bool = False) -> str:
    """The path of a published file, fetched if it is not on this machine.

    Args:
        key: of `SOURCES`.
        path: the name to keep it under, or an absolute path; a file that is there is the user's
            own and is taken as it is.
        extract: unpack it.

    Returns:
        The path, with `extract` of the folder that it was unpacked to.

    Raises:
        DownloadError: it is not here and cannot be fetched.

    Example:
        >>> with open("mine.npz", "w"): pass
        >>> os.path.basename(fetch("mnist", os.path.abspath("mine.npz")))
        'mine.npz'
    """
    source = SOURCES[key]
    name = os.path.expanduser(path or source.name)
    if os.path.isabs(name) and os.path.isfile(name) and not extract:
        return name
    return get_file(
        name,
        source.origin,
        file_hash=source.file_hash,
        cache_subdir=source.subdir,
        extract=extract,
    )


def read_word_index(key: str, path: str | os.PathLike[str]) -> dict[str, int]:
    """Reads a JSON file that gives each word its number.

    Args:
        key: of `SOURCES`.
        path: as for `fetch`.

    Returns:
        Numbers by words.

    Raises:
        FileFormatError: the file holds something else.

    Example:
        >>> with open("index.json", "w") as file:
        ...     _ = file.write('{"the": 1}')
        >>> read_word_index("imdb_word_index", os.path.abspath("index.json"))
        {'the': 1}
    """
    place = fetch(key, path)
    with open(place, "rb") as file:
        data = file.read(_JSON_LIMIT + 1)
    try:
        words = json.loads(data) if len(data) <= _JSON_LIMIT else None
    except (ValueError, RecursionError) as error:
        raise FileFormatError(explain(f"{place} is no readable JSON", got=error)) from error
    if not isinstance(words, dict) or not all(type(n) is int for n in words.values()):
        raise FileFormatError(explain(f"{place} is no index of words", expected="words: integers"))
    return words

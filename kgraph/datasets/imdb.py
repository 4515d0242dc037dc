"""IMDB: 50,000 film reviews as numbers of words, with their sentiment.

Source: A. L. Maas et al., "Learning Word Vectors for Sentiment Analysis", ACL 2011,
https://ai.stanford.edu/~amaas/data/sentiment/; the file is the one that Keras publishes. It holds
a pickle, of which nothing but lists of integers is read.
"""

from __future__ import annotations

import os

import numpy as np

from kgraph.datasets import word_ids
from kgraph.datasets.sources import fetch, read_word_index
from kgraph.datasets.splits import Split
from kgraph.utils.npz_utils import read_npz


def load_data(
    path: str | os.PathLike[str] = "imdb.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[Split, Split]:
    """Loads the reviews.

    The id of a word is its rank plus `index_from`. Unlike Keras 2, which cuts the filtered reviews
    at the old place, no test review becomes a training review with `maxlen`.

    Args:
        path: the file's name in the cache, or its absolute path.
        num_words: ids from here on become `oov_char`; default the largest id, which therefore
            becomes `oov_char` too, as in Keras.
        skip_top: ids below become `oov_char`.
        maxlen: only reviews that are shorter, their `start_char` counted, are kept.
        seed: of the order of the reviews.
        start_char: the first id of each review; None for none.
        oov_char: what stands for the words that are left out; None for nothing.
        index_from: added to the ranks.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x objects of shape (n,), each a list of integers;
        y integers of shape (n,), 1 for praise and 0 for blame; 25,000 each.

    Raises:
        ValueError: `maxlen` leaves no review.
        DownloadError: the file is not here and cannot be fetched.
        FileFormatError: it is damaged.

    Example:
        >>> x, y = np.array([[5, 1, 9], [2]], dtype=object), np.array([1, 1])
        >>> np.savez("mine.npz", x_train=x, y_train=y, x_test=x, y_test=y)
        >>> (x_train, _), _ = load_data(os.path.abspath("mine.npz"), num_words=10)
        >>> sorted(x_train.tolist())
        [[1, 5], [1, 8, 4, 2]]
    """
    place = fetch("imdb", path)
    arrays = read_npz(place, ("x_train", "y_train", "x_test", "y_test"))
    generator = np.random.RandomState(seed)
    parts = []
    for part in ("train", "test"):
        texts = word_ids.join(arrays[f"x_{part}"], arrays[f"y_{part}"], place, generator)
        parts.append(word_ids.shorter_than(word_ids.shift(texts, start_char, index_from), maxlen))
    words = num_words or word_ids.largest(*parts)
    train, test = (word_ids.limit(texts, words, skip_top, oov_char) for texts in parts)
    return (word_ids.rows(train), train.labels), (word_ids.rows(test), test.labels)


def get_word_index(path: str | os.PathLike[str] = "imdb_word_index.json") -> dict[str, int]:
    """The rank of each word; ids in the data are larger by `index_from`.

    Args:
        path: the file's name in the cache, or its absolute path.

    Returns:
        Ranks from 1 by words.

    Raises:
        DownloadError: the file is not here and cannot be fetched.
        FileFormatError: it is damaged.

    Example:
        >>> with open("index.json", "w") as file:
        ...     _ = file.write('{"the": 1, "and": 2}')
        >>> get_word_index(os.path.abspath("index.json"))["and"]
        2
    """
    return read_word_index("imdb_word_index", path)

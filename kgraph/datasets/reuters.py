"""Reuters: 11,228 news of 1987 as numbers of words, with one of 46 topics.

Source: D. D. Lewis, Reuters-21578, https://archive.ics.uci.edu/dataset/137, CC BY 4.0; the file is
the one that Keras publishes. It holds a pickle, of which nothing but lists of integers is read.
"""

from __future__ import annotations

import os

import numpy as np

from kgraph.datasets import word_ids
from kgraph.datasets.sources import fetch, read_word_index
from kgraph.datasets.splits import Split, check_fraction, cut
from kgraph.utils.npz_utils import read_npz

_TOPICS = (
    "cocoa grain veg-oil earn acq wheat copper housing money-supply coffee sugar trade reserves "
    "ship cotton carcass crude nat-gas cpi money-fx interest gnp meal-feed alum oilseed gold tin "
    "strategic-metal livestock retail ipi iron-steel rubber heat jobs lei bop zinc orange pet-chem "
    "dlr gas silver wpi hog lead"
)


def load_data(
    path: str | os.PathLike[str] = "reuters.npz",
    num_words: int | None = None,
    skip_top: int = 0,
    maxlen: int | None = None,
    test_split: float = 0.2,
    seed: int = 113,
    start_char: int | None = 1,
    oov_char: int | None = 2,
    index_from: int | None = 3,
) -> tuple[Split, Split]:
    """Loads the news.

    Args:
        path: the file's name in the cache, or its absolute path.
        num_words: ids from here on become `oov_char`; default the largest id, which therefore
            becomes `oov_char` too, as in Keras.
        skip_top: ids below become `oov_char`.
        maxlen: only news that are shorter, their `start_char` counted, are kept.
        test_split: the last fraction, after shuffling and `maxlen`, becomes the test part.
        seed: of the order of the news.
        start_char: the first id of each text; None for none.
        oov_char: what stands for the words that are left out; None for nothing.
        index_from: added to the ranks.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: x objects of shape (n,), each a list of integers;
        y integers of shape (n,) with values 0 to 45; 8,982 to train, 2,246 to test.

    Raises:
        ValueError: `maxlen` leaves no text, or `test_split` is not in [0, 1).
        DownloadError: the file is not here and cannot be fetched.
        FileFormatError: it is damaged.

    Example:
        >>> x, y = np.array([[5, 1, 9], [2]], dtype=object), np.array([45, 3])
        >>> np.savez("mine.npz", x=x, y=y)
        >>> (x_train, _), (x_test, _) = load_data(os.path.abspath("mine.npz"), test_split=0.5)
        >>> len(x_train), len(x_test)
        (1, 1)
    """
    check_fraction(test_split)
    place = fetch("reuters", path)
    arrays = read_npz(place, ("x", "y"))
    texts = word_ids.join(arrays["x"], arrays["y"], place, np.random.RandomState(seed))
    texts = word_ids.shorter_than(word_ids.shift(texts, start_char, index_from), maxlen)
    words = num_words or word_ids.largest(texts)
    texts = word_ids.limit(texts, words, skip_top, oov_char)
    return cut(word_ids.rows(texts), texts.labels, test_split)


def get_word_index(path: str | os.PathLike[str] = "reuters_word_index.json") -> dict[str, int]:
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
        ...     _ = file.write('{"the": 1, "mdbl": 10996}')
        >>> get_word_index(os.path.abspath("index.json"))["the"]
        1
    """
    return read_word_index("reuters_word_index", path)


def get_label_names() -> tuple[str, ...]:
    """The topics.

    Returns:
        46 names; the label of a text is an index into them.

    Example:
        >>> get_label_names()[3]
        'earn'
    """
    return tuple(_TOPICS.split())

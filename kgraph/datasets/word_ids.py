"""Texts as numbers of words: what IMDB and Reuters have in common.

The texts are kept as one long array with the ends of the texts, so that tens of millions of words
are shifted and replaced by NumPy and not one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from kgraph.datasets.splits import shuffled
from kgraph.errors import FileFormatError, UnsafeFileError, explain

# Lists that a file refers to again and again take no memory there, but they do here.
_LIMIT = 200_000_000


@dataclass(frozen=True)
class Texts:
    """Texts, one after the other.

    Args:
        ids: int64 of shape (words,).
        ends: int64 of shape (texts,): where each text ends in `ids`.
        labels: integers of shape (texts,).
    """

    ids: np.ndarray
    ends: np.ndarray
    labels: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """Words of each text, int64 of shape (texts,)."""
        return np.diff(self.ends, prepend=0)


def join(
    rows: np.ndarray, labels: np.ndarray, file: str, order: np.random.RandomState | None = None
) -> Texts:
    """Takes texts from a file, in a random order.

    Args:
        rows: objects, each a list of integers.
        labels: integers of the same length.
        file: the file's name, for messages.
        order: draws the order; None leaves the file's.

    Returns:
        The same texts.

    Raises:
        FileFormatError: a row holds something else, or rows and labels differ in number.

    Example:
        >>> rows = np.array([[1, 2], [3]], dtype=object)
        >>> join(rows, np.array([0, 1]), "imdb.npz").ends.tolist()
        [2, 3]
    """
    if rows.ndim != 1 or labels.shape != rows.shape or labels.dtype.kind not in "iu":
        raise FileFormatError(
            explain(
                f"{file}: texts and labels do not fit",
                expected="as many integer labels as texts",
                got=f"shapes {rows.shape} and {labels.shape}, labels of dtype {labels.dtype}",
            )
        )
    if order is not None:
        rows, labels = shuffled(rows, labels, order)
    if not all(isinstance(row, (list, np.ndarray)) for row in rows):
        raise FileFormatError(explain(f"{file}: a text is no list of integers"))
    ends = np.cumsum([len(row) for row in rows], dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    if total > _LIMIT:
        raise UnsafeFileError(explain(f"{file} is refused: it has {total} words in all"))
    kinds: set[Any] = set(map(type, chain.from_iterable(rows)))
    if not all(issubclass(kind, (int, np.integer)) for kind in kinds):
        raise FileFormatError(
            explain(f"{file}: a text is no list of integers", got=[kind.__name__ for kind in kinds])
        )
    try:
        return Texts(np.fromiter(chain.from_iterable(rows), np.int64, total), ends, labels)
    except OverflowError as error:
        raise FileFormatError(explain(f"{file}: a word has no 64-bit number")) from error


def shift(texts: Texts, start_char: int | None, index_from: int | None) -> Texts:
    """Makes room for the numbers that stand for no word.

    Args:
        texts: words by rank.
        start_char: the number that each text begins with; None for none.
        index_from: added to each word.

    Returns:
        The texts with ids instead of ranks.

    Example:
        >>> texts = join(np.array([[1, 2], [3]], dtype=object), np.array([0, 1]), "x")
        >>> shift(texts, 1, 3).ids.tolist()
        [1, 4, 5, 1, 6]
    """
    ids = texts.ids + (index_from or 0)
    if start_char is None:
        return Texts(ids, texts.ends, texts.labels)
    starts = texts.ends - texts.lengths
    ids = np.insert(ids, starts, start_char)
    return Texts(ids, texts.ends + np.arange(1, len(starts) + 1), texts.labels)


def shorter_than(texts: Texts, maxlen: int | None) -> Texts:
    """Leaves out long texts.

    Args:
        texts: texts with their first characters.
        maxlen: only shorter ones stay; None for all.

    Returns:
        The texts that are left.

    Raises:
        ValueError: none is left.

    Example:
        >>> texts = join(np.array([[1, 2], [3]], dtype=object), np.array([0, 1]), "x")
        >>> shorter_than(texts, 2).labels.tolist()
        [1]
    """
    if not maxlen:
        return texts
    lengths = texts.lengths
    stay = lengths < maxlen
    if not stay.any():
        raise ValueError(
            explain(
                f"After filtering for sequences shorter than maxlen={maxlen}, no sequence was kept",
                expected=f"maxlen of at least {lengths.min(initial=maxlen) + 1}",
                hint="Increase maxlen.",
            )
        )
    return Texts(texts.ids[np.repeat(stay, lengths)], np.cumsum(lengths[stay]), texts.labels[stay])


def limit(texts: Texts, num_words: int, skip_top: int, oov_char: int | None) -> Texts:
    """Replaces rare and frequent words.

    Args:
        texts: words by id.
        num_words: ids from here on are replaced.
        skip_top: ids below are replaced.
        oov_char: by what; None to leave them out.

    Returns:
        Texts of ids from `skip_top` to `num_words - 1`.

    Example:
        >>> texts = join(np.array([[1, 2], [3]], dtype=object), np.array([0, 1]), "x")
        >>> limit(texts, 3, 2, oov_char=0).ids.tolist()
        [0, 2, 0]
        >>> limit(texts, 3, 2, oov_char=None).ends.tolist()
        [1, 1]
    """
    stay = (skip_top <= texts.ids) & (texts.ids < num_words)
    if oov_char is not None:
        return Texts(np.where(stay, texts.ids, oov_char), texts.ends, texts.labels)
    before = np.concatenate([[0], np.cumsum(stay)])
    return Texts(texts.ids[stay], before[texts.ends], texts.labels)


def largest(*parts: Texts) -> int:
    """The largest id of all texts, 0 where there is none."""
    return max(int(texts.ids.max(initial=0)) for texts in parts)


def rows(texts: Texts) -> np.ndarray:
    """The texts as lists, in an array of objects of shape (texts,).

    Example:
        >>> rows(join(np.array([[1, 2], [3]], dtype=object), np.array([0, 1]), "x")).tolist()
        [[1, 2], [3]]
    """
    found = np.empty(len(texts.ends), dtype=object)
    ids, start = texts.ids.tolist(), 0
    for i, end in enumerate(texts.ends.tolist()):
        found[i], start = ids[start:end], end
    return found

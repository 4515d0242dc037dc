"""Shuffles rows and cuts them into a training and a test part, as Keras does."""

from __future__ import annotations

import numpy as np

from kgraph.errors import explain

Split = tuple[np.ndarray, np.ndarray]


def check_fraction(test_split: float) -> None:
    """Refuses a fraction that leaves nothing to train on.

    Raises:
        ValueError: `test_split` is not in [0, 1).
    """
    if not 0 <= test_split < 1:
        raise ValueError(
            explain("Invalid `test_split` argument", expected="a number in [0, 1)", got=test_split)
        )


def shuffled(x: np.ndarray, y: np.ndarray, generator: np.random.RandomState) -> Split:
    """Rows in a random order.

    Args:
        x: rows.
        y: their labels.
        generator: draws the order; its state moves on.

    Returns:
        `x, y` in the new order.

    Example:
        >>> x, y = shuffled(np.arange(4), np.arange(4), np.random.RandomState(113))
        >>> x.tolist() == y.tolist()
        True
    """
    order = np.arange(len(x))
    generator.shuffle(order)
    return x[order], y[order]


def cut(x: np.ndarray, y: np.ndarray, test_split: float) -> tuple[Split, Split]:
    """The last fraction of the rows becomes the test part.

    Args:
        x: rows.
        y: their labels.
        test_split: the fraction.

    Returns:
        `(x_train, y_train), (x_test, y_test)`.

    Example:
        >>> (x, _), (x_test, _) = cut(np.arange(5), np.arange(5), 0.2)
        >>> x.tolist(), x_test.tolist()
        ([0, 1, 2, 3], [4])
    """
    place = int(len(x) * (1 - test_split))
    return (x[:place], y[:place]), (x[place:], y[place:])

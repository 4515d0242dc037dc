"""The bundled digits are what the UCI repository publishes."""

import numpy as np
import pytest

from kgraph.datasets import digits


def test_digits_match_the_published_counts():
    (x_train, y_train), (x_test, y_test) = digits.load_data()
    x, y = np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test])
    assert x.shape == (1797, 8, 8)
    assert x.dtype == y.dtype == np.uint8
    assert x.max() == 16
    # Class counts of optdigits.tes as published.
    assert np.bincount(y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert x[0].sum() == 294
    assert y[:10].tolist() == list(range(10))


def test_bad_split_is_refused():
    with pytest.raises(ValueError, match="test_split must be in"):
        digits.load_data(1.0)

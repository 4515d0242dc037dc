"""to_categorical and normalize, under all their import paths."""

import keras
import numpy as np
import pytest

import kgraph.utils
from kgraph.utils import np_utils, to_categorical


def test_one_hot_rows():
    found = to_categorical([0, 2, 1])
    np.testing.assert_array_equal(found, np.eye(3)[[0, 2, 1]])
    assert found.dtype == np.float32
    assert to_categorical(np.array([[3], [1]]), 10).shape == (2, 10)
    assert to_categorical(np.zeros((2, 3, 1)), 4, dtype="int32").shape == (2, 3, 4)
    assert to_categorical([1.0, 0.0]).shape == (2, 2)
    assert to_categorical(2).tolist() == [0, 0, 1]
    assert to_categorical([], 3).shape == (0, 3)


@pytest.mark.parametrize("shape", [(7,), (7, 1), (2, 3), (2, 3, 1), (1,)])
def test_like_keras(shape):
    y = np.random.randint(5, size=shape)
    np.testing.assert_array_equal(to_categorical(y, 5), keras.utils.to_categorical(y, 5))


def test_wrong_classes_are_named():
    with pytest.raises(IndexError, match="class 7 is out of range") as caught:
        to_categorical([0, 7], 5)
    assert "0 to 4" in str(caught.value)
    with pytest.raises(IndexError, match="class -1 is out of range"):
        to_categorical([0, -1])


@pytest.mark.parametrize(("axis", "order"), [(-1, 2), (0, 2), (1, 1), (-1, np.inf)])
def test_normalize(axis, order):
    x = np.random.normal(size=(4, 5))
    x[2] = 0
    found = np_utils.normalize(x, axis, order)
    norms = np.linalg.norm(found, order, axis)
    np.testing.assert_allclose(norms[np.linalg.norm(x, order, axis) > 0], 1)
    np.testing.assert_array_equal(found[2], 0)


def test_the_lazy_face():
    assert kgraph.utils.np_utils is np_utils
    assert kgraph.utils.normalize is np_utils.normalize
    assert "to_categorical" in dir(kgraph.utils)
    with pytest.raises(AttributeError, match="no attribute 'to_category'"):
        kgraph.utils.to_category  # noqa: B018

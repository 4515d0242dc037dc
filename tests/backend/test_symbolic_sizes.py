"""What K.shape gives: sizes that calculate, and take the place of tensors and of shapes."""

import numpy as np
import pytest
from both_ways import normal

from kgraph import backend as K
from kgraph.ir import Node


@pytest.fixture
def x():
    return K.placeholder((None, 4, 6))


def run(x, output):
    return K.function([x], [output])([normal(3, 4, 6)])[0]


def test_sizes_calculate(x):
    shape = K.shape(x)
    assert K.int_shape(x) == (None, 4, 6)
    assert shape[1:] == (4, 6)
    assert shape[1:] * 2 == (8, 12)
    assert 2 + shape[1:] == (6, 8) == shape[1:] + 2
    assert shape[1:] // 2 == (2, 3)
    assert shape[1:] - (1, 2) == (3, 4)
    assert shape[::-1][:2] == (6, 4)
    assert K.prod(shape[1:]) == 24
    assert K.concatenate([shape[:1], [7], shape[2:]])[1:] == (7, 6)
    assert K.stack([shape[0], -1])[1] == -1
    with pytest.raises(ValueError, match=r"K\.concatenate joins shapes"):
        shape + (1,)  # noqa: RUF005


def test_sizes_as_tensors(x):
    shape = K.shape(x)
    assert run(x, K.cast(shape[0], "float32") / 2) == 1.5
    assert run(x, K.cast(shape[1:3][::-1], "float32")).tolist() == [6, 4]
    assert run(x, K.sum(x) / K.cast(K.prod(shape), "float32")) == pytest.approx(
        normal(3, 4, 6).mean()
    )
    assert run(x, K.square(shape)).tolist() == [9, 16, 36]
    assert run(x, K.stack([K.cast(shape[0], "int64"), shape[1]])).tolist() == [3, 4]
    assert run(x, K.equal(shape[0], 3))
    assert K.dtype(shape) == "int64"


def test_sizes_as_shapes(x):
    shape = K.shape(x)
    flat = K.reshape(x, (shape[0] * shape[1], -1))
    assert run(x, flat).shape == (12, 6)
    assert run(x, K.reshape(x, K.concatenate([shape[:1], [24]]))).shape == (3, 24)
    assert run(x, K.reshape(x, K.stack([-1, K.prod(shape[1:])]))).shape == (3, 24)
    assert run(x, K.reshape(x, [K.cast(shape[0], "int32"), 24])).shape == (3, 24)
    assert run(x, K.tile(x[:1], [shape[0], 1, 1])).shape == (3, 4, 6)
    grid = K.tile(K.reshape(K.arange(0, stop=shape[1]), [-1, 1, 1]), [1, shape[2], 1])
    assert run(x, K.cast(grid, K.dtype(x)) + x[:1, 0, 0]).shape == (4, 6, 1)
    with pytest.raises(TypeError, match="A size cannot depend on the values"):
        K.reshape(x, (K.cast(K.sum(x), "int32"), -1))


def test_arithmetic_with_tensors_is_that_of_tensors(x):
    total = K.sum(x, axis=[0, 1]) * K.shape(K.constant(np.ones((1, 6))))[1]
    assert isinstance(total, Node)
    assert run(x, total).shape == (6,)


def test_sizes_beside_tensors(x):
    batch = K.shape(x)[0]
    mean = K.sum(x, axis=0)
    for found in (mean * batch, batch * mean):
        np.testing.assert_allclose(run(x, found), normal(3, 4, 6).sum(0) * 3, rtol=1e-5)
    np.testing.assert_allclose(run(x, (1 - batch) + mean), normal(3, 4, 6).sum(0) - 2, rtol=1e-5)
    np.testing.assert_allclose(run(x, batch - mean / batch), 3 - normal(3, 4, 6).mean(0), rtol=1e-5)

"""Variables, placeholders, constants and random tensors; reading, writing and updating them."""

import numpy as np
import pytest
from both_ways import normal

from kgraph import backend as K
from kgraph.layers import Input


def test_variables():
    v = K.variable(np.float64([[1, 2]]), name="v")
    assert (v.name, K.dtype(v), K.int_shape(v)) == ("v", "float32", (1, 2))
    assert K.is_variable(v)
    assert K.is_tensor(v)
    assert not K.is_placeholder(v)
    assert not K.is_keras_tensor(v)
    assert K.count_params(v) == K.size(v) == 2
    assert K.get_variable_shape(v) == (1, 2)
    assert K.variable(3, dtype="int32").dtype == "int32"
    np.testing.assert_array_equal(K.eval(K.square(v) + v), [[2, 6]])
    with pytest.raises(TypeError, match="starts from numbers"):
        K.variable(K.placeholder((2,)))


def test_reading_and_writing():
    v, w = K.variable([1.0, 2.0]), K.variable(0.5)
    assert isinstance(K.get_value(w), np.float32)
    K.batch_set_value([(v, [3, 4]), (w, 2)])
    assert [a.tolist() for a in K.batch_get_value([v, w])] == [[3, 4], 2]
    K.set_value(v, K.variable([7.0, 8.0]))
    assert K.get_value(v).tolist() == [7, 8]
    assert K.get_value(3.5) == 3.5
    with pytest.raises(ValueError, match="Cannot assign"):
        K.set_value(v, [1.0])
    with pytest.raises(TypeError, match=r"K\.set_value changes variables"):
        K.set_value(v * 2, [1.0, 2.0])
    with pytest.raises(TypeError, match=r"K\.eval\(x\) computes"):
        K.get_value(v * 2)


def test_updates():
    v = K.variable([1.0, 2.0])
    pending = K.update_add(v, 1)
    assert K.get_value(v).tolist() == [1, 2]
    assert K.eval(pending).tolist() == [2, 3]
    assert K.eval(K.update_sub(v, [1, 2])).tolist() == [1, 1]
    assert K.eval(K.update(v, [4, 8])).tolist() == [4, 8]
    assert K.eval(K.moving_average_update(v, [0, 0], 0.75)).tolist() == [3, 6]
    x = K.placeholder((2,))
    step = K.function([x], [v], updates=[K.update_add(v, x)])
    assert step([[1, 1]])[0].tolist() == [3, 6]
    assert K.get_value(v).tolist() == [4, 7]


def test_placeholders():
    x = K.placeholder((None, 3, None))
    assert K.int_shape(x) == (None, 3, None)
    assert K.ndim(K.placeholder(ndim=4)) == 4
    assert K.is_placeholder(x)
    assert K.is_placeholder(Input((2,)))
    assert K.is_keras_tensor(Input((2,)))
    assert not K.is_keras_tensor(x)
    assert not K.is_sparse(x)
    assert K.to_dense(x) is x
    with pytest.raises(ValueError, match="no symbolic tensor"):
        K.is_keras_tensor(np.ones(2))
    with pytest.raises(ValueError, match="needs a shape"):
        K.placeholder()
    with pytest.raises(ValueError, match="dense tensors only"):
        K.placeholder((2,), sparse=True)


def test_filled():
    x = K.placeholder((None, 3))
    assert K.is_variable(K.zeros((2, 3)))
    assert K.eval(K.ones((2, 3), "int32")).tolist() == [[1] * 3] * 2
    assert K.function([x], [K.zeros(K.shape(x))])([normal(4, 3)])[0].tolist() == [[0] * 3] * 4
    assert K.eval(K.eye((2, 3))).tolist() == np.eye(2, 3).tolist()
    assert K.eval(K.constant([1, 2, 3, 4], shape=(2, 2))).tolist() == [[1, 2], [3, 4]]
    assert K.eval(K.constant(5, "int32", (2,))).tolist() == [5, 5]


@pytest.mark.parametrize("bounds", [(5,), (2, 7), (7, 2, -2), (0, 1, 0.25), (1, 1)])
def test_arange(bounds):
    dtype = "float32" if isinstance(bounds[-1], float) else "int32"
    step = bounds[2] if len(bounds) == 3 else 1
    ends = bounds[:2]
    found = K.eval(K.arange(*ends, step=step, dtype=dtype))
    np.testing.assert_array_equal(found, np.arange(*ends, step=step).astype(dtype))


@pytest.mark.parametrize("n", [0, 1, 5, 6])
def test_ranges_of_unknown_length(n):
    x = K.placeholder((None, 2))
    size = K.shape(x)[0]
    outputs = [K.arange(size), K.arange(0, size, 2), K.arange(1, size + 1, dtype="float32")]
    found = K.function([x], outputs)([normal(n, 2)])
    assert [a.tolist() for a in found] == [[*range(n)], [*range(0, n, 2)], [*range(1, n + 1)]]


def test_random_tensors_draw_anew():
    x = K.placeholder((None,))
    tensors = [
        K.random_normal((3000,), 2.0, 0.5),
        K.random_uniform((3000,), -1, 3),
        K.random_binomial((3000,), 0.25),
        K.truncated_normal((3000,), 1.0, 2.0),
        K.random_uniform((3000,), 0, 4, dtype="int32"),
        K.random_normal(shape=(K.shape(x)[0], 2)),
    ]
    draw = K.function([x], tensors)
    first, second = draw([normal(3000)]), draw([normal(3000)])
    assert all((a != b).any() for a, b in zip(first, second))
    moments = [
        (2, 0.5),
        (1, 4 / 12**0.5),
        (0.25, 0.1875**0.5),
        (1, 2 * 0.88),
        (1.5, 1.25**0.5),
        (0, 1),
    ]
    for drawn, (mean, spread) in zip(first, moments):
        assert drawn.mean() == pytest.approx(mean, abs=0.1)
        assert drawn.std() == pytest.approx(spread, rel=0.06)
    assert abs(first[3] - 1).max() <= 4
    assert set(first[4]) == {0, 1, 2, 3}
    noise = K.random_normal((5,))
    assert (K.eval(noise) != K.eval(noise)).any()
    assert K.eval(K.random_normal((2,), seed=3)).shape == (2,)


def test_random_variables():
    assert abs(K.get_value(K.random_uniform_variable((50,), 2, 3)) - 2.5).max() <= 0.5
    spread = K.get_value(K.random_normal_variable((2000,), 1, 3, seed=1))
    assert (spread.mean(), spread.std()) == pytest.approx((1, 3), rel=0.15)

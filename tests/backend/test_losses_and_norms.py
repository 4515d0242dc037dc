"""Cross-entropies, normalizations, dropout and biases of K, against Keras 3 and NumPy."""

import keras
import numpy as np
import pytest
import scipy.special
from both_ways import both, normal

from kgraph import backend as K

LOGITS = normal(4, 5)
ONE_HOT = np.eye(5, dtype="float32")[[0, 3, 1, 1]]
IDS = np.int32([0, 3, 1, 1])


@pytest.mark.parametrize("from_logits", [False, True])
@pytest.mark.parametrize("axis", [-1, 0])
def test_categorical(from_logits, axis):
    output = LOGITS if from_logits else abs(LOGITS)
    x, y = (output, ONE_HOT) if axis == -1 else (output.T.copy(), ONE_HOT.T.copy())
    found = both(lambda t, o: K.categorical_crossentropy(t, o, from_logits, axis), y, x)
    p = scipy.special.softmax(output, -1) if from_logits else output / output.sum(1, keepdims=True)
    expected = -np.log(np.clip(p, 1e-7, 1)[range(4), IDS])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    sparse = both(lambda t, o: K.sparse_categorical_crossentropy(t, o, from_logits, axis), IDS, x)
    np.testing.assert_allclose(sparse, expected, rtol=1e-5, atol=1e-6)
    column = np.expand_dims(IDS, axis).astype("float32")
    again = both(lambda t, o: K.sparse_categorical_crossentropy(t, o, from_logits, axis), column, x)
    np.testing.assert_allclose(again, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("from_logits", [False, True])
def test_binary(from_logits):
    output = LOGITS if from_logits else scipy.special.expit(LOGITS)
    output[0, 0] = 200 if from_logits else 1
    found = both(lambda t, o: K.binary_crossentropy(t, o, from_logits), ONE_HOT, output)
    expected = keras.ops.binary_crossentropy(ONE_HOT, output, from_logits)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-6)


def test_targets_of_other_dtypes():
    found = both(K.binary_crossentropy, ONE_HOT.astype("int32"), scipy.special.expit(LOGITS))
    assert found.dtype == "float32"


def test_in_top_k():
    scores = np.float32([[1, 5, 3], [4, 4, 4], [np.nan, 1, 2], [3, 2, np.inf]])
    targets = np.int32([2, 0, 0, 2])
    np.testing.assert_array_equal(
        both(lambda p, t: K.in_top_k(p, t, 1), scores, targets), [0, 1, 0, 0]
    )
    np.testing.assert_array_equal(
        both(lambda p, t: K.in_top_k(p, t, 2), scores[:2], targets[:2]), [1, 1]
    )


def test_batch_normalization():
    x, mean, var = normal(2, 3, 4), normal(4), abs(normal(4, seed=1))
    found = both(lambda v: K.batch_normalization(v, mean, var, mean, var), x)
    np.testing.assert_allclose(
        found, (x - mean) / np.sqrt(var + 1e-3) * var + mean, rtol=1e-4, atol=1e-5
    )
    swapped = K.batch_normalization(x.transpose(0, 2, 1), mean, var, mean, var, axis=1)
    np.testing.assert_allclose(swapped, found.transpose(0, 2, 1), rtol=1e-5, atol=1e-6)
    plain = K.batch_normalization(x, mean[None, None], var[None, None], epsilon=0.5)
    np.testing.assert_allclose(plain, (x - mean) / np.sqrt(var + 0.5), rtol=1e-5, atol=1e-6)


def test_normalize_batch_in_training():
    x, gamma, beta = normal(6, 3, 4), normal(3), normal(3, seed=1)
    function = lambda v: K.normalize_batch_in_training(v, gamma, beta, [0, -1])[0]  # noqa: E731
    found = both(function, x, batch=True)
    mean, var = x.mean((0, 2)), x.var((0, 2))
    expected = (x - mean[:, None]) / np.sqrt(var + 1e-3)[:, None] * gamma[:, None] + beta[:, None]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    _, got_mean, got_var = K.normalize_batch_in_training(x, None, None, [0, 2])
    np.testing.assert_allclose(got_mean, mean, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(got_var, var, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("shape", [(4,), (2, 3, 4)])
def test_bias_add(shape):
    x, bias = normal(5, 2, 3, 4), normal(*shape)
    found = both(K.bias_add, x, bias)
    np.testing.assert_allclose(found, x + bias, rtol=1e-6)
    other = K.bias_add(np.moveaxis(x, -1, 1), bias, "channels_first")
    np.testing.assert_allclose(other, np.moveaxis(found, -1, 1), rtol=1e-6)
    with pytest.raises(ValueError, match=r"K\.bias_add"):
        K.bias_add(x, normal(3, 4))


def test_dropout():
    x = K.placeholder((None, 200))
    dropped = K.function([x], [K.dropout(x, 0.25)])([np.ones((20, 200))])[0]
    assert set(np.round(dropped, 5).ravel()) == {0, np.float32(1.33333)}
    assert (dropped == 0).mean() == pytest.approx(0.25, abs=0.03)
    rows = K.function([x], [K.dropout(x, 0.5, noise_shape=(None, 1))])([np.ones((50, 200))])[0]
    assert set(rows.sum(1)) == {0, 400}
    assert K.dropout(x, 0) is x
    with pytest.raises(ValueError, match=r"K\.dropout"):
        K.dropout(x, 1)

"""LeakyReLU, PReLU, ELU, ThresholdedReLU, Softmax, ReLU against Keras 3 and the formulas."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, mask_values, random, step

from kgraph import layers
from kgraph.layers import Dense, Input, Masking
from kgraph.layers.serialization import deserialize
from kgraph.models import Sequential

X = random(3, 4, 5)
CASES = [
    ("LeakyReLU", {}, {}),
    ("LeakyReLU", {"alpha": 0.1}, {"negative_slope": 0.1}),
    ("PReLU", {}, {}),
    ("PReLU", {"shared_axes": [1]}, {"shared_axes": [1]}),
    ("PReLU", {"alpha_initializer": "ones", "shared_axes": 2},
     {"alpha_initializer": "ones", "shared_axes": 2}),
    ("ELU", {"alpha": 0.7}, {"alpha": 0.7}),
    ("Softmax", {}, {}),
    ("Softmax", {"axis": 1}, {"axis": 1}),
    ("Softmax", {"axis": [1, 2]}, {"axis": [1, 2]}),
    ("ReLU", {}, {}),
    ("ReLU", {"max_value": 0.7}, {"max_value": 0.7}),
    ("ReLU", {"max_value": 0.9, "negative_slope": 0.2, "threshold": 0.4},
     {"max_value": 0.9, "negative_slope": 0.2, "threshold": 0.4}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "mine", "theirs"), CASES)
def test_like_keras(name, mine, theirs):
    layer, other = getattr(layers, name)(**mine), getattr(keras.layers, name)(**theirs)
    check_like_keras(layer, other, X)
    check_config(layer)
    assert layer.output_shape == layer.compute_output_shape((None, 4, 5)) == (None, 4, 5)
    again = deserialize({"class_name": name, "config": keras_2_and_3(other.get_config())})
    np.testing.assert_allclose(again(X), type(layer).from_config(layer.get_config())(X))


def keras_2_and_3(config):
    """Keras 3's configuration with its dtype as a name."""
    return {**config, "dtype": "float32"}


def test_thresholded_relu():
    layer = layers.ThresholdedReLU(0.4)
    found = step(layer, X)
    np.testing.assert_array_equal(found["output"], np.where(X > 0.4, X, 0))
    slope = np.where(X > 0.4, np.cos(X), 0)
    np.testing.assert_allclose(found["input_gradients"][0], slope, 1e-5, 1e-6)
    check_config(layer)


def test_prelu_weights():
    layer = layers.PReLU(shared_axes=[1, 2], alpha_regularizer="l2", alpha_constraint="nonneg")
    model = Sequential([Input((None, None, 6)), layer])
    assert layer.alpha.shape == (1, 1, 6)
    assert model.predict(random(2, 3, 4, 6)).shape == (2, 3, 4, 6)
    check_config(layer)
    with pytest.raises(ValueError, match="slope for each place of an unknown size"):
        layers.PReLU()(Input((None, 3)))
    with pytest.raises(ValueError, match="shared_axes \\[3\\] do not exist"):
        layers.PReLU(shared_axes=3)(Input((2, 3)))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_softmax_of_chosen_entries(dtype):
    x = random(2, 5).astype(dtype)
    mask = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0]], bool)
    found = layers.Softmax(dtype=dtype)(x, mask=mask)
    expected = keras.layers.Softmax(dtype=dtype)(x, mask=mask)
    np.testing.assert_allclose(found, expected, 1e-3)
    assert (found[~mask] == 0).all()
    row = layers.Softmax()(x, mask=mask[:1])
    np.testing.assert_allclose(row[1], layers.Softmax()(x, mask=mask[[0, 0]])[1])
    with pytest.raises(ValueError, match="must be broadcastable to `inputs`"):
        layers.Softmax()(x, mask=np.ones((2, 4), bool))


def test_softmax_passes_masks_of_steps_on():
    tensor = Input((4, 3))
    masked = Masking()(tensor)
    layer = layers.Softmax()
    assert layer(masked)._keras_shape == (None, 4, 3)
    x, mask = random(2, 4, 3), np.array([[1, 1, 0, 0], [1, 1, 1, 1]], bool)
    np.testing.assert_array_equal(mask_values(layer, [x], [mask]), mask)
    np.testing.assert_allclose(layer(x, mask=mask), layer(x))


def test_masks_pass():
    for layer in (layers.LeakyReLU(), layers.ReLU(), layers.ELU(), layers.PReLU()):
        mask = np.array([[1, 0, 1, 1]] * 3, bool)
        np.testing.assert_array_equal(mask_values(layer, [X], [mask]), mask)


def test_slopes_by_either_name():
    assert layers.LeakyReLU(negative_slope=0.1).alpha == 0.1
    assert layers.LeakyReLU().get_config()["alpha"] == 0.3
    model = Sequential([Dense(2, input_dim=3, kernel_initializer="ones"), layers.LeakyReLU(0.5)])
    assert model.predict(-np.ones((1, 3))).tolist() == [[-1.5, -1.5]]


def test_configurations_of_keras_1():
    layer = deserialize({"class_name": "PReLU", "config": {"init": "one", "shared_axes": [1]}})
    assert layer(Input((3,))) is not None
    assert layer.alpha.numpy().tolist() == [1]


def test_errors():
    with pytest.raises(ValueError, match="max_value of a ReLU layer cannot be a negative value"):
        layers.ReLU(max_value=-1)
    with pytest.raises(ValueError, match="threshold of a ReLU layer cannot be a negative value"):
        layers.ReLU(threshold=None)
    with pytest.raises(ValueError, match="theta of a ThresholdedReLU layer cannot be a negative"):
        layers.ThresholdedReLU(-1)
    with pytest.raises(ValueError, match="slope of a LeakyReLU layer cannot be None"):
        layers.LeakyReLU(None)

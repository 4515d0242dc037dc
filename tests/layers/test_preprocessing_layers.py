"""Identity, Rescaling, Normalization, CategoryEncoding, Discretization against Keras 3."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, mask_values, random

from kgraph import config, layers
from kgraph.layers import Dense, Input
from kgraph.layers.serialization import deserialize
from kgraph.models import Sequential

X = random(4, 3, 5)
SPREAD = X[1] ** 2 + 0.1
IDS = np.array([[0, 3, 3], [1, 2, 3], [4, 4, 4]])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("Identity", {}),
        ("Rescaling", {"scale": 0.5, "offset": -1.0}),
        ("Rescaling", {"scale": [1.0, 2, 3, 4, 5], "offset": [5.0, 4, 3, 2, 1]}),
        ("Normalization", {"axis": None, "mean": 0.5, "variance": 4.0}),
        ("Normalization", {"mean": [1.0, 2, 3, 4, 5], "variance": [1.0, 4, 9, 4, 1]}),
        ("Normalization", {"axis": (1, 2), "mean": X[0].tolist(), "variance": SPREAD.tolist()}),
        ("Normalization", {"axis": 1, "mean": [1.0, 2, 3], "variance": [1.0, 4, 9], "invert": 1}),
    ],
)  # fmt: skip
def test_like_keras(name, arguments):
    mine, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    check_like_keras(mine, theirs, X)
    check_config(mine)
    assert mine.output_shape == mine.compute_output_shape((None, 3, 5)) == (None, 3, 5)
    mask = np.ones((4, 3), bool)
    np.testing.assert_array_equal(mask_values(mine, [X], [mask]), mask)


def test_rescaling_of_bytes_and_channels_first():
    found = layers.Rescaling(1 / 255)(np.array([0, 255], "uint8"))
    assert (found.dtype, found.tolist()) == ("float32", [0, 1])
    config.set_image_data_format("channels_first")
    try:
        y = layers.Rescaling([1.0, 2, 3])(np.ones((1, 3, 2, 2), "float32"))
        assert y[0, :, 0, 0].tolist() == [1, 2, 3]
    finally:
        config.set_image_data_format("channels_last")


@pytest.mark.parametrize("axis", [-1, None, 1, (1, 2)])
@pytest.mark.parametrize("invert", [False, True])
def test_adapt_like_keras(axis, invert):
    mine = layers.Normalization(axis, invert=invert)
    theirs = keras.layers.Normalization(axis, invert=invert)
    mine.adapt(X)
    theirs.adapt(X)
    np.testing.assert_allclose(mine(X), theirs(X), 1e-4, 1e-5)
    for a, b in zip(mine.get_weights(), theirs.weights, strict=True):
        np.testing.assert_allclose(a, b.value, 1e-5, 1e-6)
    batches = layers.Normalization(axis, invert=invert)
    batches.adapt(X[i : i + 3] for i in range(0, 4, 3))
    np.testing.assert_allclose(batches(X), mine(X), 1e-4, 1e-5)
    assert not mine.trainable_weights


def test_a_model_sees_what_its_layer_adapts_to_later():
    layer = layers.Normalization(input_shape=(2,))
    model = Sequential([layer, Dense(1, kernel_initializer="ones")])
    x = np.array([[1.0, 10], [3, 30]])
    assert model.predict(x).ravel().tolist() == [11, 33]
    layer.adapt(x)
    assert model.predict(x).ravel().tolist() == [-2, 2]


def test_no_variance_at_all():
    layer = layers.Normalization(axis=None, mean=1.0, variance=0.0)
    assert layer(np.array([1.0, 2.0], "float32")).tolist() == [0, np.float32(1) / np.float32(1e-7)]


def test_normalization_errors():
    with pytest.raises(ValueError, match="both `mean` and `variance` must be set"):
        layers.Normalization(mean=1.0)
    with pytest.raises(ValueError, match="must have the same shape"):
        layers.Normalization(mean=[1.0, 2.0], variance=[1.0])
    with pytest.raises(ValueError, match=r"must be in the range \[-ndim, ndim\)"):
        layers.Normalization(3)(Input((2,)))
    with pytest.raises(ValueError, match="to be kept must have a known shape"):
        layers.Normalization()(Input((None,)))
    with pytest.raises(ValueError, match="was given its mean"):
        layers.Normalization(axis=None, mean=1.0, variance=1.0).adapt(X)
    layer = layers.Normalization()
    layer.adapt(X)
    with pytest.raises(ValueError, match="received data of another shape"):
        layer.adapt(X[..., :2])
    for nothing in ([], X[:0]):
        with pytest.raises(ValueError, match=r"adapt\(\) received no data"):
            layers.Normalization().adapt(nothing)


@pytest.mark.parametrize("mode", ["multi_hot", "count", "one_hot"])
@pytest.mark.parametrize("ids", [IDS, IDS[:, :1], IDS[0, :1][None], IDS[:0]])
def test_category_encoding_like_keras(mode, ids):
    layer = layers.CategoryEncoding(5, mode)
    expected = np.asarray(keras.layers.CategoryEncoding(5, output_mode=mode)(ids))
    found = layer(ids)
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(layer(ids.astype("float32")), expected)
    check_config(layer)


def test_weighted_counts_and_ids_out_of_range():
    weights = random(3, 3)
    found = layers.CategoryEncoding(5, "count")(IDS, count_weights=weights)
    expected = keras.layers.CategoryEncoding(5, output_mode="count")(IDS, count_weights=weights)
    np.testing.assert_allclose(found, expected, 1e-6)
    assert layers.CategoryEncoding(2, "one_hot")(np.array([[2], [-1]])).tolist() == [[0, 0], [0, 0]]
    old = {"class_name": "CategoryEncoding", "config": {"num_tokens": 3, "output_mode": "binary"}}
    assert deserialize(old).output_mode == "multi_hot"


def test_category_encoding_errors():
    for wrong in (None, 0):
        with pytest.raises(ValueError, match="`num_tokens` must be >= 1"):
            layers.CategoryEncoding(wrong)
    with pytest.raises(ValueError, match="Unknown arg for output_mode: both"):
        layers.CategoryEncoding(3, "both")
    with pytest.raises(ValueError, match="`count_weights` is not used"):
        layers.CategoryEncoding(3)(IDS, count_weights=random(3, 3))
    with pytest.raises(ValueError, match="joins the ids of a sample"):
        layers.CategoryEncoding(3)(Input((), dtype="int32"))


@pytest.mark.parametrize("mode", ["int", "multi_hot", "count", "one_hot"])
def test_discretization_like_keras(mode):
    x = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, np.nan]], "float32")
    layer = layers.Discretization([0.0, 1.0, 2.0], output_mode=mode)
    other = keras.layers.Discretization([0.0, 1.0, 2.0], output_mode=mode)
    np.testing.assert_array_equal(layer(x), other(x))
    check_config(layer)


def test_discretization_finds_quantiles():
    x = np.array([[-1.5, 1.0, 3.4, 0.5], [0.0, 3.0, 1.3, 0.0]], "float32")
    layer = layers.Discretization(num_bins=4)
    with pytest.raises(ValueError, match="has no boundaries yet: call `adapt` first"):
        layer(Input((4,)))
    check_config(layer)
    layer.adapt(x)
    # The example of Keras's documentation; Keras needs TensorFlow to run it.
    assert layer(x).tolist() == [[0, 2, 3, 2], [1, 3, 3, 1]]
    np.testing.assert_array_equal(check_config(layer)(x), layer(x))
    with pytest.raises(ValueError, match="cannot adapt: it has been called"):
        layer.adapt(x)
    with pytest.raises(ValueError, match="cannot adapt: it has boundaries already"):
        layers.Discretization([1.0]).adapt(x)
    with pytest.raises(ValueError, match="either `num_bins` or `bin_boundaries`"):
        layers.Discretization()

"""UpSampling, ZeroPadding and Cropping against Keras 3, published numbers and NumPy."""

import keras
import numpy as np
import pytest
from layer_harness import check_config, check_like_keras, random

from kgraph import layers
from kgraph.layers import Input
from kgraph.layers.serialization import deserialize
from kgraph.models import Sequential

SHAPES = {1: (2, 5, 3), 2: (2, 4, 5, 3), 3: (1, 3, 4, 5, 2)}
FIRST = {"data_format": "channels_first"}
CASES = [
    ("UpSampling1D", {"size": 3}),
    ("UpSampling2D", {}),
    ("UpSampling2D", {"size": (1, 3), **FIRST}),
    ("UpSampling2D", {"size": 2, "interpolation": "bilinear"}),
    ("UpSampling2D", {"size": (3, 2), "interpolation": "bilinear", **FIRST}),
    ("UpSampling3D", {"size": (2, 1, 3)}),
    ("ZeroPadding1D", {"padding": (2, 0)}),
    ("ZeroPadding2D", {"padding": (1, 2)}),
    ("ZeroPadding2D", {"padding": ((0, 1), (2, 3)), **FIRST}),
    ("ZeroPadding3D", {"padding": 1}),
    ("Cropping1D", {"cropping": (1, 2)}),
    ("Cropping2D", {"cropping": ((1, 0), (2, 1))}),
    ("Cropping2D", {"cropping": 1, **FIRST}),
    ("Cropping3D", {"cropping": ((0, 1), (1, 1), (2, 0))}),
]


@pytest.mark.parametrize(("name", "arguments"), CASES)
def test_like_keras(name, arguments):
    x = random(*SHAPES[int(name[-2])])
    mine, theirs = getattr(layers, name)(**arguments), getattr(keras.layers, name)(**arguments)
    check_like_keras(mine, theirs, x)
    check_config(mine)
    shape = mine.compute_output_shape((None, *x.shape[1:]))
    assert shape == mine.output_shape == tuple(theirs.compute_output_shape((None, *x.shape[1:])))
    config = {k: v for k, v in theirs.get_config().items() if k not in ("name", "dtype")}
    again = deserialize({"class_name": name, "config": config})
    np.testing.assert_array_equal(again(x), mine(x))


def test_pixels_have_their_centres_half_a_pixel_from_their_edges():
    row = np.array([0, 1], "float32").reshape(1, 1, 2, 1)
    layer = layers.UpSampling2D((1, 2), interpolation="bilinear")
    assert layer(row).ravel().tolist() == [0, 0.25, 0.75, 1]


def test_unknown_sizes_and_small_batches():
    made = [
        layers.UpSampling2D(3),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.ZeroPadding2D((1, 2)),
        layers.Cropping2D(((0, 1), (1, 0))),
    ]
    model = Sequential([Input((None, None, 3)), *made])
    for shape in ((2, 3, 4, 3), (1, 1, 5, 3), (0, 2, 2, 3)):
        x = expected = random(*shape)
        for layer in made:
            expected = type(layer).from_config(layer.get_config())(expected)
        np.testing.assert_allclose(model.predict(x), expected, 1e-5, 1e-6)


def test_dtypes():
    x = np.arange(6).reshape(1, 2, 3, 1)
    assert layers.UpSampling2D()(x).dtype == "int64"
    assert layers.ZeroPadding2D()(x).dtype == "int64"
    for dtype in ("float16", "float64"):
        layer = layers.UpSampling2D(2, interpolation="bilinear", dtype=dtype)
        found = layer(x.astype(dtype))
        assert found.dtype == dtype
        np.testing.assert_allclose(found[0, 0, :, 0], [0, 0.25, 0.75, 1.25, 1.75, 2], 1e-3)


def test_forms_of_arguments():
    assert layers.ZeroPadding1D(2).get_config()["padding"] == (2, 2)
    assert layers.ZeroPadding2D((1, 2)).get_config()["padding"] == ((1, 1), (2, 2))
    assert layers.ZeroPadding3D(1).padding == ((1, 1),) * 3
    assert layers.UpSampling1D(2).get_config()["size"] == 2
    old = {"length": 3, "name": "up"}
    assert deserialize({"class_name": "UpSampling1D", "config": old}).size == 3


def test_errors():
    for wrong in ((1, 2, 3), "two", (1, -1), ((1, 2), (3,)), 1.5):
        with pytest.raises(ValueError, match="`padding` should have 2 elements"):
            layers.ZeroPadding2D(wrong)
        with pytest.raises(ValueError, match="`cropping` should have 3 elements"):
            layers.Cropping3D([wrong, wrong])
    with pytest.raises(ValueError, match="leaves nothing of axis 1"):
        layers.Cropping1D((2, 1))(Input((3, 1)))
    with pytest.raises(ValueError, match="interpolation` argument must be one of"):
        layers.UpSampling2D(interpolation="lanczos")
    with pytest.raises(ValueError, match="`size` argument must be a tuple of 2 integers"):
        layers.UpSampling2D((2, 2, 2))
    with pytest.raises(ValueError, match="expected ndim=3, found ndim=4"):
        layers.ZeroPadding1D()(Input((3, 3, 1)))

"""Convolutions, pools, padding and resizing: against Keras 3, in both axis orders."""

import keras
import numpy as np
import pytest
from both_ways import both, normal

from kgraph import backend as K
from kgraph.errors import InferenceError

IMAGES, SEQUENCES, VOLUMES = normal(2, 5, 6, 3), normal(2, 7, 3), normal(2, 4, 3, 4, 2)
KERNEL, FLAT, CUBE = normal(3, 2, 3, 4), normal(3, 3, 4), normal(2, 2, 2, 2, 3)


def first(x):
    return np.moveaxis(x, -1, 1)


@pytest.mark.parametrize(("function", "name", "x", "kernel", "options"), [
    (K.conv1d, "conv", SEQUENCES, FLAT, {"strides": 2, "padding": "same"}),
    (K.conv1d, "conv", SEQUENCES, FLAT, {"dilation_rate": 2}),
    (K.conv2d, "conv", IMAGES, KERNEL, {"strides": (2, 1), "padding": "valid"}),
    (K.conv2d, "conv", IMAGES, KERNEL, {"padding": "same", "dilation_rate": (2, 1)}),
    (K.conv3d, "conv", VOLUMES, CUBE, {"strides": (1, 2, 1), "padding": "same"}),
    (K.depthwise_conv2d, "depthwise_conv", IMAGES, normal(3, 2, 3, 2), {"padding": "same"}),
])  # fmt: skip
def test_convolutions(function, name, x, kernel, options):
    found = both(lambda v, k: function(v, k, **options), x, kernel)
    expected = getattr(keras.ops, name)(x, kernel, **options)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    channels_first = both(
        lambda v: function(v, kernel, data_format="channels_first", **options), first(x)
    )
    np.testing.assert_allclose(channels_first, first(found), rtol=1e-5, atol=1e-5)


def test_causal_sequences():
    padded = np.pad(SEQUENCES, ((0, 0), (2, 0), (0, 0)))
    found = both(lambda x: K.conv1d(x, FLAT, padding="causal"), SEQUENCES)
    np.testing.assert_allclose(found, K.conv1d(padded, FLAT), rtol=1e-5, atol=1e-5)


def test_separable_convolutions():
    by_channel, mix = normal(3, 2, 3, 2), normal(1, 1, 6, 4, seed=1)
    found = both(lambda x: K.separable_conv2d(x, by_channel, mix, (2, 2), "same"), IMAGES)
    expected = keras.ops.separable_conv(IMAGES, by_channel, mix, (2, 2), "same")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    flat, mix = normal(3, 3, 2), normal(1, 6, 4, seed=1)
    found = both(lambda x: K.separable_conv1d(x, flat, mix, padding="valid"), SEQUENCES)
    expected = keras.ops.separable_conv(SEQUENCES, flat, mix, 1, "valid")
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("padding", "size"), [("same", (10, 12)), ("same", (9, 11)), ("valid", (11, 12))]
)
def test_transposed_convolution_is_the_gradient(padding, size):
    kernel, images = normal(3, 2, 4, 3), normal(2, *size, 4)
    found = both(lambda x: K.conv2d_transpose(x, kernel, (2, *size, 4), (2, 2), padding), IMAGES)
    x = K.placeholder(images.shape)
    product = K.sum(K.conv2d(x, kernel, (2, 2), padding) * K.constant(IMAGES))
    expected = K.function([x], K.gradients(product, x))([images])[0]
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_transposed_convolutions_of_unknown_batches_and_formats():
    kernel, cube = normal(3, 2, 4, 3), normal(2, 2, 2, 3, 2)
    size = (10, 12, 4)
    grown = both(
        lambda x: K.conv2d_transpose(x, kernel, (K.shape(x)[0], *size), (2, 2), "same"),
        IMAGES,
        batch=True,
    )
    other = K.conv2d_transpose(
        first(IMAGES), kernel, (2, 4, 10, 12), (2, 2), "same", "channels_first"
    )
    np.testing.assert_allclose(other, first(grown), rtol=1e-5, atol=1e-5)
    assert (
        both(
            lambda x: K.conv3d_transpose(x, cube, (2, 8, 6, 8, 3), (2, 2, 2), "same"), VOLUMES
        ).shape[1]
        == 8
    )
    with pytest.raises(InferenceError, match="another shape"):
        K.conv2d_transpose(IMAGES, kernel, (2, 20, 12, 4), (2, 2), "same")


@pytest.mark.parametrize("mode", ["max", "avg"])
@pytest.mark.parametrize("padding", ["valid", "same"])
def test_pools(mode, padding):
    name = {"max": "max_pool", "avg": "average_pool"}[mode]
    found = both(lambda x: K.pool2d(x, (2, 3), (2, 1), padding, pool_mode=mode), IMAGES)
    expected = getattr(keras.ops, name)(IMAGES, (2, 3), (2, 1), padding)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    other = K.pool2d(first(IMAGES), (2, 3), (2, 1), padding, "channels_first", mode)
    np.testing.assert_allclose(other, first(found), rtol=1e-6)
    found = both(lambda x: K.pool3d(x, (2, 2, 2), (2, 1, 2), padding, pool_mode=mode), VOLUMES)
    expected = getattr(keras.ops, name)(VOLUMES, (2, 2, 2), (2, 1, 2), padding)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_local_convolutions():
    kernel = normal(4 * 5, 2 * 2 * 3, 4)
    found = both(lambda x: K.local_conv2d(x, kernel, (2, 2), (1, 1), (4, 5)), IMAGES)
    for i, j in [(0, 0), (3, 4), (2, 1)]:
        window = IMAGES[:, i : i + 2, j : j + 2].reshape(2, -1)
        np.testing.assert_allclose(found[:, i, j], window @ kernel[i * 5 + j], rtol=1e-4, atol=1e-5)
    flat = normal(3, 3 * 3, 4)
    found = both(lambda x: K.local_conv1d(x, flat, (3,), (2,)), SEQUENCES)
    expected = SEQUENCES[:, 2:5].reshape(2, -1) @ flat[1]
    np.testing.assert_allclose(found[:, 1], expected, rtol=1e-4, atol=1e-5)


def test_padding():
    pairs = ((1, 2), (0, 3))
    padded = both(lambda x: K.spatial_2d_padding(x, pairs), IMAGES)
    np.testing.assert_array_equal(padded, np.pad(IMAGES, ((0, 0), *pairs, (0, 0))))
    other = K.spatial_2d_padding(first(IMAGES), pairs, "channels_first")
    np.testing.assert_array_equal(other, first(padded))
    cube = both(lambda x: K.spatial_3d_padding(x, ((1, 0), (0, 0), (2, 1))), VOLUMES)
    np.testing.assert_array_equal(cube, np.pad(VOLUMES, ((0, 0), (1, 0), (0, 0), (2, 1), (0, 0))))


def test_resizing():
    found = both(lambda x: K.resize_images(x, 2, 3), IMAGES)
    np.testing.assert_array_equal(found, IMAGES.repeat(2, 1).repeat(3, 2))
    other = K.resize_images(first(IMAGES), 2, 3, "channels_first")
    np.testing.assert_array_equal(other, first(found))
    smooth = both(lambda x: K.resize_images(x, 2, 3, interpolation="bilinear"), IMAGES)
    expected = keras.ops.image.resize(IMAGES, (10, 18), interpolation="bilinear")
    np.testing.assert_allclose(smooth, expected, rtol=1e-4, atol=1e-5)
    found = both(lambda x: K.resize_volumes(x, 1, 2, 3), VOLUMES)
    np.testing.assert_array_equal(found, VOLUMES.repeat(2, 2).repeat(3, 3))


def test_words_are_checked():
    with pytest.raises(ValueError, match=r"K\.conv2d: invalid padding"):
        K.conv2d(IMAGES, KERNEL, padding="causal")
    with pytest.raises(ValueError, match=r"K\.pool2d: invalid pool_mode"):
        K.pool2d(IMAGES, 2, pool_mode="sum")

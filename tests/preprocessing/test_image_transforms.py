"""Changes of one image like keras-preprocessing 1.1.2, and their meaning."""

import keras_preprocessing.image as keras2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from same_batches import KERAS2_WARNINGS

from kgraph.preprocessing import image

pytestmark = KERAS2_WARNINGS
LAST = {"row_axis": 0, "col_axis": 1, "channel_axis": 2}
FIRST = {"row_axis": 1, "col_axis": 2, "channel_axis": 0}


def picture(height=9, width=12, channels=3):
    """Random pixels from 0 to 255."""
    rng = np.random.default_rng(0)
    return rng.uniform(0, 255, (height, width, channels)).astype("float32")


ANGLES = st.sampled_from([0, -30, 12.5, 90])
SHIFTS = st.sampled_from([0, 2, -1.5])
ZOOMS = st.sampled_from([1, 0.6, 1.7])


@settings(max_examples=60)
@given(
    ANGLES, SHIFTS, SHIFTS, ANGLES, ZOOMS, ZOOMS,
    st.sampled_from(["nearest", "constant", "reflect", "wrap"]),
    st.sampled_from([0, 1, 3]),
)  # fmt: skip
def test_affine_like_keras(theta, tx, ty, shear, zx, zy, fill_mode, order):
    x = picture()
    arguments = {"fill_mode": fill_mode, "cval": 7.0, "order": order}
    place = (theta, tx, ty, shear, zx, zy)
    expected = keras2.apply_affine_transform(x, *place, **LAST, **arguments)
    found = image.apply_affine_transform(x, *place, **arguments)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)
    assert found.dtype == x.dtype
    first = image.apply_affine_transform(x.transpose(2, 0, 1), *place, **FIRST, **arguments)
    np.testing.assert_array_equal(first.transpose(1, 2, 0), found)


def test_nothing_to_do_returns_the_image():
    x = picture()
    assert image.apply_affine_transform(x) is x


def test_whole_turns_and_shifts():
    x = picture(8, 8)
    # Keras 2's centre of 8 pixels is 4.5, so a half turn maps pixel i to 9 - i.
    np.testing.assert_allclose(
        image.apply_affine_transform(x, theta=180)[2:, 2:], x[::-1, ::-1][:-2, :-2], atol=1e-3
    )
    np.testing.assert_array_equal(image.apply_affine_transform(x, tx=3)[:5], x[3:])
    np.testing.assert_array_equal(image.apply_affine_transform(x, ty=-2)[:, 2:], x[:, :-2])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("random_rotation", (40,)),
        ("random_shift", (0.3, 0.2)),
        ("random_shear", (25,)),
        ("random_zoom", ((0.5, 1.5),)),
        ("random_zoom", ((1, 1),)),
        ("random_channel_shift", (30.0,)),
        ("random_brightness", ((0.3, 1.8),)),
    ],
)
def test_random_changes_like_keras(name, arguments):
    x = picture()
    options = LAST if "brightness" not in name else {}
    options = {"channel_axis": 2} if "channel" in name else options
    for seed in range(3):
        np.random.seed(seed)
        expected = getattr(keras2, name)(x, *arguments, **options)
        rest = np.random.random()
        np.random.seed(seed)
        found = getattr(image, name)(x, *arguments, **options)
        assert np.random.random() == rest  # as many numbers were drawn
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [("random_rotation", (40,)), ("random_shift", (0.3, 0.2)), ("random_zoom", ((0.5, 1.5),))],
)
def test_the_axes_are_heeded(name, arguments):
    x = picture()
    np.random.seed(0)
    last = getattr(image, name)(x, *arguments, **LAST)
    np.random.seed(0)
    first = getattr(image, name)(x.transpose(2, 0, 1), *arguments)
    np.testing.assert_array_equal(first.transpose(1, 2, 0), last)


def test_channel_shift_stays_in_range():
    x = picture()
    found = image.apply_channel_shift(x, 40.0, 2)
    np.testing.assert_array_equal(found, keras2.apply_channel_shift(x, 40.0, 2))
    assert found.max() == x.max()


def test_brightness():
    x = picture()
    expected = keras2.apply_brightness_shift(x, 0.7)
    np.testing.assert_array_equal(image.apply_brightness_shift(x, 0.7), expected)
    first = image.apply_brightness_shift(x.transpose(2, 0, 1), 0.7, data_format="channels_first")
    np.testing.assert_array_equal(first.transpose(1, 2, 0), expected)
    dim = x / 4
    np.testing.assert_array_equal(image.apply_brightness_shift(dim, 1.0, False), np.floor(dim))
    far = image.apply_brightness_shift(x * 3 - 100, 1.0, False)
    np.testing.assert_allclose(far, x * 3 - 100, atol=4)


@given(st.integers(0, 2))
def test_flips_twice_are_nothing(axis):
    x = picture()
    np.testing.assert_array_equal(image.flip_axis(x, axis), keras2.flip_axis(x, axis))
    np.testing.assert_array_equal(image.flip_axis(image.flip_axis(x, axis), axis), x)


def test_pairs_are_pairs():
    with pytest.raises(ValueError, match="`zoom_range` should be a tuple or list of two floats"):
        image.random_zoom(picture(), 0.5)
    with pytest.raises(ValueError, match="`brightness_range` should be a tuple or list"):
        image.random_brightness(picture(), (1, 2, 3))

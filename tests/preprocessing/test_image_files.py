"""Image files and arrays, like keras-preprocessing 1.1.2; resizing like Keras 3."""

import io
import pathlib

import keras
import keras_preprocessing.image as keras2
import numpy as np
import pytest
from PIL import Image
from same_batches import KERAS2_WARNINGS

import kgraph.config
from kgraph.preprocessing.image import (
    array_to_img,
    img_to_array,
    load_img,
    save_img,
    smart_resize,
)
from kgraph.preprocessing.image.extras import need
from kgraph.preprocessing.image.files import INTERPOLATIONS
from kgraph.preprocessing.image.resizing import KERNELS, padded_resize, resize

pytestmark = KERAS2_WARNINGS


def pixels(*shape, top=255.0, seed=0):
    """Random pixels."""
    return np.random.default_rng(seed).uniform(0, top, shape).astype("float32")


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("scale", [True, False])
@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_arrays_to_images_like_keras(channels, scale, data_format):
    x = pixels(5, 7, channels)
    x = x.transpose(2, 0, 1) if data_format == "channels_first" else x
    found = array_to_img(x, data_format, scale)
    expected = keras2.array_to_img(x, data_format, scale)
    assert found.mode == expected.mode
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    back = img_to_array(found, data_format)
    np.testing.assert_array_equal(back, keras2.img_to_array(expected, data_format))
    assert back.shape == x.shape
    assert back.dtype == np.float32


def test_deep_grey_images():
    x = pixels(4, 4, 1, top=3000.0)
    found = array_to_img(x, scale=False)
    assert found.mode == keras2.array_to_img(x, scale=False).mode == "I"
    np.testing.assert_array_equal(img_to_array(found), np.floor(x))
    assert np.asarray(array_to_img(np.zeros((2, 2, 1)))).max() == 0


@pytest.fixture
def picture(tmp_path):
    """The path of a PNG file of 6 by 9 pixels."""
    save_img(tmp_path / "picture.png", pixels(6, 9, 3))
    return tmp_path / "picture.png"


@pytest.mark.parametrize("color_mode", ["rgb", "rgba", "grayscale"])
@pytest.mark.parametrize("interpolation", INTERPOLATIONS)
def test_loading_like_keras(picture, color_mode, interpolation):
    arguments = {"color_mode": color_mode, "interpolation": interpolation}
    for size in (None, (6, 9), (4, 5), (12, 11)):
        found = load_img(picture, target_size=size, **arguments)
        expected = keras2.load_img(str(picture), target_size=size, **arguments)
        np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_loading_from_anywhere(picture):
    expected = img_to_array(load_img(picture, grayscale=True))
    assert expected.shape == (6, 9, 1)
    with picture.open("rb") as file:
        np.testing.assert_array_equal(img_to_array(load_img(file, True)), expected)
    content = io.BytesIO(picture.read_bytes())
    np.testing.assert_array_equal(img_to_array(load_img(content, True)), expected)
    np.testing.assert_array_equal(img_to_array(load_img(str(picture), True)), expected)


@pytest.mark.parametrize("size", [(4, 4), (3, 8), (8, 3), (12, 12)])
def test_cutting_the_middle_like_keras_3(picture, size):
    arguments = {"target_size": size, "keep_aspect_ratio": True, "interpolation": "bilinear"}
    expected = keras.utils.load_img(picture, **arguments)
    found = load_img(picture, **arguments)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))


def test_sixteen_bits_survive(tmp_path):
    deep = np.array([[0, 300], [70, 65535]], dtype="uint16")
    Image.fromarray(deep).save(tmp_path / "deep.png")
    image = load_img(tmp_path / "deep.png", color_mode="grayscale")
    np.testing.assert_array_equal(img_to_array(image)[..., 0], deep)


@pytest.mark.parametrize("ending", ["png", "bmp", "ppm", "tif", "jpg", "jpeg"])
def test_saving_in_every_format(tmp_path, ending):
    x = np.zeros((8, 8, 3))
    x[:, 4:] = 255
    save_img(tmp_path / f"half.{ending}", x)
    back = img_to_array(load_img(tmp_path / f"half.{ending}"))
    np.testing.assert_allclose(back, x, atol=12 if ending.startswith("jp") else 0)


def test_jpeg_has_no_transparency(tmp_path):
    with pytest.warns(UserWarning, match="does not support RGBA images, converting to RGB"):
        save_img(tmp_path / "a.jpg", pixels(4, 4, 4))
    with pytest.warns(UserWarning, match="converting to RGB"):
        save_img(tmp_path / "b", pixels(4, 4, 4), file_format="jpg")
    buffer = io.BytesIO()
    save_img(buffer, pixels(4, 4, 1), file_format="png", optimize=True)
    assert buffer.getvalue().startswith(b"\x89PNG")
    assert pathlib.Path(tmp_path / "b").read_bytes().startswith(b"\xff\xd8")


def test_the_global_settings_hold():
    kgraph.config.set_image_data_format("channels_first")
    kgraph.config.set_floatx("float64")
    try:
        x = img_to_array(array_to_img(pixels(3, 5, 6)))
    finally:
        kgraph.config.set_image_data_format("channels_last")
        kgraph.config.set_floatx("float32")
    assert x.shape == (3, 5, 6)
    assert x.dtype == np.float64


def test_refusals(picture):
    with pytest.raises(ValueError, match="Unknown data_format: last"):
        img_to_array(np.ones((2, 2)), "last")
    with pytest.raises(ValueError, match=r"Unsupported image shape: \(2,\)"):
        img_to_array(np.ones(2))
    with pytest.raises(
        ValueError, match=r"rank 3 \(single image\). Got array with shape: \(2, 2\)"
    ):
        array_to_img(np.ones((2, 2)))
    with pytest.raises(ValueError, match="Unsupported channel number: 2"):
        array_to_img(np.ones((2, 2, 2)))
    with pytest.raises(ValueError, match='color_mode must be "grayscale"'):
        load_img(picture, color_mode="cmyk")
    with pytest.raises(ValueError, match="Invalid interpolation method cubic"):
        load_img(picture, target_size=(2, 2), interpolation="cubic")
    with pytest.raises(FileNotFoundError):
        load_img("nowhere.png")


def test_who_lacks_a_package_learns_how_to_get_it():
    with pytest.raises(ImportError, match=r"needs Pillow.*(\n.*)*pip install 'kgraph\[image\]'"):
        need("PIL.NoSuchModule", "Pillow")


CLOSE = {"rtol": 1e-4, "atol": 1e-2}


@pytest.mark.parametrize("interpolation", ["nearest", *KERNELS])
def test_resizing_like_keras_3(interpolation):
    x, size = pixels(2, 6, 7, 3), (4, 12)
    expected = keras.ops.image.resize(x, size, interpolation, data_format="channels_last")
    np.testing.assert_allclose(resize(x, size, interpolation), expected, **CLOSE)


@pytest.mark.parametrize("size", [(4, 12), (9, 5)])
def test_shapes_like_keras_3(size):
    x, options = pixels(6, 7, 3), {"data_format": "channels_last"}
    expected = keras.ops.image.resize(x, size, crop_to_aspect_ratio=True, **options)
    np.testing.assert_allclose(smart_resize(x, size), expected, **CLOSE)
    expected = keras.ops.image.resize(x, size, pad_to_aspect_ratio=True, **options)
    np.testing.assert_allclose(padded_resize(x, size), expected, **CLOSE)


def test_smart_resize():
    x = pixels(3, 6, 9)
    found = smart_resize(x, (4, 4), data_format="channels_first")
    assert found.shape == (3, 4, 4)
    np.testing.assert_array_equal(
        found, smart_resize(x.transpose(1, 2, 0), (4, 4)).transpose(2, 0, 1)
    )
    with pytest.raises(ValueError, match="tuple of 2 integers, but got: \\(3,\\)"):
        smart_resize(x, (3,))
    with pytest.raises(ValueError, match="incorrect rank"):
        smart_resize(x[0], (3, 3))
    with pytest.raises(ValueError, match="Unknown interpolation: 'area'"):
        smart_resize(x, (3, 3), "area")

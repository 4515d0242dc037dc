"""Random changes of one image: affine ones, colours, brightness, flips.

Numbers are drawn from NumPy's global generator in Keras's order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.preprocessing.image.affine import apply_affine_transform
from kgraph.preprocessing.image.drawing import draw_zoom, pair
from kgraph.preprocessing.image.extras import need
from kgraph.preprocessing.image.files import array_to_img, img_to_array

ImageEnhance = need("PIL.ImageEnhance", "Pillow")


def random_rotation(
    x: np.ndarray, rg: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> np.ndarray:  # fmt: skip
    """Rotates an image by a random angle.

    Args:
        x: an image of three axes.
        rg: the largest angle, in degrees.
        row_axis: axis of x.
        col_axis: axis of x.
        channel_axis: axis of x.
        fill_mode: what lies outside: "nearest", "constant", "reflect" or "wrap".
        cval: what lies outside, for "constant".
        interpolation_order: of the splines that interpolate.

    Returns:
        An array of the same shape.

    Example:
        >>> random_rotation(np.ones((3, 8, 9)), 45).shape
        (3, 8, 9)
    """
    theta = np.random.uniform(-rg, rg)
    return apply_affine_transform(
        x, theta=theta, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_shift(
    x: np.ndarray, wrg: float, hrg: float, row_axis: int = 1, col_axis: int = 2,
    channel_axis: int = 0, fill_mode: str = "nearest", cval: float = 0.0,
    interpolation_order: int = 1,
) -> np.ndarray:  # fmt: skip
    """Shifts an image by random fractions of its sides.

    Args:
        x: an image of three axes.
        wrg: the largest fraction of the width.
        hrg: the largest fraction of the height.
        row_axis: axis of x.
        col_axis: axis of x.
        channel_axis: axis of x.
        fill_mode: what lies outside: "nearest", "constant", "reflect" or "wrap".
        cval: what lies outside, for "constant".
        interpolation_order: of the splines that interpolate.

    Returns:
        An array of the same shape.

    Example:
        >>> random_shift(np.ones((3, 8, 9)), 0.2, 0.2).shape
        (3, 8, 9)
    """
    tx = np.random.uniform(-hrg, hrg) * x.shape[row_axis]
    ty = np.random.uniform(-wrg, wrg) * x.shape[col_axis]
    return apply_affine_transform(
        x, tx=tx, ty=ty, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_shear(
    x: np.ndarray, intensity: float, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> np.ndarray:  # fmt: skip
    """Shears an image by a random angle.

    Args:
        x: an image of three axes.
        intensity: the largest angle, in degrees.
        row_axis: axis of x.
        col_axis: axis of x.
        channel_axis: axis of x.
        fill_mode: what lies outside: "nearest", "constant", "reflect" or "wrap".
        cval: what lies outside, for "constant".
        interpolation_order: of the splines that interpolate.

    Returns:
        An array of the same shape.

    Example:
        >>> random_shear(np.ones((3, 8, 9)), 10).shape
        (3, 8, 9)
    """
    shear = np.random.uniform(-intensity, intensity)
    return apply_affine_transform(
        x, shear=shear, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_zoom(
    x: np.ndarray, zoom_range: Any, row_axis: int = 1, col_axis: int = 2, channel_axis: int = 0,
    fill_mode: str = "nearest", cval: float = 0.0, interpolation_order: int = 1,
) -> np.ndarray:  # fmt: skip
    """Zooms an image by random factors, one an axis.

    Args:
        x: an image of three axes.
        zoom_range: the least and the largest factor; above 1 the content gets smaller.
        row_axis: axis of x.
        col_axis: axis of x.
        channel_axis: axis of x.
        fill_mode: what lies outside: "nearest", "constant", "reflect" or "wrap".
        cval: what lies outside, for "constant".
        interpolation_order: of the splines that interpolate.

    Returns:
        An array of the same shape.

    Raises:
        ValueError: `zoom_range` is no pair.

    Example:
        >>> random_zoom(np.ones((3, 8, 9)), (0.5, 1.5)).shape
        (3, 8, 9)
    """
    low, high = pair("zoom_range", zoom_range)
    zx, zy = draw_zoom(low, high)
    return apply_affine_transform(
        x, zx=zx, zy=zy, row_axis=row_axis, col_axis=col_axis, channel_axis=channel_axis,
        fill_mode=fill_mode, cval=cval, order=interpolation_order,
    )  # fmt: skip


def random_channel_shift(
    x: np.ndarray, intensity_range: float, channel_axis: int = 0
) -> np.ndarray:
    """Adds one random number to all pixels.

    Args:
        x: an image of three axes.
        intensity_range: the largest number.
        channel_axis: axis of x.

    Returns:
        An array of the same shape; nothing leaves the range of x.

    Example:
        >>> random_channel_shift(np.ones((3, 8, 9)), 0.5).max()
        np.float64(1.0)
    """
    intensity = np.random.uniform(-intensity_range, intensity_range)
    return apply_channel_shift(x, intensity, channel_axis)


def apply_channel_shift(x: np.ndarray, intensity: float, channel_axis: int = 0) -> np.ndarray:
    """Adds a number to all pixels.

    Args:
        x: an image of three axes.
        intensity: the number.
        channel_axis: axis of x; all channels are treated alike.

    Returns:
        An array of the same shape; nothing leaves the range of x.

    Example:
        >>> apply_channel_shift(np.array([[[0.0, 1.0, 2.0]]]), 0.5).tolist()
        [[[0.5, 1.5, 2.0]]]
    """
    return np.clip(x + intensity, np.min(x), np.max(x))


def random_brightness(
    x: np.ndarray, brightness_range: Any, scale: bool = True, data_format: str | None = None
) -> np.ndarray:
    """Makes an image brighter or darker by a random factor.

    Args:
        x: an image of three axes.
        brightness_range: the least and the largest factor; 0 is black, 1 changes nothing.
        scale: whether to stretch the values to 0 to 255 first.
        data_format: axis order of x; default the global setting.

    Returns:
        A float array of the same shape, values from 0 to 255.

    Raises:
        ValueError: `brightness_range` is no pair.

    Example:
        >>> random_brightness(np.ones((8, 9, 3)), (0.5, 1.5)).shape
        (8, 9, 3)
    """
    low, high = pair("brightness_range", brightness_range)
    return apply_brightness_shift(x, np.random.uniform(low, high), scale, data_format)


def apply_brightness_shift(
    x: np.ndarray, brightness: float, scale: bool = True, data_format: str | None = None
) -> np.ndarray:
    """Makes an image brighter or darker.

    Args:
        x: an image of three axes.
        brightness: the factor; 0 is black, 1 changes nothing.
        scale: whether to stretch the values to 0 to 255 first, as Keras 2 always does; without,
            values outside are stretched all the same and put back afterwards.
        data_format: axis order of x; default the global setting.

    Returns:
        A float array of the same shape.

    Example:
        >>> x = np.array([[[0.0], [100.0], [255.0]]])
        >>> apply_brightness_shift(x, 0.5)[0, :, 0].tolist()
        [0.0, 50.0, 127.0]
    """
    low, high = np.min(x), np.max(x)
    outside = bool(low < 0 or high > 255)
    image = array_to_img(x, data_format, scale=scale or outside)
    image = ImageEnhance.Brightness(image).enhance(brightness)
    result = img_to_array(image, data_format)
    return result if scale or not outside else result / 255 * (high - low) + low


def flip_axis(x: np.ndarray, axis: int) -> np.ndarray:
    """An image mirrored along an axis.

    Args:
        x: an array.
        axis: the axis that runs backwards.

    Returns:
        A view of x.

    Example:
        >>> flip_axis(np.array([[1, 2], [3, 4]]), 1).tolist()
        [[2, 1], [4, 3]]
    """
    return np.flip(x, axis)

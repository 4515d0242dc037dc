"""Image files and arrays: load, save, convert; Pillow's images in between."""

from __future__ import annotations

import io
import os
import pathlib
import warnings
from typing import Any

import numpy as np

from kgraph.config import floatx, image_data_format
from kgraph.errors import explain
from kgraph.preprocessing.image.extras import need

Image = need("PIL.Image", "Pillow")

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "hamming", "box", "lanczos")
CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}
# Grey images of more than 8 bits keep their values in these modes.
_MODES = {"grayscale": ("L", "I;16", "I"), "rgb": ("RGB",), "rgba": ("RGBA",)}


def known_format(data_format: str | None) -> str:
    """The axis order meant: the argument, or the global setting for None.

    Raises:
        ValueError: there is no such order.
    """
    data_format = image_data_format() if data_format is None else data_format
    if data_format not in ("channels_last", "channels_first"):
        raise ValueError(
            explain(
                f"Unknown data_format: {data_format}",
                expected='"channels_last" or "channels_first"',
            )
        )
    return data_format


def load_img(
    path: Any,
    grayscale: bool = False,
    color_mode: str = "rgb",
    target_size: tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Reads an image file.

    Args:
        path: a path, or an open binary file.
        grayscale: Keras 2.0's way to say `color_mode="grayscale"`.
        color_mode: "grayscale", "rgb" or "rgba".
        target_size: (height, width) to resize to.
        interpolation: of the resizing: nearest, bilinear, bicubic, hamming, box or lanczos.
        keep_aspect_ratio: whether to cut the middle out in the target's shape before resizing.

    Returns:
        A Pillow image.

    Raises:
        ValueError: `color_mode` or `interpolation` is unknown.

    Example:
        >>> save_img("grey.png", np.zeros((4, 6, 1)))
        >>> load_img("grey.png", target_size=(2, 3)).size
        (3, 2)
    """
    color_mode = "grayscale" if grayscale else color_mode
    if color_mode not in _MODES:
        raise ValueError(f'color_mode must be "grayscale", "rgb", or "rgba". Got: {color_mode!r}')
    content = path.read() if hasattr(path, "read") else pathlib.Path(os.fsdecode(path)).read_bytes()
    image = Image.open(io.BytesIO(content))
    modes = _MODES[color_mode]
    image = image if image.mode in modes else image.convert(modes[0])
    if target_size is None or image.size == (target_size[1], target_size[0]):
        return image
    if interpolation not in INTERPOLATIONS:
        raise ValueError(
            f"Invalid interpolation method {interpolation} specified. Supported "
            f"methods are {', '.join(INTERPOLATIONS)}"
        )
    height, width = target_size
    box = _middle(image.size, width, height) if keep_aspect_ratio else None
    return image.resize((width, height), Image.Resampling[interpolation.upper()], box=box)


def _middle(size: tuple[int, int], width: int, height: int) -> tuple[int, int, int, int]:
    """The largest box in the middle of an image that has the shape of (width, height)."""
    w = min(size[0], size[1] * width // height)
    h = min(size[1], size[0] * height // width)
    left, top = (size[0] - w) // 2, (size[1] - h) // 2
    return left, top, left + w, top + h


def img_to_array(img: Any, data_format: str | None = None, dtype: Any = None) -> np.ndarray:
    """The pixels of an image.

    Args:
        img: a Pillow image, or an array of two or three axes.
        data_format: axis order of the result; default the global setting.
        dtype: default floatx.

    Returns:
        An array of shape (height, width, channels) or (channels, height, width).

    Raises:
        ValueError: the image has another number of axes.

    Example:
        >>> img_to_array(Image.new("RGB", (3, 2))).shape
        (2, 3, 3)
    """
    first = known_format(data_format) == "channels_first"
    x = np.asarray(img, dtype=floatx() if dtype is None else dtype)
    if x.ndim == 2:
        return x[None] if first else x[..., None]
    if x.ndim != 3:
        raise ValueError(f"Unsupported image shape: {x.shape}")
    return x.transpose(2, 0, 1) if first else x


def array_to_img(
    x: Any, data_format: str | None = None, scale: bool = True, dtype: Any = None
) -> Any:
    """An image of pixels.

    Args:
        x: an array of three axes, with 1, 3 or 4 channels.
        data_format: its axis order; default the global setting.
        scale: whether to stretch the values so that the least becomes 0 and the largest 255.
        dtype: in which to compute; default floatx.

    Returns:
        A Pillow image of mode L, RGB or RGBA; of mode I for grey values above 255.

    Raises:
        ValueError: the shape is no image's.

    Example:
        >>> array_to_img(np.ones((2, 3, 3))).size
        (3, 2)
    """
    first = known_format(data_format) == "channels_first"
    x = np.asarray(x, dtype=floatx() if dtype is None else dtype)
    if x.ndim != 3:
        raise ValueError(
            f"Expected image array to have rank 3 (single image). Got array with shape: {x.shape}"
        )
    x = x.transpose(1, 2, 0) if first else x
    if x.shape[2] not in CHANNELS.values():
        raise ValueError(
            explain(f"Unsupported channel number: {x.shape[2]}", expected="1, 3 or 4 channels")
        )
    if scale:
        x = x - np.min(x)
        top = np.max(x)
        x = (x / top if top != 0 else x) * 255
    if x.shape[2] > 1:
        return Image.fromarray(x.astype("uint8"))
    return Image.fromarray(x[:, :, 0].astype("int32" if np.max(x) > 255 else "uint8"))


def save_img(
    path: Any,
    x: Any,
    data_format: str | None = None,
    file_format: str | None = None,
    scale: bool = True,
    **options: Any,
) -> None:
    """Writes pixels as an image file.

    Args:
        path: a path, or an open binary file.
        x: an array of three axes, with 1, 3 or 4 channels.
        data_format: its axis order; default the global setting.
        file_format: default what the path ends in.
        scale: whether to stretch the values to 0 to 255.
        **options: those of Pillow's `save`.

    Example:
        >>> save_img("white.png", np.full((2, 3, 3), 255.0), scale=False)
        >>> img_to_array(load_img("white.png")).min()
        np.float32(255.0)
    """
    image = array_to_img(x, data_format, scale)
    if file_format and file_format.lower() == "jpg":
        file_format = "jpeg"  # Pillow's name
    ending = "" if hasattr(path, "write") else pathlib.Path(os.fsdecode(path)).suffix[1:]
    if image.mode == "RGBA" and (file_format or ending).lower() in ("jpg", "jpeg"):
        warnings.warn(
            "The JPG format does not support RGBA images, converting to RGB.", stacklevel=2
        )
        image = image.convert("RGB")
    image.save(path, format=file_format, **options)

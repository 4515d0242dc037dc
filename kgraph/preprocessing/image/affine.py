"""Rotate, shift, shear and zoom an image in one interpolation."""

from __future__ import annotations

import numpy as np

from kgraph.preprocessing.image.extras import need

ndimage = need("scipy.ndimage", "SciPy")


def apply_affine_transform(
    x: np.ndarray,
    theta: float = 0,
    tx: float = 0,
    ty: float = 0,
    shear: float = 0,
    zx: float = 1,
    zy: float = 1,
    row_axis: int = 0,
    col_axis: int = 1,
    channel_axis: int = 2,
    fill_mode: str = "nearest",
    cval: float = 0.0,
    order: int = 1,
) -> np.ndarray:
    """Transforms an image about its centre; a pixel of the result is read at

        centre + rotation . shift . shear . zoom . (pixel - centre)

    of the image, where the centre is Keras 2's: (height / 2 + 0.5, width / 2 + 0.5).

    Args:
        x: an image of three axes.
        theta: rotation in degrees.
        tx: shift along the rows' axis, in pixels.
        ty: shift along the columns' axis, in pixels.
        shear: in degrees.
        zx: zoom along the rows' axis; above 1 the content gets smaller.
        zy: zoom along the columns' axis.
        row_axis: axis of x.
        col_axis: axis of x.
        channel_axis: axis of x.
        fill_mode: what lies outside: "nearest", "constant", "reflect" or "wrap".
        cval: what lies outside, for "constant".
        order: of the splines that interpolate.

    Returns:
        An array of the same shape and dtype; x itself where nothing is to be done.

    Example:
        >>> x = np.arange(4.0).reshape(1, 4, 1)
        >>> apply_affine_transform(x, ty=1)[0, :, 0].tolist()
        [1.0, 2.0, 3.0, 3.0]
    """
    if theta == tx == ty == shear == 0 and zx == zy == 1:
        return x
    matrix = _matrix(theta, tx, ty, shear, zx, zy)
    matrix = about_centre(matrix, x.shape[row_axis], x.shape[col_axis])
    axes = (channel_axis, row_axis, col_axis)
    channels = [
        ndimage.affine_transform(
            channel, matrix[:2, :2], matrix[:2, 2], order=order, mode=fill_mode, cval=cval
        )
        for channel in np.transpose(x, axes)
    ]
    return np.transpose(np.stack(channels), np.argsort(axes))


def _matrix(theta: float, tx: float, ty: float, shear: float, zx: float, zy: float) -> np.ndarray:
    """The product of the four, in homogeneous coordinates."""
    turn, lean = np.deg2rad(theta), np.deg2rad(shear)
    rotation = [[np.cos(turn), -np.sin(turn), 0], [np.sin(turn), np.cos(turn), 0], [0, 0, 1]]
    shift = [[1, 0, tx], [0, 1, ty], [0, 0, 1]]
    shearing = [[1, -np.sin(lean), 0], [0, np.cos(lean), 0], [0, 0, 1]]
    zoom = [[zx, 0, 0], [0, zy, 0], [0, 0, 1]]
    return np.array(rotation) @ np.array(shift) @ np.array(shearing) @ np.array(zoom)


def about_centre(matrix: np.ndarray, height: int, width: int) -> np.ndarray:
    """The same transformation with its fixed point moved from the origin to the centre.

    Args:
        matrix: of shape (3, 3).
        height: of the image.
        width: of the image.

    Returns:
        A matrix of shape (3, 3).

    Example:
        >>> about_centre(np.diag([2.0, 1.0, 1.0]), 3, 3)[0].tolist()
        [2.0, 0.0, -2.0]
    """
    row, col = height / 2 + 0.5, width / 2 + 0.5
    there = np.array([[1, 0, row], [0, 1, col], [0, 0, 1]])
    back = np.array([[1, 0, -row], [0, 1, -col], [0, 0, 1]])
    return there @ matrix @ back

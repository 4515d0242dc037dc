"""The globals of Keras: float type, fuzz factor, axis order of images, and the backend's name."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import ops
from kgraph.backend.operands import tensor
from kgraph.config import (
    epsilon,
    floatx,
    image_data_format,
    set_epsilon,
    set_floatx,
    set_image_data_format,
)
from kgraph.errors import explain
from kgraph.ir import Node
from kgraph.layers.arguments import normalize_data_format

__all__ = [
    "backend",
    "cast_to_floatx",
    "epsilon",
    "floatx",
    "image_data_format",
    "image_dim_ordering",
    "normalize_data_format",
    "set_epsilon",
    "set_floatx",
    "set_image_data_format",
    "set_image_dim_ordering",
]

_ORDERINGS = {"tf": "channels_last", "th": "channels_first"}


def backend() -> str:
    """The name of the backend whose conventions this one follows: always "tensorflow".

    Scripts ask for it to choose axis orders, kernel layouts and the form of names, in all of which
    kgraph does as Keras 2.3 on TensorFlow. It does not mean that `import tensorflow` would work.

    Returns:
        "tensorflow".

    Example:
        >>> backend()
        'tensorflow'
    """
    return "tensorflow"


def cast_to_floatx(x: Any) -> Any:
    """The tensor or array in the default float type.

    Args:
        x: numbers, an array or a tensor.

    Returns:
        An array, or a tensor for a tensor.

    Example:
        >>> cast_to_floatx([1, 2])
        array([1., 2.], dtype=float32)
    """
    if isinstance(x, Node):
        return ops.cast(x, floatx())
    return np.asarray(tensor(x)).astype(floatx())


def image_dim_ordering() -> str:
    """Keras 1's name of the axis order of images: "tf" (channels last) or "th".

    Returns:
        "tf" or "th".

    Example:
        >>> image_dim_ordering()
        'tf'
    """
    return "th" if image_data_format() == "channels_first" else "tf"


def set_image_dim_ordering(dim_ordering: str) -> None:
    """Sets the axis order of images by Keras 1's names.

    Args:
        dim_ordering: "tf" for channels last, "th" for channels first.

    Raises:
        ValueError: it is neither.

    Example:
        >>> set_image_dim_ordering("th"); image_data_format()
        'channels_first'
        >>> set_image_dim_ordering("tf")
    """
    if dim_ordering not in _ORDERINGS:
        raise ValueError(
            explain("Unknown dim_ordering", expected="'tf' or 'th'", got=repr(dim_ordering))
        )
    set_image_data_format(_ORDERINGS[dim_ordering])

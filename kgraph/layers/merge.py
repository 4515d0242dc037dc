"""Functions that make a merging layer and call it; Keras's path of the layers, too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph.layers.merging import (
    Add,
    Average,
    Concatenate,
    Dot,
    Maximum,
    Merge,
    Minimum,
    Multiply,
    Subtract,
    _Merge,
)

__all__ = [
    "Add",
    "Average",
    "Concatenate",
    "Dot",
    "Maximum",
    "Merge",
    "Minimum",
    "Multiply",
    "Subtract",
    "_Merge",
    "add",
    "average",
    "concatenate",
    "dot",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]


def add(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Add(**kwargs)(inputs)`.

    Args:
        inputs: at least two tensors or arrays.
        **kwargs: `name` and the like, see `Layer`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> add([np.ones((1, 2)), np.full((1, 2), 3.0)]).tolist()
        [[4.0, 4.0]]
    """
    return Add(**kwargs)(inputs)


def subtract(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Subtract(**kwargs)(inputs)`.

    Args:
        inputs: at least two tensors or arrays.
        **kwargs: `name` and the like, see `Layer`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> subtract([np.ones((1, 2)), np.full((1, 2), 3.0)]).tolist()
        [[-2.0, -2.0]]
    """
    return Subtract(**kwargs)(inputs)


def multiply(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Multiply(**kwargs)(inputs)`.

    Args:
        inputs: at least two tensors or arrays.
        **kwargs: `name` and the like, see `Layer`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> multiply([np.ones((1, 2)), np.full((1, 2), 3.0)]).tolist()
        [[3.0, 3.0]]
    """
    return Multiply(**kwargs)(inputs)


def average(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Average(**kwargs)(inputs)`.

    Args:
        inputs: at least two tensors or arrays.
        **kwargs: `name` and the like, see `Layer`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> average([np.ones((1, 2)), np.full((1, 2), 3.0)]).tolist()
        [[2.0, 2.0]]
    """
    return Average(**kwargs)(inputs)


def maximum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Maximum(**kwargs)(inputs)`.

    Args:
        inputs: at least two tensors or arrays.
        **kwargs: `name` and the like, see `Layer`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> maximum([np.ones((1, 2)), np.full((1, 2), 3.0)]).tolist()
        [[3.0, 3.0]]
    """
    return Maximum(**kwargs)(inputs)


def minimum(inputs: Sequence[Any], **kwargs: Any) -> Any:
    """`Minimum(**kwargs)(inputs)`.

    Args:
        inputs: at least two tensors or arrays.
        **kwargs: `name` and the like, see `Layer`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> minimum([np.ones((1, 2)), np.full((1, 2), 3.0)]).tolist()
        [[1.0, 1.0]]
    """
    return Minimum(**kwargs)(inputs)


def concatenate(inputs: Sequence[Any], axis: int = -1, **kwargs: Any) -> Any:
    """`Concatenate(axis, **kwargs)(inputs)`.

    Args:
        inputs: at least two tensors or arrays.
        axis: the axis to join along; 0 is the batch.
        **kwargs: `name` and the like, see `Layer`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> concatenate([np.ones((1, 2)), np.full((1, 2), 3.0)]).tolist()
        [[1.0, 1.0, 3.0, 3.0]]
    """
    return Concatenate(axis, **kwargs)(inputs)


def dot(
    inputs: Sequence[Any], axes: int | Sequence[int], normalize: bool = False, **kwargs: Any
) -> Any:
    """`Dot(axes, normalize, **kwargs)(inputs)`.

    Args:
        inputs: at least two tensors or arrays.
        axes: the axis to sum over, or one for each input.
        normalize: whether to divide by the norms first.
        **kwargs: `name` and the like, see `Layer`.

    Returns:
        A tensor.

    Example:
        >>> import numpy as np
        >>> dot([np.ones((1, 2)), np.full((1, 2), 3.0)], axes=1).tolist()
        [[6.0]]
    """
    return Dot(axes, normalize, **kwargs)(inputs)

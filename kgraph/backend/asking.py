"""Questions about tensors: what they are, their shapes, dtypes and numbers of elements."""

from __future__ import annotations

from typing import Any

from kgraph.backend.operands import Sizes, tensor
from kgraph.errors import explain
from kgraph.ir import Node, Variable
from kgraph.ir.dim import product
from kgraph.ir.leaves import INPUT
from kgraph.layers.node import history_of


def shape(x: Any) -> Sizes:
    """The sizes of a tensor; those that are not known are symbols.

    Args:
        x: a tensor or an array.

    Returns:
        A tuple that calculates like a vector: indexed, sliced, multiplied and joined by
        `K.concatenate`, and taken by every function of K that takes a shape or a tensor.

    Example:
        >>> from kgraph.layers import Input
        >>> shape(Input((3,)))
        (batch, 3)
    """
    return Sizes(tensor(x).shape)


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The sizes of a tensor, None where one is not known.

    Args:
        x: a tensor or an array.

    Returns:
        A plain tuple.

    Example:
        >>> from kgraph.layers import Input
        >>> int_shape(Input((3,)))
        (None, 3)
    """
    return tuple(d if isinstance(d, int) else None for d in tensor(x).shape)


def ndim(x: Any) -> int:
    """The number of axes.

    Args:
        x: a tensor or an array.

    Returns:
        An int.

    Example:
        >>> import numpy as np
        >>> ndim(np.ones((2, 3)))
        2
    """
    return tensor(x).ndim


def size(x: Any) -> Any:
    """The number of elements.

    Args:
        x: a tensor or an array.

    Returns:
        An int, or a symbolic size.

    Example:
        >>> import numpy as np
        >>> size(np.ones((2, 3)))
        6
    """
    return product(tensor(x).shape)


def dtype(x: Any) -> str:
    """The name of the element type.

    Args:
        x: a tensor or an array.

    Returns:
        NumPy's name.

    Example:
        >>> import numpy as np
        >>> dtype(np.ones(2))
        'float64'
    """
    return str(tensor(x).dtype)


def count_params(x: Any) -> Any:
    """The number of elements of a variable.

    Args:
        x: a variable, tensor or array.

    Returns:
        An int.

    Example:
        >>> import numpy as np
        >>> count_params(Variable(np.ones((2, 3))))
        6
    """
    return size(x)


def get_variable_shape(x: Any) -> tuple[int | None, ...]:
    """`int_shape` of a variable.

    Args:
        x: a variable.

    Returns:
        Its shape.

    Example:
        >>> import numpy as np
        >>> get_variable_shape(Variable(np.ones((2, 3))))
        (2, 3)
    """
    return int_shape(x)


def is_tensor(x: Any) -> bool:
    """Whether `x` is a symbolic tensor or a variable.

    Args:
        x: anything.

    Returns:
        A bool.

    Example:
        >>> import numpy as np
        >>> is_tensor(Variable(1.0)), is_tensor(np.ones(2))
        (True, False)
    """
    return isinstance(x, Node)


def is_variable(x: Any) -> bool:
    """Whether `x` is a variable.

    Args:
        x: anything.

    Returns:
        A bool.

    Example:
        >>> is_variable(Variable(1.0))
        True
    """
    return isinstance(x, Variable)


def is_placeholder(x: Any) -> bool:
    """Whether `x` is fed by the caller: what `K.placeholder` and `Input` return.

    Args:
        x: anything.

    Returns:
        A bool.

    Example:
        >>> from kgraph.layers import Input
        >>> is_placeholder(Input((3,)))
        True
    """
    return isinstance(x, Node) and x.op is INPUT


def is_keras_tensor(x: Any) -> bool:
    """Whether `x` came out of a layer or `Input`.

    Args:
        x: a symbolic tensor or a variable.

    Returns:
        A bool.

    Raises:
        ValueError: x is no symbolic tensor at all.

    Example:
        >>> from kgraph.layers import Input
        >>> is_keras_tensor(Input((3,))), is_keras_tensor(Variable(1.0))
        (True, False)
    """
    if not isinstance(x, Node):
        raise ValueError(
            explain("Unexpectedly found an instance that is no symbolic tensor", got=type(x))
        )
    return history_of(x) is not None


def is_sparse(tensor: Any) -> bool:
    """Whether a tensor is sparse: never, kgraph has dense ones only.

    Args:
        tensor: anything.

    Returns:
        False.

    Example:
        >>> import numpy as np
        >>> is_sparse(np.ones(2))
        False
    """
    del tensor
    return False


def to_dense(tensor: Any) -> Any:
    """The tensor itself, which is dense.

    Args:
        tensor: anything.

    Returns:
        It.

    Example:
        >>> to_dense(3)
        3
    """
    return tensor

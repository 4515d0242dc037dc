"""Tensors made of nothing but sizes and numbers: arrays, unless a size is symbolic."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph import config
from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import Dim, product
from kgraph.ir.node import API, Node
from kgraph.ir.types import canonical_dtype
from kgraph.ops.comparison import equal, greater_equal
from kgraph.ops.composite.operands import floats, tensor
from kgraph.ops.elementwise import add, divide, floor, multiply, power, subtract
from kgraph.ops.joining import stack
from kgraph.ops.resizing import counted
from kgraph.ops.select import cast
from kgraph.ops.shapes import (
    broadcast_to,
    expand_dims,
    full,
    moveaxis,
    reshape,
    shape_of,
    zeros_like,
)

Size = int | Dim


def convert_to_tensor(x: Any, dtype: Any = None, sparse: bool | None = None,
                      ragged: bool | None = None) -> Any:  # fmt: skip
    """A symbolic tensor as it is, anything else as an array of a dtype that kgraph has.

    Example:
        >>> convert_to_tensor([1, 2], "float32")
        array([1., 2.], dtype=float32)
    """
    if sparse or ragged:
        raise InferenceError("convert_to_tensor: there are no sparse and no ragged tensors")
    return tensor(x) if dtype is None else cast(x, dtype)


def array(x: Any, dtype: Any = None) -> Any:
    """The same as `convert_to_tensor`, by NumPy's name.

    Example:
        >>> array([1, 2])
        array([1, 2], dtype=int32)
    """
    return convert_to_tensor(x, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """The value of a tensor that has one.

    Example:
        >>> convert_to_numpy([1.0]).tolist()
        [1.0]
    """
    return np.asarray(tensor(x))  # a symbolic tensor refuses, and says why


def is_tensor(x: Any) -> bool:
    """Whether something is a symbolic tensor or an array.

    Example:
        >>> is_tensor(np.ones(2)), is_tensor([1, 1])
        (True, False)
    """
    return isinstance(x, (Node, np.ndarray, np.generic))


def dtype(x: Any) -> str:
    """The name of a tensor's dtype.

    Example:
        >>> dtype([1.0])
        'float32'
    """
    return str(tensor(x).dtype)


def ndim(x: Any) -> int:
    """The number of axes.

    Example:
        >>> ndim([[1.0]])
        2
    """
    return len(shape_of(x))


def size(x: Any) -> int | Dim:
    """The number of elements, which may be symbolic.

    Example:
        >>> size([[1.0, 2.0]])
        2
    """
    return product(shape_of(x))


def copy(x: Any) -> Any:
    """A tensor of the same values; a symbolic one is itself, for nothing can change it."""
    return x if isinstance(x, Node) else np.array(tensor(x))


def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones of a shape, whose sizes may be symbolic.

    Example:
        >>> ones((2,))
        array([1., 1.], dtype=float32)
    """
    return full(shape, 1, dtype or config.floatx())


def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros of a shape, whose sizes may be symbolic.

    Example:
        >>> zeros((2,), "int32")
        array([0, 0], dtype=int32)
    """
    return full(shape, 0, dtype or config.floatx())


def empty(shape: Any, dtype: Any = None) -> Any:
    """Zeros: a result must not depend on what memory held before."""
    return zeros(shape, dtype)


def empty_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of the shape of `x`, and its dtype unless another one is named."""
    return zeros_like(x, dtype)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """Numbers from `start` to below `stop`, or from 0 to below `start`.

    Args:
        start: the first number; a size may be symbolic.
        stop: what the numbers stay below.
        step: from one number to the next, 1 where a size is symbolic.
        dtype: default int32 for integers and float32 for floats.

    Returns:
        A tensor of one axis.

    Raises:
        InferenceError: a bound is a tensor, so that the number of elements depends on values.

    Example:
        >>> arange(2, 8, 3)
        array([2, 5], dtype=int32)
    """
    low, high, by = (0, start, step) if stop is None else (start, stop, step)
    by = 1 if by is None else by
    bounds = (low, high, by)
    if any(isinstance(b, Node) for b in bounds):
        raise InferenceError(
            explain("arange: the number of elements would depend on values",
                    expected="numbers and sizes such as x.shape[0]", got=bounds)
        )  # fmt: skip
    if any(isinstance(b, Dim) for b in bounds):
        if by != 1:
            raise InferenceError(f"arange: takes step 1 up to a symbolic size, not {by}")
        found = counted(high - low, canonical_dtype(dtype or "int32"))
        return found if low == 0 else add(found, low)
    natural = "int32" if all(isinstance(b, (int, np.integer)) for b in bounds) else config.floatx()
    return np.arange(low, high, by).astype(canonical_dtype(dtype or natural))


def linspace(
    start: Any,
    stop: Any,
    num: int = 50,
    endpoint: bool = True,
    retstep: bool = False,
    dtype: Any = None,
    axis: int = 0,
) -> Any:
    """Numbers at equal distances from `start` to `stop`.

    Args:
        start: the first number, or a tensor of them.
        stop: the last number, or a tensor of them.
        num: how many.
        endpoint: whether `stop` itself is the last one.
        retstep: whether to return the distance too.
        dtype: of the result, default that of floats beside each other.
        axis: where the numbers stand in the result.

    Returns:
        A tensor with one axis more than `start` and `stop`; with `retstep` a pair.

    Example:
        >>> linspace(0, 1, 3)
        array([0. , 0.5, 1. ], dtype=float32)
    """
    start, stop = floats(start), floats(stop)
    parts = num - 1 if endpoint else num
    difference = subtract(stop, start)
    ndim = len(shape_of(difference))
    ratio = (np.arange(num) / (parts or 1)).reshape(num, *[1] * ndim)
    ratio = ratio.astype(str(difference.dtype))
    # Weighting both ends makes the last number exactly `stop`.
    found = add(multiply(start, 1 - ratio), multiply(stop, ratio))
    found = moveaxis(found, 0, axis) if ndim else found
    if dtype is not None:
        integer = not canonical_dtype(dtype).startswith("float")
        found = cast(floor(found) if integer else found, dtype)
    return (found, divide(difference, parts or np.nan)) if retstep else found


def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10,
             dtype: Any = None, axis: int = 0) -> Any:  # fmt: skip
    """Powers of `base` whose exponents lie at equal distances.

    Example:
        >>> logspace(0, 2, 3).tolist()
        [1.0, 10.0, 100.0]
    """
    found = power(float(base), linspace(start, stop, num, endpoint, axis=axis))
    return found if dtype is None else cast(found, dtype)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None,
              axis: int = 0) -> Any:  # fmt: skip
    """Numbers at equal ratios from `start` to `stop`, which have the same sign.

    Example:
        >>> geomspace(1, 4, 3).tolist()
        [1.0, 2.0, 4.0]
    """
    start, stop = floats(start), floats(stop)
    exponents = linspace(zeros_like(start), 1.0, num, endpoint, axis=axis)
    ratio = divide(stop, start)
    if len(shape_of(ratio)):
        start, ratio = expand_dims(start, axis), expand_dims(ratio, axis)
    found = multiply(start, power(ratio, exponents))
    return found if dtype is None else cast(found, dtype)


def band(rows: Size, columns: Size, k: int, on: bool = False) -> Any:
    """Where column - row is at most k, or with `on` exactly k, as bools."""
    row = expand_dims(add(counted(rows, "int32"), k), 1)
    column = counted(columns, "int32")
    return equal(row, column) if on else greater_equal(row, column)


def eye(N: Size, M: Size | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on a diagonal of a matrix, zeros elsewhere.

    Args:
        N: number of rows.
        M: number of columns, default N.
        k: which diagonal; those above the main one are positive.
        dtype: of the result.

    Returns:
        A matrix.

    Example:
        >>> eye(2, 3, 1).tolist()
        [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    return cast(band(N, N if M is None else M, k, on=True), dtype or config.floatx())


def identity(n: Size, dtype: Any = None) -> Any:
    """The square matrix with ones on its main diagonal.

    Example:
        >>> identity(2).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return eye(n, dtype=dtype)


def tri(N: Size, M: Size | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on and below a diagonal of a matrix, zeros above.

    Example:
        >>> tri(2, 3).tolist()
        [[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]
    """
    return cast(band(N, N if M is None else M, k), dtype or config.floatx())


def meshgrid(*x: Any, indexing: str = "xy") -> list[Any]:
    """Coordinates of the points of a grid, a tensor for each axis.

    Args:
        *x: coordinates along each axis.
        indexing: "xy" for grids whose first two axes are exchanged, else "ij".

    Returns:
        Tensors of the shape of the grid.

    Example:
        >>> [g.tolist() for g in meshgrid([1, 2], [3, 4, 5])]
        [[[1, 2], [1, 2], [1, 2]], [[3, 3], [4, 4], [5, 5]]]
    """
    if indexing not in ("xy", "ij"):
        raise InferenceError(f"meshgrid: indexing must be 'xy' or 'ij', not {indexing!r}")
    lines = [reshape(line, -1) for line in x]
    order = list(range(len(lines)))
    if indexing == "xy" and len(lines) > 1:
        order[:2] = 1, 0
    shape = tuple(shape_of(lines[i])[0] for i in order)
    found = []
    for i, line in enumerate(lines):
        sizes = [shape_of(line)[0] if order[a] == i else 1 for a in range(len(lines))]
        found.append(broadcast_to(reshape(line, sizes), shape))
    return found


def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of each element as a row, the highest one first.

    Example:
        >>> vander([1, 2, 3], 3).tolist()
        [[1, 1, 1], [4, 2, 1], [9, 3, 1]]
    """
    x = tensor(x)
    count = int(shape_of(x)[0]) if N is None else N
    column, powers = np.ones((), str(x.dtype)), []
    for _ in range(count):
        powers.append(broadcast_to(column, shape_of(x)))
        column = multiply(column, x)
    return stack(powers if increasing else powers[::-1], axis=-1)


API.update(copy=copy, meshgrid=meshgrid, vander=vander, linspace=linspace)

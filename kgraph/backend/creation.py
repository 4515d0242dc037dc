"""New variables, placeholders and constants.

`variable`, `zeros`, `ones` and `eye` make variables, as in Keras 2; `constant` and `arange` make
tensors. All of them are symbolic: `K.eval` shows their values.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kgraph import initializers, ops
from kgraph.backend.operands import as_size, as_sizes, tensor
from kgraph.config import floatx
from kgraph.errors import explain
from kgraph.ir import Dim, Node, Variable, as_array, const, input_node
from kgraph.ir.dim import floor_divide
from kgraph.layers.naming import unique_name

_SYMBOLS = itertools.count(1)


def variable(
    value: Any,
    dtype: str | None = None,
    name: str | None = None,
    constraint: Callable[[Any], Any] | None = None,
) -> Variable:
    """A variable.

    Args:
        value: its first value, numbers or an array.
        dtype: element type; default `floatx()`.
        name: default `variable_1` and so on.
        constraint: projection of it after each update.

    Returns:
        The variable.

    Example:
        >>> variable([[1, 2]], name="v")
        <Variable v: f32[1, 2]>
    """
    if isinstance(value, Node):
        raise TypeError(
            explain(
                "A variable starts from numbers",
                expected="numbers or an array",
                got=value,
                hint="K.eval(x) computes a tensor that needs no inputs",
            )
        )
    array = as_array(value).astype(dtype or floatx())
    return Variable(array, name or unique_name("variable"), constraint=constraint)


def constant(
    value: Any,
    dtype: str | None = None,
    shape: Sequence[int] | None = None,
    name: str | None = None,
) -> Node:
    """A tensor that never changes.

    Args:
        value: numbers or an array.
        dtype: element type; default `floatx()`.
        shape: shape to fill with `value`, or to give to it.
        name: accepted for Keras; equal constants are one node.

    Returns:
        A tensor.

    Example:
        >>> constant(3, shape=(2, 2))
        <const: f32[2, 2]>
    """
    del name
    array = as_array(value).astype(dtype or floatx())
    if shape is not None:
        array = np.full(shape, array) if array.size == 1 else array.reshape(shape)
    return const(array)


def placeholder(
    shape: Sequence[int | None] | None = None,
    ndim: int | None = None,
    dtype: str | None = None,
    sparse: bool = False,
    name: str | None = None,
) -> Node:
    """A tensor that is fed when a function of it runs.

    Args:
        shape: sizes with the batch, None for unknown ones.
        ndim: number of axes of unknown sizes, instead of a shape.
        dtype: element type; default `floatx()`.
        sparse: must be false.
        name: default `placeholder_1` and so on.

    Returns:
        A tensor. An unknown first size is the batch, which all placeholders and inputs share.

    Raises:
        ValueError: neither shape nor ndim is given, or the tensor is to be sparse.

    Example:
        >>> placeholder((None, 3), name="x")
        <x = input: f32[batch, 3]>
    """
    if sparse:
        raise ValueError(explain("kgraph has dense tensors only", got="placeholder(sparse=True)"))
    if shape is None and ndim is None:
        raise ValueError(explain("K.placeholder needs a shape", expected="shape= or ndim="))
    sizes = (None,) * int(ndim or 0) if shape is None else tuple(shape)
    dims = tuple(_dim(d, axis) for axis, d in enumerate(sizes))
    return input_node(dims, dtype or floatx(), name or unique_name("placeholder"))


def _dim(size: Any, axis: int) -> int | Dim:
    if size is not None:
        return as_size(size)
    return Dim.symbol("batch" if axis == 0 else f"unknown_{next(_SYMBOLS)}")


def zeros(shape: Any, dtype: str | None = None, name: str | None = None) -> Any:
    """A variable of zeros; a tensor where a size is not known.

    Args:
        shape: sizes, ints or symbolic.
        dtype: element type; default `floatx()`.
        name: of the variable.

    Returns:
        A variable or a tensor.

    Example:
        >>> zeros((2,)).numpy()
        array([0., 0.], dtype=float32)
    """
    return _filled(0, shape, dtype, name)


def ones(shape: Any, dtype: str | None = None, name: str | None = None) -> Any:
    """A variable of ones; a tensor where a size is not known.

    Args:
        shape: sizes, ints or symbolic.
        dtype: element type; default `floatx()`.
        name: of the variable.

    Returns:
        A variable or a tensor.

    Example:
        >>> ones((2,)).numpy()
        array([1., 1.], dtype=float32)
    """
    return _filled(1, shape, dtype, name)


def _filled(value: int, shape: Any, dtype: str | None, name: str | None) -> Any:
    sizes, dtype = as_sizes(shape), dtype or floatx()
    if any(isinstance(d, Dim) for d in sizes):
        return ops.full(sizes, value, dtype)
    return variable(np.full(sizes, value, dtype), dtype, name)


def eye(size: Any, dtype: str | None = None, name: str | None = None) -> Variable:
    """A variable that holds the identity matrix.

    Args:
        size: number of rows, or (rows, columns).
        dtype: element type; default `floatx()`.
        name: of the variable.

    Returns:
        A variable.

    Example:
        >>> eye(2).numpy().tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
    return variable(np.eye(rows, columns), dtype, name)


def zeros_like(x: Any, dtype: str | None = None, name: str | None = None) -> Any:
    """Zeros of the shape of `x`.

    Args:
        x: a tensor or an array.
        dtype: element type; default that of x.
        name: accepted for Keras.

    Returns:
        A tensor for a tensor, an array for an array.

    Example:
        >>> zeros_like(np.ones(2, "float32"))
        array([0., 0.], dtype=float32)
    """
    del name
    like = ops.zeros_like(tensor(x))
    return like if dtype is None else ops.cast(like, dtype)


def ones_like(x: Any, dtype: str | None = None, name: str | None = None) -> Any:
    """Ones of the shape of `x`.

    Args:
        x: a tensor or an array.
        dtype: element type; default that of x.
        name: accepted for Keras.

    Returns:
        A tensor for a tensor, an array for an array.

    Example:
        >>> ones_like(np.zeros(2, "float32"))
        array([1., 1.], dtype=float32)
    """
    del name
    like = ops.ones_like(tensor(x))
    return like if dtype is None else ops.cast(like, dtype)


def identity(x: Any, name: str | None = None) -> Any:
    """The tensor itself.

    Args:
        x: a tensor or an array.
        name: accepted for Keras.

    Returns:
        x.

    Example:
        >>> identity(np.ones(1)).tolist()
        [1.0]
    """
    del name
    return tensor(x)


def random_uniform_variable(
    shape: Sequence[int],
    low: float,
    high: float,
    dtype: str | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable of numbers from [low, high).

    Args:
        shape: sizes.
        low: smallest number.
        high: bound of the numbers.
        dtype: element type; default `floatx()`.
        name: of the variable.
        seed: makes the numbers reproducible.

    Returns:
        A variable.

    Example:
        >>> random_uniform_variable((2, 3), 0, 1).shape
        (2, 3)
    """
    draw = initializers.RandomUniform(low, high, seed)
    return variable(draw(tuple(shape), dtype or floatx()), dtype, name)


def random_normal_variable(
    shape: Sequence[int],
    mean: float,
    scale: float,
    dtype: str | None = None,
    name: str | None = None,
    seed: int | None = None,
) -> Variable:
    """A variable of normally distributed numbers.

    Args:
        shape: sizes.
        mean: their mean.
        scale: their standard deviation.
        dtype: element type; default `floatx()`.
        name: of the variable.
        seed: makes the numbers reproducible.

    Returns:
        A variable.

    Example:
        >>> random_normal_variable((2, 3), 0, 1).shape
        (2, 3)
    """
    draw = initializers.RandomNormal(mean, scale, seed)
    return variable(draw(tuple(shape), dtype or floatx()), dtype, name)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: str = "int32") -> Node:
    """The numbers from `start` to before `stop`.

    Args:
        start: first number; with one argument only, the bound, and the numbers start from 0.
        stop: bound; may be symbolic, such as `K.shape(x)[1]`.
        step: distance of the numbers.
        dtype: element type.

    Returns:
        A tensor of one axis.

    Raises:
        ValueError: the step is 0.

    Example:
        >>> from kgraph.backend.functions import eval
        >>> eval(arange(1, 6, 2))
        array([1, 3, 5], dtype=int32)
    """
    if stop is None:
        start, stop = 0, start
    first, bound, step = (_number(v) for v in (start, stop, step))
    if isinstance(step, (int, float)) and step == 0:
        raise ValueError(explain("K.arange: the step is 0", expected="a number other than 0"))
    if not any(isinstance(v, Dim) for v in (first, bound)):
        return const(np.arange(first, bound, step).astype(dtype))
    # How many there are: the distance divided by the step, rounded up.
    distance = bound - first + (step - 1) if step > 0 else first - bound + (-step - 1)
    count = floor_divide(distance, abs(step))
    places = ops.cumsum(ops.full((count,), 1, dtype)) - 1
    return places * step + ops.cast(tensor(first), dtype)


def _number(value: Any) -> Any:
    """A bound of a range: a Python number or a symbolic size."""
    if isinstance(value, (Node, Dim)):
        return as_size(value)
    return np.asarray(value).item()

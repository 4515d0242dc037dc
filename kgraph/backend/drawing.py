"""Random tensors: each run draws anew, wherever the call stands; `K.eval` shows one draw."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.backend.operands import as_sizes
from kgraph.config import floatx
from kgraph.ir import Node
from kgraph.ops import random
from kgraph.ops.draws import (
    random_bernoulli,
)
from kgraph.ops.draws import (
    random_normal as normal_op,
)
from kgraph.ops.draws import (
    random_truncated_normal as truncated_op,
)
from kgraph.ops.draws import (
    random_uniform as uniform_op,
)


def _draw(op: Any, shape: Any, dtype: str | None, seed: int | None, **parameters: float) -> Node:
    dtype = dtype or floatx()
    kind = dtype if dtype.startswith("float") else floatx()
    parameters = {k: float(v) for k, v in parameters.items()}
    drawn = random.draw_in_each_run(op, as_sizes(shape), kind, seed, **parameters)
    return drawn if kind == dtype else ops.cast(ops.floor(drawn), dtype)


def random_normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> Node:
    """Normally distributed numbers.

    Args:
        shape: sizes, ints or symbolic, such as `(K.shape(x)[0], 2)`.
        mean: their mean.
        stddev: their standard deviation.
        dtype: element type; default `floatx()`.
        seed: makes the numbers reproducible; default from NumPy's global generator.

    Returns:
        A tensor.

    Example:
        >>> random_normal((2, 3))
        <random_normal: f32[2, 3]>
    """
    return _draw(normal_op, shape, dtype, seed, mean=mean, stddev=stddev)


def random_uniform(
    shape: Any,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> Node:
    """Numbers from [minval, maxval), all equally likely.

    Args:
        shape: sizes, ints or symbolic.
        minval: smallest number.
        maxval: bound of the numbers.
        dtype: element type; default `floatx()`; an integer type rounds down.
        seed: makes the numbers reproducible; default from NumPy's global generator.

    Returns:
        A tensor.

    Example:
        >>> random_uniform((2, 3))
        <random_uniform: f32[2, 3]>
    """
    return _draw(uniform_op, shape, dtype, seed, minval=minval, maxval=maxval)


def random_binomial(
    shape: Any, p: float = 0.0, dtype: str | None = None, seed: int | None = None
) -> Node:
    """1 with probability p, else 0.

    Args:
        shape: sizes, ints or symbolic.
        p: probability of a 1.
        dtype: element type; default `floatx()`.
        seed: makes the numbers reproducible; default from NumPy's global generator.

    Returns:
        A tensor.

    Example:
        >>> random_binomial((2, 3), p=0.5)
        <random_bernoulli: f32[2, 3]>
    """
    return _draw(random_bernoulli, shape, dtype, seed, p=p)


def truncated_normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> Node:
    """Normally distributed numbers within two standard deviations of the mean.

    Args:
        shape: sizes, ints or symbolic.
        mean: their mean.
        stddev: standard deviation before the others are drawn again.
        dtype: element type; default `floatx()`.
        seed: makes the numbers reproducible; default from NumPy's global generator.

    Returns:
        A tensor.

    Example:
        >>> truncated_normal((2, 3))
        <random_truncated_normal: f32[2, 3]>
    """
    return _draw(truncated_op, shape, dtype, seed, mean=mean, stddev=stddev)

"""Random tensors for layers and users: arrays at once, or nodes that draw anew in each run."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from kgraph.config import floatx
from kgraph.ir.context import current_context
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op
from kgraph.ops.draws import (
    random_bernoulli,
    random_normal,
    random_truncated_normal,
    random_uniform,
)
from kgraph.ops.shapes import as_shape

# Sites of calls outside a layer; those inside are numbered by their context, from 1.
_SITES = itertools.count(1 << 32)


def draw(op: Op, shape: Any, dtype: str | None, seed: int | None, **parameters: float) -> Any:
    """Draws from a distribution at a call site of its own.

    While a layer is inlined, or with a symbolic size, the result is a node that draws anew in each
    run; else it is an array. Without a seed, one is taken from NumPy's global generator.
    """
    sizes = as_shape(shape)
    if current_context() is not None or any(isinstance(d, Dim) for d in sizes):
        return draw_in_each_run(op, sizes, dtype, seed, **parameters)
    attrs = _attributes(sizes, dtype, seed)
    return op(np.array(0, np.int64), **attrs, **parameters)


def draw_in_each_run(
    op: Op, shape: Any, dtype: str | None, seed: int | None, **parameters: float
) -> Node:
    """A node that draws anew in each run, at a call site of its own; see `draw`."""
    context = current_context()
    site = next(_SITES) if context is None else context.next_site()
    attrs = {**_attributes(as_shape(shape), dtype, seed), **parameters, "site": site}
    return build(op, (build(RNG_STEP),), attrs)


def _attributes(sizes: Any, dtype: str | None, seed: int | None) -> dict[str, Any]:
    chosen = int(np.random.randint(0, 2**31 - 1)) if seed is None else seed
    return {"shape": sizes, "dtype": dtype or floatx(), "seed": chosen}


def uniform(
    shape: Any,
    minval: float = 0.0,
    maxval: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> Any:
    """Numbers from [minval, maxval), all equally likely.

    Args:
        shape: sizes, ints or symbolic.
        minval: smallest number.
        maxval: bound of the numbers.
        dtype: a float type; default `floatx()`.
        seed: makes the numbers reproducible; default from NumPy's global generator.

    Returns:
        An array; a node while a layer is inlined or when a size is symbolic.

    Example:
        >>> bool((uniform((100,), 2.0, 3.0, seed=1) >= 2).all())
        True
    """
    return draw(random_uniform, shape, dtype, seed, minval=minval, maxval=maxval)


def normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> Any:
    """Normally distributed numbers.

    Args:
        shape: sizes, ints or symbolic.
        mean: their mean.
        stddev: their standard deviation.
        dtype: a float type; default `floatx()`.
        seed: makes the numbers reproducible; default from NumPy's global generator.

    Returns:
        An array; a node while a layer is inlined or when a size is symbolic.

    Example:
        >>> normal((2, 3), seed=1).shape
        (2, 3)
    """
    return draw(random_normal, shape, dtype, seed, mean=mean, stddev=stddev)


def truncated_normal(
    shape: Any,
    mean: float = 0.0,
    stddev: float = 1.0,
    dtype: str | None = None,
    seed: int | None = None,
) -> Any:
    """Normally distributed numbers within two standard deviations of the mean.

    Args:
        shape: sizes, ints or symbolic.
        mean: their mean.
        stddev: standard deviation before the others are drawn again.
        dtype: a float type; default `floatx()`.
        seed: makes the numbers reproducible; default from NumPy's global generator.

    Returns:
        An array; a node while a layer is inlined or when a size is symbolic.

    Example:
        >>> bool((abs(truncated_normal((1000,), seed=1)) <= 2).all())
        True
    """
    return draw(random_truncated_normal, shape, dtype, seed, mean=mean, stddev=stddev)


def bernoulli(shape: Any, p: float = 0.5, dtype: str | None = None, seed: int | None = None) -> Any:
    """1 with probability p, else 0.

    Args:
        shape: sizes, ints or symbolic.
        p: probability of a 1.
        dtype: a float type or "bool"; default `floatx()`.
        seed: makes the numbers reproducible; default from NumPy's global generator.

    Returns:
        An array; a node while a layer is inlined or when a size is symbolic.

    Example:
        >>> sorted(set(bernoulli((100,), 0.3, seed=1).tolist()))
        [0.0, 1.0]
    """
    return draw(random_bernoulli, shape, dtype, seed, p=p)

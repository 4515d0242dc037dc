"""What rows of the tables of identities are made of: constants, raw nodes, shapes."""

from __future__ import annotations

import numpy as np
from rule_checks import BATCH

from kgraph import ops
from kgraph.ir import const
from kgraph.ir.node import build

ROWS = ((BATCH, 3), (0, 3), (2, 3))
CUBES = ((2, 3, 4), (BATCH, 3, 4))
WITH_ONES = ((2, 1), (BATCH, 1), (1,))
POSITIVE = (1.0, 0.5, 2.0, 3.0, 1e-3, 17.0, 60.0)


def wide(x, value):
    """A constant of one value that has more axes than `x` and so widens what it meets."""
    return const(np.full((1,) * (x.ndim + 1), value), x.dtype)


def uneven(x, *values):
    """A constant whose elements differ."""
    return const(np.asarray(values), x.dtype)


def raw(name, x, **attrs):
    """A node that the front end would not make."""
    return build(getattr(ops, name), (x,), attrs)


def number(x, value):
    """A constant of the dtype of `x`."""
    return const(np.asarray(value), x.dtype)


def filled(x, value, dtype=None):
    """One value in the shape of `x`, of its dtype unless another is given."""
    scalar = const(np.asarray(value), dtype or x.dtype)
    return ops.broadcast_to(scalar, x.shape) if x.shape else scalar


def number_of(x, value):
    """A NumPy scalar of the dtype of `x`."""
    return np.dtype(x.dtype).type(value)


def same(x, *others):
    """The first operand."""
    return x

"""hypot: NumPy's values, JAX's slopes, and a slope at 0."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.executable import compile

A, B = input_node((5,), "float64", "a"), input_node((5,), "float64", "b")
SLOPES = Graph((A, B), tuple((str(i), g) for i, g in enumerate(grad(ops.hypot(A, B), [A, B]))))


def test_neither_overflows_nor_vanishes():
    assert ops.hypot(np.float32(3e38), np.float32(1e38)) < np.inf
    assert ops.hypot(np.float32(3e-40), np.float32(4e-40)) > 0
    assert ops.hypot(np.array([3.0]), np.array([-4.0])).tolist() == [5.0]
    assert ops.hypot(np.inf, np.nan) == np.inf


def test_slopes_are_jaxs():
    a, b = np.array([1.0, -2.0, 3.0, 0.0, 1e-3]), np.array([2.0, 5.0, -1.0, 4.0, 0.0])
    with jax.enable_x64(True):
        expected = jax.grad(lambda x, y: jnp.hypot(x, y).sum(), (0, 1))(a, b)
    for mine, theirs in zip(compile(SLOPES)(a, b), expected):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)


def test_slope_at_the_origin_is_zero():
    for slope in compile(SLOPES)(np.zeros(5), np.zeros(5)):
        np.testing.assert_array_equal(slope, 0)

"""Gradients of graphs against JAX."""

from __future__ import annotations

import jax
import numpy as np

from kgraph import ops
from kgraph.ir import Graph, const, input_node
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret


def evaluate(nodes, inputs, arrays):
    """Values of nodes by the interpreter, in float64."""
    named = tuple((str(i), n) for i, n in enumerate(nodes))
    return interpret(Graph(tuple(inputs), named), arrays)[0]


def inputs_for(arrays):
    """One input node an array."""
    return tuple(input_node(a.shape, a.dtype.name, f"x{i}") for i, a in enumerate(arrays))


def dot(a, b):
    """The sum of the products of the elements, as a scalar node."""
    return ops.sum(a * b)


def hessian(scalar, x, inputs, arrays):
    """The matrix of second derivatives of a scalar node by one input, row by row."""
    (slope,) = grad(scalar, [x])
    rows = []
    for row in np.eye(int(np.prod(x.shape))):
        (second,) = grad(slope, [x], [const(row.reshape(x.shape))])
        rows.append(np.zeros(x.shape) if second is None else evaluate([second], inputs, arrays)[0])
    return np.stack(rows).reshape(*x.shape, *x.shape)


def check_against_jax(function, *arrays, tolerance=1e-9):
    """Compares gradients by all float arguments, and a Hessian-vector product, with JAX's.

    Args:
        function: of a namespace (`kgraph.ops` or `jax.numpy`) and tensors; returns a scalar.
        arrays: float64 or integer arguments, the first a float.
        tolerance: relative and absolute.
    """
    inputs = inputs_for(arrays)
    scalar = function(ops, *inputs)
    floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
    direction = np.random.default_rng(7).normal(size=arrays[0].shape)
    slopes = grad(scalar, [inputs[i] for i in floats])
    product = grad(dot(slopes[0], const(direction)), [inputs[i] for i in floats])
    zeros = [np.zeros(arrays[i].shape) for i in floats] * 2
    known = [n for n in [*slopes, *product] if n is not None]
    values = iter(evaluate(known, inputs, arrays))
    found = [z if n is None else next(values) for n, z in zip([*slopes, *product], zeros)]
    with jax.enable_x64(True):
        expected = _jax_derivatives(function, floats, direction, arrays)
    for mine, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)


def _jax_derivatives(function, floats, direction, arrays):
    def slopes(*xs):
        return jax.grad(lambda *ys: function(jax.numpy, *ys), floats)(*xs)

    def product(*xs):
        return jax.grad(lambda *ys: jax.numpy.vdot(slopes(*ys)[0], direction), floats)(*xs)

    return jax.jit(lambda *xs: (*slopes(*xs), *product(*xs)))(*arrays)

"""First and second derivatives of whole functions against JAX and finite differences."""

from __future__ import annotations

import jax
import numpy as np
import pytest
from derivatives import check_against_jax, hessian, inputs_for
from hypothesis import given, settings
from hypothesis import strategies as st

from kgraph import ops
from kgraph.testing import check_gradients


def draw(*shape, seed=0, low=-2.0, high=2.0):
    return np.random.default_rng([seed, *shape]).uniform(low, high, shape)


def mlp(np_, x, w, b, v):
    hidden = np_.tanh(np_.matmul(x, w) + b)
    return np_.mean(np_.square(np_.matmul(hidden, v)))


def softmax_regression(np_, w, x, labels):
    scores = np_.matmul(x, w)
    shifted = scores - np_.max(scores, axis=1, keepdims=True)
    logs = shifted - np_.log(np_.sum(np_.exp(shifted), axis=1, keepdims=True))
    picked = np_.take_along_axis(logs, np_.expand_dims(labels, 1), axis=1)
    return -np_.mean(picked)


def logsumexp(np_, x):
    lse = ops.logsumexp if np_ is ops else jax.nn.logsumexp
    return np_.sum(np_.square(lse(x, axis=1)))


def matmul_chain(np_, a, b, c):
    return np_.sum(np_.sin(np_.matmul(np_.matmul(a, b), c)))


def vectors(np_, a, m):
    return np_.matmul(a, np_.matmul(m, a)) + np_.sum(np_.matmul(a, m))


def broadcasting(np_, x, row, column, scalar):
    return np_.sum((x * row + column) / (2.5 + scalar * np_.cos(row)))


def gather(np_, table, ids):
    rows = np_.take(table, ids, axis=0)
    return np_.sum(np_.square(rows) * np_.exp(np_.take(rows, np.array([0, 0]), axis=1)[:, :1]))


def einsum(np_, a, b):
    return np_.sum(np_.square(np_.einsum("bij,bjk->bk", a, b)))


def piecewise(np_, x, y):
    return np_.sum(np_.where(x > y, x * x * y, np_.exp(y) - x))


def running(np_, x):
    return np_.sum(np_.square(np_.cumsum(np_.sin(x), axis=1)))


def pieces(np_, x):
    a, b, c = np_.split(x, 3, axis=1)
    return np_.sum(np_.concatenate([a * b, np_.exp(c)], axis=0) * 0.5) + np_.sum(a * a * a)


def largest(np_, x):
    top_k = ops.top_k if np_ is ops else jax.lax.top_k
    values = top_k(x, 2)[0]
    return np_.sum(values * values * values)


def sorted_weights(np_, x):
    return np_.sum(np_.square(np_.sort(x, axis=-1)) * np.arange(1.0, 5.0))


def extremes(np_, x):
    top = np_.max(x, axis=0)
    return np_.sum(top * np_.min(x, axis=0)) + np_.prod(x)


def indexing(np_, x):
    return np_.sum(x[1:, ::-1] * np_.exp(x[:-1])) + x[0, 1] * x[-1, 2]


def padding(np_, x):
    padded = np_.pad(np_.tile(x, (2, 1)), ((1, 0), (0, 2)))
    return np_.sum(np_.square(padded[:, :3]) * padded[:, 1:4]) + np_.sum(np_.flip(x, 0) * x)


def powers(np_, x):
    clipped = np_.clip(x, -1.0, 1.5)
    return np_.sum(np_.abs(x) ** 1.5) + np_.sum(clipped**3) + np_.sum(np_.sqrt(x * x + 1))


def layer_norm(np_, x, gamma):
    centred = x - np_.mean(x, axis=-1, keepdims=True)
    scale = 1 / np_.sqrt(np_.mean(centred * centred, axis=-1, keepdims=True) + 1e-3)
    return np_.sum(np_.sin(centred * scale * gamma))


def rosenbrock(np_, x):
    return np_.sum(100 * np_.square(x[1:] - np_.square(x[:-1])) + np_.square(1 - x[:-1]))


def extrema_of_pairs(np_, x, y):
    return np_.sum(np_.maximum(x, y) * np_.minimum(np_.sin(x), y))


def axes(np_, x):
    turned = np_.transpose(np_.reshape(x, (2, 3, 2)), (2, 0, 1))
    stacked = np_.stack([turned, turned * turned], axis=1)
    return np_.sum(np_.squeeze(np_.expand_dims(stacked, 0), 0) * np_.exp(turned[0, 0, 0]))


CASES = [
    (mlp, [draw(4, 3), draw(3, 5), draw(5), draw(5, 1)]),
    (softmax_regression, [draw(3, 4), draw(5, 3), np.array([0, 3, 1, 1, 2])]),
    (logsumexp, [draw(3, 4)]),
    (matmul_chain, [draw(2, 1, 3, 2), draw(4, 2, 3), draw(3, 2)]),
    (vectors, [draw(3), draw(3, 3)]),
    (broadcasting, [draw(4, 3), draw(3), draw(4, 1), draw()]),
    (gather, [draw(4, 3), np.array([0, 2, 2, -1])]),
    (einsum, [draw(2, 3, 2), draw(2, 2, 4)]),
    (piecewise, [draw(3, 4), draw(4, seed=1)]),
    (running, [draw(2, 4)]),
    (pieces, [draw(2, 6)]),
    (largest, [draw(2, 5)]),
    (sorted_weights, [draw(2, 4)]),
    (extremes, [draw(3, 2)]),
    (indexing, [draw(3, 4)]),
    (padding, [draw(2, 2)]),
    (powers, [draw(3, 3)]),
    (layer_norm, [draw(2, 4), draw(4)]),
    (rosenbrock, [draw(5)]),
    (extrema_of_pairs, [draw(3, 2), draw(2, seed=1)]),
    (axes, [draw(4, 3)]),
]


@pytest.mark.parametrize(("function", "arrays"), CASES, ids=[f.__name__ for f, _ in CASES])
def test_equals_jax_to_second_order(function, arrays):
    check_against_jax(function, *arrays)


@pytest.mark.parametrize(("function", "arrays"), CASES, ids=[f.__name__ for f, _ in CASES])
def test_equals_finite_differences_to_second_order(function, arrays):
    check_gradients(lambda *xs: function(ops, *xs), *arrays)


@pytest.mark.parametrize("function", [rosenbrock, lambda np_, x: np_.prod(np_.tanh(x)) * x[2]])
def test_hessian_equals_jax(function):
    point = draw(4)
    (x,) = inputs = inputs_for([point])
    found = hessian(function(ops, x), x, inputs, [point])
    with jax.enable_x64(True):
        expected = jax.jit(jax.hessian(lambda x: function(jax.numpy, x)))(point)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)


def test_scatter_add_equals_jax():
    def scatter(np_, x, updates, ids):
        if np_ is ops:
            total = ops.scatter_add(x, ids, updates, axis=0)
        else:
            total = x.at[ids].add(updates)
        return np_.sum(np_.square(total) * np_.sin(x))

    check_against_jax(scatter, draw(4, 2), draw(3, 2), np.array([1, 1, 3]))


def test_third_order():
    check_gradients(lambda x: ops.exp(x) * ops.sin(x * x), draw(3), order=3, tolerance=1e-5)


@st.composite
def broadcast_shapes(draw_):
    """Two or three shapes that broadcast: axes of size 1 and left-out leading axes, size 0 too."""
    full = draw_(st.lists(st.integers(0, 3), max_size=3))
    shapes = []
    for _ in range(draw_(st.integers(2, 3))):
        start = draw_(st.integers(0, len(full)))
        shapes.append(tuple(d if draw_(st.booleans()) else 1 for d in full[start:]))
    return shapes


@settings(max_examples=25, deadline=None)
@given(shapes=broadcast_shapes(), seed=st.integers(0, 99))
def test_broadcasting_of_all_kinds(shapes, seed):
    arrays = [draw(*s, seed=seed) for s in shapes]

    def function(*xs):
        y = xs[0] * xs[1]
        for x in xs:
            y = ops.tanh(y + x) * x
        return ops.where(y > 0, y, xs[-1] * xs[0])

    check_gradients(function, *arrays, seed=seed)

"""Loops: values and gradients against `jax.lax.scan`, to second order."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from kgraph import grad as kgrad
from kgraph import jit, ops

LENGTHS = (0, 1, 2, 7)
BATCHES = (0, 1, 5)


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype("float32") * 0.5


def cumulative(np_, scan, xs):
    """Running sums."""
    return scan(lambda s, x: (s + x, s + x), xs.sum(0) * 0.0, xs)


def recurrent(np_, scan, xs, w, u, b):
    """A simple recurrent cell; the weights are captured."""

    def step(h, x):
        h = np_.tanh(x @ w + h @ u + b)
        return h, h

    return scan(step, xs.sum(0) @ w * 0.0, xs)


def lstm(np_, scan, xs, w, u, b):
    """Gates and two carries."""
    n = u.shape[0]

    def step(carry, x):
        h, c = carry
        z = x @ w + h @ u + b
        i, f = 1 / (1 + np_.exp(-z[:, :n])), 1 / (1 + np_.exp(-z[:, n : 2 * n]))
        c = f * c + i * np_.tanh(z[:, 2 * n :])
        h = np_.tanh(c) * i
        return (h, c), h

    start = xs.sum(0) @ w[:, :n] * 0.0
    return scan(step, (start, start + 1.0), xs)


def twice(np_, scan, xs, w):
    """One weight used twice in a step, once transposed; several outputs."""

    def step(h, x):
        h = np_.tanh(x @ w + h)
        return h @ w.T * 0.5 + h, {"h": h, "x": x * 2.0}

    return scan(step, xs.sum(0) * 0.0, xs)


def counting(np_, scan, xs, w):
    """An integer counter in the carry."""

    def step(carry, x):
        h, n = carry
        return (np_.tanh(h + x * w), n + 1), h * np_.where(np_.equal(n % 2, 0), 1.0, 2.0)

    return scan(step, (xs.sum(0) * 0.0, 0), xs)


def elementwise(np_, scan, xs, w, p):
    """Constants whose gradients stay in the carry, leave as sums, or do not move at all."""

    def step(h, x):
        h = np_.sin(h * p + x) + np_.exp(p) * 0.1
        return h, ((h @ w) / (1 + w.sum()) - p, p)

    return scan(step, xs.sum(0) * 0.0, xs)


CASES = {
    "cumulative": (cumulative, lambda t, b: (normal(1, t, b, 3),)),
    "recurrent": (
        recurrent,
        lambda t, b: (normal(1, t, b, 3), normal(2, 3, 4), normal(3, 4, 4), normal(4, 4)),
    ),
    "lstm": (
        lstm,
        lambda t, b: (normal(1, t, b, 3), normal(2, 3, 6), normal(3, 2, 6), normal(4, 6)),
    ),
    "twice": (twice, lambda t, b: (normal(1, t, b, 3), normal(2, 3, 3))),
    "counting": (counting, lambda t, b: (normal(1, t, b, 3), normal(2, 3))),
    "elementwise": (
        elementwise,
        lambda t, b: (normal(1, t, b, 3), normal(2, 3, 3), normal(3, b, 3)),
    ),
}  # fmt: skip


def loss_of(np_, scan, function):
    """A number from all float results, each element weighted."""

    def loss(*args):
        carry, ys = function(np_, scan, *args)
        total = 0.0
        for i, leaf in enumerate(jax.tree.leaves((carry, ys), is_leaf=lambda n: hasattr(n, "op"))):
            if "float" in str(leaf.dtype):
                total = total + (np_.sin(leaf + 0.3 * i)).sum()
        return total

    return loss


def slopes_of(np_, grad_, loss, count):
    """A second-order quantity: a function of the first gradients."""

    def slope(*args):
        return sum(
            (g * g * (i + 1.0)).sum() for i, g in enumerate(grad_(loss, tuple(range(count)))(*args))
        )

    return slope


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("name", sorted(CASES))
def test_like_jax(name, reverse):
    function, arguments = CASES[name]
    lengths = LENGTHS if not reverse else (2,)
    for length in lengths:
        for batch in BATCHES if length in (0, 2) and not reverse else (2,):
            compare(function, arguments(length, batch), reverse)


def compare(function, args, reverse):
    """Values, first and second gradients."""

    def theirs(step, init, xs):
        return lax.scan(step, init, xs, reverse=reverse)

    def mine(step, init, xs):
        return ops.scan(step, init, xs, reverse=reverse)

    close(jit(lambda *a: function(np, mine, *a))(*args), function(jnp, theirs, *args))
    their_loss, my_loss = loss_of(jnp, theirs, function), loss_of(np, mine, function)
    numbers = tuple(range(len(args)))
    found = kgrad(my_loss, numbers)(*args)
    close(found, jax.grad(their_loss, numbers)(*args))
    close(
        kgrad(slopes_of(np, kgrad, my_loss, len(args)), numbers)(*args),
        jax.grad(slopes_of(jnp, jax.grad, their_loss, len(args)), numbers)(*args),
        1e-3,
    )


def close(found, expected, tolerance=2e-5):
    a, b = jax.tree.leaves(found), jax.tree.leaves(expected)
    assert len(a) == len(b)
    for mine, theirs in zip(a, b):
        assert mine.shape == theirs.shape
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)

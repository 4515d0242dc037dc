"""First-order gradients of every op that JAX has, on the op's own samples, in float64."""

from __future__ import annotations

import zlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax_oracle import gradients

from kgraph.ir.op import OPS, find_op

# Ops whose JAX function has the same name, operands and attributes.
SAME = [
    "abs", "add", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh",
    "broadcast_to", "cbrt", "ceil", "cos", "cosh", "cumprod", "cumsum", "divide", "exp", "exp2",
    "expand_dims", "expm1", "flip", "floor", "floor_divide", "fmod", "hypot", "log", "log10",
    "log1p", "log2", "logaddexp", "matmul", "max", "maximum", "mean", "min",
    "minimum", "mod", "multiply", "negative", "power", "prod",
    "reciprocal", "reshape", "round", "sign", "sin", "sinh", "sort", "sqrt", "square", "squeeze",
    "subtract", "sum", "take", "tan", "tanh", "transpose", "where",
]  # fmt: skip
NN = ["elu", "gelu", "leaky_relu", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid",
      "silu", "softmax", "softplus"]  # fmt: skip


def table(function):
    """A function of operands and attributes that needs no attribute."""
    return lambda *xs, **attrs: function(*xs)


def along(function):
    """`function(array, index arrays)` at the places that `take_along_axis` reads."""

    def run(x, ids, updates, axis=-1):
        moved = [jnp.moveaxis(a, axis, 0) for a in (x, ids, updates)]
        rest = jnp.meshgrid(*map(jnp.arange, moved[1].shape), indexing="ij")[1:]
        return jnp.moveaxis(function(moved[0], (moved[1], *rest), moved[2]), 0, axis)

    return run


def rows(x, axis, ids):
    """The index of rows along an axis."""
    return (*[slice(None)] * axis, ids)


def places(starts, stops, steps=None):
    """The slices of three attributes."""
    steps = steps or (1,) * len(starts)
    return tuple(slice(a, b, c) for a, b, c in zip(starts, stops, steps))


def multiplied(x, ids, updates, axis=0):
    """One update after the other: JAX has no gradient of products at equal ids."""
    moved = jnp.moveaxis(x, axis, 0)
    places = range(axis, axis + ids.ndim)
    factors = jnp.moveaxis(updates, places, range(ids.ndim)).reshape(-1, *moved.shape[1:])
    for place, factor in zip(ids.reshape(-1), factors):
        moved = moved.at[place].multiply(factor, unique_indices=True)
    return jnp.moveaxis(moved, 0, axis)


def symmetric(x):
    """The matrix whose lower half is that of x."""
    return jnp.tril(x) + jnp.swapaxes(jnp.tril(x, -1), -1, -2)


def slice_grad(g, shape, starts, stops, steps=None):
    return jnp.zeros(shape, g.dtype).at[places(starts, stops, steps)].set(g)


def cross_entropy(z, y):
    return -jnp.sum(y * jax.nn.log_softmax(z), -1)


def sparse_cross_entropy(z, ids):
    return -jnp.take_along_axis(jax.nn.log_softmax(z), ids[..., None], -1)[..., 0]


def normalized(p):
    return p / jnp.sum(p, -1, keepdims=True)


def clipped(p, epsilon):
    return jnp.clip(p, epsilon, 1 - epsilon)


def binary(y, p, epsilon=1e-7):
    p = clipped(p, epsilon)
    return -(y * jnp.log(p) + (1 - y) * jnp.log(1 - p))


OWN = {
    "add_along_axis": along(lambda x, at, updates: x.at[at].add(updates)),
    "binary_crossentropy": binary,
    "cast": lambda x, dtype: x,
    "categorical_crossentropy": lambda y, p, epsilon=1e-7: (
        -jnp.sum(y * jnp.log(clipped(normalized(p), epsilon)), -1)
    ),
    "cholesky_factor": lambda x: jnp.linalg.cholesky(symmetric(x), symmetrize_input=False),
    "clip": lambda x, min, max: jnp.clip(x, min, max),
    "concatenate": lambda *xs, axis=0: jnp.concatenate(xs, axis),
    "det": jnp.linalg.det,
    "einsum": lambda *xs, subscripts: jnp.einsum(subscripts, *xs),
    "ensure_shape": table(lambda x: x),
    "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc,
    "erfinv": jax.scipy.special.erfinv,
    "hard_sigmoid": lambda x: jnp.clip(0.2 * x + 0.5, 0, 1),
    "identity": table(lambda x: x),
    "inv": jnp.linalg.inv,
    "logabsdet": lambda x: jnp.linalg.slogdet(x)[1],
    "logsumexp": jax.scipy.special.logsumexp,
    "nextafter": lambda x, y: x + 0 * y,
    "pad": lambda x, pad_width, constant_values=0: jnp.pad(
        x, pad_width, constant_values=constant_values
    ),
    "recompute": table(lambda x, *others: x),
    "relu_grad": lambda g, y: jnp.where(y > 0, g, 0),
    "rsqrt": jax.lax.rsqrt,
    "masked_scale": lambda x, mask, scale=1.0: x * mask * scale,
    "scatter_add": lambda x, ids, updates, axis=0: x.at[rows(x, axis, ids)].add(updates),
    "scatter_max": lambda x, ids, updates, axis=0: x.at[rows(x, axis, ids)].max(updates),
    "scatter_min": lambda x, ids, updates, axis=0: x.at[rows(x, axis, ids)].min(updates),
    "scatter_multiply": multiplied,
    "scatter_set": lambda x, ids, updates, axis=0: x.at[rows(x, axis, ids)].set(updates),
    "sigmoid_cross_entropy": lambda z, y: jax.nn.softplus(z) - z * y,
    "slice": lambda x, starts, stops, steps=None: x[places(starts, stops, steps)],
    "slice_add": lambda x, g, starts, stops, steps=None: x.at[places(starts, stops, steps)].add(g),
    "slice_grad": slice_grad,
    "softmax_cross_entropy": cross_entropy,
    "solve": lambda a, b: (
        jnp.linalg.solve(a, b[..., None])[..., 0] if b.ndim < a.ndim else jnp.linalg.solve(a, b)
    ),
    "softsign": jax.nn.soft_sign,
    "sparse_categorical_crossentropy": lambda ids, p, epsilon=1e-7: (
        -jnp.log(jnp.take_along_axis(clipped(normalized(p), epsilon), ids[..., None], -1)[..., 0])
    ),
    "sparse_softmax_cross_entropy": sparse_cross_entropy,
    "subtract_one_hot": lambda x, ids: x - jax.nn.one_hot(ids, x.shape[-1]),
    "take_along_axis": lambda x, ids, axis=-1: jnp.take_along_axis(x, ids, axis),
    "top_k": lambda x, k: jax.lax.top_k(x, k)[0],
}
JAX = {n: getattr(jnp, n) for n in SAME} | {n: getattr(jax.nn, n) for n in NN} | OWN
# A program of other ops, each of which is here.
PROGRAMS = ("fused",)
# What nothing flows back through.
FLAT = ("argmax", "argmin", "argsort", "searchsorted", "stop_gradient")
# Windows, whose attributes JAX spells otherwise: held against its gradients in tests of their own,
# `test_convolution.py` and `test_pooling.py`.
WINDOWS = ("average_pool", "average_pool_grad", "conv", "conv_filter_grad", "conv_input_grad",
           "max_pool", "sum_pool", "sum_pool_grad")  # fmt: skip


def samples_of(name):
    """The differentiable samples of an op in float64, one for each set of attributes."""
    chosen = {}
    for sample in find_op(name).samples():
        rng = np.random.default_rng(zlib.crc32(name.encode()))
        arrays = [np.asarray(a(rng) if callable(a) else a) for a in sample.inputs]
        if sample.differentiable and any(a.dtype.kind == "f" for a in arrays):
            wide = [a.astype("float64") if a.dtype.kind == "f" else a for a in arrays]
            chosen.setdefault(repr(sample.attrs), (wide, dict(sample.attrs)))
    return list(chosen.values())[:2]


def first_output(op, attrs):
    """The op's first output, with the attributes of a sample."""

    def run(*xs):
        made = op.apply(xs, **attrs)
        return made[0] if isinstance(made, tuple) else made

    return run


def their_gradients(cases):
    """JAX's gradients of all cases, compiled at once: each compilation has a price of its own."""

    def weighted(function, attrs):
        def total(xs):
            y = function(*xs, **attrs)
            return jnp.sum(y * jnp.cos(jnp.arange(y.size, dtype=y.dtype)).reshape(y.shape))

        return total

    def all_of_them(inputs):
        found = []
        for (name, arrays, attrs), xs in zip(cases, inputs):
            known = {k: v for k, v in attrs.items() if k not in ("wrap", "tag")}
            floats = [i for i, a in enumerate(arrays) if a.dtype.kind == "f"]
            slopes = jax.grad(weighted(JAX[name], known), allow_int=True)(xs)
            found.append([slopes[i] for i in floats])
        return found

    with jax.enable_x64(True):
        options = {"xla_backend_optimization_level": 0}
        return jax.jit(all_of_them, compiler_options=options)([arrays for _, arrays, _ in cases])


GROUPS = 6


@pytest.mark.parametrize("group", range(GROUPS))
def test_gradients_are_jax_s(group):
    names = [n for n in sorted(JAX)[group::GROUPS] if n in OPS]
    cases = [(n, arrays, attrs) for n in names for arrays, attrs in samples_of(n)]
    for (name, arrays, attrs), theirs in zip(cases, their_gradients(cases), strict=True):
        wide = {**attrs, "dtype": "float64"} if "dtype" in attrs else attrs
        mine = gradients(first_output(find_op(name), wide), *arrays)
        for a, b in zip(mine, theirs, strict=True):
            message = f"{name} {attrs}"
            np.testing.assert_allclose(a, np.asarray(b), 1e-7, 1e-9, err_msg=message)


def test_every_op_with_a_gradient_is_here():
    missing = [n for n in OPS if n not in {*JAX, *PROGRAMS, *FLAT, *WINDOWS} and samples_of(n)]
    unknown = [n for n in missing if has_gradient(find_op(n))]
    assert unknown == [], "give these ops their JAX function in SAME, NN or OWN"


def has_gradient(op):
    """Whether the op says how something flows back through it."""
    return (op.has_vjp or op.reference is not None) and getattr(op, "rule", True) is not None

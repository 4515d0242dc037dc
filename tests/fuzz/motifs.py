"""Pieces of networks as people write them, and shapes of graphs at which compilers went wrong.

Each takes a pool and gives new values. Weights are constants or the pool's states; everything rough
is kept between -8 and 8, so that the graph stays tame.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kgraph import ops
from kgraph.ir import Node, Variable, build, const
from kgraph.ir.leaves import RNG_STEP
from kgraph.ir.op import find_op
from kgraph.runtime.autodiff import grad
from kgraph.testing.pool import Pool, Value

Motif = Callable[[Pool], list[Value]]
ACTIVATIONS = ("relu", "tanh", "sigmoid", "gelu", "softplus", "relu6", "silu")


def rough(node: Node, bound: float = 8.0) -> Value:
    """A value that rounding touches."""
    return Value(node, False, bound)


def matrix(pool: Pool, rows: int, columns: int, dtype: str = "float32") -> Node:
    """Small numbers: a weight, or now and then a constant."""
    array = pool.choices.rng().normal(size=(rows, columns)) / max(rows, 1) ** 0.5
    return const(array, dtype) if pool.choices.chance(30) else Variable(array, "w", dtype)


def vector(pool: Pool, size: int, dtype: str = "float32") -> Node:
    """A weight of one axis."""
    return Variable(pool.choices.rng().uniform(0.5, 1.5, size), "v", dtype)


def rows_of(pool: Pool) -> Node | None:
    """A rough matrix of floats between -1 and 1, with as many columns as are known."""
    value = pool.pick(
        lambda v: v.is_float and v.node.dtype != "float16" and v.node.ndim == 2
        and isinstance(v.node.shape[1], int) and v.node.shape[1] > 0
    )  # fmt: skip
    return None if value is None else ops.sin(value.node)


# -- products ----------------------------------------------------------------------------------


def dense(pool: Pool) -> list[Value]:
    """A product, a bias and an activation, of which a part may have another user."""
    x = rows_of(pool)
    if x is None:
        return []
    width = pool.choices.among((1, 2, 4, 40))
    z = x @ matrix(pool, x.shape[1], width, x.dtype)
    biased = z + matrix(pool, 1, width, x.dtype)[0]
    y = getattr(ops, pool.choices.among(ACTIVATIONS))(biased)
    others = [biased] if pool.choices.chance(25) else []
    return [rough(v) for v in (*others, y)]


def siblings(pool: Pool) -> list[Value]:
    """Two or three products of one operand, of equal or other widths, one maybe of another's."""
    x = rows_of(pool)
    if x is None:
        return []
    choices, found = pool.choices, []
    for _ in range(choices.between(2, 3)):
        width = choices.among((2, 3, 16))
        found.append(x @ matrix(pool, x.shape[1], width, x.dtype))
    if choices.chance(30):
        inner = ops.transpose(ops.tanh(found[0])) @ x  # depends on the first product
        found.append(x @ ops.transpose(inner)[: x.shape[1]])
    if choices.chance(30):
        found.append(x @ ops.transpose(matrix(pool, 2, x.shape[1], x.dtype)))
    return [rough(v) for v in found]


def shared_weights(pool: Pool) -> list[Value]:
    """Two operands by one matrix, as in a siamese network."""
    x, y = rows_of(pool), rows_of(pool)
    if x is None or y is None or x.type != y.type:
        return []
    w = matrix(pool, x.shape[1], 3, x.dtype)
    return [rough(x @ w), rough(ops.relu(y @ w))]


def chain(pool: Pool) -> list[Value]:
    """Three matrices and a vector in a row, in some bracketing."""
    x = rows_of(pool)
    if x is None:
        return []
    wide = pool.choices.among((4, 32))
    a, b = matrix(pool, x.shape[1], wide, x.dtype), matrix(pool, wide, 2, x.dtype)
    v = matrix(pool, 2, 1, x.dtype)
    forms = [(x @ a) @ b, x @ (a @ b), ((x @ a) @ b) @ v, x @ (a @ (b @ v)), (x @ a) @ (b @ v)]
    middle = [rough(x @ a)] if pool.choices.chance(20) else []
    return [*middle, rough(pool.choices.among(forms))]


def reduced_product(pool: Pool) -> list[Value]:
    """Sums, traces and diagonals of products."""
    x = rows_of(pool)
    if x is None:
        return []
    w = matrix(pool, x.shape[1], 3, x.dtype)
    forms = [
        lambda: ops.sum(x @ w, axis=0),
        lambda: ops.sum(x @ w, axis=1),
        lambda: ops.sum(x @ w),
        lambda: ops.mean(x @ w, axis=1, keepdims=True),
        lambda: (x @ w) * ops.sum(x, axis=1, keepdims=True),
        lambda: ops.sum(x * ops.tanh(x), axis=1) @ (x @ w),
        lambda: ops.einsum("ij,jk->ki", x, w),
        lambda: ops.einsum("ij,ij->i", x, x),
        lambda: ops.einsum("ij,kj->ik", x, x),
    ]
    return [rough(pool.choices.among(forms)(), 100.0)]


def attention(pool: Pool) -> list[Value]:
    """Scores, softmax and mix of rows, with one head or two."""
    x = rows_of(pool)
    if x is None:
        return []
    width, heads = 4, pool.choices.between(1, 2)
    parts = [x @ matrix(pool, x.shape[1], width, x.dtype) for _ in range(3)]
    if heads == 2:
        parts = [ops.transpose(ops.reshape(p, (x.shape[0], 2, 2)), (1, 0, 2)) for p in parts]
    q, k, v = parts
    mixed = ops.softmax(q @ ops.swapaxes(k, -1, -2) * 0.5) @ v
    if heads == 2:
        mixed = ops.reshape(ops.transpose(mixed, (1, 0, 2)), (x.shape[0], width))
    return [rough(mixed)]


# -- normalisation, losses, dropout ------------------------------------------------------------


def normalised(pool: Pool) -> list[Value]:
    """Batch or layer normalisation written out, before or after a product or an activation."""
    x = rows_of(pool)
    if x is None:
        return []
    choices = pool.choices
    width = x.shape[1]
    if choices.chance(60):
        x, width = x @ matrix(pool, width, 3, x.dtype), 3
    if choices.chance(30):
        x = getattr(ops, choices.among(ACTIVATIONS))(x)
    scale, shift = vector(pool, width, x.dtype), vector(pool, width, x.dtype)
    if choices.flag():
        moved, spread = vector(pool, width, x.dtype), vector(pool, width, x.dtype)
        y = (x - moved) * (ops.rsqrt(spread + 0.1) * scale) + shift
        if choices.flag():  # and a product behind it
            y = y @ matrix(pool, width, 2, x.dtype)
            y = y + vector(pool, 2, x.dtype) if choices.flag() else y
    else:
        mean = ops.mean(x, axis=-1, keepdims=True)
        spread = ops.mean(ops.square(x - mean), axis=-1, keepdims=True)
        y = (x - mean) / ops.sqrt(spread + 0.1) * scale + shift
    return [rough(y, 50.0)]


def loss(pool: Pool) -> list[Value]:
    """A loss of probabilities with its gradient, the probabilities maybe used elsewhere too."""
    x = rows_of(pool)
    if x is None or x.shape[1] < 2:
        return []
    choices = pool.choices
    target = ops.softmax(ops.cos(3.0 * x))
    if choices.flag():
        p = ops.softmax(x)
        values = ops.categorical_crossentropy(target, p)
    else:
        p = ops.sigmoid(x)
        values = ops.binary_crossentropy(target, p)
    total = ops.mean(values)
    (slope,) = grad(total, [x])
    found = [rough(total, 20.0)]
    found += [rough(slope, 20.0)] if slope is not None and choices.chance(70) else []
    return found + ([rough(p, 1.0)] if choices.chance(30) else [])


def dropout(pool: Pool) -> list[Value]:
    """One or two dropouts with the gradient through them; two of one rate are two."""
    x = rows_of(pool)
    if x is None:
        return []

    def mask(site: int) -> Node:
        drawn = find_op("random_bernoulli")
        return drawn(build(RNG_STEP), x.shape, p=0.5, seed=3, site=site, dtype=x.dtype)

    sites = pool.choices.among([(0,), (0, 1), (0, 0)])
    y = x
    for site in sites:
        y = y * (mask(site) * 2.0)
    (slope,) = grad(ops.sum(ops.sin(y)), [x])
    return [rough(v) for v in (y, slope) if v is not None]


# -- tables and pieces -------------------------------------------------------------------------


def table(pool: Pool) -> list[Value]:
    """Rows of a table, maybe twice and tied to a product, with the table's gradient and step."""
    choices, ids = pool.choices, pool.ids()
    weights = matrix(pool, choices.among((5, 40)), 3)
    rows = ops.take(weights, ids, axis=0)
    y = ops.tanh(rows)
    if choices.chance(40):
        y = y + ops.take(weights, ids * 0 + 1, axis=0)
    if choices.chance(30):
        y = y @ ops.transpose(weights)
    (slope,) = grad(ops.sum(ops.sin(y)), [weights])
    assert slope is not None
    return [rough(y), rough(choices.among([slope, weights - 0.1 * slope]), 50.0)]


def pieces(pool: Pool) -> list[Value]:
    """Slices that tile an axis or nearly do, put together again, in order or not."""
    value = pool.pick(
        lambda v: v.node.ndim > 0 and isinstance(v.node.shape[-1], int) and v.node.shape[-1] > 1
    )
    if value is None:
        return []
    x, choices = value.node, pool.choices
    middle = choices.between(1, x.shape[-1] - 1)
    parts = [x[..., :middle], x[..., middle:]]
    if choices.chance(20):
        parts[choices.below(2)] = x[..., 0:1]
    if choices.chance(30):
        parts = parts[::-1]
    joined = ops.concatenate(parts, axis=-1)
    back = joined[..., :middle] if choices.flag() else joined[..., 1:]
    return [Value(joined, value.exact, value.bound), Value(back, value.exact, value.bound)]


def gathered_gradients(pool: Pool) -> list[Value]:
    """The gradient of several slices of one value: zero-filled arrays that are added up."""
    x = rows_of(pool)
    if x is None or x.shape[1] < 2:
        return []
    parts = [x[:, :1], x[:, 1:], x[:, : pool.choices.between(1, x.shape[1])]]
    total = ops.sum(ops.sin(parts[0])) + ops.sum(ops.square(parts[1])) + ops.sum(parts[2])
    (slope,) = grad(total, [x])
    return [] if slope is None else [rough(slope, 20.0)]


# -- moves around other ops --------------------------------------------------------------------


def sandwich(pool: Pool) -> list[Value]:
    """Transposes around an op that names axes: the axis must follow the move."""
    value = pool.pick(lambda v: v.node.ndim >= 2 and v.kind != "bool")
    if value is None:
        return []
    x, choices = value.node, pool.choices
    axes = tuple(choices.shuffled(range(x.ndim)))
    back = tuple(int(i) for i in np.argsort(axes))
    moved, axis = ops.transpose(x, axes), choices.below(x.ndim)
    known = isinstance(moved.shape[axis], int) and moved.shape[axis] > 0
    found = [ops.sum(moved, axis=axis), ops.transpose(ops.flip(moved, axis), back)]
    found.append(ops.transpose(ops.sum(moved, axis=axis, keepdims=True), back))
    found.append(ops.transpose(ops.concatenate([moved, moved], axis=axis), back))
    if known:
        found.append(ops.transpose(ops.max(moved, axis=axis, keepdims=True), back))
        if value.exact or not pool.tame:
            found.append(ops.argmax(moved, axis=axis))
        if value.is_float and value.bound < 100:
            found.append(ops.transpose(ops.softmax(moved, axis=axis), back))
    found.append(ops.transpose(ops.negative(ops.transpose(x, axes)), axes))
    node = choices.among(found)
    exact = value.exact and node.op is not ops.softmax
    exact = exact and not (node.op is ops.transpose and node.inputs[0].op is ops.softmax)
    return [Value(node, exact, 64 * value.bound)]


def regrouped(pool: Pool) -> list[Value]:
    """Reshapes that look like each other's inverse, and some that are."""
    value = pool.pick(lambda v: v.node.ndim >= 2)
    if value is None:
        return []
    x, choices = value.node, pool.choices
    flat = ops.reshape(x, (-1,))
    forms = [
        lambda: ops.reshape(flat, x.shape),
        lambda: ops.reshape(flat, (*x.shape[1:], x.shape[0])),
        lambda: ops.reshape(ops.transpose(x), x.shape),
        lambda: ops.transpose(ops.reshape(flat, tuple(reversed(x.shape)))),
        lambda: ops.reshape(ops.negative(ops.reshape(x, (-1, 1))), x.shape)
        if value.kind != "bool" else flat,
    ]  # fmt: skip
    return [Value(choices.among(forms)(), value.exact, value.bound)]


# -- shapes of graphs --------------------------------------------------------------------------


def diamond(pool: Pool) -> list[Value]:
    """One value on two ways, one of them through a reduction, that meet again."""
    value = pool.pick(lambda v: v.is_float and v.node.ndim > 0 and v.node.dtype != "float16")
    if value is None:
        return []
    e = ops.exp(ops.sin(value.node))
    axis = pool.choices.below(e.ndim)
    forms = [
        lambda: ops.sin(e) + ops.sum(e, axis=axis, keepdims=True),
        lambda: e / (1.0 + ops.sum(e, axis=axis, keepdims=True)),
        lambda: ops.tanh(e) * ops.mean(e * e, axis=axis, keepdims=True) - e,
        lambda: ops.where(e > 1e9, e, ops.cos(e)) * e + ops.sum(ops.cos(e)),
    ]
    return [rough(pool.choices.among(forms)(), 600.0)]


def wide_mix(pool: Pool) -> list[Value]:
    """A chain of elementwise ops over operands of several shapes and dtypes."""
    value = pool.pick(lambda v: v.is_float and v.node.ndim == 2 and v.node.dtype == "float32")
    if value is None:
        return []
    x, choices = value.node, pool.choices
    kept = []
    y: Node = ops.sin(x)
    for _ in range(choices.between(2, 6)):
        name = choices.among(("add", "multiply", "subtract", "maximum", "where", "cast", "unary"))
        other = choices.among([y, ops.sin(x), ops.cos(x[:, :1]), const(0.5), ops.cos(x[:1])])
        other = ops.cast(other, y.dtype)
        if name == "where":
            y = ops.where(x > 0, y, other)
        elif name == "cast":
            y = ops.cast(ops.cast(y, "float64"), "float32") * 0.5
        elif name == "unary":
            y = getattr(ops, choices.among(("tanh", "negative", "abs", "sigmoid")))(y)
        elif x.shape[0] != 0:
            y = getattr(ops, name)(y, other)
        if choices.chance(20):
            kept.append(y)
    return [rough(v, 600.0) for v in (*kept, y)]


def steps_of_states(pool: Pool) -> list[Value]:
    """Next values of states out of views of them: what in-place writing must not break."""
    floats = [s for s in pool.states if s.is_float]
    if len(floats) < 2:
        return []
    first, second = pool.choices.shuffled(floats)[:2]
    a, b = first.node, second.node
    forms = [
        lambda: ops.transpose(a),
        lambda: ops.flip(a, 0) + a,
        lambda: a - ops.transpose(a),
        lambda: ops.sin(a) @ ops.transpose(ops.sin(a)),
        lambda: a * 0.5 + ops.transpose(b) * 0.5,
        lambda: ops.concatenate([a[1:], b[:1]], axis=0) if a.shape[0] else a,
        lambda: b,
    ]
    node = pool.choices.among(forms)()
    return [Value(ops.clip(node, -8.0, 8.0), False, 8.0)]


# -- spellings ---------------------------------------------------------------------------------


def spelled(pool: Pool) -> list[Value]:
    """Softmax, its logarithm, its sum and the variance as people spell them."""
    x = rows_of(pool)
    if x is None:
        return []
    axis = pool.choices.below(2) if isinstance(x.shape[0], int) and x.shape[0] else 1

    def over(name: str, y: Node, keepdims: bool = True) -> Node:
        return getattr(ops, name)(y, axis=axis, keepdims=keepdims)

    def kept(y: Node) -> Node:
        shape = tuple(1 if i == axis else d for i, d in enumerate(x.shape))
        return ops.reshape(y, shape) if pool.choices.flag() else ops.expand_dims(y, axis)

    shifted = x - over("max", x)
    flat = kept(over("sum", ops.exp(x), keepdims=False))
    forms = [
        lambda: ops.exp(x) / flat,
        lambda: ops.exp(x) * (1.0 / over("sum", ops.exp(x))),
        lambda: ops.softmax(shifted, axis=axis),
        lambda: ops.log_softmax(shifted, axis=axis),
        lambda: ops.exp(shifted) / over("sum", ops.exp(shifted)),
        lambda: shifted - ops.log(over("sum", ops.exp(shifted))),
        lambda: over("max", x) + ops.log(over("sum", ops.exp(shifted))),
        lambda: x - kept(ops.logsumexp(x, axis=axis)),
        lambda: ops.log(kept(over("sum", ops.exp(x), keepdims=False))),
        lambda: ops.log(ops.transpose(ops.softmax(x, axis=axis))),
        lambda: ops.log(ops.sigmoid(x)[:, :1]),
        lambda: over("mean", ops.square(x - over("mean", x))),
        lambda: over("mean", ops.square(x)) - ops.square(over("mean", x)),
        lambda: ops.relu(x) + ops.softplus(-abs(x)),
        lambda: ops.maximum(x, 0.0) - x * 0.5 + ops.log1p(ops.exp(-abs(x))),
    ]
    return [rough(pool.choices.among(forms)(), 100.0)]


def numbers(pool: Pool) -> list[Value]:
    """Constants on constants: sums, products, quotients, extremes and bounds, in any order."""
    value = pool.pick(lambda v: v.kind in ("float", "int") and v.node.dtype != "float16")
    if value is None:
        return []
    choices, y = pool.choices, value.node
    names = ("add", "subtract", "multiply", "maximum", "minimum")
    names += ("divide",) if value.is_float else ("floor_divide",)
    for _ in range(choices.between(2, 4)):
        number = choices.among(
            (2, 3, 1, 0, 4) if not value.is_float else (2.0, 0.5, 3.0, -1.0, 0.1)
        )
        other = const(number, y.dtype)
        name = choices.among(names)
        swapped = choices.flag() and name not in ("divide", "floor_divide")
        y = getattr(ops, name)(*((other, y) if swapped else (y, other)))
        y = choices.among([y, y, y, -y if y.dtype != "uint8" else y, ops.clip(y, 0, 6)])
    twice = y + value.node * 3 if choices.chance(30) else y
    exact = value.exact and not value.is_float
    return [Value(twice, exact, 2000 * value.bound)]


def moved_pieces(pool: Pool) -> list[Value]:
    """Parts of results: slices and rows of elementwise ops, products and joins."""
    x = rows_of(pool)
    if x is None:
        return []
    choices, ids = pool.choices, pool.ids()
    wide = ops.concatenate([x, ops.cos(x), ops.concatenate([x, x], axis=1)], axis=1)
    forms = [
        lambda: wide[:, : choices.between(1, wide.shape[1])],
        lambda: ops.concatenate([wide, x], axis=1),
        lambda: ops.tanh(x + 1.0)[:, :1],
        lambda: (x @ matrix(pool, x.shape[1], 4, x.dtype))[:, 1:3],
        lambda: ops.take(ops.tanh(matrix(pool, 5, 3) * 2.0), ids, axis=0),
        lambda: ops.sum(ops.broadcast_to(x, (4, *x.shape)), axis=choices.below(3)),
        lambda: ops.transpose(ops.broadcast_to(x, (4, *x.shape)), choices.shuffled(range(3))),
        lambda: ops.sum(ops.sum(wide, axis=1), axis=0),
        lambda: ops.sum(x * 3.0, axis=1) * 0.5,
    ]
    return [rough(choices.among(forms)(), 500.0)]


def class_ids(pool: Pool) -> list[Value]:
    """Probabilities less one-hot rows: the gradient of a loss of class ids."""
    x, ids = rows_of(pool), pool.ids()
    if x is None or x.shape[1] < 2 or x.shape[0] != ids.shape[0]:
        return []
    if pool.choices.flag():
        hot = ops.one_hot(ids, x.shape[1], dtype=x.dtype)
        return [rough(ops.softmax(x) - hot)]
    loss, _ = ops.sparse_softmax_cross_entropy(x, ids)
    (slope,) = grad(ops.sum(loss), [x])
    p = ops.sparse_categorical_crossentropy(ids, ops.softmax(x))
    return [rough(v, 20.0) for v in (loss, slope, p) if v is not None]


def masked(pool: Pool) -> list[Value]:
    """A relu with dropout behind it, and the gradient through both."""
    x = rows_of(pool)
    if x is None:
        return []
    drawn = find_op("random_bernoulli")
    mask = drawn(build(RNG_STEP), x.shape, p=0.5, seed=4, site=0) > 0.5
    y = ops.masked_scale(ops.relu(x), mask, pool.choices.among((2.0, 1.25)))
    (slope,) = grad(ops.sum(ops.sin(y)), [x])
    return [rough(v) for v in (y, slope) if v is not None]


MOTIFS: tuple[Motif, ...] = (
    dense, dense, siblings, shared_weights, chain, reduced_product, attention, normalised,
    normalised, loss, dropout, table, pieces, gathered_gradients, sandwich, sandwich, regrouped,
    diamond, wide_mix, steps_of_states, spelled, spelled, numbers, numbers, moved_pieces,
    moved_pieces, class_ids, masked,
)  # fmt: skip

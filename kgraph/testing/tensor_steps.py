"""Steps that move, reduce, join, index, sort and multiply tensors: pool -> new values."""

from __future__ import annotations

import math

from kgraph import ops
from kgraph.ir.node import Node
from kgraph.testing.pool import BATCH, Pool, Value
from kgraph.testing.steps import Step

_ROWS = 5  # what bounds take the batch for


def twist(pool: Pool) -> list[Value]:
    """A value with itself seen another way: its buffer dies where two windows on it are read."""
    v = pool.pick(lambda o: o.is_float and o.ndim == 2)
    if v is None:
        return []
    fresh = ops.negative(v.node)
    views = [ops.flip(fresh), fresh[::-1], fresh[:, ::-1]]
    views += [ops.transpose(fresh)] * 3 if fresh.shape == fresh.shape[::-1] else []
    other = pool.choices.among(views)
    pair = (other, fresh) if pool.choices.flag() else (fresh, other)
    return [Value(ops.add(*pair), v.exact, 2 * v.bound)]


def move(pool: Pool) -> list[Value]:
    """Views, and reshapes that need a copy."""
    v, choices = pool.any(), pool.choices
    x, n = v.node, v.ndim
    if not n or choices.chance(35):
        moved = (
            lambda: ops.reshape(x, (-1,)),
            lambda: ops.expand_dims(x, choices.between(0, n)),
            lambda: ops.squeeze(x),
            lambda: ops.flip(x),
        )
        return [Value(choices.among(moved)(), v.exact, v.bound)]
    axis = choices.below(n)
    others = [slice(None)] * axis
    moves = [
        lambda: ops.transpose(x),
        lambda: ops.transpose(x, choices.shuffled(range(n))),
        lambda: x[::-1],
        lambda: x[(*others, slice(None, None, 2))],
        lambda: ops.broadcast_to(x, (2, *x.shape)),
        lambda: ops.reshape(ops.transpose(x), (-1, x.shape[0])),
        lambda: ops.reshape(x, (*x.shape[1:], x.shape[0])),
        lambda: ops.swapaxes(x, 0, axis),
    ]
    # No first row and nothing behind it is there where there are no rows.
    if not pool.empty or isinstance(x.shape[axis], int):
        moves += [
            lambda: x[(*others, slice(1, None))],
            lambda: x[(*others, slice(0, 1))],
            lambda: x[(*others, 0)],
        ]
    return [Value(choices.among(moves)(), v.exact, v.bound)]


def reduce(pool: Pool) -> list[Value]:
    """Reductions over one axis or all."""
    v, choices = pool.any(), pool.choices
    x = v.node
    if not x.ndim:
        return []
    axis = choices.among([*range(x.ndim), None])
    keep = choices.flag()
    if v.kind == "bool":
        name = ops.any if choices.flag() else ops.all
        return [Value(name(x, axis=axis, keepdims=keep), v.exact, 1.0)]
    grown = v.bound * math.prod([d if isinstance(d, int) else _ROWS for d in x.shape])
    found = [lambda: Value(ops.sum(x, axis=axis, keepdims=keep), v.exact, grown)]
    # No extreme of nothing: the axis must not be empty for any batch.
    if axis is not None and isinstance(x.shape[axis], int) and x.shape[axis]:
        extreme = ops.min if choices.flag() else ops.max
        found.append(lambda: Value(extreme(x, axis=axis, keepdims=keep), v.exact, v.bound))
        if v.exact and pool.tame:
            place = ops.argmin if choices.flag() else ops.argmax
            found.append(lambda: Value(place(x, axis=axis), True, 128.0))
        if v.is_float:
            near_one = 1.0 + 0.3 * ops.sin(x) if pool.tame else x
            product = ops.prod(near_one, axis=axis, keepdims=keep)
            found.append(lambda: Value(product, False, 1.3 ** x.shape[axis]))
            found.append(lambda: Value(ops.mean(x, axis=axis, keepdims=keep), False, v.bound))
            small = ops.sin(x) if pool.tame else x
            spread = ops.logsumexp(small, axis=axis, keepdims=keep)
            found.append(lambda: Value(spread, False, 8.0))
            found.append(lambda: Value(ops.var(small, axis=axis, keepdims=keep), False, 4.0))
    if v.is_float and axis is not None:
        found.append(lambda: Value(ops.cumsum(x, axis=axis), v.exact, grown))
    return [choices.among(found)()]


def multiply(pool: Pool) -> list[Value]:
    """Matrix products of operands as they lie, transposed ones included."""
    a = pool.pick(lambda v: v.is_float and v.ndim >= 2)
    if a is None:
        return []
    dtype = a.dtype
    flip = pool.choices.flag()
    inner, place = a.shape[-1], -1 if flip else -2
    b = pool.pick(lambda v: v.dtype == dtype and v.ndim >= 2 and v.shape[place] == inner)
    if b is None:
        return []
    right = ops.swapaxes(b.node, -1, -2) if flip else b.node
    product = ops.matmul(a.node, right)
    bias = pool.pick(lambda v: v.dtype == dtype and v.ndim == 1)
    made = [Value(product, a.exact and b.exact, 16 * a.bound * b.bound)]
    if bias is not None and bias.shape[0] in (1, product.shape[-1]):
        added = ops.add(product, bias.node)
        exact = made[0].exact and bias.exact
        made.append(Value(added, exact, made[0].bound + bias.bound))
        made.append(Value(ops.relu(added), exact, made[1].bound))
    return made


def join(pool: Pool) -> list[Value]:
    """Concatenation, stacking, padding, splitting."""
    v, choices = pool.any(), pool.choices
    x = v.node
    if not x.ndim:
        return [Value(ops.stack([x, x]), v.exact, v.bound)]
    other = pool.pick(lambda o: o.node.types == x.types) or v
    joins = (
        lambda: ops.concatenate([x, other.node, x], axis=choices.below(x.ndim)),
        lambda: ops.stack([x, other.node], axis=choices.between(0, x.ndim)),
        lambda: ops.pad(x, [(1, 2)] * x.ndim),
        lambda: ops.tile(x, (2,) * x.ndim),
        lambda: ops.repeat(x, 2, axis=0),
        lambda: ops.split(ops.concatenate([x, other.node], axis=0), 2, axis=0)[1],
    )
    bound = max(v.bound, other.bound)
    return [Value(choices.among(joins)(), v.exact and other.exact, bound)]


def index(pool: Pool) -> list[Value]:
    """Rows taken by ids, added by ids, one-hot rows."""
    ids, choices = pool.ids(), pool.choices
    v = pool.pick(lambda o: _has_rows(o.node))
    if v is None:
        return []
    x = v.node
    kind = choices.below(4)
    if kind == 0:
        axes = [i for i, d in enumerate(x.shape) if isinstance(d, int) and d]
        return [Value(ops.take(x, ids, axis=choices.among(axes)), v.exact, v.bound)]
    if kind == 1:
        return [Value(ops.one_hot(ids, 3), True, 1.0)]
    rows = pool.pick(lambda o: o.is_float and o.ndim == 2 and o.shape[0] == BATCH)
    if rows is None or not isinstance(rows.shape[1], int) or not rows.shape[1]:
        return []
    if kind == 2:
        found = ops.take_along_axis(rows.node, ops.expand_dims(ids, 1), axis=1)
        return [Value(found, rows.exact, rows.bound)]
    table = ops.zeros_like(x) if choices.flag() else x
    added = ops.scatter_add(table, ids, ops.cast(rows.node, x.dtype))
    return [Value(added, v.exact and rows.exact, v.bound + _ROWS * rows.bound)]


def _has_rows(x: Node) -> bool:
    if len(x.types) != 1 or x.dtype[0] != "f" or x.ndim != 2:
        return False
    return isinstance(x.shape[0], int) and x.shape[0] > 0


def order(pool: Pool) -> list[Value]:
    """Sorting; `top_k` has two outputs, of which both, one or none is used."""
    v = pool.pick(lambda o: o.is_float and o.ndim > 0 and (o.exact or not pool.tame))
    if v is None or not isinstance(v.shape[-1], int) or v.shape[-1] < 2:
        return []
    if pool.choices.flag():
        return [Value(ops.sort(v.node), True, v.bound), Value(ops.argsort(v.node), True, 128.0)]
    best, places = ops.top_k(v.node, 2)
    made = [Value(best, True, v.bound), Value(places, True, 128.0)]
    return made[pool.choices.below(2) :]


def normalize(pool: Pool) -> list[Value]:
    """Softmax and the cross-entropies, plain and as composites with two outputs."""
    v = pool.pick(lambda o: o.is_float and o.ndim > 0 and (o.bound < 100 or not pool.tame))
    if v is None or not isinstance(v.shape[-1], int) or not v.shape[-1]:
        return []
    x = v.node
    wide = 2 * v.bound + 8
    kind = pool.choices.below(7)
    if kind == 0:
        return [Value(ops.softmax(x), False, 1.0)]
    if kind == 1:
        return [Value(ops.log_softmax(x), False, wide)]
    target = ops.softmax(ops.sin(x))
    if kind == 2:
        return [Value(y, False, wide) for y in ops.softmax_cross_entropy(x, target)]
    if kind == 3 and x.shape[-1] > 1:
        # Small logits: the plain form clips tiny probabilities, the stabilized one need not.
        loss = ops.categorical_crossentropy(target, ops.softmax(ops.cos(x)))
        return [Value(loss, False, 20.0)]
    if kind == 4:
        return [Value(ops.binary_crossentropy(target, ops.sigmoid(ops.cos(x))), False, 20.0)]
    if kind == 5:
        return [Value(ops.sigmoid_cross_entropy(x, target), False, v.bound + 8)]
    if x.ndim != 2 or x.shape[0] != BATCH:
        return []
    return [Value(y, False, 100.0) for y in ops.sparse_softmax_cross_entropy(x, pool.ids())]


TENSOR: tuple[Step, ...] = (
    move, move, move, reduce, reduce, twist, multiply, multiply, join, index, order, normalize,
)  # fmt: skip

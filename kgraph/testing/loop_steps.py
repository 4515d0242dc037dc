"""A step of random graphs that makes loops: pool -> what a small `scan` gives."""

from __future__ import annotations

from typing import Any

from kgraph import ops
from kgraph.ir.leaves import const
from kgraph.testing.pool import Pool, Value


def loop(pool: Pool) -> list[Value]:
    """A loop along the first axis of a value: sums or extremes that are exact, or a rough cell."""
    v, choices = pool.pick(lambda o: o.is_float and o.ndim > 0), pool.choices
    if v is None:
        return []
    x, reverse = v.node, choices.flag()
    start = ops.broadcast_to(const(0.0, v.dtype), x.shape[1:])
    kind = choices.below(3)
    if kind == 0:
        state, ys = ops.scan(_largest, (start, 0), x, reverse=reverse)
        found = [Value(state[0], v.exact, v.bound), Value(state[1], True, 128.0)]
        return [*found, Value(ys, v.exact, v.bound)]
    weight = pool.pick(lambda o: o.dtype == v.dtype and o.shape == x.shape[1:])
    scale = ops.tanh(weight.node) if weight is not None else 0.5

    def cell(h: Any, t: Any) -> tuple[Any, Any]:
        h = ops.tanh(h * scale + t) if kind == 1 else ops.sin(h + scale * ops.tanh(t))
        return h, (h * 2.0 if choices.flag() else t)

    final, ys = ops.scan(cell, start, x, reverse=reverse)
    return [Value(final, False, 1.0), Value(ys, False, max(2.0, v.bound))]


def _largest(carry: Any, t: Any) -> tuple[Any, Any]:
    largest, count = carry
    largest = ops.maximum(largest, t)
    return (largest, count + 1), largest

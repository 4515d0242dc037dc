"""Writing at integer ids: the last value, the largest, the smallest or the product of all.

`scatter_add`, which gradients are made of, is in `indexing.py`. Ids are as there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.comparison import equal
from kgraph.ops.cumulative import cumsum
from kgraph.ops.indexing import Places, ScatterAdd, check_ids, ids, scatter_add, take
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import draw, full, reshape, zeros_like

Vjp = Callable[[Any, Any, Node, Node, Node, int], tuple[Node, None, Node]]


def _assign(flat: np.ndarray, places: np.ndarray, updates: np.ndarray) -> None:
    flat[places] = updates


class Scatter(ScatterAdd):
    """`x` with `updates` written to its slices along an axis that `indices` names.

    Args:
        name: the op's name.
        write: (flat array, places, updates) -> None.
        rule: (g, y, x, indices, updates, axis) -> cotangents.
        doc: one sentence.

    Example:
        >>> scatter_set(np.zeros(3), [0, 2, 2], np.array([1.0, 2.0, 3.0])).tolist()
        [1.0, 0.0, 3.0]
    """

    def __init__(self, name: str, write: Callable[..., None], rule: Vjp, doc: str) -> None:
        self.name, self.write, self.rule = name, write, rule
        self.doc = self.__doc__ = doc

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return types[1].with_dtype("int64"), types[2].with_dtype("int64")

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        place, name, write = Places(inputs[0].shape, attrs["axis"]), self.name, self.write

        def kernel(
            x: np.ndarray,
            given: np.ndarray,
            updates: np.ndarray,
            out: np.ndarray,
            checked: np.ndarray,
            index: np.ndarray,
        ) -> None:
            check_ids(name, given, checked, place.size)
            if not np.may_share_memory(out, x):
                np.copyto(out, x)
            write(out.reshape(-1), place.flat(checked.reshape(1, -1, 1), index),
                  updates.reshape(-1))  # fmt: skip

        return kernel

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        x, indices, updates = inputs
        return self.rule(g, y, x, indices, updates, attrs["axis"])

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(5, 3), ids(5, 2, 4), draw(2, 4, 3)), {"axis": 0})
        yield Sample((draw(2, 5, 3), ids(5, 4), draw(2, 4, 3)), {"axis": 1})
        yield Sample((draw(5), ids(5), draw()))


def _set_vjp(
    g: Any, y: Any, x: Node, indices: Node, updates: Node, axis: int
) -> tuple[Node, None, Node]:
    # Numbering the updates and writing their numbers tells which one was the last of its id.
    ones = full((indices.size,), 1, "int64")
    numbers = reshape(cumsum(ones, 0), indices.shape)
    owners = scatter_set(full((x.shape[axis],), 0, "int64"), indices, numbers)
    last = equal(take(owners, indices, 0), numbers)
    shape = (1,) * axis + last.shape + (1,) * (x.ndim - axis - 1)
    kept = scatter_set(g, indices, zeros_like(updates), axis)
    return kept, None, where(reshape(last, shape), take(g, indices, axis), 0)


def _extreme_vjp(
    g: Any, y: Any, x: Node, indices: Node, updates: Node, axis: int
) -> tuple[Node, None, Node]:
    # Equal extremes share the gradient equally.
    own = cast(equal(x, y), x.dtype)
    hits = cast(equal(take(y, indices, axis), updates), x.dtype)
    number = scatter_add(own, indices, hits, axis)
    share = g / where(equal(number, 0), 1, number)
    return share * own, None, take(share, indices, axis) * hits


def _multiply_vjp(
    g: Any, y: Any, x: Node, indices: Node, updates: Node, axis: int
) -> tuple[Node, None, Node]:
    # The product of the others: y / x without zeros; at a single zero, the product of the rest.
    no, none = equal(x, 0), equal(updates, 0)
    zeros = scatter_add(cast(no, x.dtype), indices, cast(none, x.dtype), axis)
    filled, factors = where(no, 1, x), where(none, 1, updates)
    rest = scatter_multiply(filled, indices, factors, axis)
    alone = equal(zeros - cast(no, x.dtype), 0)
    chosen = equal(take(zeros, indices, axis) - cast(none, x.dtype), 0)
    left = g * where(alone, rest / filled, 0)
    right = take(g, indices, axis) * where(chosen, take(rest, indices, axis) / factors, 0)
    return left, None, right


scatter_set = Scatter(
    "scatter_set", _assign, _set_vjp, "`x` with `updates` at ids; of equal ids the last one counts."
)
scatter_max = Scatter(
    "scatter_max", np.maximum.at, _extreme_vjp, "The larger of `x` and its `updates`."
)
scatter_min = Scatter(
    "scatter_min", np.minimum.at, _extreme_vjp, "The smaller of `x` and its `updates`."
)
scatter_multiply = Scatter(
    "scatter_multiply", np.multiply.at, _multiply_vjp, "`x` times its `updates`."
)
for _op in (scatter_set, scatter_max, scatter_min, scatter_multiply):
    register(_op)

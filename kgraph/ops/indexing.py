"""Reading and adding by integer ids.

Ids outside an axis raise IndexError when the kernel runs; negative ones count from the end. Adding
many rows at once allocates for the ids that stand more than once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import INTEGERS, TensorType
from kgraph.ops.base import normalize_axis
from kgraph.ops.shapes import draw, reshape, zeros_like
from kgraph.ops.specialized import Prepared, Specialized


def ids(bound: int, *shape: int) -> Any:
    """A function that draws sample ids below `bound`, negative ones included."""
    return lambda rng: rng.integers(-bound, bound, shape).astype("int32")


def check_ids(
    name: str, given: np.ndarray, work: np.ndarray, bound: int, wrap: bool = True
) -> np.ndarray:
    """Copies ids into `work` (int64), with `wrap` counting negative ones from the end.

    Raises:
        IndexError: an id is outside [-bound, bound), or without `wrap` outside [0, bound).
    """
    work[...] = given
    # As unsigned numbers negative ids are huge, so the largest tells of any id that needs care.
    if work.size and not largest_unsigned(work) < bound:
        if wrap:
            np.add(work, bound, out=work, where=work < 0)
        for wrong in given[(work < 0) | (work >= bound)].flat:
            summary = f"{name}: id {int(wrong)} is out of bounds for an axis of size {bound}"
            raise IndexError(explain(summary, expected=f"{-bound * wrap} <= id < {bound}"))
    return work


def largest_unsigned(ids: np.ndarray) -> int:
    """The largest of int64 ids, read as unsigned numbers."""
    unsigned = ids.view(np.uint64)
    return int(unsigned.item(unsigned.argmax()))  # half the time of `max`


def require_ids(type_: TensorType) -> None:
    """Refuses ids that are not integers."""
    if type_.dtype not in INTEGERS:
        raise InferenceError(f"ids must be integers, not {type_.dtype}")


class Take(Specialized):
    """The slices of `x` along an axis that `indices` names, in its shape.

    Negative ids count from the end; with `wrap=False` they are errors, as too large ones are.

    Example:
        >>> take(np.array([10, 20, 30]), [0, -1]).tolist()
        [10, 30]
    """

    name = "take"

    def __call__(self, x: Any, indices: Any, axis: int | None = None, wrap: bool = True) -> Any:
        if axis is None:
            x, axis = reshape(x, -1), 0
        return self.apply((x, indices), axis=axis, wrap=wrap)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        axis = normalize_axis(attrs.get("axis", 0), inputs[0].ndim)
        return {"axis": axis, "wrap": bool(attrs.get("wrap", True))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x, indices), axis = types, attrs["axis"]
        require_ids(indices)
        return x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]))

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (types[1].with_dtype("int64"),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        axis, wrap, name = attrs["axis"], attrs["wrap"], self.name
        bound: Any = inputs[0].shape[axis]

        def kernel(x: np.ndarray, ids: np.ndarray, out: np.ndarray, work: np.ndarray) -> None:
            check_ids(name, ids, work, bound, wrap)
            # Ids are in bounds; with mode="raise" NumPy would go through a buffer.
            x.take(work, axis, out, "clip")

        # NumPy refuses any take from an empty axis, even of no ids.
        return kernel if bound else self.check_only(bound, wrap)

    def check_only(self, bound: int, wrap: bool) -> Callable[..., Any]:
        """The kernel for an axis without elements."""
        return lambda x, ids, out, work: check_ids(self.name, ids, work, bound, wrap)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        x, indices = inputs
        return scatter_add(zeros_like(x), indices, g, attrs["axis"]), None

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(5, 3), ids(5, 2, 4)), {"axis": 0})
        yield Sample((draw(2, 5, 3), ids(5, 4)), {"axis": 1})
        yield Sample((draw(2, 5), ids(5)), {"axis": -1})
        yield Sample((draw(5, 3), np.array([[4, 0], [1, 4]], "int32")), {"axis": 0, "wrap": False})


class ScatterAdd(Specialized):
    """`x` with `updates` added to its slices along an axis that `indices` names.

    Example:
        >>> scatter_add(np.zeros(3), [0, 2, 2], np.array([1.0, 2.0, 3.0])).tolist()
        [1.0, 0.0, 5.0]
    """

    name = "scatter_add"
    reuse = (0,)

    def __call__(self, x: Any, indices: Any, updates: Any, axis: int = 0) -> Any:
        return self.apply((x, indices, updates), axis=axis)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"axis": normalize_axis(attrs.get("axis", 0), inputs[0].ndim)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x, indices, updates), axis = types, attrs["axis"]
        require_ids(indices)
        expected = TensorType((*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :]), x.dtype)
        if updates != expected:
            raise InferenceError(f"updates must be {expected}")
        return x

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        x, indices, updates = types
        if pays_by_rows(types, attrs["axis"]):
            return indices.with_dtype("int64"), TensorType((x.shape[0],), "int64"), updates
        return indices.with_dtype("int64"), updates.with_dtype("int64")

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        place, name = Places(inputs[0].shape, attrs["axis"]), self.name
        by_rows = pays_by_rows(inputs, attrs["axis"])
        rows, width = place.size, place.after

        def views(*buffers: np.ndarray) -> tuple[Any, ...]:
            x, ids, updates, out, checked, *work = buffers
            source = None if np.may_share_memory(out, x) else x
            add: Callable[[np.ndarray], None]
            if by_rows:
                table = out.reshape(rows, width)
                add = RowAdder(table, checked.reshape(-1), *work).run
            else:
                add = one_by_one(out.reshape(-1), checked.reshape(-1), *work)
            return add, source, ids, updates, out, checked

        def one_by_one(
            flat: np.ndarray, ids: np.ndarray, index: np.ndarray
        ) -> Callable[[np.ndarray], None]:
            # Flat `add.at` has a fast loop in NumPy; that over rows is ten times slower.
            places = place.finder(ids, index)
            return lambda updates: np.add.at(flat, places(), updates.reshape(-1))

        def kernel(
            add: Callable[[np.ndarray], None],
            source: np.ndarray | None,
            ids: np.ndarray,
            updates: np.ndarray,
            out: np.ndarray,
            checked: np.ndarray,
        ) -> None:
            check_ids(name, ids, checked, rows)
            if source is not None:
                np.copyto(out, source)
            add(updates)

        return Prepared(views, kernel)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return g, None, take(g, inputs[1], attrs["axis"])

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(5, 3), ids(5, 2, 4), draw(2, 4, 3)), {"axis": 0})
        yield Sample((draw(2, 5, 3), ids(5, 4), draw(2, 4, 3)), {"axis": 1})
        yield Sample((draw(5), ids(5), draw()))
        yield Sample((draw(140, 32), ids(9, 130), draw(130, 32)), {"axis": 0})


def pays_by_rows(types: Sequence[TensorType], axis: int) -> bool:
    """Whether `RowAdder` is the faster: many updates of long rows, not all for a few rows."""
    x, indices, _ = types
    sizes: list[Any] = [x.with_shape(x.shape[1:]).size, indices.size, *x.shape[:1]]
    if axis or not all(isinstance(d, int) for d in sizes):
        return False
    width, count, rows = sizes
    return bool(width >= 32 and count * width >= 4096 and count <= rows)


class RowAdder:
    """Adds rows of updates to rows of a table, many rows at a time.

    A round adds the updates that come first of their id, which are different rows of the table.
    What is left when most ids are the same, as the id of padding is, is added as one sum an id. The
    order is fixed, so that equal arguments give equal bits.

    Args:
        table: where to add.
        ids: the row of each update.
        seen: int64 buffer with one element for each row of the table.
        work: a buffer like the updates.
    """

    # A round is worth its calls while it adds a part of 1/ROUND; fewer updates than ALONE are not.
    ROUND, ALONE = 16, 32

    def __init__(
        self, table: np.ndarray, ids: np.ndarray, seen: np.ndarray, work: np.ndarray
    ) -> None:
        self.table, self.ids, self.seen = table, ids, seen
        self.work = work.reshape(ids.size, table.shape[1])
        self.order, self.columns = np.arange(ids.size), np.arange(table.shape[1])
        # Of equal ids the one that is written last stays: backwards, the first that there is.
        self.backwards = ids[::-1], self.order[::-1], self.work[::-1]

    def run(self, updates: np.ndarray) -> None:
        """Adds the updates at the present ids."""
        updates, ids, order = updates.reshape(self.work.shape), self.ids, self.order
        last, places, sums = self.backwards
        self.table.take(ids, 0, self.work, "clip")
        np.add(self.work, updates, self.work)
        self.table[last] = sums
        self.seen[last] = places
        rest = np.not_equal(self.seen[ids], order).nonzero()[0]
        while rest.size > self.ALONE:
            self.seen[ids[rest[::-1]]] = rest[::-1]
            first = np.equal(self.seen[ids[rest]], rest)
            now = rest[first]
            if now.size * self.ROUND < rest.size:
                self.add_sums(rest, updates)
                return
            # `take` is several times as fast as indexing with ids.
            rows, added = ids[now], self.work[: now.size]
            updates.take(now, 0, added, "clip")
            self.table[rows] = np.add(self.table.take(rows, 0), added, added)
            rest = rest[np.logical_not(first, first)]
        if rest.size:
            index = ids[rest, None] * self.columns.size + self.columns
            np.add.at(self.table.reshape(-1), index.reshape(-1), updates[rest].reshape(-1))

    def add_sums(self, places: np.ndarray, updates: np.ndarray) -> None:
        """Adds the updates at `places`, first those of one id to each other."""
        table, order = self.table, places[self.ids[places].argsort(kind="stable")]
        ids = self.ids[order]
        bounds = np.flatnonzero(np.diff(ids, prepend=-1, append=-1)).tolist()
        for start, stop in pairwise(bounds):
            row = table[ids[start]]
            np.add(row, np.add.reduce(updates.take(order[start:stop], 0), 0, table.dtype), row)


class Places:
    """Turns ids along an axis of an array of `shape` into positions in the array laid flat."""

    def __init__(self, shape: Any, axis: int) -> None:
        self.before, self.size = math.prod(shape[:axis]), shape[axis]
        self.after = math.prod(shape[axis + 1 :])
        corners = np.arange(self.before)[:, None, None] * (self.size * self.after)
        self.corners = corners + np.arange(self.after)

    def finder(self, ids: np.ndarray, out: np.ndarray) -> Callable[[], np.ndarray]:
        """A function that writes the positions of all slices at `ids`, and may change these."""
        if self.before != 1 or not out.size:
            return lambda: self.flat(ids.reshape(1, -1, 1), out)
        column, index, columns = ids[:, None], out.reshape(-1, self.after), self.corners[0]
        flat, after = out.reshape(-1), np.array(self.after)

        def find() -> np.ndarray:
            np.multiply(ids, after, ids)
            np.add(column, columns, index)
            return flat

        return find

    def flat(self, ids: np.ndarray, out: np.ndarray) -> np.ndarray:
        """Writes the positions to `out`; the middle one of the three axes of `ids` is `axis`."""
        if out.size:
            index = out.reshape(self.before, -1, self.after)
            np.multiply(ids, self.after, index)
            np.add(index, self.corners, index)
        return out.reshape(-1)


def add_at(x: np.ndarray, index: np.ndarray, updates: np.ndarray, out: np.ndarray) -> None:
    """Copies x to `out` and adds the updates at flat positions, equal ones one after the other."""
    if not np.may_share_memory(out, x):
        np.copyto(out, x)
    # Flat `add.at` has a fast loop in NumPy; that over rows is ten times slower.
    np.add.at(out.reshape(-1), index, updates.reshape(-1))


take, scatter_add = register(Take()), register(ScatterAdd())

"""Reading and adding by integer ids, and one-hot rows.

Ids outside an axis raise IndexError when the kernel runs; negative ones count from the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, register
from kgraph.ir.types import INTEGERS, TensorType, canonical_dtype
from kgraph.ops.base import normalize_axis
from kgraph.ops.shapes import draw, reshape, zeros_like


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
    np.copyto(work, given)
    # As unsigned numbers negative ids are huge, so one maximum finds every id that needs care.
    if work.size and not int(np.maximum.reduce(work.view(np.uint64), None)) < bound:
        if wrap:
            np.add(work, bound, out=work, where=work < 0)
        for wrong in given[(work < 0) | (work >= bound)].flat:
            summary = f"{name}: id {int(wrong)} is out of bounds for an axis of size {bound}"
            raise IndexError(explain(summary, expected=f"{-bound * wrap} <= id < {bound}"))
    return work


def require_ids(type_: TensorType) -> None:
    """Refuses ids that are not integers."""
    if type_.dtype not in INTEGERS:
        raise InferenceError(f"ids must be integers, not {type_.dtype}")


class Take(Op):
    """The slices of `x` along an axis that `indices` names, in its shape.

    Negative ids count from the end; with `wrap=False` they are errors, as too large ones are.
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

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        (x, indices), axis = arrays, attrs["axis"]
        buffer = work[0] if work else np.empty(indices.shape, np.int64)
        places = check_ids("take", indices, buffer, x.shape[axis], attrs["wrap"])
        if x.shape[axis] == 0:  # NumPy refuses any take from an empty axis, even of no ids
            shape = (*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])
            return np.empty(shape, x.dtype) if out is None else out
        # Ids are in bounds; with mode="raise" NumPy would go through a buffer.
        return np.take(x, places, axis, out, "clip")

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        x, indices = inputs
        return scatter_add(zeros_like(x), indices, g, attrs["axis"]), None

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(5, 3), ids(5, 2, 4)), {"axis": 0})
        yield Sample((draw(2, 5, 3), ids(5, 4)), {"axis": 1})
        yield Sample((draw(2, 5), ids(5)), {"axis": -1})
        yield Sample((draw(5, 3), np.array([[4, 0], [1, 4]], "int32")), {"axis": 0, "wrap": False})


class ScatterAdd(Op):
    """`x` with `updates` added to its slices along an axis that `indices` names."""

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
        return tuple(t.with_dtype("int64") for t in types[1:])

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        (x, indices, updates), axis = arrays, attrs["axis"]
        work = work or (np.empty(indices.shape, np.int64), np.empty(updates.shape, np.int64))
        places = check_ids(self.name, indices, work[0], x.shape[axis])
        return add_at(x, flat_index(places.reshape(1, -1, 1), x.shape, axis, work[1]), updates, out)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return g, None, take(g, inputs[1], attrs["axis"])

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(5, 3), ids(5, 2, 4), draw(2, 4, 3)), {"axis": 0})
        yield Sample((draw(2, 5, 3), ids(5, 4), draw(2, 4, 3)), {"axis": 1})
        yield Sample((draw(5), ids(5), draw()))


def flat_index(
    places: np.ndarray, shape: tuple[int, ...], axis: int, out: np.ndarray
) -> np.ndarray:
    """Positions, in an array of `shape` laid flat, of its elements at `places` along an axis.

    `places` has three axes, the middle one along `axis`, the outer ones stretching from 1.
    """
    before, size, after = math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :])
    if out.size:
        index = out.reshape(before, -1, after)
        np.multiply(places, after, index)
        np.add(index, np.arange(before)[:, None, None] * (size * after), index)
        np.add(index, np.arange(after), index)
    return out.reshape(-1)


def add_at(x: np.ndarray, index: np.ndarray, updates: np.ndarray, out: Any) -> np.ndarray:
    """Copies x to `out` and adds the updates at flat positions, equal ones one after the other."""
    out = np.empty(x.shape, x.dtype) if out is None else out
    if not np.may_share_memory(out, x):
        np.copyto(out, x)
    # Flat `add.at` has a fast loop in NumPy; that over rows is ten times slower.
    np.add.at(out.reshape(-1), index, updates.reshape(-1))
    return out


class AlongAxis(Op):
    """An op whose ids have the rank of `x` and name elements along one axis."""

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"axis": normalize_axis(attrs.get("axis", -1), inputs[0].ndim)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x, indices), axis = types[:2], attrs["axis"]
        require_ids(indices)
        expected = (*x.shape[:axis], *indices.shape[axis : axis + 1], *x.shape[axis + 1 :])
        if indices.shape != expected:
            raise InferenceError(f"ids must have the shape of x except along axis {axis}")
        return x.with_shape(expected)

    def index(self, x: np.ndarray, indices: np.ndarray, axis: int, work: Any) -> np.ndarray:
        """Flat positions of the elements that the ids name."""
        places, out = work or [np.empty(indices.shape, np.int64) for _ in range(2)]
        check_ids(self.name, indices, places, x.shape[axis])
        sides = math.prod(x.shape[:axis]), indices.shape[axis], math.prod(x.shape[axis + 1 :])
        return flat_index(places.reshape(sides), x.shape, axis, out)

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (types[1].with_dtype("int64"),) * 2


class TakeAlongAxis(AlongAxis):
    """The elements of `x` that `indices`, of its rank, names along an axis."""

    name = "take_along_axis"

    def __call__(self, x: Any, indices: Any, axis: int = -1) -> Any:
        return self.apply((x, indices), axis=axis)

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        x, indices = arrays
        out = np.empty(indices.shape, x.dtype) if out is None else out
        index = self.index(x, indices, attrs["axis"], work)
        if out.size:
            np.take(x.reshape(-1), index, None, out.reshape(-1), "clip")
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        x, indices = inputs
        return add_along_axis(zeros_like(x), indices, g, attrs["axis"]), None

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 5), ids(5, 2, 3)))
        yield Sample((draw(2, 5, 3), ids(5, 2, 4, 3)), {"axis": 1})


class AddAlongAxis(AlongAxis):
    """`x` with `updates` added to the elements that `indices` names along an axis."""

    name = "add_along_axis"
    reuse = (0,)

    def __call__(self, x: Any, indices: Any, updates: Any, axis: int = -1) -> Any:
        return self.apply((x, indices, updates), axis=axis)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        expected = super().infer(*types, **attrs)
        if types[2] != expected:
            raise InferenceError(f"updates must be {expected}")
        return types[0]

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        x, indices, updates = arrays
        return add_at(x, self.index(x, indices, attrs["axis"], work), updates, out)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return g, None, take_along_axis(g, inputs[1], attrs["axis"])

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 5), ids(5, 2, 3), draw(2, 3)))
        yield Sample((draw(2, 5, 3), ids(5, 2, 4, 3), draw(2, 4, 3)), {"axis": 1})


class OneHot(Op):
    """Rows of zeros with a one at each id; an id outside [0, num_classes) gives only zeros."""

    name = "one_hot"

    def __call__(self, x: Any, num_classes: int, dtype: str = "float32") -> Any:
        return self.apply((x,), num_classes=num_classes, dtype=dtype)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        dtype = canonical_dtype(attrs.get("dtype", "float32"))
        return {"num_classes": int(attrs["num_classes"]), "dtype": dtype}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        require_ids(types[0])
        return TensorType((*types[0].shape, attrs["num_classes"]), attrs["dtype"])

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,) = arrays
        classes = np.arange(attrs["num_classes"], dtype=x.dtype)
        if out is None:
            out = np.empty((*x.shape, len(classes)), attrs["dtype"])
        return np.equal(x[..., None], classes, out, casting="unsafe")

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (None,)

    def samples(self) -> Iterable[Sample]:
        yield Sample((ids(4, 3),), {"num_classes": 4})
        yield Sample((ids(4, 2, 3),), {"num_classes": 5, "dtype": "int32"})


take, scatter_add, one_hot = register(Take()), register(ScatterAdd()), register(OneHot())
take_along_axis, add_along_axis = register(TakeAlongAxis()), register(AddAlongAxis())

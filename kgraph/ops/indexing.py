"""Reading and adding by integer ids, and one-hot rows.

Ids outside an axis raise IndexError when the kernel runs; negative ones count from the end.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import INTEGERS, TensorType, canonical_dtype
from kgraph.ops.base import normalize_axis
from kgraph.ops.shapes import draw, reshape, zeros_like
from kgraph.ops.specialized import Specialized


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
            np.take(x, work, axis, out, "clip")

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
        return tuple(t.with_dtype("int64") for t in types[1:])

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        place, name = Places(inputs[0].shape, attrs["axis"]), self.name

        def kernel(
            x: np.ndarray,
            ids: np.ndarray,
            updates: np.ndarray,
            out: np.ndarray,
            checked: np.ndarray,
            index: np.ndarray,
        ) -> None:
            check_ids(name, ids, checked, place.size)
            add_at(x, place.flat(checked.reshape(1, -1, 1), index), updates, out)

        return kernel

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return g, None, take(g, inputs[1], attrs["axis"])

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(5, 3), ids(5, 2, 4), draw(2, 4, 3)), {"axis": 0})
        yield Sample((draw(2, 5, 3), ids(5, 4), draw(2, 4, 3)), {"axis": 1})
        yield Sample((draw(5), ids(5), draw()))


class Places:
    """Turns ids along an axis of an array of `shape` into positions in the array laid flat."""

    def __init__(self, shape: Any, axis: int) -> None:
        self.before, self.size = math.prod(shape[:axis]), shape[axis]
        self.after = math.prod(shape[axis + 1 :])
        corners = np.arange(self.before)[:, None, None] * (self.size * self.after)
        self.corners = corners + np.arange(self.after)

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


class OneHot(Specialized):
    """Rows of zeros with a one at each id; an id outside [0, num_classes) gives only zeros.

    Example:
        >>> one_hot([1, -1], 2).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """

    name = "one_hot"

    def __call__(self, x: Any, num_classes: int, dtype: str = "float32") -> Any:
        return self.apply((x,), num_classes=num_classes, dtype=dtype)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        dtype = canonical_dtype(attrs.get("dtype", "float32"))
        return {"num_classes": int(attrs["num_classes"]), "dtype": dtype}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        require_ids(types[0])
        return TensorType((*types[0].shape, attrs["num_classes"]), attrs["dtype"])

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (self.infer(*types, **attrs).with_dtype("bool"),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        classes = np.arange(attrs["num_classes"], dtype=inputs[0].dtype)

        def kernel(x: np.ndarray, out: np.ndarray, hits: np.ndarray) -> None:
            np.equal(x[..., None], classes, hits)
            np.copyto(out, hits)

        return kernel

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (None,)

    def samples(self) -> Iterable[Sample]:
        yield Sample((ids(4, 3),), {"num_classes": 4})
        yield Sample((ids(4, 2, 3),), {"num_classes": 5, "dtype": "int32"})


take, scatter_add, one_hot = register(Take()), register(ScatterAdd()), register(OneHot())

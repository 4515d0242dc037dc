"""Reading and adding single elements along an axis, by ids of the tensor's own rank."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import normalize_axis
from kgraph.ops.indexing import Places, add_at, check_ids, ids, require_ids
from kgraph.ops.shapes import draw, reshape, zeros_like
from kgraph.ops.specialized import Specialized


class AlongAxis(Specialized):
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

    def finder(self, shape: Any, axis: int) -> Callable[..., np.ndarray]:
        """A function of (ids, checked, index) that returns flat positions in `shape`."""
        place, name = Places(shape, axis), self.name

        def find(ids: np.ndarray, checked: np.ndarray, index: np.ndarray) -> np.ndarray:
            check_ids(name, ids, checked, place.size)
            sides = place.before, ids.shape[axis], place.after
            return place.flat(checked.reshape(sides), index)

        return find

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (types[1].with_dtype("int64"),) * 2


class TakeAlongAxis(AlongAxis):
    """The elements of `x` that `indices`, of its rank, names along an axis.

    Example:
        >>> take_along_axis(np.array([[1, 2], [3, 4]]), [[1], [0]], 1).tolist()
        [[2], [3]]
    """

    name = "take_along_axis"

    def __call__(self, x: Any, indices: Any, axis: int | None = None) -> Any:
        if axis is None:
            x, indices, axis = reshape(x, -1), reshape(indices, -1), 0
        return self.apply((x, indices), axis=axis)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        find = self.finder(inputs[0].shape, attrs["axis"])

        def kernel(x: np.ndarray, ids: np.ndarray, out: np.ndarray, *work: np.ndarray) -> None:
            index = find(ids, *work)
            if out.size:
                np.take(x.reshape(-1), index, None, out.reshape(-1), "clip")

        return kernel

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

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        find = self.finder(inputs[0].shape, attrs["axis"])

        def kernel(
            x: np.ndarray,
            ids: np.ndarray,
            updates: np.ndarray,
            out: np.ndarray,
            *work: np.ndarray,
        ) -> None:
            add_at(x, find(ids, *work), updates, out)

        return kernel

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return g, None, take_along_axis(g, inputs[1], attrs["axis"])

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 5), ids(5, 2, 3), draw(2, 3)))
        yield Sample((draw(2, 5, 3), ids(5, 2, 4, 3), draw(2, 4, 3)), {"axis": 1})


take_along_axis, add_along_axis = register(TakeAlongAxis()), register(AddAlongAxis())

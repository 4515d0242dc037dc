"""Ops about order: argmax, argmin, sort, argsort, top_k.

Places are int64. Among equal elements the first comes first, and NaN is larger than any number.
`argsort` and `top_k` allocate their order on every call: NumPy has no argsort with `out=`; along
another axis than the last `argmax` and `argmin` copy their operand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import GradientError, InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.along_axis import take_along_axis
from kgraph.ops.base import normalize_axis, reduced_shape
from kgraph.ops.one_hot import one_hot
from kgraph.ops.reductions import sum
from kgraph.ops.shapes import expand_dims, reshape


def _draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.normal(size=shape).astype("float32")


class ArgExtreme(Op):
    """Where the first largest or smallest element lies.

    Args:
        name: argmax or argmin.
        doc: one sentence.
    """

    def __init__(self, name: str, doc: str) -> None:
        self.name, self.doc, self.__doc__ = name, doc, doc
        self.function = getattr(np, name)

    def __call__(self, x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        return self.apply((x,), axis=axis, keepdims=keepdims)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        axis = attrs.get("axis")
        axis = None if axis is None else normalize_axis(axis, inputs[0].ndim)
        return {"axis": axis, "keepdims": bool(attrs.get("keepdims", False))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,), axis = types, attrs["axis"]
        axes = tuple(range(x.ndim)) if axis is None else (axis,)
        if 0 in [x.shape[a] for a in axes]:
            raise InferenceError("no elements to choose from")
        return TensorType(reduced_shape(x.shape, axes, attrs["keepdims"]), "int64")

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        found = self.function(arrays[0], attrs["axis"], out, keepdims=attrs["keepdims"])
        return np.asarray(found)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (None,)

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        return inputs[0].size, super().cost(inputs, outputs, attrs)[1]

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        axis, keepdims, largest = attrs["axis"], attrs["keepdims"], self.name == "argmax"
        if keepdims:
            if largest:
                return lambda x, out: x.argmax(axis, out, keepdims=True)
            return lambda x, out: x.argmin(axis, out, keepdims=True)
        if largest:
            return lambda x, out: x.argmax(axis, out)
        return lambda x, out: x.argmin(axis, out)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_draw(4, 3),), {"axis": None, "keepdims": False})
        yield Sample((_draw(4, 3),), {"axis": -1, "keepdims": False})
        yield Sample((_draw(2, 3, 4),), {"axis": 1, "keepdims": True})
        yield Sample((_draw(2, 3),), {"axis": None, "keepdims": True})
        yield Sample((lambda rng: rng.integers(0, 3, (4, 5)),), {"axis": 1, "keepdims": False})


class Sort(Op):
    """The elements in ascending order along an axis."""

    name = "sort"
    reuse = (0,)

    def __call__(self, x: Any, axis: int | None = -1) -> Any:
        if axis is None:
            x, axis = reshape(x, (-1,)), 0
        return self.apply((x,), axis=axis)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"axis": normalize_axis(attrs.get("axis", -1), inputs[0].ndim)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return types[0]

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,) = arrays
        if out is None:
            out = x.copy()
        elif out is not x:
            np.copyto(out, x)
        out.sort(attrs["axis"])
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        # The order's own order says which place of the output each element went to.
        axis = attrs["axis"]
        return (take_along_axis(g, argsort(argsort(inputs[0], axis), axis), axis),)

    def reference(self, x: Any, axis: int) -> Any:
        return take_along_axis(x, argsort(x, axis), axis)

    def samples(self) -> Iterable[Sample]:
        yield Sample((_draw(4, 5),), {"axis": -1})
        yield Sample((_draw(4, 3, 2),), {"axis": 0})
        yield Sample((lambda rng: rng.integers(0, 3, (4, 5)),), {"axis": 1})


class ArgSort(Op):
    """The places of the elements in ascending order; equal elements keep theirs."""

    name = "argsort"

    def __call__(self, x: Any, axis: int | None = -1) -> Any:
        if axis is None:
            x, axis = reshape(x, (-1,)), 0
        return self.apply((x,), axis=axis)

    normalize = Sort.normalize

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return types[0].with_dtype("int64")

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        order = arrays[0].argsort(attrs["axis"], kind="stable")
        if out is None:
            return order
        np.copyto(out, order)
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (None,)

    samples = Sort.samples


class TopK(Op):
    """The k largest elements of the last axis, largest first, and their places.

    Example:
        >>> top_k([1.0, 9.0, 5.0], 2)
        (array([9., 5.], dtype=float32), array([1, 2]))
    """

    name = "top_k"

    def __call__(self, x: Any, k: int, sorted: bool = True) -> Any:
        # The order is free where it need not be sorted, so it is always.
        return self.apply((x,), k=k)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"k": int(attrs["k"])}

    def infer(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        (x,), k = types, attrs["k"]
        if not x.ndim or k < 0 or (isinstance(x.shape[-1], int) and k > x.shape[-1]):
            raise InferenceError(f"cannot choose k={k} of the last axis")
        values = x.with_shape((*x.shape[:-1], k))
        return values, values.with_dtype("int64")

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,), k = arrays, attrs["k"]
        if x.shape[-1] < k:
            raise ValueError(f"top_k: cannot choose {k} of {x.shape[-1]} elements")
        # Sorting the mirrored elements upwards puts the first of equal ones last.
        order = x[..., ::-1].argsort(-1, kind="stable")[..., ::-1][..., :k]
        if out is None:
            out = np.empty(order.shape, x.dtype), np.empty(order.shape, np.int64)
        np.subtract(x.shape[-1] - 1, order, out[1])
        np.copyto(out[0], np.take_along_axis(x, out[1], -1))
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        if g[0] is None:
            return (None,)
        x = inputs[0]
        if isinstance(x.shape[-1], int):
            chosen = one_hot(y[1], x.shape[-1], dtype=x.dtype)
            return (sum(chosen * expand_dims(g[0], -1), axis=-2),)
        raise GradientError("top_k has a gradient only where the last size is a number")

    def samples(self) -> Iterable[Sample]:
        yield Sample((_draw(4, 5),), {"k": 2})
        yield Sample((_draw(2, 3, 4),), {"k": 4})
        yield Sample((lambda rng: rng.integers(0, 3, (4, 5)),), {"k": 3})


argmax = ArgExtreme("argmax", "Place of the first largest element, NaN counting as largest.")
argmin = ArgExtreme("argmin", "Place of the first smallest element, NaN counting as smallest.")
sort, argsort, top_k = Sort(), ArgSort(), TopK()
for _op in (argmax, argmin, sort, argsort, top_k):
    register(_op)

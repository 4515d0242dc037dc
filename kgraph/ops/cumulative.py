"""Running sums along one axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import normalize_axis
from kgraph.ops.reductions import WIDENED
from kgraph.ops.shapes import flip, reshape


class CumSum(Op):
    """Sums of the elements up to each place; bool and uint8 give int32.

    Example:
        >>> cumsum([1.0, 2.0, 3.0])
        array([1., 3., 6.], dtype=float32)
    """

    name = "cumsum"

    def __call__(self, x: Any, axis: int | None = None) -> Any:
        if axis is None:
            x, axis = reshape(x, (-1,)), 0
        return self.apply((x,), axis=axis)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"axis": normalize_axis(attrs.get("axis", 0), inputs[0].ndim)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return types[0].with_dtype(WIDENED.get(types[0].dtype, types[0].dtype))

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,) = arrays
        dtype = WIDENED.get(x.dtype.name, x.dtype.name) if out is None else out.dtype
        return np.add.accumulate(x, attrs["axis"], dtype, out)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        axis = attrs["axis"]
        return (flip(cumsum(flip(g, axis), axis), axis),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        accumulate, axis, dtype = np.add.accumulate, attrs["axis"], np.dtype(outputs[0].dtype)
        return lambda x, out: accumulate(x, axis, dtype, out)

    def samples(self) -> Iterable[Sample]:
        def draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.normal(size=shape).astype("float32")

        yield Sample((draw(4, 3),), {"axis": 0})
        yield Sample((draw(2, 3, 4),), {"axis": -2})
        yield Sample((lambda rng: rng.random((2, 5)) < 0.5,), {"axis": 1})


cumsum = CumSum()
register(cumsum)

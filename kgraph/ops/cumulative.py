"""Running sums and products along one axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import normalize_axis
from kgraph.ops.comparison import equal, logical_and
from kgraph.ops.reductions import WIDENED
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import flip, reshape


class Cumulative(Op):
    """A ufunc's results for the elements up to each place; bool and uint8 give int32.

    Args:
        name: NumPy's name.
        ufunc: the binary ufunc.
        rule: (g, y, x, axis) -> cotangent of x.
        doc: one sentence.

    Example:
        >>> cumsum([1.0, 2.0, 3.0])
        array([1., 3., 6.], dtype=float32)
        >>> cumprod([1.0, 2.0, 3.0])
        array([1., 2., 6.], dtype=float32)
    """

    def __init__(
        self, name: str, ufunc: np.ufunc, rule: Callable[[Node, Node, Node, int], Node], doc: str
    ) -> None:
        self.name, self.ufunc, self.rule = name, ufunc, rule
        self.doc = self.__doc__ = doc

    def __call__(self, x: Any, axis: int | None = None, dtype: Any = None) -> Any:
        x = x if dtype is None else cast(x, dtype)
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
        return self.ufunc.accumulate(x, attrs["axis"], dtype, out)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (self.rule(g, y, inputs[0], attrs["axis"]),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        accumulate, axis, dtype = self.ufunc.accumulate, attrs["axis"], np.dtype(outputs[0].dtype)
        return lambda x, out: accumulate(x, axis, dtype, out)

    def samples(self) -> Iterable[Sample]:
        def draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.normal(size=shape).astype("float32")

        yield Sample((draw(4, 3),), {"axis": 0})
        yield Sample((draw(2, 3, 4),), {"axis": -2})
        yield Sample((lambda rng: rng.random((2, 5)) < 0.5,), {"axis": 1})


def _from_the_end(x: Node, axis: int) -> Node:
    return flip(cumsum(flip(x, axis), axis), axis)


def _sum_vjp(g: Node, y: Node, x: Node, axis: int) -> Node:
    return _from_the_end(g, axis)


def _prod_vjp(g: Node, y: Node, x: Node, axis: int) -> Node:
    # The sum of g times the products of the others: y / x before the first zero; at it, the
    # products as if it were 1; behind it all products are 0. Second derivatives only without zeros.
    zero = equal(x, 0)
    number = cumsum(cast(zero, "int32"), axis)
    first = logical_and(zero, equal(number, 1))
    before = _from_the_end(g * y, axis) / where(zero, 1, x)
    at = _from_the_end(g * cumprod(where(first, 1, x), axis), axis)
    return where(equal(number, 0), before, where(first, at, 0))


cumsum = Cumulative("cumsum", np.add, _sum_vjp, "Sums of the elements up to each place.")
cumprod = Cumulative("cumprod", np.multiply, _prod_vjp, "Products of the elements up to there.")
register(cumsum)
register(cumprod)

"""Elementwise ops of a structure of their own: cast and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, as_node, cast_to, promote_operands, register
from kgraph.ir.types import TensorType, broadcast_shapes, canonical_dtype


class Cast(Op):
    """The elements in another dtype; numbers become bools by being nonzero.

    Example:
        >>> cast([0.0, 2.5], "int32")
        array([0, 2], dtype=int32)
    """

    name = "cast"
    c = "({t}) {0}"

    def __call__(self, x: Any, dtype: Any) -> Any:
        if isinstance(x, Node) and x.dtype == canonical_dtype(dtype):
            return x
        return self.apply((x,), dtype=dtype)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"dtype": canonical_dtype(attrs["dtype"])}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return types[0].with_dtype(attrs["dtype"])

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        if out is None:
            return arrays[0].astype(attrs["dtype"])
        np.copyto(out, arrays[0], "unsafe")
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        if not (y.type.is_float and inputs[0].type.is_float):
            return (None,)
        return (cast_to(g, inputs[0].dtype),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        def assign(x: np.ndarray, out: np.ndarray) -> None:
            out[...] = x  # for few elements half the time of `copyto`

        return assign

    def samples(self) -> Iterable[Sample]:
        yield Sample((lambda rng: rng.normal(size=(2, 3)),), {"dtype": "float32"})
        yield Sample((lambda rng: rng.normal(size=(2, 3)).astype("f"),), {"dtype": "float64"})
        yield Sample((lambda rng: rng.normal(size=(2, 3)).astype("f"),), {"dtype": "int32"})
        yield Sample((lambda rng: rng.integers(0, 2, (4,)),), {"dtype": "bool"})
        yield Sample((lambda rng: rng.random((4, 1)) < 0.5,), {"dtype": "float32"})


class Where(Op):
    """`x` where the bool `condition` holds, `y` elsewhere.

    Example:
        >>> where([True, False], 1.0, 2.0)
        array([1., 2.], dtype=float32)
    """

    name = "where"
    c = "{0} ? {1} : {2}"

    def __call__(self, condition: Any, x1: Any = None, x2: Any = None) -> Any:
        if x1 is None or x2 is None:
            raise TypeError(
                explain("where: takes a condition and two tensors",
                        got="no places of True alone, whose number depends on values",
                        hint="multiply by cast(condition, dtype), or use where(condition, x, 0)")
            )  # fmt: skip
        return self.apply((condition, x1, x2))

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return (cast_to(as_node(operands[0]), "bool"), *promote_operands(operands[1:]))

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        condition, x, y = types
        if condition.dtype != "bool":
            raise InferenceError("the condition must be bool")
        if x.dtype != y.dtype:
            raise InferenceError("x and y must have one dtype")
        return TensorType(broadcast_shapes(condition.shape, x.shape, y.shape), x.dtype)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        condition, x, y = arrays
        if out is None:
            return np.where(condition, x, y)
        np.copyto(out, y)
        np.copyto(out, x, "no", condition)
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        condition = inputs[0]
        return None, where(condition, g, 0), where(condition, 0, g)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        copy = np.copyto

        def select(condition: np.ndarray, x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
            copy(out, y)
            copy(out, x, "no", condition)

        small = isinstance(outputs[0].size, int) and outputs[0].size < _BRANCHES
        return select if small else _select_bits

    def samples(self) -> Iterable[Sample]:
        def draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.normal(size=shape).astype("float32")

        def flags(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.random(shape) < 0.5

        yield Sample((flags(2, 3), draw(2, 3), draw(2, 3)))
        yield Sample((flags(4, 1), draw(), draw(4, 3)))
        yield Sample((flags(3), draw(4, 3), draw()))
        yield Sample((flags(), draw(2), draw(2)))
        yield Sample((flags(2, 600), draw(2, 600), draw(2, 1)))


# Masked copies branch at each element, and masks are random: from this size on arithmetic on the
# bits is faster, up to five times.
_BRANCHES = 1024
_BITS: dict[int, Any] = {
    1: np.dtype("int8"),
    2: np.dtype("int16"),
    4: np.dtype("int32"),
    8: np.dtype("int64"),
}


def _select_bits(condition: np.ndarray, x: np.ndarray, y: np.ndarray, out: np.ndarray) -> None:
    bits = _BITS[out.itemsize]
    chosen, other = out.view(bits), y.view(bits)
    np.bitwise_xor(x.view(bits), other, chosen)
    np.multiply(chosen, condition, chosen)
    np.bitwise_xor(chosen, other, chosen)


cast, where = Cast(), Where()
for _op in (cast, where):
    register(_op)

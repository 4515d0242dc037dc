"""Activations and softmax: composite ops with stable kernels and gradients of their own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import API, Node
from kgraph.ir.op import Op, Sample, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import Elementwise, normalize_axis
from kgraph.ops.shapes import draw

relu_grad = register(
    Elementwise(
        "relu_grad",
        lambda g, y, out: np.copyto(out, np.where(y > 0, g, 0)),
        lambda h, _, g, y: (relu_grad(h, y), None),
        doc="`g` where `y` is positive, else 0.",
        arity=2,
        dtypes="f",
    )
)
relu = register(
    Elementwise(
        "relu",
        lambda x, out: np.maximum(x, 0, out),
        lambda g, y, x: (relu_grad(g, y),),
        doc="x where it is positive, else 0.",
        reuse=(0,),
    )
)


class Softmax(Op):
    """Exponentials divided by their sum along an axis."""

    name = "softmax"
    reuse = (0,)

    def __call__(self, x: Any, axis: int = -1) -> Any:
        return self.apply((x,), axis=axis)

    def lift(self, operands: Any) -> tuple[Node, ...]:
        return promote_operands(operands, floating=True)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"axis": normalize_axis(attrs.get("axis", -1), inputs[0].ndim)}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        if not types[0].is_float:
            raise InferenceError(f"does not take {types[0].dtype}")
        return types[0]

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        (x,), axis = arrays, attrs["axis"]
        out = np.subtract(x, np.maximum.reduce(x, axis, keepdims=True), out)
        np.exp(out, out)
        return np.divide(out, np.add.reduce(out, axis, keepdims=True), out)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        gy = g * y
        return (gy - y * API["sum"](gy, axis=attrs["axis"], keepdims=True),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 5),))
        yield Sample((draw(2, 5, 3),), {"axis": 1})


softmax = register(Softmax())

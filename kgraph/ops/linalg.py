"""Matrix products: matmul, with broadcasting leading axes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.dim import product
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, promote_operands, register
from kgraph.ir.types import TensorType, broadcast_shapes
from kgraph.ops.shapes import expand_dims, reshape, squeeze, swapaxes


def _draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda rng: rng.normal(size=shape).astype("float32")


class Matmul(Op):
    """Matrix product over the last two axes; leading axes broadcast, vectors are rows, columns.

    Example:
        >>> matmul([[1.0, 2.0]], [[3.0], [4.0]])
        array([[11.]], dtype=float32)
    """

    name = "matmul"

    def __call__(self, x1: Any, x2: Any) -> Any:
        return self.apply((x1, x2))

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        a, b = types
        if a.dtype != b.dtype:
            raise InferenceError("operands must have one dtype")
        if not a.ndim or not b.ndim:
            raise InferenceError("operands must have at least one axis; multiply takes scalars")
        inner = b.shape[-2] if b.ndim > 1 else b.shape[0]
        if a.shape[-1] != inner:
            raise InferenceError(
                explain("inner sizes differ", expected=f"{a}'s last = {b}'s last but one")
            )
        rows = a.shape[-2:-1]
        columns = b.shape[-1:] if b.ndim > 1 else ()
        lead = broadcast_shapes(a.shape[:-2], b.shape[:-2])
        return TensorType((*lead, *rows, *columns), a.dtype)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        a, b = arrays
        return np.asarray(np.matmul(a, b)) if out is None else np.matmul(a, b, out)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        a, b = inputs
        if a.ndim == b.ndim == 1:
            return g * b, g * a
        left = expand_dims(a, 0) if a.ndim == 1 else a
        right = expand_dims(b, 1) if b.ndim == 1 else b
        g = expand_dims(g, -2) if a.ndim == 1 else g
        g = expand_dims(g, -1) if b.ndim == 1 else g
        grad_a = matmul(g, swapaxes(right, -1, -2))
        if right.ndim == 2 and left.ndim > 2:
            # One large product instead of many small ones that are summed afterwards.
            grad_b = matmul(swapaxes(_flat(left), 0, 1), _flat(g))
        else:
            grad_b = matmul(swapaxes(left, -1, -2), g)
        grad_a = squeeze(grad_a, -2) if a.ndim == 1 else grad_a
        grad_b = squeeze(grad_b, -1) if b.ndim == 1 else grad_b
        return grad_a, grad_b

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        return 2 * outputs[0].size * inputs[0].shape[-1], super().cost(inputs, outputs, attrs)[1]

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        a, b = inputs
        if b.ndim > 2:
            return np.matmul
        if a.ndim <= 2:
            # The same product with a third of matmul's overhead.
            return np.ndarray.dot
        return _joined(product(a.shape[:-1]), a.shape[-1], b.shape[1:])

    def samples(self) -> Iterable[Sample]:
        yield Sample((_draw(2, 3), _draw(3, 4)))
        yield Sample((_draw(5, 2, 3), _draw(3, 4)))
        yield Sample((_draw(5, 1, 2, 3), _draw(2, 3, 4)))
        yield Sample((_draw(3), _draw(3)))
        yield Sample((_draw(2, 3), _draw(3)))
        yield Sample((_draw(3), _draw(5, 3, 2)))
        yield Sample((_draw(5, 2, 3), _draw(3)))


def _joined(rows: Any, inner: Any, columns: tuple[Any, ...]) -> Callable[..., Any]:
    """Joins the leading axes of the left operand: one large product instead of many small ones."""

    def joined(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
        if a.flags.c_contiguous:
            a.reshape(rows, inner).dot(b, out.reshape(rows, *columns))
        else:
            np.matmul(a, b, out)

    return joined


def _flat(x: Node) -> Node:
    """All leading axes joined to one."""
    return reshape(x, (product(x.shape[:-1]), x.shape[-1]))


matmul = Matmul()
register(matmul)

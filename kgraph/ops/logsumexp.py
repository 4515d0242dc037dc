"""log(sum(exp(x))) without overflow, as one op."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import normalize_axes, reduced_shape
from kgraph.ops.comparison import isfinite
from kgraph.ops.elementwise import exp, log
from kgraph.ops.reductions import max, short_axis, spread, sum
from kgraph.ops.select import where
from kgraph.ops.shapes import reshape


class LogSumExp(Op):
    """log(sum(exp(x))) over axes; -inf, with gradient 0, of -inf alone or of nothing.

    Example:
        >>> float(logsumexp([1000.0, 1000.0])) - 1000
        0.693...
    """

    name = "logsumexp"

    def __call__(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self.apply((x,), axis=axis, keepdims=keepdims)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands, floating=True)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        axes = normalize_axes(attrs.get("axis"), inputs[0].ndim)
        return {"axis": axes, "keepdims": bool(attrs.get("keepdims", False))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        x, axis = types[0], attrs["axis"]
        if not x.is_float:
            raise InferenceError(f"does not take {x.dtype}")
        if 0 in [x.shape[a] for a in axis]:
            raise InferenceError("no elements to add")
        return x.with_shape(reduced_shape(x.shape, axis, attrs["keepdims"]))

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        x = types[0]
        return x, x.with_shape(reduced_shape(x.shape, attrs["axis"], True))

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        (x,), axis, keepdims = arrays, attrs["axis"], attrs["keepdims"]
        if not work:
            work = np.empty_like(x), np.empty(reduced_shape(x.shape, axis, True), x.dtype)
        if out is None:
            out = np.empty(reduced_shape(x.shape, axis, keepdims), x.dtype)
        limit = np.array(np.finfo(x.dtype).max)

        def total(shifted: np.ndarray, out: np.ndarray) -> None:
            sum.kernel(shifted, out=out, axis=axis, keepdims=keepdims)

        _evaluate(total, short_axis(axis), limit, x, out, *work)
        return out

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        x, axis, keepdims = inputs[0], attrs["axis"], attrs["keepdims"]
        # A row of -inf has y = -inf, and -inf - -inf would be NaN.
        shift = spread(where(isfinite(y), y, 0), axis, keepdims)
        return (spread(g, axis, keepdims) * exp(x - shift),)

    def reference(self, x: Any, axis: Any, keepdims: bool) -> Any:
        top = max(x, axis=axis, keepdims=True)
        top = where(isfinite(top), top, 0)
        total = log(sum(exp(x - top), axis=axis, keepdims=True)) + top
        return total if keepdims else reshape(total, reduced_shape(x.shape, axis, False))

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        return 13 * inputs[0].size, super().cost(inputs, outputs, attrs)[1]

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        total = sum.specialize(inputs, outputs, attrs)
        axis, limit = short_axis(attrs["axis"]), np.array(np.finfo(inputs[0].dtype).max)
        return lambda *buffers: _evaluate(total, axis, limit, *buffers)

    def samples(self) -> Iterable[Sample]:
        def draw(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
            return lambda rng: rng.normal(size=shape).astype("float32")

        yield Sample((draw(4, 3),), {"axis": None, "keepdims": False})
        yield Sample((draw(4, 3),), {"axis": -1, "keepdims": False})
        yield Sample((draw(2, 3, 4),), {"axis": (0, 2), "keepdims": True})
        masked = np.array([[-np.inf, -np.inf], [-np.inf, 1.0]], "float32")
        yield Sample((masked,), {"axis": 1, "keepdims": False}, differentiable=False)


# NumPy's type hints do not know reduce's positional arguments.
_largest: Any = np.maximum.reduce


def _evaluate(
    total: Callable[..., Any],
    axis: Any,
    limit: np.ndarray,
    x: np.ndarray,
    out: np.ndarray,
    shifted: np.ndarray,
    top: np.ndarray,
) -> None:
    # An infinite maximum becomes the largest number, so that no inf - inf arises and the sum of
    # exponentials is still exactly 0 or inf. The maximum of an empty batch starts there, too.
    _largest(x, axis, None, top, True, -limit)
    np.minimum(top, limit, out=top)
    np.subtract(x, top, shifted)
    np.exp(shifted, shifted)
    total(shifted, out)
    np.log(out, out)
    np.add(out, top.reshape(out.shape), out)


logsumexp = LogSumExp()
register(logsumexp)

"""Cross-entropies of probabilities, clipped to [epsilon, 1 - epsilon] as Keras does.

Where the clipping holds a probability no gradient flows. `stabilize` replaces these ops by those
of `crossentropy.py` where the probabilities come from softmax or sigmoid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, as_node, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import Elementwise
from kgraph.ops.crossentropy import (
    RowLoss,
    check_classes,
    column,
    draw_classes,
    draw_distribution,
    require_rows,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    sparse_softmax_cross_entropy,
)
from kgraph.ops.elementwise import log, log1p
from kgraph.ops.extremes import clip
from kgraph.ops.indexing import require_ids
from kgraph.ops.one_hot import one_hot
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.relu import relu_grad
from kgraph.ops.shapes import moveaxis
from kgraph.ops.softmax import Rows, row_buffers
from kgraph.ops.specialized import Prepared, Specialized

EPSILON = 1e-7


def inside(g: Any, q: Any, epsilon: float) -> Any:
    """The part of `g` that clipping of `q` to [epsilon, 1 - epsilon] lets through."""
    return relu_grad(relu_grad(g, q - epsilon), (1 - epsilon) - q)


def last_axis(x: Any, axis: int) -> Any:
    """The tensor with the axis of the classes as its last one."""
    return x if axis == -1 else moveaxis(x, axis, -1)


class CategoricalCrossentropy(RowLoss):
    """-sum(target * log(output)) over the last axis, output divided by its sum and clipped.

    Example:
        >>> bool(categorical_crossentropy([[0.0, 1.0]], [[1.0, 0.0]]) > 16)
        True
    """

    name = "categorical_crossentropy"

    def __call__(
        self,
        target: Any,
        output: Any,
        from_logits: bool = False,
        axis: int = -1,
        epsilon: float = EPSILON,
    ) -> Any:
        target, output = last_axis(target, axis), last_axis(output, axis)
        if from_logits:
            return softmax_cross_entropy(output, target)[0]
        return self.apply((target, output), epsilon=epsilon)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands, floating=True)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"epsilon": float(attrs.get("epsilon", EPSILON))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        target, output = types
        require_rows(output, target, output.shape)
        if target.dtype != output.dtype:
            raise InferenceError("operands must have one dtype")
        return output.with_shape(output.shape[:-1])

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        x = types[1]
        (total,) = row_buffers(x, (x.dtype,))
        return x.with_shape((*total.shape, x.shape[-1])), total

    def by_rows(self, rows: Rows, **attrs: Any) -> Prepared:
        sums, dtype = rows.sums, rows.ones.dtype
        low, high = np.array(attrs["epsilon"], dtype), np.array(1 - attrs["epsilon"], dtype)

        def views(*buffers: np.ndarray) -> tuple[np.ndarray, ...]:
            return *buffers, buffers[-1][:, None]

        def kernel(
            target: np.ndarray,
            x: np.ndarray,
            loss: np.ndarray,
            q: np.ndarray,
            total: np.ndarray,
            column: np.ndarray,
        ) -> None:
            sums(x, total)
            np.divide(x, column, q)
            q.clip(low, high, q)
            np.log(q, q)
            np.vecdot(target, q, loss)
            np.negative(loss, loss)

        return Prepared(views, kernel)

    def reference(self, target: Any, output: Any, epsilon: float) -> Any:
        q = output / reduce_sum(output, axis=-1, keepdims=True)
        return -reduce_sum(target * log(clip(q, epsilon, 1 - epsilon)), axis=-1)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        (target, output), epsilon = inputs, attrs["epsilon"]
        total = reduce_sum(output, axis=-1, keepdims=True)
        q = output / total
        clipped = clip(q, epsilon, 1 - epsilon)
        slope = inside(column(-g) * target / clipped, q, epsilon)
        back = (slope - reduce_sum(slope * q, axis=-1, keepdims=True)) / total
        return column(-g) * log(clipped), back

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw_distribution(4, 5), draw_distribution(4, 5)))
        yield Sample((draw_distribution(2, 3, 5), draw_distribution(2, 3, 5)))
        yield Sample((draw_distribution(3), draw_distribution(3)), {"epsilon": 1e-3})


class SparseCategoricalCrossentropy(RowLoss):
    """-log(output) at each row's class id, output divided by its sum and clipped.

    Example:
        >>> sparse_categorical_crossentropy([1], np.array([[1.0, 0.0, 1.0]])).shape
        (1,)
    """

    name = "sparse_categorical_crossentropy"

    def __call__(
        self,
        target: Any,
        output: Any,
        from_logits: bool = False,
        axis: int = -1,
        epsilon: float = EPSILON,
    ) -> Any:
        output = last_axis(output, axis)
        if from_logits:
            return sparse_softmax_cross_entropy(output, target)[0]
        return self.apply((target, output), epsilon=epsilon)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return as_node(operands[0]), *promote_operands(operands[1:], floating=True)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"epsilon": float(attrs.get("epsilon", EPSILON))}

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        target, output = types
        require_rows(output, target, output.shape[:-1])
        require_ids(target)
        return output.with_shape(output.shape[:-1])

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return row_buffers(types[1], (types[1].dtype, "int64"))

    def by_rows(self, rows: Rows, **attrs: Any) -> Prepared:
        sums, starts, count, name = rows.sums, rows.starts, rows.shape[1], self.name
        dtype, epsilon = rows.ones.dtype, attrs["epsilon"]
        low, high = np.array(epsilon, dtype), np.array(1 - epsilon, dtype)

        def kernel(
            ids: np.ndarray, x: np.ndarray, loss: np.ndarray, total: np.ndarray, places: np.ndarray
        ) -> None:
            check_classes(name, ids, places, count)
            np.add(places, starts, places)
            x.reshape(-1).take(places, None, loss, "clip")
            sums(x, total)
            np.divide(loss, total, loss)
            loss.clip(low, high, loss)
            np.log(loss, loss)
            np.negative(loss, loss)

        # x may be of any strides, so its elements are laid flat in every run.
        return Prepared(lambda *buffers: buffers, kernel)

    def reference(self, target: Any, output: Any, epsilon: float) -> Any:
        chosen = one_hot(target, output.shape[-1], dtype=str(output.dtype))
        q = output / reduce_sum(output, axis=-1, keepdims=True)
        return -reduce_sum(chosen * log(clip(q, epsilon, 1 - epsilon)), axis=-1)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        (target, output), epsilon = inputs, attrs["epsilon"]
        chosen = one_hot(target, output.shape[-1], dtype=output.dtype)
        total = reduce_sum(output, axis=-1, keepdims=True)
        q = reduce_sum(chosen * output, axis=-1, keepdims=True) / total
        slope = inside(column(-g) / clip(q, epsilon, 1 - epsilon), q, epsilon)
        return None, slope * (chosen - q) / total

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw_classes(5, 4), draw_distribution(4, 5)))
        yield Sample((draw_classes(5, 2, 3), draw_distribution(2, 3, 5)), {"epsilon": 1e-3})


class BinaryCrossentropy(Specialized, Elementwise):
    """-target * log(output) - (1 - target) * log(1 - output), output clipped, elementwise."""

    def __init__(self) -> None:
        super().__init__(
            "binary_crossentropy",
            self.kernel,
            self.pull_back,
            doc="Binary cross-entropy of target and clipped probabilities, elementwise.",
            arity=2,
            floating=True,
            dtypes="f",
            domain=(0.1, 0.9),
            flops=30,
        )
        self.reference = self.in_simpler_ops

    def __call__(  # type: ignore[override]
        self, target: Any, output: Any, from_logits: bool = False, epsilon: float = EPSILON
    ) -> Any:
        if from_logits:
            return sigmoid_cross_entropy(output, target)
        return self.apply((target, output), epsilon=epsilon)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return {"epsilon": float(attrs.get("epsilon", EPSILON))}

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (self.infer(*types),) * 2

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        dtype, epsilon = inputs[0].dtype, attrs["epsilon"]
        low, high = np.array(epsilon, dtype), np.array(1 - epsilon, dtype)

        def kernel(
            target: np.ndarray, x: np.ndarray, out: np.ndarray, part: np.ndarray, q: np.ndarray
        ) -> None:
            # -(t * (log q - log(1 - q)) + log(1 - q)), q the clipped output
            np.clip(x, low, high, out=q)
            np.negative(q, part)
            np.log1p(part, part)
            np.log(q, q)
            np.subtract(q, part, q)
            np.multiply(target, q, out)
            np.add(out, part, out)
            np.negative(out, out)

        return kernel

    @staticmethod
    def in_simpler_ops(target: Any, output: Any, epsilon: float) -> Any:
        q = clip(output, epsilon, 1 - epsilon)
        return -(target * log(q) + (1 - target) * log1p(-q))

    @staticmethod
    def pull_back(
        g: Node, y: Node, target: Node, output: Node, epsilon: float
    ) -> tuple[Node | None, ...]:
        q = clip(output, epsilon, 1 - epsilon)
        slope = g * ((q - target) / (q * (1 - q)))
        return g * (log1p(-q) - log(q)), inside(slope, output, epsilon)


categorical_crossentropy = CategoricalCrossentropy()
sparse_categorical_crossentropy = SparseCategoricalCrossentropy()
binary_crossentropy = BinaryCrossentropy()
for _op in (categorical_crossentropy, sparse_categorical_crossentropy, binary_crossentropy):
    register(_op)

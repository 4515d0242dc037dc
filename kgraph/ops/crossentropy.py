"""Cross-entropies of logits: loss and probabilities from one pass of exponentials.

The forms that take probabilities are in `likelihood.py`; `stabilize` turns those into these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError, explain
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, as_node, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import Elementwise
from kgraph.ops.elementwise import abs, exp, log1p, sigmoid
from kgraph.ops.extremes import maximum
from kgraph.ops.indexing import largest_unsigned, require_ids
from kgraph.ops.one_hot import one_hot, subtract_one_hot
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.shapes import draw, expand_dims
from kgraph.ops.softmax import Rows, log_softmax, row_buffers, row_work, softmax
from kgraph.ops.specialized import Prepared, Specialized, reshaped


def column(x: Any) -> Any:
    """A per-row value with a last axis of size 1, to broadcast over the classes."""
    return expand_dims(x, -1)


def check_classes(name: str, ids: np.ndarray, places: np.ndarray, count: int) -> None:
    """Copies class ids into `places` (int64).

    Raises:
        IndexError: an id is outside [0, count).
    """
    places[...] = ids
    # As unsigned numbers negative ids are huge, so the largest tells of any wrong id.
    if places.size and not largest_unsigned(places) < count:
        wrong = ids.reshape(-1)[(places < 0) | (places >= count)][0]
        summary = f"{name}: class id {int(wrong)} is out of bounds for {count} classes"
        raise IndexError(explain(summary, expected=f"0 <= id < {count}"))


def draw_classes(count: int, *shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """A function that draws sample class ids."""
    return lambda rng: rng.integers(0, count, shape).astype("int32")


def draw_distribution(*shape: int) -> Callable[[np.random.Generator], np.ndarray]:
    """A function that draws rows of positive numbers that add up to 1."""

    def sample(rng: np.random.Generator) -> np.ndarray:
        rows = rng.uniform(0.1, 1, shape)
        return (rows / rows.sum(-1, keepdims=True)).astype("float32")

    return sample


def require_rows(x: TensorType, other: TensorType, shape: tuple[Any, ...]) -> None:
    """Refuses operands that are not a row of float classes and its target."""
    if not x.is_float or x.ndim == 0:
        raise InferenceError(f"needs a float tensor whose last axis are the classes, not {x}")
    if other.shape != shape:
        raise InferenceError("shapes of target and output do not fit")


def pull_back(g: Any, y: Any, logits: Node, slope: Callable[[Node], Node]) -> Node:
    """Cotangent of logits from those of loss and probabilities; one of them may be None.

    Args:
        g: the two cotangents.
        y: the two outputs.
        logits: the operand.
        slope: probabilities -> derivative of the loss with respect to the logits.
    """
    (g_loss, g_probabilities), (_, p) = g, y
    parts = [] if g_loss is None else [column(g_loss) * slope(p)]
    if g_probabilities is not None:
        parts.append(softmax.vjp(g_probabilities, p, logits, axis=logits.ndim - 1)[0])
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


class RowLoss(Specialized):
    """An op that turns rows of classes and their targets into one loss a row."""

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        classes = max(inputs, key=lambda t: t.ndim)
        if not classes.size:
            return lambda *buffers: [o.fill(0) for o in buffers[2 : 2 + len(outputs)]]
        kernel = self.by_rows(Rows.of(classes.shape, classes.dtype), **attrs)
        if classes.ndim == 2:
            return kernel
        types = (*inputs, *outputs)
        return reshaped(
            kernel, [(-1, t.shape[-1]) if t.ndim == classes.ndim else (-1,) for t in types]
        )

    def by_rows(self, rows: Rows, **attrs: Any) -> Prepared:
        """The kernel for 2-D arrays of classes."""
        raise NotImplementedError(self.name)


class SoftmaxCrossEntropy(RowLoss):
    """-sum(target * log(softmax(logits))) over the last axis, and softmax(logits).

    Example:
        >>> loss, probabilities = softmax_cross_entropy([[0.0, 0.0]], [[0.0, 1.0]])
        >>> loss.round(4).tolist(), probabilities.tolist()
        ([0.6930999755859375], [[0.5, 0.5]])
    """

    name = "softmax_cross_entropy"

    def __call__(self, logits: Any, target: Any) -> Any:
        return self.apply((logits, target))

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands, floating=True)

    def infer(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        logits, target = types
        require_rows(logits, target, logits.shape)
        if target.dtype != logits.dtype:
            raise InferenceError("operands must have one dtype")
        return logits.with_shape(logits.shape[:-1]), logits

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        x = types[0]
        level, weight = row_buffers(x, (x.dtype,) * 2)
        return x.with_shape((*level.shape, x.shape[-1])), level, weight, row_work(x)

    def by_rows(self, rows: Rows, **attrs: Any) -> Prepared:
        sums, few = rows.sums, rows.few

        def views(z: np.ndarray, *buffers: np.ndarray) -> tuple[Any, ...]:
            *others, level, weight, work = buffers
            return rows.largest(z, level, work), z, *others, level, level[:, None], weight

        def kernel(
            find_largest: Callable[[], None],
            z: np.ndarray,
            target: np.ndarray,
            loss: np.ndarray,
            p: np.ndarray,
            d: np.ndarray,
            level: np.ndarray,
            column: np.ndarray,
            weight: np.ndarray,
        ) -> None:
            find_largest()
            np.subtract(z, column, d)
            np.exp(d, p)
            sums(p, level)
            np.divide(p, column, p)
            # loss = log(sum(exp(d))) * sum(target) - sum(target * d)
            if few:
                np.multiply(target, d, d)
                sums(d, loss)
            else:
                np.vecdot(target, d, loss)
            np.log(level, level)
            sums(target, weight)
            np.multiply(level, weight, level)
            np.subtract(level, loss, loss)

        return Prepared(views, kernel)

    def reference(self, logits: Any, target: Any) -> Any:
        return -reduce_sum(target * log_softmax(logits), axis=-1), softmax(logits)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        logits, target = inputs
        weight = reduce_sum(target, axis=-1, keepdims=True)
        back = pull_back(g, y, logits, lambda p: p * weight - target)
        return back, None if g[0] is None else column(g[0]) * -log_softmax(logits)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(4, 5), draw_distribution(4, 5)))
        yield Sample((draw(2, 3, 5), draw(2, 3, 5)))
        yield Sample((draw(3), draw_distribution(3)))


class SparseSoftmaxCrossEntropy(RowLoss):
    """-log(softmax(logits)) at each row's class id, and softmax(logits).

    Example:
        >>> loss, probabilities = sparse_softmax_cross_entropy([[0.0, 0.0, -1e4]], [2])
        >>> loss.tolist(), probabilities.tolist()
        ([10000.693359375], [[0.5, 0.5, 0.0]])
    """

    name = "sparse_softmax_cross_entropy"

    def __call__(self, logits: Any, ids: Any) -> Any:
        return self.apply((logits, ids))

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return *promote_operands(operands[:1], floating=True), as_node(operands[1])

    def infer(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        logits, ids = types
        require_rows(logits, ids, logits.shape[:-1])
        require_ids(ids)
        return logits.with_shape(logits.shape[:-1]), logits

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return *row_buffers(types[0], (types[0].dtype, "int64")), row_work(types[0])

    def by_rows(self, rows: Rows, **attrs: Any) -> Prepared:
        sums, starts, count, name = rows.sums, rows.starts, rows.shape[1], self.name

        def views(z: np.ndarray, *buffers: np.ndarray) -> tuple[Any, ...]:
            ids, loss, p, level, places, work = buffers
            find_largest = rows.largest(z, level, work)
            return find_largest, z, ids, loss, p, p.reshape(-1), level, level[:, None], places

        def kernel(
            find_largest: Callable[[], None],
            z: np.ndarray,
            ids: np.ndarray,
            loss: np.ndarray,
            p: np.ndarray,
            flat: np.ndarray,
            level: np.ndarray,
            column: np.ndarray,
            places: np.ndarray,
        ) -> None:
            check_classes(name, ids, places, count)
            np.add(places, starts, places)
            find_largest()
            np.subtract(z, column, p)
            flat.take(places, None, loss, "clip")
            np.exp(p, p)
            sums(p, level)
            np.divide(p, column, p)
            np.log(level, level)
            np.subtract(level, loss, loss)

        return Prepared(views, kernel)

    def reference(self, logits: Any, ids: Any) -> Any:
        chosen = one_hot(ids, logits.shape[-1], dtype=str(logits.dtype))
        return -reduce_sum(chosen * log_softmax(logits), axis=-1), softmax(logits)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        logits, ids = inputs
        return pull_back(g, y, logits, lambda p: subtract_one_hot(p, ids)), None

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(4, 5), draw_classes(5, 4)))
        yield Sample((draw(2, 3, 5), draw_classes(5, 2, 3)))


# Up to here fewer calls cost less than vectorised ones.
_FEW_ELEMENTS = 128


class SigmoidCrossEntropy(Specialized, Elementwise):
    """-target * log(s) - (1 - target) * log(1 - s) with s = sigmoid(logits), elementwise."""

    def __init__(self) -> None:
        super().__init__(
            "sigmoid_cross_entropy",
            self.kernel,
            lambda g, y, z, t: (g * (sigmoid(z) - t), g * -z),
            doc="Binary cross-entropy of logits and target, elementwise and without overflow.",
            arity=2,
            floating=True,
            dtypes="f",
            reference=lambda z, t: maximum(z, 0) - z * t + log1p(exp(-abs(z))),
            flops=30,
        )

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (self.infer(*types),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        zero, minus = np.zeros((), inputs[0].dtype), np.array(-1, inputs[0].dtype)

        def in_few_calls(z: np.ndarray, t: np.ndarray, out: np.ndarray, work: np.ndarray) -> None:
            # max(z, 0) - z * t + log(exp(0) + exp(-|z|))
            np.multiply(z, t, work)
            np.maximum(z, zero, out=out)
            np.subtract(out, work, work)
            np.copysign(z, minus, out)
            np.logaddexp(out, zero, out)
            np.add(out, work, out)

        def kernel(z: np.ndarray, t: np.ndarray, out: np.ndarray, work: np.ndarray) -> None:
            # max(z, 0) - z * t + log(1 + exp(-|z|))
            np.multiply(z, t, work)
            np.maximum(z, zero, out=out)
            np.subtract(out, work, work)
            np.absolute(z, out)
            np.negative(out, out)
            np.exp(out, out)
            np.log1p(out, out)
            np.add(out, work, out)

        # NumPy's logaddexp and copysign take the same steps, not vectorised.
        size: Any = outputs[0].size
        return in_few_calls if size <= _FEW_ELEMENTS else kernel


softmax_cross_entropy = SoftmaxCrossEntropy()
sparse_softmax_cross_entropy = SparseSoftmaxCrossEntropy()
sigmoid_cross_entropy = SigmoidCrossEntropy()
for _op in (softmax_cross_entropy, sparse_softmax_cross_entropy, sigmoid_cross_entropy):
    register(_op)

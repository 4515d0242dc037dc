"""The mean or the sum of each window, and their gradients, which are their transposes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, as_node, promote_operands, register
from kgraph.ir.types import TensorType
from kgraph.ops.pooling import Call, Layout, Pool, calling_all, fold, unfold
from kgraph.ops.select import cast
from kgraph.ops.shapes import as_shape, draw, show
from kgraph.ops.windows import with_channels_last


def in_float32(function: Callable[..., Any]) -> Callable[..., Any]:
    """Has float16 operands computed in float32: sums of many of them would round away."""

    def wide(x: Any, *args: Any, **kwargs: Any) -> Any:
        if getattr(x, "dtype", None) != "float16":
            return function(x, *args, **kwargs)
        return cast(function(cast(x, "float32"), *args, **kwargs), "float16")

    return wide


class AveragePool(Pool):
    """The mean of each window on the axes between the first and the last.

    What `padding="same"` adds, by TensorFlow's rule, does not count: not in the divisor either.
    float16 is added up in float32.

    Example:
        >>> average_pool(np.arange(4.0).reshape(1, 4, 1), 3, 2, "same").ravel().tolist()
        [1.0, 2.5]
    """

    name = "average_pool"
    averages = True

    def __call__(
        self,
        inputs: Any,
        pool_size: Any,
        strides: Any = None,
        padding: Any = "valid",
        data_format: str | None = None,
    ) -> Any:
        attrs = {"pool_size": pool_size, "strides": strides, "padding": padding}
        pooled = in_float32(lambda wide: self.apply((wide,), **attrs))
        return with_channels_last(pooled, inputs, data_format)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return promote_operands(operands, floating=True)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,) = types
        if not x.is_float:
            raise InferenceError(f"does not take {x.dtype}")
        return x.with_shape(self.output_shape(x.shape, attrs))

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        (x,) = types
        return tuple(x.with_shape(s) for s in self.between(x.shape, attrs))

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        (x,) = inputs
        layout = Layout.of(self.windows_on(x.shape, attrs), x.shape[1:-1])
        factors = factors_of(layout, x)

        def calls(source: np.ndarray, out: np.ndarray, *work: np.ndarray) -> list[Call]:
            found: list[Call] = []
            for axis, (target, cells) in enumerate(zip((*work, out), layout.axes), 1):
                found += fold(np.add, 0, source, target, axis, cells)
                source = target
            return [*found, partial(np.multiply, out, factors, out)] if self.averages else found

        return calling_all(calls)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (average_pool_grad(g, inputs[0].shape, **attrs),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 4, 6, 3),), {"pool_size": 2})
        yield Sample((draw(2, 5, 7, 3),), {"pool_size": (3, 2), "strides": 2, "padding": "same"})
        yield Sample((draw(3, 7, 2),), {"pool_size": 3, "strides": 1})
        yield Sample((draw(2, 3, 4, 5, 1),), {"pool_size": 2, "strides": (1, 2, 3)})


class AveragePoolGrad(Pool):
    """A tensor of `shape` with each element of g shared out equally among the cells of its window.

    Example:
        >>> average_pool_grad(np.array([[[4.0], [6.0]]]), (1, 4, 1), 2).ravel().tolist()
        [2.0, 2.0, 3.0, 3.0]
    """

    name = "average_pool_grad"
    averages = True

    def __call__(
        self, g: Any, shape: Any, pool_size: Any, strides: Any = None, padding: Any = "valid"
    ) -> Any:
        attrs = {"pool_size": pool_size, "strides": strides, "padding": padding}
        return in_float32(lambda wide: self.apply((wide,), shape=shape, **attrs))(g)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        return tuple(as_node(x) for x in operands)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        return super().normalize(inputs, {**attrs, "shape": as_shape(attrs["shape"])})

    def pooled_shape(
        self, types: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, ...]:
        return tuple(attrs["shape"])

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (g,), shape = types, attrs["shape"]
        pooled = self.output_shape(shape, attrs)
        if not g.is_float or g.shape != pooled:
            raise InferenceError(f"needs floats of shape {show(pooled)}")
        return g.with_shape(shape)

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        (g,) = types
        between = [g.with_shape(s) for s in self.between(attrs["shape"], attrs)[::-1]]
        return (g, *between) if self.averages else tuple(between)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        (x,) = outputs
        layout = Layout.of(self.windows_on(x.shape, attrs), x.shape[1:-1])
        factors = factors_of(layout, x)

        def calls(source: np.ndarray, out: np.ndarray, *work: np.ndarray) -> list[Call]:
            found: list[Call] = []
            if self.averages:
                scaled, work = work[0], work[1:]
                found.append(partial(np.multiply, source, factors, scaled))
                source = scaled
            axes = [*enumerate(layout.axes, 1)][::-1]
            for target, (axis, cells) in zip((*work, out), axes):
                found += unfold(source, target, axis, cells, layout.covers)
                source = target
            return found

        return calling_all(calls)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (average_pool(g, **_without_shape(attrs)),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 2, 3, 3),), {"pool_size": 2, "shape": (2, 4, 6, 3)})
        same = {"pool_size": (3, 2), "strides": 2, "padding": "same", "shape": (2, 5, 7, 3)}
        yield Sample((draw(2, 3, 4, 3),), same)
        yield Sample((draw(3, 5, 2),), {"pool_size": 3, "strides": 1, "shape": (3, 7, 2)})


class SumPool(AveragePool):
    """The sum of each window on the axes between the first and the last.

    Example:
        >>> sum_pool(np.arange(4.0).reshape(1, 4, 1), 2).ravel().tolist()
        [1.0, 5.0]
    """

    name = "sum_pool"
    averages = False

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (sum_pool_grad(g, inputs[0].shape, **attrs),)


class SumPoolGrad(AveragePoolGrad):
    """A tensor of `shape` whose cells hold the sums of the elements of g in whose windows they lie.

    Example:
        >>> sum_pool_grad(np.array([[[4.0], [6.0]]]), (1, 4, 1), 2).ravel().tolist()
        [4.0, 4.0, 6.0, 6.0]
    """

    name = "sum_pool_grad"
    averages = False

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (sum_pool(g, **_without_shape(attrs)),)


def _without_shape(attrs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attrs.items() if name != "shape"}


def factors_of(layout: Layout, x: TensorType) -> np.ndarray:
    """1 / (number of cells) of each window: one number where all are equal."""
    factors = np.ones(())
    for cells, count in zip(layout.axes, layout.counts):
        numbers = np.zeros(count)
        for those, _ in cells:
            numbers[those] += 1
        factors = factors[..., None] / np.maximum(numbers, 1)
    if factors.size and (factors == factors.flat[0]).all():
        return np.array(factors.flat[0], x.dtype)
    channels: Any = x.shape[-1]
    return np.repeat(factors[..., None], channels, -1).astype(x.dtype)


average_pool, average_pool_grad = register(AveragePool()), register(AveragePoolGrad())
sum_pool, sum_pool_grad = register(SumPool()), register(SumPoolGrad())

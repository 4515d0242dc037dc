"""The largest element of each window, its gradient, and the gradient of that.

Where several elements of a window tie, all of the gradient goes to the first in row-major order, as
in TensorFlow and JAX. Which one that is, is found again when it is asked for: a byte an output.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.dim import Dim, product
from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.extremes import ends
from kgraph.ops.pool_routines import largest_along, way_back
from kgraph.ops.pooling import Call, Layout, Pool, called, calling_all, fold, moved
from kgraph.ops.shapes import draw
from kgraph.ops.windows import Windows, with_channels_last

# Windows, and the shape of the largest elements that they leave.
Step = tuple[Windows, tuple[Any, ...]]

_BITS: dict[int, np.dtype[Any]] = {n: np.dtype(f"int{8 * n}") for n in (2, 4, 8)}


class MaxPool(Pool):
    """The largest element of each window on the axes between the first and the last.

    What `padding="same"` adds, by TensorFlow's rule, is smaller than all numbers. NaN wins.

    Example:
        >>> max_pool(np.arange(6.0).reshape(1, 6, 1), 2).ravel().tolist()
        [1.0, 3.0, 5.0]
    """

    name = "max_pool"

    def __call__(
        self,
        inputs: Any,
        pool_size: Any,
        strides: Any = None,
        padding: Any = "valid",
        data_format: str | None = None,
    ) -> Any:
        attrs = {"pool_size": pool_size, "strides": strides, "padding": padding}
        return with_channels_last(lambda x: self.apply((x,), **attrs), inputs, data_format)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        (x,) = types
        if x.dtype == "bool":
            raise InferenceError("does not take bool")
        return x.with_shape(self.output_shape(x.shape, attrs))

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        (x,) = types
        return tuple(x.with_shape(s) for s in self.between(x.shape, attrs))

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        (x,) = inputs
        layout = Layout.of(self.windows_on(x.shape, attrs), x.shape[1:-1])
        lowest = ends(x.dtype)[0]

        def calls(source: np.ndarray, out: np.ndarray, *work: np.ndarray) -> list[Call]:
            found: list[Call] = []
            for axis, (target, cells) in enumerate(zip((*work, out), layout.axes), 1):
                found += fold(np.maximum, lowest, source, target, axis, cells)
                source = target
            return found

        return calling_all(calls)

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return (max_pool_grad(g, y, inputs[0], **attrs),)

    def samples(self) -> Iterable[Sample]:
        yield Sample((draw(2, 4, 6, 3),), {"pool_size": 2})
        yield Sample((draw(2, 5, 7, 3),), {"pool_size": (3, 2), "strides": 2, "padding": "same"})
        yield Sample((draw(3, 7, 2),), {"pool_size": 3, "strides": 1})
        yield Sample((draw(2, 3, 4, 5, 1),), {"pool_size": 2, "strides": (1, 2, 3)})
        numbers = np.arange(24, dtype="int32").reshape(2, 6, 2) % 7
        yield Sample((numbers,), {"pool_size": 3, "padding": "same"})


class AtMaximum(Pool):
    """An op of g, the largest elements y, and the tensor x that they come from."""

    def __call__(
        self, g: Any, y: Any, x: Any, pool_size: Any, strides: Any = None, padding: Any = "valid"
    ) -> Any:
        return self.apply((g, y, x), pool_size=pool_size, strides=strides, padding=padding)

    def check(self, g: TensorType, y: TensorType, x: TensorType, attrs: Mapping[str, Any]) -> None:
        """Refuses operands that do not belong together."""
        pooled = x.with_shape(self.output_shape(x.shape, attrs))
        if not x.is_float or y != pooled or g != self.cotangent(y, x):
            raise InferenceError(f"needs floats: {self.cotangent(pooled, x)}, {pooled} and {x}")

    def cotangent(self, y: TensorType, x: TensorType) -> TensorType:
        """The type of g."""
        raise NotImplementedError(self.name)

    def by_axes(self, attrs: Mapping[str, Any]) -> bool:
        """Whether the op works axis by axis, from the last to the first."""
        return False

    def steps(self, shape: Sequence[Any], attrs: Mapping[str, Any]) -> list[Step]:
        """The windows of each step, and the shape of the largest elements that it leaves."""
        whole, pooled = self.windows_on(shape, attrs), self.output_shape(shape, attrs)
        if not self.by_axes(attrs):
            return [(whole, pooled)]
        axes = range(len(shape) - 2, 0, -1)
        return [(whole.along(a - 1), (*shape[:a], *pooled[a:])) for a in axes]

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        x = types[2]
        shapes = [shape for _, shape in self.steps(x.shape, attrs)]
        count = block_size(shapes[0])
        blocks = [x.with_shape((count, *shape[1:])) for shape in shapes]
        bools = [b.with_dtype("bool") for b in blocks]
        return *bools, *bools, *blocks, *blocks[:-1], *blocks[:-1]

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        x = inputs[2]
        steps = self.steps(x.shape, attrs)
        sizes = [x.shape, *[shape for _, shape in steps]]
        layouts = [Layout.of(found, size[1:-1]) for (found, _), size in zip(steps, sizes)]
        count: Any = block_size(steps[0][1])

        def calls(
            g: np.ndarray, y: np.ndarray, x: np.ndarray, out: np.ndarray, *work: np.ndarray
        ) -> list[Call]:
            found: list[Call] = []
            for start in range(0, len(x), count):
                parts = slice(start, start + count)
                buffers = [each[: len(x[parts])] for each in work]
                found += self.block(layouts, g[parts], y[parts], x[parts], out[parts], buffers)
            return found

        return calling_all(calls)

    def block(
        self, layouts: Sequence[Layout], g: np.ndarray, y: np.ndarray, x: np.ndarray,
        out: np.ndarray, work: Sequence[np.ndarray],
    ) -> list[Call]:  # fmt: skip
        """Calls that compute the op for some samples."""
        n = len(layouts)
        buffers = [work[i : 3 * n : n] for i in range(n)]
        values = [x, *work[3 * n : 4 * n - 1], y]
        slopes = [out, *work[4 * n - 1 :], g]
        calls: list[Call] = []
        lowest = ends(x.dtype.name)[0]
        for i, axis in enumerate(range(x.ndim - 2, x.ndim - 1 - n, -1)):
            cells = layouts[i].axes[axis - 1]
            spare, source, target = buffers[i][2], values[i], values[i + 1]
            folding = fold(np.maximum, lowest, source, target, axis, cells, spare)
            calls.append(largest_along(axis, layouts[i], source, target, called(folding)))
        for i in reversed(range(n)):
            operands = slopes[i + 1], values[i + 1], values[i], slopes[i]
            calls += self.step(layouts[i], *operands, *buffers[i])
        return calls

    def step(
        self, layout: Layout, g: np.ndarray, y: np.ndarray, x: np.ndarray, out: np.ndarray,
        hits: np.ndarray, taken: np.ndarray, work: np.ndarray,
    ) -> list[Call]:  # fmt: skip
        """Calls that compute the op for the windows of one step."""
        raise NotImplementedError(self.name)

    def samples(self) -> Iterable[Sample]:
        for sample in max_pool.samples():
            (x,), attrs = sample.inputs, sample.attrs
            if callable(x):
                x = x(np.random.default_rng(3))
                y = max_pool(x, **attrs)
                like: Any = self.cotangent(
                    TensorType(y.shape, "float32"), TensorType(x.shape, "float32")
                )
                # Differences would move y away from the largest elements of x.
                yield Sample((draw(*like.shape), y, x), attrs, differentiable=False)


# Outputs of the samples that are worked on at a time: what belongs to them fits the cache.
_BLOCK = 1 << 16


def block_size(shape: Sequence[Any]) -> int | Dim:
    """How many samples are worked on at a time."""
    samples, each = shape[0], product(shape[1:])
    if isinstance(samples, Dim) or isinstance(each, Dim):
        return samples
    return max(min(samples, _BLOCK // (each or 1)), 1)


def first_hits(
    layout: Layout, y: np.ndarray, x: np.ndarray,
    hits: np.ndarray, taken: np.ndarray, work: np.ndarray,
) -> Iterable[tuple[tuple[slice, ...], tuple[slice, ...], list[Call]]]:  # fmt: skip
    """For each cell of a window its keys, and calls that write to `work`, seen as integers, 1 where
    the cell is the first of the largest and else 0."""
    places, ones = list(layout.places()), work.view(_BITS[work.itemsize])
    for number, (those, place) in enumerate(places):
        found, seen, cell = hits[those], taken[those], work[those]
        if number == len(places) - 1 and number and layout.whole:
            # What no other cell has taken belongs to the last.
            calls: list[Call] = [partial(np.logical_not, seen, found)]
        else:
            calls = [moved(x[place], cell), partial(np.equal, cell, y[those], found)]
            if number:
                calls.append(partial(np.greater, found, seen, found))
                calls.append(partial(np.logical_or, found, seen, seen))
            else:
                calls += [partial(taken.fill, False), partial(np.copyto, seen, found)]
        yield those, place, [*calls, partial(np.copyto, ones[those], found)]


class MaxPoolGrad(AtMaximum):
    """Zeros like x that hold, added up, each element of g at the first of the largest elements
    of its window."""

    name = "max_pool_grad"

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        g, y, x = types
        self.check(g, y, x, attrs)
        return x

    def cotangent(self, y: TensorType, x: TensorType) -> TensorType:
        return y

    def by_axes(self, attrs: Mapping[str, Any]) -> bool:
        # The first in row-major order is the first of its row, in the first row that has one.
        return any(s < k for s, k in zip(attrs["strides"], attrs["pool_size"]))

    def step(
        self, layout: Layout, g: np.ndarray, y: np.ndarray, x: np.ndarray, out: np.ndarray,
        hits: np.ndarray, taken: np.ndarray, work: np.ndarray,
    ) -> list[Call]:  # fmt: skip
        bits = _BITS[x.itemsize]
        calls: list[Call] = []
        finds = first_hits(layout, y, x, hits, taken, work)
        for number, (those, place, finding) in enumerate(finds):
            part, target = work[those], out[place]
            # The product of g's bits with 0 or 1 is exact, and much faster than a masked copy.
            chosen = part.view(bits)
            calls += [*finding, partial(np.multiply, chosen, g[those].view(bits), chosen)]
            if number >= layout.apart:
                calls.append(partial(np.add, part, target, part))
            calls.append(moved(part, target))
        before: list[Call] = [] if layout.covers else [partial(out.fill, 0)]
        return [*before, way_back(layout, g, y, x, out, called(calls))]

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return max_pool_select(g, inputs[1], inputs[2], **attrs), None, None


class MaxPoolSelect(AtMaximum):
    """The elements of g, a tensor like x, where x has the first of the largest of each window."""

    name = "max_pool_select"

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        g, y, x = types
        self.check(g, y, x, attrs)
        return y

    def cotangent(self, y: TensorType, x: TensorType) -> TensorType:
        return x

    def step(
        self, layout: Layout, g: np.ndarray, y: np.ndarray, x: np.ndarray, out: np.ndarray,
        hits: np.ndarray, taken: np.ndarray, work: np.ndarray,
    ) -> list[Call]:  # fmt: skip
        bits = _BITS[x.itemsize]
        calls: list[Call] = [partial(out.fill, 0)]
        for those, place, finding in first_hits(layout, y, x, hits, taken, work):
            chosen, target = work[those].view(bits), out[those].view(bits)
            calls += [
                *finding,
                partial(np.multiply, chosen, g[place].view(bits), chosen),
                partial(np.bitwise_or, target, chosen, target),
            ]
        return calls

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        return max_pool_grad(g, inputs[1], inputs[2], **attrs), None, None


max_pool = register(MaxPool())
max_pool_grad, max_pool_select = register(MaxPoolGrad()), register(MaxPoolSelect())

"""Families of ops: one class a family, one row or one short class an op."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import InferenceError
from kgraph.ir.node import Node
from kgraph.ir.op import Op, Sample, promote_operands
from kgraph.ir.types import TensorType, broadcast_shapes

Vjp = Callable[..., tuple[Any, ...]]


class Elementwise(Op):
    """An op that works on each element by itself, with NumPy's broadcasting.

    Args:
        name: NumPy's name.
        function: a ufunc, or a function of (*arrays, out) made of ufuncs.
        vjp: (g, y, *inputs) -> cotangents; the engine undoes broadcasting.
        doc: one sentence.
        arity: number of operands; default the ufunc's.
        floating: whether ints are cast to float32 first.
        result: dtype of the output; default the operands'.
        domain: interval that the test harness draws from.
        reference: the same meaning in simpler ops.
        reuse: operands whose buffer the output may take; default all for a ufunc, none otherwise.
        dtypes: kinds of dtypes accepted, of "b" (bool), "i" (integers), "f" (floats).
        flops: operations per element.
        c: the same meaning in C, see `Op.c`.
    """

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        vjp: Vjp | None = None,
        *,
        doc: str,
        arity: int | None = None,
        floating: bool = False,
        result: str | None = None,
        domain: tuple[float, float] = (-3.0, 3.0),
        reference: Callable[..., Any] | None = None,
        reuse: tuple[int, ...] | None = None,
        dtypes: str = "bif",
        flops: int = 1,
        c: str = "",
    ) -> None:
        self.name, self.doc, self.__doc__ = name, doc, doc
        self.function, self.rule = function, vjp
        self.is_ufunc = isinstance(function, np.ufunc)
        self.arity = arity or (function.nin if isinstance(function, np.ufunc) else 1)
        self.floating, self.result, self.domain = floating, result, domain
        self.dtypes, self.flops, self.c = dtypes, flops, c
        self.reference = reference
        default = tuple(range(self.arity)) if self.is_ufunc else ()
        self.reuse = default if reuse is None else reuse

    def __call__(self, *operands: Any, **attrs: Any) -> Any:
        if attrs:  # Keras's names of operands
            operands += tuple(attrs.pop(n) for n in ("x", "x1", "x2") if n in attrs)
        return self.apply(operands, **attrs)

    def lift(self, operands: Sequence[Any]) -> tuple[Node, ...]:
        if len(operands) != self.arity:
            raise TypeError(f"{self.name} takes {self.arity} operands. Got: {len(operands)}")
        return promote_operands(operands, self.floating)

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        if len(types) != self.arity:
            raise InferenceError(f"takes {self.arity} operands, got {len(types)}")
        shape, dtype = types[0].shape, types[0].dtype
        same = True
        for other in types[1:]:
            if other.dtype != dtype:
                raise InferenceError("operands must have one dtype")
            same = same and other.shape in (shape, ())
        kind = "b" if dtype == "bool" else "f" if dtype.startswith("f") else "i"
        if kind not in self.dtypes or (self.floating and kind != "f"):
            raise InferenceError(f"does not take {dtype}")
        if same and self.result in (None, dtype):
            return types[0]
        return TensorType(broadcast_shapes(*[t.shape for t in types]), self.result or dtype)

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        if out is None:
            shape = np.broadcast_shapes(*[a.shape for a in arrays])
            out = np.empty(shape, self.result or arrays[0].dtype)
        self.function(*arrays, out, **attrs)
        return out

    @property
    def has_vjp(self) -> bool:
        return self.rule is not None

    def vjp(self, g: Any, y: Any, *inputs: Node, **attrs: Any) -> tuple[Node | None, ...]:
        if self.rule is None:
            return (None,) * len(inputs)
        return self.rule(g, y, *inputs, **attrs)

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        flops, moved = super().cost(inputs, outputs, attrs)
        return flops * self.flops, moved

    def samples(self) -> Iterable[Sample]:
        dtypes = [d for d in ("float32", "int32", "bool") if d[0] in self.dtypes]

        def draw(shape: tuple[int, ...], dtype: str) -> Callable[[np.random.Generator], np.ndarray]:
            if dtype == "bool":
                return lambda rng: rng.random(shape) < 0.5
            return lambda rng: rng.uniform(*self.domain, shape).astype(dtype)

        for dtype in dtypes:
            yield Sample(tuple(draw((2, 3), dtype) for _ in range(self.arity)))
        first = dtypes[0]
        yield Sample(tuple(draw((4, 3) if i == 0 else (3,), first) for i in range(self.arity)))
        yield Sample(tuple(draw((), first) for _ in range(self.arity)))

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        if not attrs:
            return self.function
        function, frozen = self.function, dict(attrs)
        return lambda *buffers: function(*buffers, **frozen)


class View(Op):
    """An op whose output is the input's memory seen through other strides, where that is possible.

    A subclass declares `infer`, `vjp` and `view(array, **attrs)`.
    """

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        viewed = self.view(arrays[0], **attrs) if self.view else None
        if viewed is None:
            viewed = self.copy(arrays[0], **attrs)
        if out is None:
            return np.array(viewed)
        np.copyto(out, viewed)
        return out

    def copy(self, array: np.ndarray, **attrs: Any) -> np.ndarray:
        """The output where no view exists."""
        raise NotImplementedError(self.name)

    def cost(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> tuple[Any, Any]:
        return 0, 0


def normalize_axis(axis: int, ndim: int) -> int:
    """Makes an axis count from the front.

    Raises:
        InferenceError: there is no such axis.
    """
    if isinstance(axis, bool) or not isinstance(axis, (int, np.integer)):
        raise InferenceError(f"axis must be an int, not {axis!r}")
    if not -ndim <= axis < ndim:
        raise InferenceError(f"axis {axis} is out of bounds for {ndim} axes")
    return int(axis) % ndim


def normalize_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Makes None, an int or several ints a sorted tuple of axes without repeats."""
    if axis is None:
        return tuple(range(ndim))
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    axes = sorted(normalize_axis(a, ndim) for a in given)
    if len(set(axes)) != len(axes):
        raise InferenceError(f"axis {axis} names an axis twice")
    return tuple(axes)


def reduced_shape(shape: tuple[Any, ...], axes: tuple[int, ...], keepdims: bool) -> tuple[Any, ...]:
    """The shape that a reduction over `axes` leaves."""
    if keepdims:
        return tuple(1 if i in axes else d for i, d in enumerate(shape))
    return tuple(d for i, d in enumerate(shape) if i not in axes)

"""Activations made of straight lines: relu and its family, and the class of all activations.

A row's `make(zeros, number, **attrs)` returns the kernel, a function of (x, out, *work). When a
plan is made `zeros` is a buffer of x's shape, because NumPy's maximum is several times faster
between full arrays than with a scalar.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.node import Node
from kgraph.ir.op import Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import Elementwise, Vjp
from kgraph.ops.comparison import greater
from kgraph.ops.extremes import maximum, minimum
from kgraph.ops.select import cast, where
from kgraph.ops.specialized import Prepared, Specialized

Kernel = Callable[..., Any]
Number = Callable[[float], np.ndarray]
Make = Callable[..., Kernel]

_BITS: dict[int, np.dtype[Any]] = {n: np.dtype(f"int{8 * n}") for n in (2, 4, 8)}


class Activation(Specialized, Elementwise):
    """An elementwise function of one tensor.

    Args:
        name: the op's name.
        make: (zeros, number, **attrs) -> kernel.
        vjp: (g, y, x, **attrs) -> (cotangent,).
        doc: one sentence.
        reference: the same meaning in simpler ops.
        work: buffers like x that the kernel needs.
        defaults: attributes and their default values.
        in_place: whether `out` may be x.
        integers: whether integers stay integers instead of becoming float32.
        variants: attributes of further samples.
        c: the same meaning in C, see `Op.c`.
    """

    def __init__(
        self,
        name: str,
        make: Make,
        vjp: Vjp,
        *,
        doc: str,
        reference: Callable[..., Any],
        work: int = 0,
        defaults: Mapping[str, Any] | None = None,
        in_place: bool = False,
        integers: bool = False,
        variants: Sequence[Mapping[str, Any]] = (),
        flops: int = 4,
        c: str = "",
    ) -> None:
        super().__init__(
            name,
            self.kernel,
            vjp,
            doc=doc,
            floating=not integers,
            reference=reference,
            reuse=(0,) if in_place else (),
            dtypes="if" if integers else "f",
            flops=flops,
            c=c,
        )
        self.make, self.work = make, work
        self.defaults, self.variants = dict(defaults or {}), tuple(variants)

    def __call__(self, x: Any, *values: Any, **attrs: Any) -> Any:
        return self.apply((x,), **dict(zip(self.defaults, values)), **attrs)

    def normalize(self, inputs: tuple[Node, ...], attrs: dict[str, Any]) -> dict[str, Any]:
        full = {**self.defaults, **attrs}
        return {name: type(self.defaults[name])(value) for name, value in full.items()}

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (types[0],) * self.work

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        dtype = inputs[0].dtype
        zeros: np.ndarray = np.zeros(inputs[0].shape, dtype)  # type: ignore[arg-type]
        return self.make(zeros, lambda value: np.array(value, dtype), **attrs)

    def samples(self) -> Iterable[Sample]:
        for sample in super().samples():
            yield Sample(sample.inputs, dict(self.defaults))
        for attrs in self.variants:
            yield Sample((lambda rng: rng.uniform(-3, 3, (2, 5)).astype("float32"),), attrs)


class ReluGrad(Specialized, Elementwise):
    """`g` where `y` is positive, else 0: also where `g` is infinite or NaN."""

    def __init__(self) -> None:
        super().__init__(
            "relu_grad",
            self.kernel,
            lambda h, _, g, y: (relu_grad(h, y), None),
            doc="`g` where `y` is positive, else 0, also where `g` is infinite or NaN.",
            arity=2,
            dtypes="f",
            reference=lambda g, y: where(greater(y, 0), g, 0),
            reuse=(1,),
            flops=2,
            c="{1} > 0 ? {0} : 0",
        )

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return (types[1].with_dtype("bool"),)

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        zero, bits = np.zeros((), inputs[0].dtype), _BITS[inputs[0].itemsize]
        positive, multiply = np.greater, np.multiply

        def views(
            g: np.ndarray, y: np.ndarray, out: np.ndarray, mask: np.ndarray
        ) -> tuple[np.ndarray, ...]:
            return g.view(bits), y, out.view(bits), mask

        def masked(g: np.ndarray, y: np.ndarray, out: np.ndarray, mask: np.ndarray) -> None:
            positive(y, zero, mask)
            # The product of g's bits with 0 or 1 is exact, and much faster than a masked copy.
            out[...] = mask
            multiply(out, g, out)

        return Prepared(views, masked)


def step(x: Node) -> Node:
    """1 where x is positive, else 0."""
    return cast(greater(x, 0), x.dtype)


def _make_relu(zeros: np.ndarray, number: Number) -> Kernel:
    maximum = np.maximum
    return lambda x, out: maximum(x, zeros, out=out)


def _make_relu6(zeros: np.ndarray, number: Number) -> Kernel:
    clip, low, high = np.ndarray.clip, number(0), number(6)
    return lambda x, out: clip(x, low, high, out)


def _make_leaky_relu(zeros: np.ndarray, number: Number, negative_slope: float) -> Kernel:
    slope = number(negative_slope)
    larger = np.maximum if negative_slope <= 1 else np.minimum

    def kernel(x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, slope, out)
        larger(x, out, out=out)

    # 0 * inf would be NaN.
    return kernel if negative_slope else _make_relu(zeros, number)


def _make_hard_sigmoid(zeros: np.ndarray, number: Number) -> Kernel:
    slope, half, low, high = number(0.2), number(0.5), number(0), number(1)

    def kernel(x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, slope, out)
        np.add(out, half, out)
        out.clip(low, high, out)

    return kernel


def _leaky_relu_vjp(g: Node, y: Node, x: Node, negative_slope: float) -> tuple[Node]:
    return (g * (step(x) * (1 - negative_slope) + negative_slope),)


relu_grad = ReluGrad()
relu = Activation(
    "relu",
    _make_relu,
    lambda g, y, x: (relu_grad(g, y),),
    doc="x where it is positive, else 0.",
    reference=lambda x: maximum(x, 0),
    in_place=True,
    integers=True,
    flops=1,
    c="{0} > 0 || {0} != {0} ? {0} : 0",  # NaN stays NaN; -0.0 becomes 0.0
)
relu6 = Activation(
    "relu6",
    _make_relu6,
    lambda g, y, x: (relu_grad(relu_grad(g, y), 6 - y),),
    doc="x moved into [0, 6].",
    reference=lambda x: minimum(maximum(x, 0), 6),
    in_place=True,
    integers=True,
    flops=2,
)
leaky_relu = Activation(
    "leaky_relu",
    _make_leaky_relu,
    _leaky_relu_vjp,
    doc="x where it is positive, else x times `negative_slope`.",
    reference=lambda x, negative_slope: where(greater(x, 0), x, negative_slope * x),
    defaults={"negative_slope": 0.2},
    variants=({"negative_slope": 0.0}, {"negative_slope": 1.5}, {"negative_slope": -0.5}),
    flops=2,
)
hard_sigmoid = Activation(
    "hard_sigmoid",
    _make_hard_sigmoid,
    lambda g, y, x: (relu_grad(relu_grad(0.2 * g, y), 1 - y),),
    doc="0.2 x + 0.5 moved into [0, 1].",
    reference=lambda x: minimum(maximum(0.2 * x + 0.5, 0), 1),
    in_place=True,
    flops=4,
)
for _op in (relu_grad, relu, relu6, leaky_relu, hard_sigmoid):
    register(_op)

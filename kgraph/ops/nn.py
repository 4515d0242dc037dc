"""Activations with exponentials: elu, selu, gelu, softplus, softsign, silu and mish."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from kgraph.ir.node import Node
from kgraph.ir.op import register
from kgraph.ir.types import TensorType
from kgraph.ops.comparison import greater
from kgraph.ops.elementwise import abs, exp, expm1, log1p, sigmoid, square, tanh
from kgraph.ops.erf import erf
from kgraph.ops.extremes import maximum, minimum
from kgraph.ops.relu import Activation, Kernel, Number, step
from kgraph.ops.select import where

SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


# -- kernels -----------------------------------------------------------------------------------
def _make_expm1(number: Number) -> Callable[[np.ndarray, np.ndarray], None]:
    """exp(x) - 1 in place of x with a buffer, accurate near 0."""
    if number(1).dtype.char != "f":
        return lambda x, work: np.expm1(x, x)
    half, one = number(0.5), number(1)

    def expm1(x: np.ndarray, work: np.ndarray) -> None:
        # exp(x) - 1 = tanh(x / 2) (exp(x) + 1): both vectorised for float32, unlike expm1.
        np.exp(x, work)
        np.add(work, one, work)
        np.multiply(x, half, x)
        np.tanh(x, x)
        np.multiply(x, work, x)

    return expm1


def _make_elu(zeros: np.ndarray, number: Number, alpha: float, scale: float = 1.0) -> Kernel:
    factor, stretch, expm1 = number(alpha * scale), number(scale), _make_expm1(number)

    def kernel(x: np.ndarray, out: np.ndarray, low: np.ndarray, work: np.ndarray) -> None:
        np.minimum(x, zeros, out=low)
        expm1(low, work)
        np.multiply(low, factor, low)
        np.maximum(x, zeros, out=out)
        if scale != 1:
            np.multiply(out, stretch, out)
        np.add(out, low, out)

    return kernel


def _make_selu(zeros: np.ndarray, number: Number) -> Kernel:
    return _make_elu(zeros, number, SELU_ALPHA, SELU_SCALE)


def _make_gelu(zeros: np.ndarray, number: Number, approximate: bool) -> Kernel:
    half, one, root = number(0.5), number(1), number(math.sqrt(0.5))
    cubic, factor = number(0.044715), number(math.sqrt(2 / math.pi))

    def exact(x: np.ndarray, out: np.ndarray, scaled: np.ndarray, *work: np.ndarray) -> None:
        np.multiply(x, root, scaled)
        erf.evaluate(scaled, out, *work)
        np.add(out, one, out)
        np.multiply(out, half, out)
        np.multiply(out, x, out)

    def by_tanh(x: np.ndarray, out: np.ndarray) -> None:
        np.multiply(x, x, out)
        np.multiply(out, cubic, out)
        np.add(out, one, out)
        np.multiply(out, x, out)
        np.multiply(out, factor, out)
        np.tanh(out, out)
        np.add(out, one, out)
        np.multiply(out, half, out)
        np.multiply(out, x, out)

    return by_tanh if approximate else exact


def _make_softplus(zeros: np.ndarray, number: Number) -> Kernel:
    one = number(1)

    def kernel(x: np.ndarray, out: np.ndarray, e: np.ndarray, work: np.ndarray) -> None:
        np.absolute(x, e)
        np.negative(e, e)
        np.exp(e, e)
        # log(1 + e) = log(u) + (e - (u - 1)) / u with u = 1 + e as rounded: several times as fast
        # as log1p and logaddexp, which NumPy does not vectorise, and as accurate.
        np.add(e, one, out)
        np.subtract(out, one, work)
        np.subtract(e, work, e)
        np.divide(e, out, e)
        np.log(out, out)
        np.add(out, e, out)
        np.maximum(x, zeros, out=e)
        np.add(out, e, out)

    return kernel


def _make_softsign(zeros: np.ndarray, number: Number) -> Kernel:
    one = number(1)

    def kernel(x: np.ndarray, out: np.ndarray) -> None:
        np.absolute(x, out)
        np.add(out, one, out)
        np.divide(x, out, out)

    return kernel


def _make_silu(zeros: np.ndarray, number: Number) -> Kernel:
    one = number(1)

    def kernel(x: np.ndarray, out: np.ndarray) -> None:
        np.negative(x, out)
        np.exp(out, out)
        np.add(out, one, out)
        np.divide(x, out, out)

    return kernel


def _make_mish(zeros: np.ndarray, number: Number) -> Kernel:
    two = number(2)
    # Above this the fraction rounds to 1; far above, its parts overflow.
    largest = number(5 if two.dtype.char == "e" else 20)

    def kernel(x: np.ndarray, out: np.ndarray, e: np.ndarray) -> None:
        # tanh(log(1 + e)) = n / (n + 2) with n = e (e + 2), e = exp(x)
        np.minimum(x, largest, out=e)
        np.exp(e, e)
        np.add(e, two, out)
        np.multiply(e, out, e)
        np.add(e, two, out)
        np.divide(e, out, out)
        np.multiply(x, out, out)

    return kernel


# -- gradients ---------------------------------------------------------------------------------
def _elu_vjp(g: Node, y: Node, x: Node, alpha: float, scale: float = 1.0) -> tuple[Node]:
    # Below 0 the slope is y + alpha * scale, above it is scale.
    slope = minimum(y, 0) + alpha * scale
    if alpha != 1:
        slope = slope + (scale - alpha * scale) * step(x)
    return (g * slope,)


def _gelu_vjp(g: Node, y: Node, x: Node, approximate: bool) -> tuple[Node]:
    if approximate:
        factor = math.sqrt(2 / math.pi)
        t = tanh(factor * (x + 0.044715 * (x * square(x))))
        inner = factor * (1 + 3 * 0.044715 * square(x))
        return (g * (0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner),)
    density = exp(-0.5 * square(x)) * (1 / math.sqrt(2 * math.pi))
    return (g * (0.5 * (1 + erf(x * math.sqrt(0.5))) + x * density),)


def _silu_vjp(g: Node, y: Node, x: Node) -> tuple[Node]:
    s = sigmoid(x)
    return (g * (s + y * (1 - s)),)


def _mish_vjp(g: Node, y: Node, x: Node) -> tuple[Node]:
    t = tanh(softplus(x))
    return (g * (t + x * sigmoid(x) * (1 - t * t)),)


# -- references --------------------------------------------------------------------------------
def _elu_reference(x: Any, alpha: float) -> Any:
    return where(greater(x, 0), x, alpha * expm1(minimum(x, 0)))


def _gelu_reference(x: Any, approximate: bool) -> Any:
    if approximate:
        return 0.5 * x * (1 + tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * (x * x * x))))
    return 0.5 * x * (1 + erf(x * math.sqrt(0.5)))


def _softplus_reference(x: Any) -> Any:
    return maximum(x, 0) + log1p(exp(-abs(x)))


class Gelu(Activation):
    """x times the normal distribution function of x."""

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        return () if attrs["approximate"] else (types[0], *erf.scratch(*types))


elu = Activation(
    "elu",
    _make_elu,
    _elu_vjp,
    doc="x where it is positive, else alpha * (exp(x) - 1).",
    reference=_elu_reference,
    work=2,
    defaults={"alpha": 1.0},
    in_place=True,
    variants=({"alpha": 0.5},),
    flops=12,
)
selu = Activation(
    "selu",
    _make_selu,
    lambda g, y, x: _elu_vjp(g, y, x, SELU_ALPHA, SELU_SCALE),
    doc="elu scaled so that it keeps mean 0 and variance 1.",
    reference=lambda x: SELU_SCALE * _elu_reference(x, SELU_ALPHA),
    work=2,
    in_place=True,
    flops=13,
)
gelu = Gelu(
    "gelu",
    _make_gelu,
    _gelu_vjp,
    doc="x times the normal distribution function of x, by erf or approximated by tanh.",
    reference=_gelu_reference,
    defaults={"approximate": True},
    variants=({"approximate": False},),
    flops=34,
)
softplus = Activation(
    "softplus",
    _make_softplus,
    lambda g, y, x: (g * sigmoid(x),),
    doc="log(1 + exp(x)) without overflow.",
    reference=_softplus_reference,
    work=2,
    flops=20,
)
softsign = Activation(
    "softsign",
    _make_softsign,
    lambda g, y, x: (g / square(1 + abs(x)),),
    doc="x / (1 + |x|).",
    reference=lambda x: x / (1 + abs(x)),
    flops=3,
)
silu = Activation(
    "silu",
    _make_silu,
    _silu_vjp,
    doc="x * sigmoid(x), also called swish.",
    reference=lambda x: x * sigmoid(x),
    flops=13,
)
mish = Activation(
    "mish",
    _make_mish,
    _mish_vjp,
    doc="x * tanh(softplus(x)).",
    reference=lambda x: x * tanh(_softplus_reference(x)),
    work=1,
    flops=31,
)
for _op in (elu, selu, gelu, softplus, softsign, silu, mish):
    register(_op)

"""Arithmetic and transcendental ops: one row an op, each element by itself.

Integer and bool operands follow NumPy's ufuncs where those keep the dtype; ops that NumPy answers
in floats (`divide`, `exp`, ...) cast integers to float32 first, `reciprocal` among them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kgraph.ir.leaves import const, const_value, is_const
from kgraph.ir.node import Node
from kgraph.ir.op import register
from kgraph.ops.base import Elementwise
from kgraph.ops.comparison import equal
from kgraph.ops.select import where


def _power_vjp(g: Node, y: Node, x: Node, p: Node) -> tuple[Node, Node]:
    # x**(p-1) is infinite at x = p = 0 and log x at x = 0, where both slopes are 0.
    if is_const(p) and const_value(p).all():
        slope = p * power(x, const(const_value(p) - 1))
    else:
        none = equal(p, 0)
        slope = where(none, 0, p * power(x, where(none, 1, p - 1)))
    return g * slope, g * (y * log(where(equal(x, 0), 1, x)))


def _logaddexp_vjp(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    # The guard keeps inf - inf out.
    left, right = (g * exp(where(equal(x, y), 0, x - y)) for x in (a, b))
    return left, right


def _hypot_vjp(g: Node, y: Node, a: Node, b: Node) -> tuple[Node, Node]:
    length = where(equal(y, 0), 1, y)
    return g * (a / length), g * (b / length)


def _round(x: np.ndarray, out: np.ndarray) -> None:
    """Rounds half to even; `rint` alone would refuse an integer `out`."""
    if x.dtype.kind == "f":
        np.rint(x, out)
    else:
        np.copyto(out, x)


# Dividing 1 is vectorised, `np.reciprocal` is not; both give the same bits.
_ONE = {np.dtype(f).char: np.ones((), f) for f in ("float16", "float32", "float64")}


def _rsqrt(x: np.ndarray, out: np.ndarray) -> None:
    np.sqrt(x, out)
    np.divide(_ONE[out.dtype.char], out, out)


def _sigmoid(x: np.ndarray, out: np.ndarray) -> None:
    # 1 / (1 + exp(-x)) keeps its relative accuracy for large negative x; tanh(x / 2) does not.
    np.negative(x, out)
    np.exp(out, out)
    one = _ONE[out.dtype.char]
    np.add(out, one, out)
    np.divide(one, out, out)


class Round(Elementwise):
    """Nearest integer, halves to even; with `decimals` the nearest of so many decimal places.

    Example:
        >>> round([0.125, 2.5], 1)
        array([0.1, 2.5], dtype=float32)
    """

    def __init__(self) -> None:
        doc = "Nearest integer, halves to even."
        super().__init__("round", _round, None, doc=doc, arity=1, reuse=(0,), dtypes="if")

    def __call__(self, x: Any, decimals: int = 0) -> Any:
        if not decimals:
            return self.apply((x,))
        scale = 10.0 ** math.fabs(decimals)
        if decimals > 0:
            return divide(self.apply((multiply(x, scale),)), scale)
        return multiply(self.apply((divide(x, scale),)), scale)


def _row(name: str, function: Any, vjp: Any, doc: str, **options: Any) -> Elementwise:
    op = Elementwise(name, function, vjp, doc=doc, **options)
    register(op)
    return op


def _floating(name: str, function: Any, vjp: Any, doc: str, **options: Any) -> Elementwise:
    return _row(name, function, vjp, doc, floating=True, dtypes="f", **options)


# -- arithmetic --------------------------------------------------------------------------------
add = _row("add", np.add, lambda g, y, a, b: (g, g), "Sum; of bools, their or.", c="{0} + {1}")
subtract = _row(
    "subtract",
    np.subtract,
    lambda g, y, a, b: (g, -g),
    "Difference.",
    dtypes="if",
    c="{0} - {1}",
)
multiply = _row(
    "multiply",
    np.multiply,
    lambda g, y, a, b: (g * b, g * a),
    "Product; of bools, their and.",
    c="{0} * {1}",
)
divide = _floating(
    "divide",
    np.true_divide,
    lambda g, y, a, b: (g / b, -(g / b) * y),
    "Quotient; integers give float32.",
    domain=(0.5, 3.0),
    c="{0} / {1}",
)
floor_divide = _row(
    "floor_divide",
    np.floor_divide,
    None,
    "Largest integer not above the quotient.",
    domain=(0.5, 3.0),
    dtypes="if",
)
mod = _row(
    "mod",
    np.remainder,
    lambda g, y, a, b: (g, -g * floor_divide(a, b)),
    "Remainder of floor_divide; it has the divisor's sign.",
    domain=(0.5, 3.0),
    dtypes="if",
)
fmod = _row(
    "fmod",
    np.fmod,
    lambda g, y, a, b: (g, -g * trunc(a / b)),
    "Remainder of the quotient rounded towards 0; it has the first operand's sign.",
    domain=(0.5, 3.0),
    dtypes="if",
)
power = _row(
    "power",
    np.power,
    _power_vjp,
    "First operand to the power of the second.",
    domain=(0.2, 3.0),
    dtypes="if",
    flops=10,
)
negative = _row("negative", np.negative, lambda g, y, x: (-g,), "Negative.", dtypes="if", c="-{0}")
abs = _row(
    "abs",
    np.absolute,
    lambda g, y, x: (g * sign(x),),
    "Absolute value; slope 0 at 0.",
    c="fabs{f}({0})",
)
sign: Elementwise = _row("sign", np.sign, None, "-1, 0 or 1.", dtypes="if")
square = _row(
    "square", np.square, lambda g, y, x: (g * (2 * x),), "Square.", dtypes="if", c="{0} * {0}"
)
reciprocal = _floating(
    "reciprocal",
    np.reciprocal,
    lambda g, y, x: (-g * (y * y),),
    "One over the operand; integers give float32.",
    domain=(0.5, 3.0),
    c="1 / {0}",
)

# -- rounding ----------------------------------------------------------------------------------
floor = _row("floor", np.floor, None, "Largest integer not above, in the same dtype.", dtypes="if")
ceil = _row("ceil", np.ceil, None, "Smallest integer not below, in the same dtype.", dtypes="if")
trunc: Elementwise = _row("trunc", np.trunc, None, "The number without its fraction.", dtypes="if")
round = Round()
register(round)

# -- powers, exponentials, logarithms ----------------------------------------------------------
sqrt = _floating(
    "sqrt",
    np.sqrt,
    lambda g, y, x: (g * (0.5 / y),),
    "Square root.",
    domain=(0.2, 3.0),
    c="sqrt{f}({0})",
)
rsqrt = _floating(
    "rsqrt",
    _rsqrt,
    lambda g, y, x: (g * (-0.5 * y / x),),
    "One over the square root.",
    domain=(0.2, 3.0),
    reuse=(0,),
    flops=2,
    c="1 / sqrt{f}({0})",
)
cbrt = _floating(
    "cbrt",
    np.cbrt,
    lambda g, y, x: (g / (3 * square(y)),),
    "Cube root.",
    domain=(0.2, 3.0),
    flops=20,
)
exp2 = _floating("exp2", np.exp2, lambda g, y, x: (g * (y * math.log(2)),), "2 ** x.", flops=10)
exp = _floating("exp", np.exp, lambda g, y, x: (g * y,), "Exponential.", flops=10)
expm1 = _floating("expm1", np.expm1, lambda g, y, x: (g * (y + 1),), "exp(x) - 1.", flops=10)
log = _floating(
    "log", np.log, lambda g, y, x: (g / x,), "Natural logarithm.", domain=(0.2, 3.0), flops=10
)
log1p = _floating(
    "log1p", np.log1p, lambda g, y, x: (g / (x + 1),), "log(1 + x).", domain=(-0.8, 3.0), flops=10
)
log2 = _floating(
    "log2",
    np.log2,
    lambda g, y, x: (g / (x * math.log(2)),),
    "Logarithm to base 2.",
    domain=(0.2, 3.0),
    flops=10,
)
log10 = _floating(
    "log10",
    np.log10,
    lambda g, y, x: (g / (x * math.log(10)),),
    "Logarithm to base 10.",
    domain=(0.2, 3.0),
    flops=10,
)
logaddexp = _floating(
    "logaddexp", np.logaddexp, _logaddexp_vjp, "log(exp(a) + exp(b)) without overflow.", flops=20
)
hypot = _floating(
    "hypot", np.hypot, _hypot_vjp, "sqrt(a * a + b * b) without overflow; slope 0 at 0.", flops=20
)
sigmoid = _floating(
    "sigmoid",
    _sigmoid,
    lambda g, y, x: (g * (y * (1 - y)),),
    "1 / (1 + exp(-x)).",
    reuse=(0,),
    reference=lambda x: 1 / (1 + exp(-x)),
    flops=12,
)

# -- trigonometric and hyperbolic --------------------------------------------------------------
sin = _floating("sin", np.sin, lambda g, y, x: (g * cos(x),), "Sine.", flops=10)
cos: Elementwise = _floating("cos", np.cos, lambda g, y, x: (-g * sin(x),), "Cosine.", flops=10)
tan = _floating(
    "tan", np.tan, lambda g, y, x: (g * (1 + y * y),), "Tangent.", domain=(-1.2, 1.2), flops=10
)
arcsin = _floating(
    "arcsin",
    np.arcsin,
    lambda g, y, x: (g * rsqrt(1 - x * x),),
    "Inverse sine.",
    domain=(-0.9, 0.9),
    flops=10,
)
arccos = _floating(
    "arccos",
    np.arccos,
    lambda g, y, x: (-g * rsqrt(1 - x * x),),
    "Inverse cosine.",
    domain=(-0.9, 0.9),
    flops=10,
)
arctan = _floating(
    "arctan", np.arctan, lambda g, y, x: (g / (1 + x * x),), "Inverse tangent.", flops=10
)
arctan2 = _floating(
    "arctan2",
    np.arctan2,
    lambda g, y, a, b: (g * b / (a * a + b * b), -g * a / (a * a + b * b)),
    "Angle of the point (b, a).",
    domain=(0.5, 3.0),
    flops=20,
)
sinh = _floating("sinh", np.sinh, lambda g, y, x: (g * cosh(x),), "Hyperbolic sine.", flops=10)
cosh: Elementwise = _floating(
    "cosh", np.cosh, lambda g, y, x: (g * sinh(x),), "Hyperbolic cosine.", flops=10
)
tanh = _floating(
    "tanh", np.tanh, lambda g, y, x: (g * (1 - y * y),), "Hyperbolic tangent.", flops=10
)
arcsinh = _floating(
    "arcsinh",
    np.arcsinh,
    lambda g, y, x: (g * rsqrt(x * x + 1),),
    "Inverse hyperbolic sine.",
    flops=10,
)
arccosh = _floating(
    "arccosh",
    np.arccosh,
    lambda g, y, x: (g * rsqrt((x - 1) * (x + 1)),),
    "Inverse hyperbolic cosine.",
    domain=(1.2, 3.0),
    flops=10,
)
arctanh = _floating(
    "arctanh",
    np.arctanh,
    lambda g, y, x: (g / (1 - x * x),),
    "Inverse hyperbolic tangent.",
    domain=(-0.9, 0.9),
    flops=10,
)

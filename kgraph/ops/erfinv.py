"""The complement and the inverse of the error function.

Both go through `math.erfc`, one element after the other: exact to the last bits, also far out where
`1 - erf(x)` has none left, but a hundred times slower than `erf`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kgraph.ir.op import register
from kgraph.ops.base import Elementwise
from kgraph.ops.elementwise import exp, square

_python_erfc = np.frompyfunc(math.erfc, 1, 1)


def _erfc64(x: np.ndarray) -> np.ndarray:
    return np.asarray(_python_erfc(x.astype("float64")), "float64")


def _erfc(x: np.ndarray, out: np.ndarray) -> None:
    np.copyto(out, _erfc64(x), "same_kind")


def _erfinv(x: np.ndarray, out: np.ndarray) -> None:
    """Winitzki's approximation, then Halley's steps on erfc(y) = 1 - |x|."""
    size = np.absolute(x.astype("float64"))
    inside = np.minimum(size, 1 - 2.0**-53)
    half, a = np.log1p(-inside * inside) / 2, 0.147
    middle = 2 / (math.pi * a) + half
    y = np.sqrt(np.sqrt(middle * middle - half * 2 / a) - middle)
    for _ in range(3):
        step = (_erfc64(y) - (1 - inside)) * (math.sqrt(math.pi) / 2) * np.exp(y * y)
        y = y + step / (1 - y * step)
    y = np.where(size < 1, y, np.where(size > 1, np.nan, np.inf))
    np.copyto(out, np.copysign(y, x), "same_kind")


def _row(name: str, function: Any, vjp: Any, doc: str, **options: Any) -> Elementwise:
    op = Elementwise(
        name, function, vjp, doc=doc, arity=1, floating=True, dtypes="f", flops=100, **options
    )
    register(op)
    return op


erfc = _row(
    "erfc",
    _erfc,
    lambda g, y, x: (g * (-2 / math.sqrt(math.pi) * exp(-square(x))),),
    "1 - erf(x), without cancellation.",
)
erfinv = _row(
    "erfinv",
    _erfinv,
    lambda g, y, x: (g * (math.sqrt(math.pi) / 2 * exp(square(y))),),
    "The number whose error function is x.",
    domain=(-0.9, 0.9),
)

"""The error function as rational approximations, vectorised and without allocation.

float16 and float32: the quotient of Eigen's and XLA's `ErfImpl32`, to 4e-7 relative.
float64: the quotients of Moshier's Cephes library (`ndtr.c`), one for |x| < 1 and one for erfc
beyond, to 3e-16 relative.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.op import Sample, register
from kgraph.ir.types import TensorType
from kgraph.ops.base import Elementwise
from kgraph.ops.elementwise import exp, square

Coefficients = tuple[np.ndarray, ...]


def _table(dtype: str, *values: float) -> Coefficients:
    # ufuncs take 0-d arrays of their own dtype fastest.
    return tuple(np.array(v, dtype) for v in values)


# erf(x) = x * A(x^2) / B(x^2), highest power first. At the bound the quotient, as the kernel
# rounds it, is 1; before it rounding may lead beyond 1 by 3e-7.
_A = _table(
    "float32",
    0.00022905065861350646,
    0.0034082910107109506,
    0.050955695062380861,
    0.18520832239976145,
    1.128379143519084,
)
_B = _table(
    "float32",
    -1.1791602954361697e-7,
    0.000023547966471313185,
    0.0010179625278914885,
    0.014070470171167667,
    0.11098505178285362,
    0.49746925110067538,
    1.0,
)
_MINUS_ONE32, _ONE32 = _table("float32", -1.0, 1.0)
_LOW, _HIGH = _table("float32", -3.77, 3.77)

# Cephes: erf(x) = x * T(x^2) / U(x^2) for |x| <= 1.
_T = _table(
    "float64",
    9.60497373987051638749e0,
    9.00260197203842689217e1,
    2.23200534594684319226e3,
    7.00332514112805075473e3,
    5.55923013010394962768e4,
)
_U = _table(
    "float64",
    1.0,
    3.35617141647503099647e1,
    5.21357949780152679795e2,
    4.59432382970980127987e3,
    2.26290000613890934246e4,
    4.92673942608635921086e4,
)
# Cephes: erfc(a) = exp(-a^2) * P(a) / Q(a) for 1 <= a < 8.
_P = _table(
    "float64",
    2.46196981473530512524e-10,
    5.64189564831068821977e-1,
    7.46321056442269912687e0,
    4.86371970985681366614e1,
    1.96520832956077098242e2,
    5.26445194995477358631e2,
    9.34528527171957607540e2,
    1.02755188689515710272e3,
    5.57535335369399327526e2,
)
_Q = _table(
    "float64",
    1.0,
    1.32281951154744992508e1,
    8.67072140885989742329e1,
    3.54937778887819891062e2,
    9.75708501743205489753e2,
    1.82390916687909736289e3,
    2.24633760818710981792e3,
    1.65666309194161350182e3,
    5.57535340817727675546e2,
)
# The two meet a little below 1, where their sum beyond 6 rounds to 1.
_JOINT = 1 - 2**-10
_NEAR_LOW, _NEAR_HIGH, _FAR = _table("float64", -_JOINT, _JOINT, 6.0)


def _polynomial(z: np.ndarray, coefficients: Coefficients, out: np.ndarray) -> None:
    """Horner's rule; `out` is not `z`."""
    np.multiply(z, coefficients[0], out)
    for coefficient in coefficients[1:-1]:
        np.add(out, coefficient, out)
        np.multiply(out, z, out)
    np.add(out, coefficients[-1], out)


def _clamp(x: np.ndarray, low: np.ndarray, high: np.ndarray, out: np.ndarray) -> None:
    np.maximum(x, low, out=out)
    np.minimum(out, high, out=out)


def _erf32(x: np.ndarray, out: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    _clamp(x, _LOW, _HIGH, a)
    np.multiply(a, a, b)
    _polynomial(b, _A, c)
    np.multiply(c, a, c)
    _polynomial(b, _B, a)
    np.divide(c, a, out)
    _clamp(out, _MINUS_ONE32, _ONE32, out)


def _erfc(a: np.ndarray, p: np.ndarray, q: np.ndarray) -> None:
    """Overwrites `p` with erfc(a), _JOINT <= a <= 6, and `a` and `q` with anything."""
    _polynomial(a, _P, p)
    _polynomial(a, _Q, q)
    np.divide(p, q, p)
    np.multiply(a, a, a)
    np.negative(a, a)
    np.exp(a, a)
    np.multiply(p, a, p)


def _erf64(x: np.ndarray, out: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> None:
    # With the joint j, erf(|x|) = erf(min(|x|, j)) + (erfc(j) - erfc(max(|x|, j))), where the
    # bracket is exactly 0 for |x| < j.
    np.absolute(x, a)
    _clamp(a, _NEAR_HIGH, _FAR, a)
    _erfc(a, b, c)
    np.subtract(_ERFC_JOINT, b, b)
    np.copysign(b, x, b)
    _clamp(x, _NEAR_LOW, _NEAR_HIGH, a)
    np.multiply(a, a, out)
    _polynomial(out, _T, c)
    np.multiply(c, a, c)
    _polynomial(out, _U, a)
    np.divide(c, a, c)
    np.add(c, b, out)


_ERFC_JOINT = np.empty(())
_erfc(np.array(_JOINT), _ERFC_JOINT, np.empty(()))


class Erf(Elementwise):
    """The error function, 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x."""

    def __init__(self) -> None:
        super().__init__(
            "erf",
            self.evaluate,
            lambda g, y, x: (g * (2 / math.sqrt(math.pi) * exp(-square(x))),),
            doc="The error function.",
            arity=1,
            floating=True,
            reuse=(0,),
            dtypes="f",
            flops=30,
        )

    def scratch(self, *types: TensorType, **attrs: Any) -> tuple[TensorType, ...]:
        wide = "float64" if types[0].dtype == "float64" else "float32"
        return (types[0].with_dtype(wide),) * 3

    def evaluate(self, x: np.ndarray, out: np.ndarray, *work: np.ndarray) -> None:
        """Writes erf(x) to `out`; `work` are the buffers of `scratch`."""
        if out.dtype.char == "d":
            _erf64(x, out, *work)
        else:
            _erf32(x, out, *work)

    def kernel(self, *arrays: np.ndarray, out: Any = None, work: Any = None, **attrs: Any) -> Any:
        (x,) = arrays
        out = np.empty_like(x) if out is None else out
        wide = np.promote_types(x.dtype, "float32")
        self.evaluate(x, out, *(work or [np.empty(x.shape, wide) for _ in range(3)]))
        return out

    def specialize(
        self, inputs: Sequence[TensorType], outputs: Sequence[TensorType], attrs: Mapping[str, Any]
    ) -> Callable[..., Any]:
        return _erf64 if inputs[0].dtype == "float64" else _erf32

    def samples(self) -> Iterable[Sample]:
        yield from super().samples()
        yield Sample((lambda rng: rng.uniform(-7, 7, (5, 3)),))


erf = Erf()
register(erf)

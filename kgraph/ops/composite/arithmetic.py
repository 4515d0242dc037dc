"""Elementwise functions of real numbers that are made of others."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from kgraph.ir.node import API
from kgraph.ir.types import canonical_dtype
from kgraph.ops.bits import bitwise_not, left_shift, right_shift
from kgraph.ops.comparison import (
    equal,
    greater,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
)
from kgraph.ops.composite.operands import floats, is_float, tensor
from kgraph.ops.elementwise import (
    abs,
    add,
    arctan2,
    divide,
    exp,
    exp2,
    floor_divide,
    logaddexp,
    mod,
    multiply,
    rsqrt,
    sin,
    square,
    subtract,
)
from kgraph.ops.extremes import clip, maximum, minimum
from kgraph.ops.reductions import any as reduce_any
from kgraph.ops.select import cast, where
from kgraph.ops.shapes import expand_dims, full_like, ones_like, reshape, zeros_like


def fabs(x: Any) -> Any:
    """Absolute value as a float.

    Example:
        >>> fabs([-1, 2]).tolist()
        [1.0, 2.0]
    """
    return abs(floats(x))


def divide_no_nan(x1: Any, x2: Any) -> Any:
    """Quotient, and 0 where the divisor is 0.

    Example:
        >>> divide_no_nan([1.0, 1.0], [2.0, 0.0]).tolist()
        [0.5, 0.0]
    """
    none = equal(x2, 0)
    return where(none, 0, divide(x1, where(none, 1, x2)))


def deg2rad(x: Any) -> Any:
    """Degrees as radians.

    Example:
        >>> float(deg2rad(180.0).round(4))
        3.1415998935699463
    """
    return multiply(floats(x), math.pi / 180)


def rad2deg(x: Any) -> Any:
    """Radians as degrees."""
    return multiply(floats(x), 180 / math.pi)


def fmax(x1: Any, x2: Any) -> Any:
    """The larger one, and the other one beside a NaN.

    Example:
        >>> fmax([1.0, np.nan], [2.0, 3.0]).tolist()
        [2.0, 3.0]
    """
    return where(isnan(x1), x2, where(isnan(x2), x1, maximum(x1, x2)))


def fmin(x1: Any, x2: Any) -> Any:
    """The smaller one, and the other one beside a NaN."""
    return where(isnan(x1), x2, where(isnan(x2), x1, minimum(x1, x2)))


def heaviside(x1: Any, x2: Any) -> Any:
    """0 below 0, 1 above, x2 at 0.

    Example:
        >>> heaviside([-1.0, 0.0, 2.0], 0.5).tolist()
        [0.0, 0.5, 1.0]
    """
    x1 = floats(x1)
    return where(isnan(x1), x1, where(less(x1, 0), 0, where(equal(x1, 0), x2, ones_like(x1))))


def ldexp(x1: Any, x2: Any) -> Any:
    """x1 * 2 ** x2.

    Example:
        >>> ldexp([3.0], [2]).tolist()
        [12.0]
    """
    return multiply(x1, exp2(x2))


def logaddexp2(x1: Any, x2: Any) -> Any:
    """log2(2 ** x1 + 2 ** x2) without overflow.

    Example:
        >>> float(logaddexp2(3.0, 3.0))
        4.0
    """
    natural = math.log(2)
    return divide(logaddexp(multiply(x1, natural), multiply(x2, natural)), natural)


def sinc(x: Any) -> Any:
    """sin(pi x) / (pi x), and 1 at 0.

    Example:
        >>> sinc([0.0, 0.5]).round(4).tolist()
        [1.0, 0.6366000175476074]
    """
    angle = multiply(floats(x), math.pi)
    zero = equal(angle, 0)
    safe = where(zero, 1, angle)
    # At 0 the series 1 - a^2 / 6 has the right slopes too.
    return where(zero, subtract(1, divide(square(angle), 6)), divide(sin(safe), safe))


# Abramowitz and Stegun, 9.8.1 and 9.8.2: relative errors below 2e-7.
_I0_NEAR = (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.0360768, 0.0045813)
_I0_FAR = (
    0.39894228, 0.01328592, 0.00225319, -0.00157565, 0.00916281, -0.02057706, 0.02635537,
    -0.01647633, 0.00392377,
)  # fmt: skip


def i0(x: Any) -> Any:
    """The modified Bessel function of order 0, to 2e-7.

    Example:
        >>> float(i0(0.0))
        1.0
    """
    size = abs(floats(x))
    near, far = minimum(size, 3.75), maximum(size, 3.75)
    small = _polynomial(square(divide(near, 3.75)), _I0_NEAR)
    large = multiply(multiply(exp(far), rsqrt(far)), _polynomial(divide(3.75, far), _I0_FAR))
    return where(less(size, 3.75), small, large)


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    """Horner's rule, the constant coefficient first."""
    total: Any = full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        total = add(multiply(total, x), coefficient)
    return total


def nan_to_num(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """Numbers in place of NaN and infinities, by default 0 and the largest ones of the dtype.

    Example:
        >>> nan_to_num([1.0, np.nan, np.inf], posinf=9.0).tolist()
        [1.0, 0.0, 9.0]
    """
    x = tensor(x)
    if not is_float(x):
        return x
    limits = np.finfo(str(x.dtype))
    high = float(limits.max) if posinf is None else posinf
    low = float(limits.min) if neginf is None else neginf
    x = where(isnan(x), nan, x)
    return where(isinf(x), where(greater(x, 0), high, full_like(x, low)), x)


def real(x: Any) -> Any:
    """The tensor itself: all tensors are real."""
    return tensor(x)


def imag(x: Any) -> Any:
    """Zeros: all tensors are real."""
    return zeros_like(x)


def angle(x: Any) -> Any:
    """The angle of a real number in the complex plane: 0, or pi for negative ones.

    Example:
        >>> angle([1.0, -1.0]).round(4).tolist()
        [0.0, 3.1415998935699463]
    """
    x = floats(x)
    return arctan2(zeros_like(x), where(isnan(x), x, where(less(x, 0), -1, ones_like(x))))


def isreal(x: Any) -> Any:
    """True everywhere: all tensors are real."""
    return ones_like(x, "bool")


def isposinf(x: Any) -> Any:
    """Whether the element is infinity.

    Example:
        >>> isposinf([np.inf, -np.inf]).tolist()
        [True, False]
    """
    return logical_and(isinf(x), greater(x, 0))


def isneginf(x: Any) -> Any:
    """Whether the element is minus infinity."""
    return logical_and(isinf(x), less(x, 0))


def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False
            ) -> Any:  # fmt: skip
    """Whether |x1 - x2| <= atol + rtol |x2|.

    Args:
        x1: a tensor.
        x2: what it should be.
        rtol: tolerance relative to x2.
        atol: absolute tolerance.
        equal_nan: whether NaN is close to NaN.

    Returns:
        Bools.

    Example:
        >>> isclose([1.0, 1.1], [1.000001, 1.0]).tolist()
        [True, False]
    """
    x1, x2 = floats(x1), floats(x2)
    near = less_equal(abs(subtract(x1, x2)), add(multiply(abs(x2), rtol), atol))
    # Infinities are close to themselves and to nothing else.
    close = where(logical_and(isfinite(x1), isfinite(x2)), near, equal(x1, x2))
    return where(logical_and(isnan(x1), isnan(x2)), True, close) if equal_nan else close


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of x1 is among those of x2.

    Args:
        x1: a tensor.
        x2: the elements to look for, of any shape.
        assume_unique: without effect, for both ways of looking are the same.
        invert: whether to tell what is not among them.

    Returns:
        Bools of the shape of x1. All pairs are compared.

    Example:
        >>> isin([1, 2, 3], [3, 1]).tolist()
        [True, False, True]
    """
    found = reduce_any(equal(expand_dims(tensor(x1), -1), reshape(x2, -1)), axis=-1)
    return equal(found, False) if invert else found


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """The choice of the first condition that holds, else the default.

    Example:
        >>> x = np.arange(4)
        >>> select([x < 1, x < 3], [x, 10 * x], -1).tolist()
        [0, 10, 20, -1]
    """
    found = default
    for condition, choice in zip(reversed(list(condlist)), reversed(list(choicelist))):
        found = where(condition, choice, found)
    return found


def saturate_cast(x: Any, dtype: Any) -> Any:
    """The elements in another dtype, moved into its range first.

    Example:
        >>> saturate_cast([-1.0, 300.0], "uint8").tolist()
        [0, 255]
    """
    x, dtype = tensor(x), canonical_dtype(dtype)
    own = str(x.dtype)
    if "bool" in (own, dtype) or (is_float(x) and dtype.startswith("float")):
        return cast(x, dtype)
    low, high = (_within(bound, own) for bound in _limits(dtype))
    return cast(clip(x, low, high), dtype)


def _limits(dtype: str) -> tuple[int, int]:
    """The lowest and the highest integer of a dtype."""
    if dtype.startswith("float"):
        return int(np.finfo(dtype).min), int(np.finfo(dtype).max)
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _within(bound: int, dtype: str) -> int | float:
    """The number of a dtype that is nearest to a bound, on the side of 0."""
    low, high = _limits(dtype)
    if not dtype.startswith("float"):
        return min(max(bound, low), high)
    rounded = np.array(min(max(bound, low), high), dtype)
    beyond = builtins.abs(int(rounded)) > builtins.abs(bound)
    return float(np.nextafter(rounded, np.zeros((), dtype)) if beyond else rounded)


def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """The places along each axis of flat positions in a tensor of this shape.

    Example:
        >>> [i.tolist() for i in unravel_index([0, 5], (2, 3))]
        [[0, 1], [0, 2]]
    """
    indices, found = tensor(indices), []
    for size in reversed(shape):
        found.append(mod(indices, size))
        indices = floor_divide(indices, size)
    return tuple(reversed(found))


absolute, true_divide = abs, divide
conj = conjugate = real
bitwise_invert, bitwise_left_shift, bitwise_right_shift = bitwise_not, left_shift, right_shift

API.update(fabs=fabs, deg2rad=deg2rad, rad2deg=rad2deg, fmax=fmax, fmin=fmin, heaviside=heaviside)
API.update(ldexp=ldexp, logaddexp2=logaddexp2, sinc=sinc, i0=i0, nan_to_num=nan_to_num, isin=isin)
API.update(real=real, imag=imag, angle=angle, isposinf=isposinf, isneginf=isneginf)
API.update(isclose=isclose, isreal=isreal, radians=deg2rad, degrees=rad2deg, select=select)

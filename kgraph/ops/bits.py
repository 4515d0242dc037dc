"""Ops on integers and on the bits of numbers: one row an op, each element by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.ir.op import register
from kgraph.ops.base import Elementwise


def _row(name: str, function: Any, doc: str, **options: Any) -> Elementwise:
    op = Elementwise(name, function, doc=doc, **options)
    register(op)
    return op


bitwise_and = _row("bitwise_and", np.bitwise_and, "Bits that both have.", dtypes="bi")
bitwise_or = _row("bitwise_or", np.bitwise_or, "Bits that at least one has.", dtypes="bi")
bitwise_xor = _row("bitwise_xor", np.bitwise_xor, "Bits that exactly one has.", dtypes="bi")
bitwise_not = _row("bitwise_not", np.bitwise_not, "The opposite of every bit.", dtypes="bi")
left_shift = _row("left_shift", np.left_shift, "x1 * 2 ** x2.", domain=(0.0, 5.0), dtypes="i")
right_shift = _row("right_shift", np.right_shift, "x1 // 2 ** x2.", domain=(0.0, 5.0), dtypes="i")
gcd = _row("gcd", np.gcd, "Greatest common divisor.", dtypes="i", flops=20)
lcm = _row("lcm", np.lcm, "Least common multiple.", dtypes="i", flops=20)
signbit = _row("signbit", np.signbit, "Whether the number is negative, or -0.0.", result="bool")
nextafter = _row(
    "nextafter",
    np.nextafter,
    "The next number of the dtype towards x2.",
    vjp=lambda g, y, a, b: (g, None),
    floating=True,
    dtypes="f",
)

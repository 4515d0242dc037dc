"""Comparison, logic and classification ops: everything elementwise that answers with bools.

Logic takes bools only: NumPy's truth of numbers must be written as `cast(x, "bool")`, so that the
operators `&`, `|`, `^` never look like bit arithmetic on integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.ir.op import register
from kgraph.ops.base import Elementwise


def _test(name: str, function: Any, doc: str, **options: Any) -> Elementwise:
    op = Elementwise(name, function, None, doc=doc, result="bool", **options)
    register(op)
    return op


equal = _test("equal", np.equal, "Whether a == b.", c="{0} == {1}")
not_equal = _test("not_equal", np.not_equal, "Whether a != b.", c="{0} != {1}")
less = _test("less", np.less, "Whether a < b.", c="{0} < {1}")
less_equal = _test("less_equal", np.less_equal, "Whether a <= b.", c="{0} <= {1}")
greater = _test("greater", np.greater, "Whether a > b.", c="{0} > {1}")
greater_equal = _test("greater_equal", np.greater_equal, "Whether a >= b.", c="{0} >= {1}")

logical_and = _test("logical_and", np.logical_and, "Both, of bools.", dtypes="b", c="{0} & {1}")
logical_or = _test(
    "logical_or", np.logical_or, "At least one, of bools.", dtypes="b", c="{0} | {1}"
)
logical_xor = _test(
    "logical_xor", np.logical_xor, "Exactly one, of bools.", dtypes="b", c="{0} ^ {1}"
)
logical_not = _test("logical_not", np.logical_not, "The opposite of a bool.", dtypes="b", c="!{0}")

isnan = _test("isnan", np.isnan, "Whether the element is NaN.", c="{0} != {0}")
isinf = _test("isinf", np.isinf, "Whether the element is infinite.")
isfinite = _test("isfinite", np.isfinite, "Whether the element is neither infinite nor NaN.")

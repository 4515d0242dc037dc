"""Steps that compute element by element: each takes a pool and gives new values."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kgraph import ops
from kgraph.ir.leaves import RNG_STEP, const, size
from kgraph.ir.node import Node, build
from kgraph.ir.op import find_op
from kgraph.runtime.autodiff import grad
from kgraph.testing.pool import BATCH, Pool, Value
from kgraph.testing.specials import special_values

Step = Callable[[Pool], list[Value]]

EXACT_FLOAT = ("negative", "abs", "relu", "square", "relu6", "identity", "stop_gradient")
SMOOTH = ("tanh", "sigmoid", "sin", "cos", "erf", "arctan", "softsign")
GROWING = ("softplus", "gelu", "silu", "elu", "selu", "mish", "leaky_relu", "hard_sigmoid")
# Ops that need operands from a part of the real line, or grow beyond any bound.
TAMED = ("exp", "expm1", "sinh", "cosh", "arcsinh", "square", "reciprocal", "rsqrt", "log1p",
         "sqrt", "log", "log2", "log10", "cbrt", "exp2", "erfc")  # fmt: skip
# Those that are at home between -1 and 1.
INSIDE = ("arcsin", "arccos", "arctanh", "erfinv", "tan")
JUMPING = ("sign", "floor", "ceil", "round", "trunc", "isnan", "isinf", "isfinite", "signbit")
UNARY = {
    "float": EXACT_FLOAT + SMOOTH + GROWING + TAMED + INSIDE + JUMPING,
    "int": ("negative", "abs", "square", "bitwise_not", "sign"),
    "bool": ("logical_not",),
}
BINARY = {
    "float": ("add", "subtract", "multiply", "maximum", "minimum"),
    "int": (
        "add",
        "subtract",
        "multiply",
        "maximum",
        "minimum",
        "floor_divide",
        "mod",
        "bitwise_and",
        "bitwise_or",
        "bitwise_xor",
    ),
    "bool": ("logical_and", "logical_or", "logical_xor"),
}
ROUGH_BINARY = ("divide", "power", "arctan2", "logaddexp", "hypot", "mod", "floor_divide", "fmod")
SMOOTH_BINARY = 5  # of them
COMPARE = ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal")
NUMBERS = {
    "float": (1.0, 0.0, 2.0, -1.0, -0.0, 0.5, 0.25, 3.0),
    "int": (1, 0, 2, 3),
    "bool": (True, False),
}


def unary(pool: Pool) -> list[Value]:
    """Ops of one operand."""
    x = pool.any()
    name = pool.choices.among(UNARY[x.kind])
    if x.kind != "float":
        return [Value(_call(name, x.node), x.exact, max(x.bound**2, x.bound + 1))]
    if not pool.tame:
        return [Value(_call(name, x.node), False)]
    if name in JUMPING:
        return [Value(_call(name, x.node), True, x.bound)] if x.exact else []
    if name in EXACT_FLOAT:
        return [Value(_call(name, x.node), x.exact, max(x.bound, x.bound**2))]
    if name in TAMED:
        return [Value(_call(name, 1.5 + ops.sin(x.node)), False, 13.0)]
    if name in INSIDE:
        return [Value(_call(name, 0.9 * ops.sin(x.node)), False, 3.0)]
    return [Value(_call(name, x.node), False, 2.0 * x.bound + 1.0)]


def binary(pool: Pool) -> list[Value]:
    """Ops of two operands, broadcasting where the shapes allow."""
    a = pool.any()
    b = pool.like(a)
    bound = max(a.bound * b.bound, a.bound + b.bound)
    if a.kind == "float" and pool.choices.chance(20):
        name = pool.choices.among(ROUGH_BINARY[: SMOOTH_BINARY if pool.tame else None])
        left, right = a.node, b.node
        if pool.tame:
            left, right = 1.5 + ops.sin(left), 1.5 + ops.sin(right)
        return [Value(_call(name, left, right), False, 10.0)]
    name = pool.choices.among(BINARY[a.kind])
    return [Value(_call(name, a.node, b.node), a.exact and b.exact, bound)]


def number(pool: Pool) -> list[Value]:
    """An op on a value and a number, be it one element or a full tensor: what identities match."""
    choices, x = pool.choices, pool.any()
    numbers = (*NUMBERS[x.kind], *(() if pool.tame else special_values(x.dtype).tolist()))
    value = choices.among(numbers)
    known = all(isinstance(d, int) for d in x.shape)
    shape = choices.among([(), (1,), x.shape] if known else [(), (1,)])
    other = const(np.full(shape, value), x.dtype)
    name = choices.among(BINARY[x.kind])
    exact = x.exact and (x.kind != "float" or float(value).is_integer())
    if x.kind == "float" and choices.chance(30):
        name, exact = choices.among(("divide", "power")), False
        if pool.tame:
            safe = 1.5 + ops.sin(x.node)
            return [Value(_call(name, safe, abs(other) + 1), False, 300.0)]
    pair = (other, x.node) if choices.flag() else (x.node, other)
    return [Value(_call(name, *pair), exact, 3 * x.bound + 3)]


def compare(pool: Pool) -> list[Value]:
    """Comparisons and choices between two values."""
    a = pool.pick(lambda v: (v.exact or not pool.tame) and v.kind != "bool")
    if a is None:
        return []
    b = pool.like(a)
    if pool.tame and not b.exact:
        b = a
    test = _call(pool.choices.among(COMPARE), a.node, b.node)
    mask = pool.pick(lambda v: v.kind == "bool") if pool.choices.flag() else None
    chosen = ops.where(test if mask is None else mask.node, a.node, b.node)
    return [Value(test, True, 1.0), Value(chosen, a.exact and b.exact, max(a.bound, b.bound))]


def clip(pool: Pool) -> list[Value]:
    """A value between two numbers."""
    x = pool.pick(lambda v: v.kind != "bool")
    if x is None:
        return []
    low, high = pool.choices.among(((0, 6), (0, 1), (1, 2), (2, 2)))
    return [Value(ops.clip(x.node, low, high), x.exact, x.bound)]


def convert(pool: Pool) -> list[Value]:
    """Casts; to integers of exact values only, for NumPy defines no others."""
    v = pool.any()
    if pool.tame and v.dtype == "float16" and not v.exact:
        return []  # its rounding errors are not those of a wider dtype
    dtypes = ["float32", "float64"]
    if pool.tame and v.exact and v.kind != "bool":
        dtypes += ["int32", "int64", "bool"]
    if v.kind != "float":
        dtypes += ["int32", "int64"]
    return [Value(ops.cast(v.node, pool.choices.among(dtypes)), v.exact, max(v.bound, 1.0))]


def constant(pool: Pool) -> list[Value]:
    """A constant tensor, or the number of rows as one."""
    choices, example = pool.choices, pool.any()
    if choices.chance(20):
        return [Value(size(BATCH), True, 128.0)]
    shape = tuple(d if isinstance(d, int) else 1 for d in example.shape)
    rng, dtype = choices.rng(), choices.among(("float32", example.dtype))
    if pool.tame:
        array = rng.integers(0, 5, shape)
    else:
        array = rng.choice(special_values(dtype), shape)
    return [Value(const(array, dtype), True, 4.0)]


def chance(pool: Pool) -> list[Value]:
    """Random numbers keyed by the run's number, and values of which they drop a part."""
    choices = pool.choices
    site, name = choices.below(3), choices.among(("bernoulli", "uniform", "normal"))
    x = pool.pick(lambda v: v.is_float)
    attrs = {"seed": 7, "site": site, "dtype": x.dtype if x else "float32"}
    drawn = find_op(f"random_{name}")(build(RNG_STEP), x.shape if x else (3,), **attrs)
    if x is None or name == "normal" or choices.flag():
        return [Value(drawn, name == "bernoulli", 8.0)]
    if name == "bernoulli":
        return [Value(x.node * (drawn * 2), x.exact, 2 * x.bound)]
    dropped = ops.where(ops.less(drawn, 0.5), ops.zeros_like(x.node), x.node * 2)
    return [Value(dropped, x.exact, 2 * x.bound)]


def differentiate(pool: Pool) -> list[Value]:
    """The gradient of a bounded loss by some leaf, forward and backward in one graph."""
    loss = pool.pick(lambda v: v.is_float and v.bound < 1000)
    leaf = pool.pick(lambda v: v.is_float and not v.node.inputs)
    if loss is None or leaf is None:
        return []
    (slope,) = grad(ops.sin(loss.node), [leaf.node])
    return [] if slope is None else [Value(ops.tanh(slope * 0.01), False, 1.0)]


def _call(name: str, *operands: Node) -> Node:
    made: Node = find_op(name)(*operands)
    return made


ELEMENTWISE: tuple[Step, ...] = (
    unary, unary, binary, binary, number, compare, clip, convert, constant, chance,
)  # fmt: skip

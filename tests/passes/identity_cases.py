"""The table of the identities of `simplify.py` and the files it takes rules from."""

from __future__ import annotations

import numpy as np
from rule_checks import BATCH, Case

from kgraph import ops
from kgraph.ir import const, size
from kgraph.ir.node import build
from kgraph.ops.gradients import identity
from kgraph.ops.slicing import slice_

ROWS = ((BATCH, 3), (0, 3), (2, 3))
CUBES = ((2, 3, 4), (BATCH, 3, 4))
WITH_ONES = ((2, 1), (BATCH, 1), (1,))
POSITIVE = (1.0, 0.5, 2.0, 3.0, 1e-3, 17.0, 60.0)


def wide(x, value):
    """A constant of one value that has more axes than `x` and so widens what it meets."""
    return const(np.full((1,) * (x.ndim + 1), value), x.dtype)


def uneven(x, *values):
    """A constant whose elements differ."""
    return const(np.asarray(values), x.dtype)


def raw(name, x, **attrs):
    """A node that the front end would not make."""
    return build(getattr(ops, name), (x,), attrs)


def number(x, value):
    """A constant of the dtype of `x`."""
    return const(np.asarray(value), x.dtype)


def filled(x, value, dtype=None):
    """One value in the shape of `x`, of its dtype unless another is given."""
    scalar = const(np.asarray(value), dtype or x.dtype)
    return ops.broadcast_to(scalar, x.shape) if x.shape else scalar


def number_of(x, value):
    """A NumPy scalar of the dtype of `x`."""
    return np.dtype(x.dtype).type(value)


def same(x, *others):
    """The first operand."""
    return x


ARITHMETIC = (
    Case("mul-one", "a", lambda x: x * number(x, 1), same,
         (lambda x: x * wide(x, 1), lambda x: x * uneven(x, 1, 0, 1) if x.shape[-1:] == (3,) else x,
          lambda x: x * 0)),
    Case("mul-minus-one", "j", lambda x: -1 * x, lambda x: -x,
         (lambda x: x * wide(x, -1), lambda x: x * -2)),
    Case("div-one", "f", lambda x: x / 1, same, (lambda x: x / wide(x, 1), lambda x: 1 / x)),
    Case("div-minus-one", "f", lambda x: x / -1, lambda x: -x, (lambda x: -1 / x,)),
    Case("div-power-of-two", "f", lambda x: x / 4, lambda x: x * 0.25,
         (lambda x: x / 3, lambda x: x / 0, lambda x: x / np.inf, lambda x: x / np.nan,
          lambda x: x / const(np.finfo(x.dtype).smallest_subnormal, x.dtype), lambda x: 4 / x)),
    Case("floor-div-one", "i", lambda x: x // 1, same, (lambda x: x // 2,)),
    Case("mod-one", "i", lambda x: x % 1, lambda x: filled(x, 0), (lambda x: x % 2,)),
    Case("sub-zero", "s", lambda x: x - 0, same,
         (lambda x: x - wide(x, 0), lambda x: 0 - x, lambda x: x - 1)),
    Case("add-zero", "d", lambda x: number(x, 0) + x, same, (lambda x: x + wide(x, 0),)),
    Case("add-minus-zero", "f", lambda x: x + -0.0, same, (lambda x: x + 0.0,)),
    Case("add-zero-positive", "f", lambda x: ops.exp(x) + 0, lambda x: ops.exp(x),
         (lambda x: x + 0, lambda x: ops.sqrt(x) + 0, lambda x: ops.relu(x) + 0,
          lambda x: ops.exp(x) + wide(x, 0))),
    Case("sub-negative", "ss", lambda x, y: x - -y, lambda x, y: x + y, (lambda x, y: -x - y,)),
    Case("add-negative", "ss", lambda x, y: -x + y, lambda x, y: y - x, (lambda x, y: -(x + y),)),
    Case("mul-negatives", "ss", lambda x, y: -x * -y, lambda x, y: x * y,
         (lambda x, y: -x * y, lambda x, y: -(x * y))),
    Case("div-negatives", "ff", lambda x, y: -x / -y, lambda x, y: x / y, (lambda x, y: -x / y,)),
    Case("negative-negative", "s", lambda x: ops.negative(-x), same, (lambda x: -ops.abs(-x),)),
    Case("sub-same-int", "i", lambda x: x - x, lambda x: filled(x, 0), (lambda x: x - (x + 1),)),
    Case("mul-zero-int", "i", lambda x: x * 0, lambda x: filled(x, 0),
         (lambda x: x * wide(x, 0), lambda x: ops.cast(x, "float32") * 0)),
    Case("mul-same", "s", lambda x: x * x, lambda x: ops.square(x), (lambda x: x * -x,)),
    Case("round-rounded", "f", lambda x: ops.ceil(ops.floor(x)), lambda x: ops.floor(x),
         (lambda x: ops.ceil(-ops.floor(x)), lambda x: ops.floor(x)), smooth=False),
    Case("power-one", "s", lambda x: x**1, same, (lambda x: x ** wide(x, 1), lambda x: 1**x)),
    Case("power-zero", "s", lambda x: x**0, lambda x: filled(x, 1), (lambda x: 0**x,),
         smooth=False),
    Case("power-two-int", "i", lambda x: x**2, lambda x: ops.square(x),
         (lambda x: x**3, lambda x: x ** wide(x, 2))),
    Case("power-two", "f", lambda x: x**2, lambda x: ops.square(x),
         (lambda x: x**3, lambda x: 2**x, lambda x: x**2.5, lambda x: x ** wide(x, 2))),
    Case("power-three-int", "i", lambda x: x**3, lambda x: ops.square(x) * x,
         (lambda x: x**4, lambda x: x ** wide(x, 3))),
    Case("power-three", "f", lambda x: x**3, lambda x: ops.square(x) * x,
         (lambda x: x**2, lambda x: 3**x, lambda x: x ** wide(x, 3))),
    Case("power-four", "f", lambda x: x**4, lambda x: ops.square(ops.square(x)),
         (lambda x: x**5, lambda x: x ** wide(x, 4))),
    Case("power-minus-one", "f", lambda x: x**-1, lambda x: ops.reciprocal(x),
         (lambda x: x**-1.5, lambda x: x ** wide(x, -1))),
    Case("power-minus-two", "f", lambda x: x**-2, lambda x: ops.square(ops.reciprocal(x)),
         (lambda x: x**-3,), grid=POSITIVE),
    Case("one-over-sqrt", "f", lambda x: 1 / ops.sqrt(x), lambda x: ops.rsqrt(x),
         (lambda x: 2 / ops.sqrt(x), lambda x: 1 / ops.square(x)), smooth=True),
    Case("reciprocal-sqrt", "f", lambda x: ops.reciprocal(ops.sqrt(x)), lambda x: ops.rsqrt(x),
         (lambda x: ops.sqrt(ops.reciprocal(x)),)),
    Case("abs-abs", "a", lambda x: ops.abs(ops.abs(x)), lambda x: ops.abs(x),
         (lambda x: ops.abs(x),)),
    # In uint8 -1 is 255, so its absolute value is another.
    Case("abs-negative", "f", lambda x: ops.abs(-x), lambda x: ops.abs(x),
         (lambda x: ops.abs(-ops.cast(x, "uint8")), lambda x: -ops.abs(x))),
    Case("abs-positive", "f", lambda x: ops.abs(x * x), lambda x: x * x,
         (lambda x: ops.abs(x * ops.sin(x)), lambda x: ops.abs(ops.sum(x)))),
    Case("max-same", "a", lambda x: ops.maximum(x, x), same, (lambda x: ops.minimum(x, x),)),
    Case("min-same", "a", lambda x: ops.minimum(x, x), same, (lambda x: ops.maximum(x, x),)),
    Case("relu-relu", "f", lambda x: ops.relu(ops.relu(x)), lambda x: ops.relu(x),
         (lambda x: ops.relu(-ops.relu(x)),), smooth=False),
)  # fmt: skip

LOGIC = (
    Case("mul-bools", "cc", lambda c, d: c * d, lambda c, d: c & d, (lambda c, d: c | d,)),
    Case("add-bools", "cc", lambda c, d: c + d, lambda c, d: c | d, (lambda c, d: c & d,)),
    Case("max-bools", "cc", lambda c, d: ops.maximum(c, d), lambda c, d: c | d,
         (lambda c, d: ops.minimum(c, d),)),
    Case("min-bools", "cc", lambda c, d: ops.minimum(c, d), lambda c, d: c & d,
         (lambda c, d: ops.maximum(c, d),)),
    # A NaN is neither below nor not below anything.
    Case("not-compare", "dd", lambda x, y: ~(x < y), lambda x, y: x >= y,
         (lambda x, y: ~(ops.cast(x, "float32") < ops.cast(y, "float32")),
          lambda x, y: ~((x < y) & (y < x)))),
    Case("not-not", "c", lambda c: ~~c, same, (lambda c: ~c,)),
    Case("and-same", "c", lambda c: c & c, same, (lambda c: c | c,)),
    Case("and-true", "c", lambda c: c & True, same, (lambda c: c & wide(c, True),)),
    Case("and-false", "c", lambda c: False & c, lambda c: filled(c, False), (lambda c: c & True,)),
    Case("or-same", "c", lambda c: c | c, same, (lambda c: c & c,)),
    Case("or-false", "c", lambda c: c | False, same, (lambda c: c | wide(c, False),)),
    Case("or-true", "c", lambda c: c | True, lambda c: filled(c, True), (lambda c: c | False,)),
    Case("xor-same", "c", lambda c: c ^ c, lambda c: filled(c, False), (lambda c: c ^ ~c,)),
    Case("xor-false", "c", lambda c: c ^ False, same, (lambda c: c ^ True,)),
    Case("xor-true", "c", lambda c: c ^ True, lambda c: ~c, (lambda c: c ^ False,)),
    Case("equal-same", "d", lambda x: ops.equal(x, x), lambda x: filled(x, True, "bool"),
         (lambda x: ops.equal(ops.cast(x, "float32"), ops.cast(x, "float32")),)),
    Case("not-equal-same", "d", lambda x: ops.not_equal(x, x), lambda x: filled(x, False, "bool"),
         (lambda x: ops.not_equal(ops.cast(x, "float32"), ops.cast(x, "float32")),)),
    Case("less-same", "d", lambda x: x < x, lambda x: filled(x, False, "bool"),
         (lambda x: x < ops.flip(x),)),
    Case("less-equal-same", "d", lambda x: x <= x, lambda x: filled(x, True, "bool"),
         (lambda x: ops.cast(x, "float32") <= ops.cast(x, "float32"),)),
    Case("greater-same", "d", lambda x: x > x, lambda x: filled(x, False, "bool"),
         (lambda x: x > ops.flip(x),)),
    Case("greater-equal-same", "d", lambda x: x >= x, lambda x: filled(x, True, "bool"),
         (lambda x: ops.cast(x, "float32") >= ops.cast(x, "float32"),)),
    Case("where-true", "aa", lambda x, y: ops.where(True, x, y), same,
         (lambda x, y: ops.where(const(np.ones((1,) * (x.ndim + 1), bool)), x, y),)),
    Case("where-false", "aa", lambda x, y: ops.where(False, x, y), lambda x, y: y,
         (lambda x, y: ops.where(x > y, x, y),)),
    Case("where-same", "ca", lambda c, x: ops.where(c, x, x), lambda c, x: x,
         (lambda c, x: ops.where(c, x, ops.flip(x)),)),
    Case("where-not", "caa", lambda c, x, y: ops.where(~c, x, y),
         lambda c, x, y: ops.where(c, y, x), (lambda c, x, y: ops.where(c, x, y),)),
    Case("cast-same", "a", lambda x: raw("cast", x, dtype=x.dtype), same,
         (lambda x: ops.cast(x, "float16"),)),
    Case("cast-cast", "c", lambda x: ops.cast(ops.cast(x, "float32"), "int32"),
         lambda x: ops.cast(x, "int32"),
         (lambda x: ops.cast(ops.cast(ops.cast(x, "float64") + 1, "float32"), "float64"),)),
)  # fmt: skip

REDUCTIONS = (
    Case("max-one", "a", lambda x: ops.max(x, axis=-1), lambda x: ops.reshape(x, x.shape[:-1]),
         (lambda x: ops.max(ops.concatenate([x, x], -1), axis=-1),), shapes=WITH_ONES),
    Case("min-one", "a", lambda x: ops.min(x, axis=-1), lambda x: ops.reshape(x, x.shape[:-1]),
         (lambda x: ops.max(x, axis=-1),), shapes=WITH_ONES),
    # Sums of bools and of uint8 are int32, so they are no reshape.
    Case("sum-one-int", "d", lambda x: ops.sum(ops.cast(x, "int64"), axis=-1),
         lambda x: ops.reshape(ops.cast(x, "int64"), x.shape[:-1]),
         (lambda x: ops.sum(ops.cast(x, "uint8"), axis=-1),), shapes=WITH_ONES),
    Case("sum-one", "f", lambda x: ops.sum(x, axis=-1), lambda x: ops.reshape(x, x.shape[:-1]),
         (lambda x: ops.sum(ops.concatenate([x, x], -1), axis=-1),), shapes=WITH_ONES),
    Case("flip-keepdims", "f", lambda x: ops.squeeze(ops.max(x, axis=1, keepdims=True), 1),
         lambda x: ops.max(x, axis=1),
         (lambda x: ops.expand_dims(ops.max(x, axis=1), 0),
          lambda x: ops.expand_dims(ops.max(x, axis=1), 1) * ops.sum(ops.max(x, axis=1))),
         shapes=ROWS),
    Case("reduce-reduce", "f",
         lambda x: ops.mean(ops.mean(x, axis=1, keepdims=True), axis=(0, 2), keepdims=True),
         lambda x: ops.mean(x, axis=(0, 1, 2), keepdims=True),
         (lambda x: ops.mean(ops.sum(x, axis=1)), lambda x: ops.mean(-ops.mean(x, axis=1)),
          lambda x: ops.mean(ops.mean(x, axis=1)) + ops.mean(x, axis=1)), shapes=CUBES),
    Case("reduce-reduce-int", "d", lambda x: ops.max(ops.max(x, axis=1), axis=1),
         lambda x: ops.max(x, axis=(1, 2)),
         (lambda x: ops.max(ops.min(x, axis=1), axis=1),), shapes=CUBES),
    Case("reduce-scaled", "f", lambda x: ops.sum(x * 3, axis=1, keepdims=True),
         lambda x: ops.sum(x, axis=1, keepdims=True) * 3,
         (lambda x: ops.sum(x * 0, axis=1), lambda x: ops.sum(x * np.inf),
          lambda x: ops.sum(x * x), lambda x: ops.sum(3 / x), lambda x: ops.max(x * 3, axis=1),
          lambda x: ops.sum(x * wide(x, 3)), lambda x: ops.sum(x * 3) + x * 3), shapes=ROWS),
    Case("reduce-transpose", "f", lambda x: ops.sum(ops.transpose(x, (2, 0, 1)), axis=0),
         lambda x: ops.sum(x, axis=2),
         (lambda x: ops.sum(ops.flip(x), axis=1),
          # The result must be transposed, and somebody else reads the transpose.
          lambda x: ops.sum(ops.transpose(x, (2, 1, 0)), 0) + ops.transpose(x, (2, 1, 0))[0]),
         shapes=CUBES),
    Case("reduce-transpose-int", "d",
         lambda x: ops.min(ops.transpose(x, (2, 1, 0)), axis=1, keepdims=True),
         lambda x: ops.reshape(ops.transpose(ops.min(x, axis=1)), (4, 1, x.shape[0])),
         (lambda x: ops.argmin(ops.transpose(x, (2, 1, 0)), axis=1),), shapes=CUBES),
    Case("reduce-broadcast", "f",
         lambda x: ops.sum(ops.broadcast_to(x, (5, *x.shape)), axis=(0, 2)),
         lambda x: ops.reshape(ops.sum(ops.reshape(x, (1, *x.shape)), (2,), True)
                               * const(np.asarray(5), x.dtype), x.shape[:1]),
         (lambda x: ops.sum(ops.broadcast_to(x, (5, *x.shape)), axis=1),
          lambda x: ops.prod(ops.broadcast_to(x, (5, *x.shape)), axis=0),
          lambda x: ops.max(ops.broadcast_to(x, (BATCH, *x.shape)), axis=0)), shapes=ROWS),
    # No rows give 0, however large the row that is repeated.
    Case("reduce-broadcast", "f", lambda x: ops.sum(ops.broadcast_to(x, (0, *x.shape)), axis=0),
         lambda x: ops.reshape(filled(ops.reshape(x, (1, *x.shape)), 0), x.shape),
         (lambda x: ops.mean(ops.broadcast_to(x, (0, *x.shape)), axis=0),), shapes=ROWS),
    Case("reduce-broadcast", "ff", lambda x, y: ops.sum(ops.broadcast_to(x, y.shape), axis=0),
         lambda x, y: ops.reshape(ops.where(
             ops.equal(ops.cast(size(BATCH), x.dtype), 0), 0,
             ops.reshape(x, (1, 3)) * ops.cast(size(BATCH), x.dtype)), (3,)),
         (lambda x, y: ops.mean(ops.broadcast_to(x, y.shape), axis=0),),
         shapes=(((3,), (BATCH, 3)),)),
    Case("reduce-broadcast-int", "d",
         lambda x: ops.max(ops.broadcast_to(x, (5, *x.shape)), axis=0),
         lambda x: ops.reshape(ops.reshape(x, (1, *x.shape)), x.shape),
         (lambda x: ops.sum(ops.broadcast_to(ops.cast(x, "uint8"), (5, *x.shape)), axis=0),),
         shapes=ROWS),
    Case("mean-scaled", "f", lambda x: ops.mean(x, axis=1) * 6,
         lambda x: ops.sum(x, axis=1) * number(x, 2.0),
         (lambda x: ops.mean(x, axis=1) * 0, lambda x: ops.mean(x, axis=0) * 6
          if x.shape[0] is BATCH else x,
          lambda x: ops.mean(x) * 6 + ops.mean(x)), shapes=((BATCH, 3), (2, 3))),
    Case("mean-one", "f", lambda x: ops.mean(x, axis=-1, keepdims=True), same,
         (lambda x: ops.mean(ops.concatenate([x, x], -1), axis=-1),), shapes=WITH_ONES),
)  # fmt: skip

CONSTANTS = (
    Case("constant-last", "a", lambda x: ops.equal(number(x, 1), x),
         lambda x: ops.equal(x, number(x, 1)),
         (lambda x: ops.equal(x, number(x, 1)), lambda x: ops.less(number(x, 1), x),
          lambda x: ops.maximum(number(x, 1), x))),
    Case("mul-constants", "f", lambda x: 3 * x * 0.1,
         lambda x: x * (number(x, 3) * number(x, 0.1)),
         (lambda x: x * 3e38 * 3e38 if x.dtype == "float32" else x * 1e308 * 10,
          lambda x: x * 1e-38 * 1e-3 if x.dtype == "float32" else x * 1e-308 * 1e-3,
          lambda x: (x * 3) * 5 + x * 3,
          lambda x: x if x.ndim else x * uneven(x, [1], [2]) * uneven(x, [1, 2]),
          lambda x: x * 0 * 3, lambda x: x * np.inf * 3)),
    Case("div-mul-constants", "f", lambda x: x / 3 * 5, lambda x: x * (number(x, 5) / number(x, 3)),
         (lambda x: x / 3 * 0, lambda x: x / 0 * 3, lambda x: x / 3 + 5)),
    Case("mul-div-constants", "f", lambda x: x * 5 / 3, lambda x: x * (number(x, 5) / number(x, 3)),
         (lambda x: x * 0 / 3, lambda x: x * 3 / 0, lambda x: 3 / (x * 5))),
    Case("div-constants", "f", lambda x: x / 5 / 3, lambda x: x / (number(x, 5) * number(x, 3)),
         (lambda x: x / 0 / 3, lambda x: 5 / x / 3)),
    Case("constant-div-mul", "f", lambda x: 5 / x * 3, lambda x: number(x, 5) * number(x, 3) / x,
         (lambda x: 0 / x * 3,), grid=POSITIVE),
    Case("add-constants", "f", lambda x: 0.1 + (3 + x),
         lambda x: x + (number(x, 3) + number(x, 0.1)),
         # Rounding to integers by adding a large number is not to be undone.
         (lambda x: x + 12582912 + -12582912, lambda x: x + 0 + 3, lambda x: (x + 1) + 2 + (x + 1),
          lambda x: x if x.ndim else x + uneven(x, [1], [2]) + uneven(x, [1, 2]))),
    Case("sub-constants", "f", lambda x: x - 0.1 - 3, lambda x: x - (number(x, 0.1) + number(x, 3)),
         (lambda x: x - -3 - 3, lambda x: 3 - x - 3)),
    Case("add-sub-constants", "f", lambda x: x + 0.1 - -3,
         lambda x: x + (number(x, 0.1) - number(x, -3)), (lambda x: x + 12582912 - 12582912,)),
    Case("sub-add-constants", "f", lambda x: x - 0.1 + -3,
         lambda x: x - (number(x, 0.1) - number(x, -3)), (lambda x: x - 12582912 + 12582912,)),
    Case("constant-sub-add", "f", lambda x: (3 - x) + 0.1,
         lambda x: (number(x, 3) + number(x, 0.1)) - x, (lambda x: (3 - x) + -3,)),
    Case("factor-constants", "f", lambda x: 3 * x + x * 0.1,
         lambda x: x * (number(x, 3) + number(x, 0.1)),
         (lambda x: x * 3 + x * -0.1, lambda x: x * 3 + ops.exp(x) * 2,
          lambda x: (x * 3 + x * 2) * (x * 3))),
    Case("mul-constants-int", "i", lambda x: 3 * x * 100,
         lambda x: x * (number(x, 3) * number(x, 100)),
         (lambda x: x * 3 + x * 3 * 100, lambda x: x * 3 + 100)),
    Case("add-constants-int", "i", lambda x: 3 + x + 100,
         lambda x: x + (number(x, 3) + number(x, 100)), (lambda x: (x + 3) * 2,)),
    Case("sub-constants-int", "i", lambda x: x - 3 - 100,
         lambda x: x - (number(x, 3) + number(x, 100)), (lambda x: 3 - x - 100,)),
    Case("add-sub-constants-int", "i", lambda x: x + 3 - 100,
         lambda x: x + (number(x, 3) - number(x, 100)), (lambda x: 3 - (x + 100),)),
    Case("sub-add-constants-int", "i", lambda x: x - 3 + 100,
         lambda x: x - (number(x, 3) - number(x, 100)), (lambda x: x - 3 - 100,)),
    Case("constant-sub-add-int", "i", lambda x: 3 - x + 100,
         lambda x: (number(x, 3) + number(x, 100)) - x, (lambda x: 3 - x - 100,)),
    Case("factor-int", "iii", lambda x, y, z: x * y + z * x, lambda x, y, z: x * (y + z),
         (lambda x, y, z: x * y + z * z, lambda x, y, z: x * y - x * z,
          lambda x, y, z: (x * y + x * z) * (x * y))),
    Case("negative-mul-constant", "s", lambda x: -(x * 3), lambda x: x * -number(x, 3),
         (lambda x: -(x * 3) + x * 3, lambda x: -(x * x))),
    Case("mul-constant-negative", "s", lambda x: 3 * -x, lambda x: x * -number(x, 3),
         (lambda x: -x * x,)),
    Case("negative-div-constant", "f", lambda x: -(x / 3), lambda x: x / -number(x, 3),
         (lambda x: -(3 / x),)),
    Case("div-constant", "f", lambda x: x / 3, lambda x: x * const(1 / number_of(x, 3), x.dtype),
         (lambda x: x / 0, lambda x: x / np.inf, lambda x: 3 / x,
          lambda x: x / const(np.finfo(x.dtype).max, x.dtype))),
    Case("max-max-constants", "s",
         lambda x: ops.maximum(number(x, 3), ops.maximum(x, number(x, 1))),
         lambda x: ops.maximum(x, ops.maximum(number(x, 1), number(x, 3))),
         # Which zero wins is up to the order.
         (lambda x: ops.maximum(ops.maximum(x, number(x, 0)), number(x, 1)),
          lambda x: ops.maximum(ops.minimum(x, number(x, 1)), number(x, 3))), smooth=False),
    Case("min-min-constants", "s",
         lambda x: ops.minimum(ops.minimum(x, number(x, 1)), number(x, 3)),
         lambda x: ops.minimum(x, ops.minimum(number(x, 1), number(x, 3))),
         (lambda x: ops.minimum(ops.minimum(x, number(x, 1)), number(x, 0)),), smooth=False),
    Case("min-max-clip", "f", lambda x: ops.minimum(ops.maximum(x, 1), 3),
         lambda x: ops.clip(x, 1, 3),
         (lambda x: ops.minimum(ops.maximum(x, number(x, 3)), number(x, 1)),
          lambda x: ops.minimum(ops.maximum(x, uneven(x, 1, 2, 1)), number(x, 3))
          if x.shape[-1:] == (3,) else x)),
    Case("max-min-clip", "f", lambda x: ops.maximum(ops.minimum(x, 3), 1),
         lambda x: ops.clip(x, 1, 3),
         (lambda x: ops.maximum(ops.minimum(x, number(x, 1)), number(x, 3)),)),
    Case("commuted", "aa", lambda x, y: ops.equal(ops.equal(x, y), ops.equal(y, x)),
         lambda x, y: ops.equal(ops.equal(x, y), ops.equal(x, y)),
         (lambda x, y: ops.equal(ops.less(x, y), ops.less(y, x)), lambda x, y: ops.equal(y, x))),
    Case("commuted-extremes", "ff",
         lambda x, y: ops.maximum(x, y) - ops.maximum(y, x),
         lambda x, y: ops.maximum(x, y) - ops.maximum(x, y),
         (lambda x, y: ops.maximum(y, x) - ops.minimum(x, y),)),
)  # fmt: skip

FAST = (
    Case("factor", "fff", lambda x, y, z: x * y + z * x, lambda x, y, z: x * (y + z),
         (lambda x, y, z: x * y - x * z, lambda x, y, z: (x * y + x * z) * (x * y)),
         numerics="fast"),
    Case("sqrt-squares", "ff", lambda x, y: ops.sqrt(ops.square(x) + ops.square(y)),
         lambda x, y: ops.hypot(x, y),
         (lambda x, y: ops.sqrt(ops.square(x) - ops.square(y)),
          lambda x, y: ops.sqrt(ops.square(x) + ops.square(y)) + ops.square(x)), numerics="fast"),
    Case("div-exp", "ff", lambda x, y: x / ops.exp(y), lambda x, y: x * ops.exp(-y),
         (lambda x, y: x / ops.exp(y) + ops.exp(y),), numerics="fast"),
    Case("div-sqrt", "ff", lambda x, y: x / ops.sqrt(y), lambda x, y: x * ops.rsqrt(y),
         (lambda x, y: x / ops.sqrt(y) + ops.sqrt(y),), numerics="fast"),
    Case("power-exp", "ff", lambda x, y: ops.exp(x) ** y, lambda x, y: ops.exp(x * y),
         (lambda x, y: y ** ops.exp(x),), numerics="fast"),
    Case("add-zero-fast", "f", lambda x: x + 0, same, (lambda x: x + wide(x, 0),), numerics="fast"),
    Case("mul-zero", "f", lambda x: x * 0, lambda x: filled(x, 0), (lambda x: x * wide(x, 0),),
         numerics="fast"),
    Case("sub-same", "f", lambda x: x - x, lambda x: filled(x, 0), (lambda x: x - -x,),
         numerics="fast"),
    Case("div-same", "f", lambda x: x / x, lambda x: filled(x, 1), (lambda x: x / -x,),
         numerics="fast"),
    Case("log-exp", "f", lambda x: ops.log(ops.exp(x)), same, (lambda x: ops.log2(ops.exp(x)),),
         numerics="fast"),
    Case("exp-log", "f", lambda x: ops.exp(ops.log(x)), same, (lambda x: ops.exp(ops.log2(x)),),
         numerics="fast"),
    Case("sqrt-square", "f", lambda x: ops.sqrt(ops.square(x)), lambda x: ops.abs(x),
         (lambda x: ops.square(ops.sqrt(x)),), numerics="fast"),
    Case("power-half", "f", lambda x: x**0.5, lambda x: ops.sqrt(x), (lambda x: x**0.25,),
         numerics="fast"),
    Case("mul-exp", "ff", lambda x, y: ops.exp(x) * ops.exp(y), lambda x, y: ops.exp(x + y),
         (lambda x, y: (ops.exp(x) * ops.exp(y)) * ops.exp(x) * ops.exp(y),), numerics="fast"),
    Case("recip-recip", "f", lambda x: 1 / (1 / x), same, (lambda x: 1 / (2 / x),),
         numerics="fast"),
)  # fmt: skip

RESHAPES = (
    Case("reshape-same", "a", lambda x: ops.reshape(x, x.shape), same,
         (lambda x: ops.reshape(x, (1, *x.shape)),)),
    Case("reshape-reshape", "a", lambda x: ops.reshape(ops.reshape(x, (-1,)), (*x.shape, 1)),
         lambda x: ops.reshape(x, (*x.shape, 1)), (lambda x: ops.reshape(x + x, (-1,)),)),
    Case("reshape-expand-dims", "a", lambda x: ops.reshape(ops.expand_dims(x, 0), (-1,)),
         lambda x: ops.reshape(x, (-1,)), (lambda x: ops.expand_dims(x, 0),), shapes=ROWS),
    Case("reshape-squeeze", "a", lambda x: ops.reshape(ops.squeeze(x, 0), x.shape), same,
         (lambda x: ops.squeeze(x, 0),), shapes=((1, 4), (1, BATCH))),
    Case("expand-dims-same", "a", lambda x: raw("expand_dims", x, axis=()), same,
         (lambda x: ops.expand_dims(x, 0),)),
    Case("expand-dims-reshape", "a", lambda x: ops.expand_dims(ops.reshape(x, (3, -1)), 0),
         lambda x: ops.reshape(x, (1, 3, x.shape[0])),
         (lambda x: ops.expand_dims(ops.transpose(x), 0),), shapes=ROWS),
    Case("expand-dims-squeeze", "a", lambda x: ops.expand_dims(ops.squeeze(x, 0), 0), same,
         (lambda x: ops.expand_dims(ops.squeeze(x, 0), 1),), shapes=((1, 4), (1, BATCH))),
    Case("squeeze-same", "a", lambda x: raw("squeeze", x, axis=()), same,
         (lambda x: ops.squeeze(ops.expand_dims(x, 0), 0),)),
    Case("squeeze-reshape", "a", lambda x: ops.squeeze(ops.reshape(x, (1, *x.shape)), 0), same,
         (lambda x: ops.squeeze(ops.transpose(ops.expand_dims(x, 0)), -1),), shapes=ROWS),
    Case("squeeze-expand-dims", "a", lambda x: ops.squeeze(ops.expand_dims(x, 1), 1), same,
         (lambda x: ops.squeeze(ops.expand_dims(x, (0, 1)), 0),), shapes=ROWS),
)  # fmt: skip

MOVEMENT = (
    Case("transpose-identity", "a", lambda x: ops.transpose(x, (0, 1, 2)), same,
         (lambda x: ops.transpose(x, (1, 0, 2)),), shapes=CUBES),
    Case("transpose-transpose", "a",
         lambda x: ops.transpose(ops.transpose(x, (1, 2, 0)), (0, 2, 1)),
         lambda x: ops.transpose(x, (1, 0, 2)),
         (lambda x: ops.transpose(ops.flip(ops.transpose(x, (1, 2, 0))), (0, 2, 1)),),
         shapes=CUBES),
    Case("transpose-ones", "a", lambda x: ops.transpose(x[:, :1], (1, 0, 2)),
         lambda x: ops.reshape(x[:, :1], (1, x.shape[0], 4)),
         (lambda x: ops.transpose(x[:, :1], (2, 1, 0)), lambda x: ops.transpose(x, (1, 0, 2))),
         shapes=((3, 3, 4), (BATCH, 3, 4))),
    Case("transpose-broadcast", "a",
         lambda x: ops.transpose(ops.broadcast_to(x, (2, 3))), lambda x: ops.broadcast_to(
             ops.reshape(x, ()) if x.ndim else x, (3, 2)),
         (lambda x: ops.transpose(ops.broadcast_to(ops.concatenate([x, x]), (3, 2)))
          if x.ndim else x,), shapes=((), (1,))),
    Case("transpose-matmul", "ff",
         lambda x, y: ops.swapaxes(ops.swapaxes(x, -1, -2) @ y, -1, -2),
         lambda x, y: ops.swapaxes(y, -1, -2) @ x,
         (lambda x, y: ops.swapaxes(x @ ops.swapaxes(x, -1, -2) @ y, -1, -2),
          lambda x, y: ops.transpose(x) @ y,
          lambda x, y: ops.transpose(ops.transpose(x) @ y) * ops.sum(ops.transpose(x) @ y)),
         shapes=(((3, 2), (3, 4)), ((0, 3), (0, 3)), ((BATCH, 3), (BATCH, 4)))),
    Case("flip-nothing", "a", lambda x: raw("flip", x, axis=()), same, (lambda x: ops.flip(x, 0),),
         shapes=CUBES),
    Case("flip-flip", "a", lambda x: ops.flip(ops.flip(x, 1), 1), same,
         (lambda x: ops.flip(ops.flip(x, 1), 0),), shapes=CUBES),
    Case("broadcast-same", "a", lambda x: ops.broadcast_to(x, x.shape), same,
         (lambda x: ops.broadcast_to(x, (2, *x.shape)),)),
    Case("broadcast-broadcast", "a",
         lambda x: ops.broadcast_to(ops.broadcast_to(x, (2, *x.shape)), (3, 2, *x.shape)),
         lambda x: ops.broadcast_to(x, (3, 2, *x.shape)),
         (lambda x: ops.broadcast_to(-ops.broadcast_to(x, (2, *x.shape)), (3, 2, *x.shape))
          if x.dtype != "bool" else x,)),
    Case("uniform-view", "a",
         lambda x: ops.expand_dims(ops.broadcast_to(x, (5, 3)), 1),
         lambda x: ops.broadcast_to(x, (5, 1, 3)),
         (lambda x: ops.broadcast_to(x, (5, 3)), lambda x: ops.expand_dims(x, 0)),
         shapes=(((),),)),
    Case("slice-all", "a", lambda x: slice_(x, (0, 0), x.shape), same,
         (lambda x: x[:, 1:], lambda x: x[:, ::2],
          lambda x: slice_(x, (1, 0), (x.shape[0] + 1, 3)) if x.shape[0] is BATCH else x[:, 1:]),
         shapes=ROWS),
    Case("slice-slice", "a", lambda x: x[:, 1:8][:, 2:5], lambda x: x[:, 3:6],
         # With a batch of 1 the inner slice of rows must still be refused.
         (lambda x: x[1:][:1] if not isinstance(x.shape[0], int) else x[1:],),
         shapes=((2, 9), (BATCH, 9), (0, 9))),
    Case("slice-concatenate", "aa", lambda x, y: ops.concatenate([x, y], 1)[:, 3:],
         lambda x, y: y,
         (lambda x, y: ops.concatenate([x, y], 1)[:, 2:],
          lambda x, y: ops.concatenate([x, y], 1)[:, 3::2]), shapes=ROWS),
    Case("slice-concatenate-part", "aa",
         lambda x, y: ops.concatenate([x, y, x], 1)[:, 1:5],
         lambda x, y: ops.concatenate([x[:, 1:3], slice_(y, (0, 0), (y.shape[0], 2))], 1),
         (lambda x, y: ops.concatenate([x, y], 1)[:, 1:5],
          lambda x, y: ops.concatenate([x, y, x], 1)[:, 1:8:2]), shapes=ROWS),
    Case("concatenate-concatenate", "aa",
         lambda x, y: ops.concatenate([x, ops.concatenate([y, x], 1)], 1),
         lambda x, y: ops.concatenate([x, y, x], 1),
         (lambda x, y: ops.concatenate([x, y], 1),
          lambda x, y: ops.concatenate([ops.concatenate([x, y], 1)] * 2, 0)), shapes=ROWS),
    Case("slice-elementwise", "ff", lambda x, y: (x + y)[:, :1],
         lambda x, y: slice_(x, (0,), (1,)) + y[:, :1],
         # Rows of two of three elements would be worked on one by one.
         (lambda x, y: (x + y)[:, :2], lambda x, y: (x + y)[:, :1] * ops.sum(x + y),
          lambda x, y: ops.softmax(y)[:, :1]), shapes=(((3,), (BATCH, 3)), ((3,), (0, 3)))),
    Case("slice-matmul", "ff", lambda x, y: (x @ y)[1:2, 2:],
         lambda x, y: x[1:2] @ y[:, 2:],
         (lambda x, y: (x @ y)[::2], lambda x, y: (x @ y)[:1] * ops.sum(x @ y)),
         shapes=(((3, 2), (2, 4)), ((3, 0), (0, 4)))),
    Case("take-elementwise", "f", lambda x: ops.take(ops.tanh(x), [1, 0], axis=1),
         lambda x: ops.tanh(ops.take(x, [1, 0], axis=1)),
         (lambda x: ops.take(ops.tanh(x), [1, 0, 1, 0], axis=1) if x.shape[0] else x,
          lambda x: ops.take(ops.tanh(x), [1, 0], axis=1) * ops.sum(ops.tanh(x)),
          lambda x: ops.take(ops.softmax(x), [1, 0], axis=1)), shapes=((2, 3), (0, 3))),
    Case("broadcast-last", "ff",
         lambda x, y: ops.broadcast_to(x, (4, *x.shape)) + ops.broadcast_to(y, (4, *y.shape)) * 2,
         lambda x, y: ops.broadcast_to(x + y * 2, (4, *x.shape)),
         (lambda x, y: ops.broadcast_to(x, (4, *x.shape)) + y,), fires=2, shapes=ROWS),
    Case("concatenate-one", "a", lambda x: ops.concatenate([x], 1), same,
         (lambda x: ops.concatenate([x, x], 1),), shapes=ROWS),
    Case("concatenate-slices", "a", lambda x: ops.concatenate([x[:, :1], x[:, 1:]], 1), same,
         (lambda x: ops.concatenate([x[:, 1:], x[:, :1]], 1),
          lambda x: ops.concatenate([x[:, :1], x[:, 2:]], 1),
          lambda x: ops.concatenate([x[:, :1], ops.flip(x)[:, 1:]], 1)), shapes=ROWS),
    Case("pad-nothing", "s", lambda x: ops.pad(x, ((0, 0), (0, 0))), same,
         (lambda x: ops.pad(x, ((0, 0), (0, 1))),), shapes=ROWS),
    Case("elementwise-broadcast", "aa", lambda x, y: ops.broadcast_to(x, y.shape) + y,
         lambda x, y: x + y,
         # Here the broadcast gives the result its shape.
         (lambda x, y: ops.broadcast_to(x, y.shape) + x,), shapes=(((3,), (BATCH, 3)),)),
)  # fmt: skip

MARKERS = (
    Case("identity", "a", lambda x: identity(x, tag=3), same, (lambda x: ops.flip(x),)),
    Case("stop-gradient", "a", lambda x: ops.stop_gradient(x), same, (lambda x: ops.flip(x),),
         smooth=False),
)  # fmt: skip

IDENTITIES = (
    *ARITHMETIC, *LOGIC, *CONSTANTS, *REDUCTIONS, *FAST, *RESHAPES, *MOVEMENT,
)  # fmt: skip

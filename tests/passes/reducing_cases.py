"""The table of the identities of `reducing.py`."""

from __future__ import annotations

import numpy as np
from case_parts import CUBES, ROWS, WITH_ONES, filled, number, same, wide
from rule_checks import BATCH, Case

from kgraph import ops
from kgraph.ir import const, size

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

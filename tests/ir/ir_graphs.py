"""Graphs that several tests of the IR look at."""

from __future__ import annotations

import numpy as np

from kgraph import ops
from kgraph.ir import Dim, Graph, Stage, Variable, input_node, size

BATCH = Dim.symbol("batch")


def tower(depth: int = 100_000) -> Graph:
    """A chain of `depth` elementwise nodes."""
    x = y = input_node((BATCH, 3), name="x")
    for _ in range(depth // 2):
        y = ops.add(ops.tanh(y), x)
    return Graph((x,), (("y", y),))


def rich_graph() -> Graph:
    """Every kind of leaf, several outputs, updates, awkward names, attributes of every type."""
    x = input_node((BATCH, 4), name="x")
    mask = input_node((BATCH,), "bool", name='the mask\'s "name" \n#漢')
    unused = input_node((2, 0), "uint8", name="unused")
    kernel = Variable(np.ones((4, 3), "float32"), name="dense_1/kernel")
    twin = Variable(np.zeros((3,), "float32"), name="dense_1/kernel")
    count = Variable(np.int64(7), name="odd 'name' {1}", trainable=False)
    idle = Variable(np.float32(0), name="idle", trainable=False)
    hidden = ops.matmul(x, kernel) + twin
    odd = np.array([-0.0, np.nan, np.inf, 1e-45], "float32")[:3]
    hidden = hidden * odd + np.arange(3000, dtype="float32").reshape(1000, 3).sum(0)
    big = ops.take(ops.reshape(x, (-1, 2)), np.arange(40, dtype="int64") % 2, axis=0)
    values, places = ops.top_k(hidden, 2)
    total = ops.sum(values, axis=(0, 1)) + ops.cast(size(BATCH * 2 + 1), "float32")
    return Graph(
        (x, mask, unused),
        (("values", values), ("places", places), ("big", big), ("a b", ops.logical_not(mask))),
        ((count, count + 1), (idle, total)),
        Stage.CORE,
    )

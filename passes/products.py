"""What passes know about matrix products: their time, and which operands are fixed during a call.

The time of a product of (m, k) and (k, n) is taken as proportional to 2mkn + 4(mk + kn + mn) plus a
constant: arithmetic, memory and the call. With 87 operations a nanosecond and 0.4 us a call that is
within a fifth of OpenBLAS on one core for m from 1 to 1024, k from 64 to 1024, n from 16 to 256.
"""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Iterable, Iterator, Mapping

from kgraph import ops
from kgraph.ir.dim import Dim
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import ITEM, is_const
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable
from kgraph.passes.report import SIZE_HINT

# In operations: reading or writing an element, and calling a kernel.
ELEMENT, CALL = 4, 35_000
# How much faster another order must be; it is another rounding, so it must be worth it.
GAIN = 1.3
# A decision about symbolic sizes must be right at the hint and at both ends.
SMALLEST, LARGEST = 1, 1024
# More symbols than these are given one number together.
_FREE_SYMBOLS = 2

_FIXED: weakref.WeakKeyDictionary[Node, bool] = weakref.WeakKeyDictionary()


def fixed(node: Node) -> bool:
    """Whether a node depends on variables and constants only.

    In a graph without updates such a node is computed once a call, whatever the number of batches.
    """
    stack = [node]
    while stack:
        top = stack[-1]
        if top in _FIXED:
            stack.pop()
        elif not top.inputs:
            _FIXED[top] = is_const(top) or isinstance(top, Variable)
        elif any(not _FIXED.get(n, True) for n in top.inputs):
            _FIXED[top] = False
        else:
            missing = [n for n in top.inputs if n not in _FIXED]
            stack.extend(missing)
            if not missing:
                _FIXED[top] = top.op.pure
    return _FIXED[node]


def is_steady(graph: Graph) -> bool:
    """Whether what is `fixed` costs nothing: it is computed once a call, not in every run."""
    return not graph.updates


def is_computed(node: Node) -> bool:
    """Whether a kernel writes the node, so that it can be written into a part of a larger one."""
    return bool(node.inputs) and node.op.view is None and node.op is not ITEM


def is_product(node: Node) -> bool:
    """Whether the node is a product of two matrices, without leading axes, of floats."""
    return node.op is ops.matmul and all(n.ndim == 2 for n in node.inputs) and node.type.is_float


def product_time(rows: int, inner: int, columns: int) -> int:
    """The estimated time of a matrix product, in operations."""
    moved = rows * inner + inner * columns + rows * columns
    return 2 * rows * inner * columns + ELEMENT * moved + CALL


def bindings(sizes: Iterable[int | Dim]) -> Iterator[Mapping[str, int]]:
    """Numbers for the symbols at which a decision is examined, the hints first."""
    names = sorted({name for size in sizes if isinstance(size, Dim) for name in size.symbols})
    yield dict.fromkeys(names, SIZE_HINT)
    ends = (SMALLEST, LARGEST)
    if len(names) > _FREE_SYMBOLS:
        yield from (dict.fromkeys(names, end) for end in ends)
    elif names:
        yield from (
            dict(zip(names, choice)) for choice in itertools.product(ends, repeat=len(names))
        )

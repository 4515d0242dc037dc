"""Max pooling before relu: the largest element after relu is relu of the largest element.

relu is monotone and rounds nothing, so both sides have the same bits, and relu has less to do; not
so for float16, where relu keeps -0.0 and the larger of two zeros is the first. The gradients are
the same numbers as well: where all of a window is at most zero, relu lets nothing through,
whichever of the elements that tie after it stands for the window.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from kgraph import ops
from kgraph.ir.node import Node
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import Rule, rule

(x,) = unknowns("x", dtypes="if")
size, steps, around = unknowns("size steps around")


def _shortens(x: Node, steps: tuple[int, ...]) -> bool | str:
    if x.dtype == "float16":
        return "zeros of float16 may change their signs"
    return max(steps) > 1 or "pooling leaves as many elements"


POOLS: tuple[Rule, ...] = (
    rule("pool-relu", P.max_pool(P.relu(x), pool_size=size, strides=steps, padding=around),
         lambda x, size, steps, around: ops.relu(ops.max_pool(x, size, steps, around)), users=1,
         where=_shortens),
)  # fmt: skip


@dataclass(frozen=True)
class PoolFirst(Rewrite):
    """Computes relu after max pooling, on fewer elements.

    Before gradients are taken it shortens the way back as well.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((1, 4, 1), name="x")
        >>> graph = Graph((x,), (("y", ops.max_pool(ops.relu(x), 2)),))
        >>> [n.op.name for n in PoolFirst().run(graph).nodes]
        ['input', 'max_pool', 'relu']
    """

    rules: tuple[Rule, ...] = field(default=POOLS, repr=False)

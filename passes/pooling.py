"""Max pooling before relu and before a bias: what is monotone may wait for the largest element.

relu is monotone and rounds nothing, so both sides have the same bits, and relu has less to do; not
so for float16, where relu keeps -0.0 and the larger of two zeros is the first. The gradients are
the same numbers as well: where all of a window is at most zero, relu lets nothing through,
whichever of the elements that tie after it stands for the window.

Sums with one number for a whole window are rounded monotonically, so the largest sum is that of
the largest element. Only infinities of both signs in a sum make a difference, and elements that
tie when they have been rounded: then the gradient goes to the largest and not to the first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kgraph import ops
from kgraph.ir.node import Node
from kgraph.passes.pattern import P, unknowns
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import Rule, rule

(x,) = unknowns("x", dtypes="if")
a, b, size, steps, around = unknowns("a b size steps around")


def _is_bias(node: Node, beside: Node) -> bool:
    """Whether a node is one number for all places of what it is added to."""
    inner = ((1,) * beside.ndim + node.shape)[1 - beside.ndim : -1]
    return node.ndim <= beside.ndim and all(n == 1 for n in inner)


def _may_wait(a: Node, b: Node, size: Any, steps: Any, around: Any) -> bool | str:
    """Whether one is a bias, and every window holds an element."""
    if not (_is_bias(a, b) or _is_bias(b, a)):
        return False
    if max(steps) == 1:
        return "pooling leaves as many elements"
    pairs = [(pair, n) for pair, n in zip(around, size) if not isinstance(pair, str)]
    return all(max(pair) < n for pair, n in pairs) or "windows may lie in the padding"


def _bias_last(a: Node, b: Node, size: Any, steps: Any, around: Any) -> Node:
    """Pools the one that is no bias."""
    if _is_bias(b, a):
        return ops.max_pool(a, size, steps, around) + b
    return a + ops.max_pool(b, size, steps, around)


def _shortens(x: Node, steps: tuple[int, ...]) -> bool | str:
    if x.dtype == "float16":
        return "zeros of float16 may change their signs"
    return max(steps) > 1 or "pooling leaves as many elements"


POOLS: tuple[Rule, ...] = (
    rule("pool-relu", P.max_pool(P.relu(x), pool_size=size, strides=steps, padding=around),
         lambda x, size, steps, around: ops.relu(ops.max_pool(x, size, steps, around)), users=1,
         where=_shortens),
    rule("pool-bias", P.max_pool(a + b, pool_size=size, strides=steps, padding=around),
         _bias_last, users=1, where=_may_wait, kind="rounding"),
)  # fmt: skip


@dataclass(frozen=True)
class PoolFirst(Rewrite):
    """Computes relu and adds biases after max pooling, on fewer elements.

    Before gradients are taken it shortens the way back as well.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((1, 4, 1), name="x")
        >>> graph = Graph((x,), (("y", ops.max_pool(ops.relu(x), 2)),))
        >>> [n.op.name for n in PoolFirst().run(graph).nodes]
        ['input', 'max_pool', 'relu']
    """

    rules: tuple[Rule, ...] = field(default=POOLS, repr=False)

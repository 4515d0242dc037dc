"""How much work a graph is, by estimate: nodes, floating-point operations, bytes moved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from kgraph.ir.attributes import bind_attributes
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.ir.types import TensorType

# What a symbolic size counts as in estimates.
SIZE_HINT = 32
_FREE = frozenset(["item", "layer_call", "mask_of"])


@dataclass(frozen=True)
class Cost:
    """An estimate of the work of a graph.

    Args:
        nodes: number of nodes.
        flops: floating-point operations of one run.
        bytes: bytes read and written in one run, without reuse of caches.
    """

    nodes: int
    flops: int
    bytes: int

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.nodes + other.nodes, self.flops + other.flops, self.bytes + other.bytes)


def estimate(graph: Graph, hint: int = SIZE_HINT) -> Cost:
    """Adds up `op.cost` over a graph.

    Args:
        graph: a graph of any stage; layer calls count as nothing.
        hint: the number that every symbolic size takes.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((4,))
        >>> estimate(Graph((x,), (("y", x + x),)))
        Cost(nodes=2, flops=4, bytes=48)
    """
    return estimate_nodes(graph.nodes, dict.fromkeys(graph.symbols, hint))


def estimate_nodes(nodes: Iterable[Node], binding: Mapping[str, int]) -> Cost:
    """Adds up `op.cost` over nodes, with numbers for the symbolic sizes."""
    count = flops = moved = 0
    for node in nodes:
        count += 1
        if not node.inputs or node.op.name in _FREE:
            continue
        inputs = [_bound(t, binding) for n in node.inputs for t in n.types]
        outputs = [_bound(t, binding) for t in node.types]
        work, traffic = node.op.cost(inputs, outputs, bind_attributes(node.attrs, binding))
        flops, moved = flops + work, moved + traffic
    return Cost(count, int(flops), int(moved))


def _bound(type_: TensorType, binding: Mapping[str, int]) -> TensorType:
    return type_ if all(isinstance(d, int) for d in type_.shape) else type_.bind(binding)

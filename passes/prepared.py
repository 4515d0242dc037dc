"""Prepared nodes: what follows from states alone, so that a call of many batches needs it once."""

from __future__ import annotations

from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable


def prepared_nodes(graph: Graph) -> frozenset[Node]:
    """The nodes that depend on constants, sizes and unwritten states; none in a training step.

    The runtime computes them first and, where a caller promises that nobody writes a state, once
    for many runs. So they must not share an op with others.

    Args:
        graph: a graph of any stage.

    Returns:
        The nodes, leaves included.

    Example:
        >>> from kgraph.ir import input_node
        >>> w, x = Variable([2.0], name="w"), input_node((1,), name="x")
        >>> graph = Graph((x,), (("y", x * (w + 1)),))
        >>> sorted(n.op.name for n in prepared_nodes(graph))
        ['add', 'const', 'state']
    """
    updated = {state for state, _ in graph.updates}
    if any(state.trainable for state in updated):
        return frozenset()
    found: set[Node] = set()
    for node in graph.nodes:
        fixed = isinstance(node, Variable) and node not in updated
        leaf = fixed or node.op.name in ("const", "size")
        if leaf or (node.inputs and all(i in found for i in node.inputs)):
            found.add(node)
    return frozenset(found)

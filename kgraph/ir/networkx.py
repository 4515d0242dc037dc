"""Graphs as networkx multigraphs, for algorithms that networkx has; only this file imports it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx

from kgraph.ir.printer import ordered
from kgraph.ir.variable import Variable

if TYPE_CHECKING:
    from kgraph.ir.graph import Graph


def to_networkx(graph: Graph) -> networkx.MultiDiGraph:
    """The graph with its numbers as nodes.

    Args:
        graph: any graph.

    Returns:
        A multigraph, for a node may read another twice. Nodes are the numbers of the text form and
        carry `node` (the Node), `op`, `name`, `scope` and `types`; edges run from operand to user
        and carry `operand` (its position). Outputs and updates are lists of (name, number) in
        `result.graph["outputs"]` and `result.graph["updates"]`.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> to_networkx(Graph((x,), (("y", x),))).nodes[0]["op"]
        'input'
    """
    numbers = {node: number for number, node in enumerate(ordered(graph))}
    result = networkx.MultiDiGraph(
        stage=graph.stage.value,
        inputs=[numbers[n] for n in graph.inputs],
        outputs=[(name, numbers[n]) for name, n in graph.outputs],
        updates=[(numbers[v], numbers[n]) for v, n in graph.updates],
    )
    for node, number in numbers.items():
        result.add_node(
            number,
            node=node,
            op=node.op.name,
            name=node.name,
            scope=node.origin.scope,
            types=tuple(map(str, node.types)),
            trainable=isinstance(node, Variable) and node.trainable,
        )
    for node, number in numbers.items():
        for position, operand in enumerate(node.inputs):
            result.add_edge(numbers[operand], number, operand=position)
    return result

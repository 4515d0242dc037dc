"""Unfuse: fused ops whose arrays fit the cache become the ops that they were made of.

A pass decides by structure what may be fused; what is, is decided here, where sizes are numbers.
Blocks keep values in the cache; where the cache holds everything anyway, plain calls into the
arena's buffers do the same with less to do before the first of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import ITEM
from kgraph.ir.node import Node, rebuild
from kgraph.ir.origin import making
from kgraph.ir.types import TensorType
from kgraph.ops.fused import expand, fused
from kgraph.ops.program import take_apart

# Bytes that a fused op reads and writes below which its ops run one by one. Measured with float32
# on a core with 512 KiB of second cache: with 0.4 MiB, an RMSprop update of (128, 128), both take
# 30 us; with 1.25 MiB, one of (256, 256), blocks take 92 us instead of 102, with 8 MiB (784, 512)
# 660 instead of 720, with 20 MiB 1750 instead of 2320, with 40 MiB 3500 instead of 5010. A bias
# and a relu gain nothing below 2 MiB and a tenth from 8 MiB on.
PAYS = 1 << 20


def unfuse(graph: Graph, binding: Mapping[str, int]) -> Graph:
    """Expands the fused ops that do not pay at these sizes.

    Args:
        graph: a CORE or FUSED graph.
        binding: the number of every symbol.

    Returns:
        The graph with the original nodes in their places; itself where every fused op pays.

    Example:
        >>> from kgraph.ir import input_node
        >>> from kgraph.passes.fuse import Fuse
        >>> x = input_node((2,), name="x")
        >>> graph = Graph((x,), (("y", -(x * x)),))
        >>> unfuse(Fuse().run(graph), {}).outputs == graph.outputs
        True
    """
    return _expand(graph, _too_small(graph, binding))


def unfuse_all(graph: Graph) -> Graph:
    """Expands every fused op, for whoever has to move or repeat single ops.

    Args:
        graph: a CORE or FUSED graph.

    Returns:
        The graph with the original nodes in their places; itself if it has no fused op.

    Example:
        >>> from kgraph.ir import input_node
        >>> from kgraph.passes.fuse import Fuse
        >>> x = input_node((4096, 4096), name="x")
        >>> graph = Graph((x,), (("y", -(x * x)),))
        >>> unfuse_all(Fuse().run(graph)).outputs == graph.outputs
        True
    """
    return _expand(graph, set(_fused(graph)))


def came_from(graph: Graph, binding: Mapping[str, int]) -> dict[Node, Node]:
    """Which node of a graph each node of `unfuse(graph, binding)` is, or was fused into.

    Args:
        graph: a CORE or FUSED graph.
        binding: the number of every symbol.

    Example:
        >>> from kgraph.ir import input_node
        >>> from kgraph.passes.fuse import Fuse
        >>> x = input_node((2,), name="x")
        >>> graph = Fuse().run(Graph((x,), (("y", -(x * x)),)))
        >>> {node.op.name: came.op.name for node, came in came_from(graph, {}).items()}
        {'input': 'input', 'negative': 'fused', 'multiply': 'fused'}
    """
    done, expanded = _parts(graph, _too_small(graph, binding))
    found: dict[Node, Node] = {}
    for node, made in done.items():
        outside = {done[i] for i in node.inputs}
        waiting = list(expanded.get(node, (made,)))
        while waiting:
            part = waiting.pop()
            if part in found or part in outside:
                continue
            found[part] = node
            if node in expanded:
                waiting.extend(part.inputs)
    return found


def _fused(graph: Graph) -> list[Node]:
    return [n for n in graph.nodes if n.op is fused]


def _too_small(graph: Graph, binding: Mapping[str, int]) -> set[Node]:
    known: dict[TensorType, int] = {}
    return {n for n in _fused(graph) if touched_bytes(n, binding, known) < PAYS}


def _expand(graph: Graph, chosen: Collection[Node]) -> Graph:
    if not chosen:
        return graph
    done, _ = _parts(graph, chosen)
    return graph.with_roots([done[root] for root in graph.roots])


def _parts(
    graph: Graph, chosen: Collection[Node]
) -> tuple[dict[Node, Node], dict[Node, tuple[Node, ...]]]:
    """What each node becomes, and all results of those that are expanded."""
    done: dict[Node, Node] = {}
    expanded: dict[Node, tuple[Node, ...]] = {}
    moved: set[Node] = set()
    for node in graph.nodes:
        if node in chosen:
            operands = [done[i] for i in node.inputs]
            origin = node.origin.made_by(node.origin.lineage[:-1])
            # The nodes that were fused are found again, with their labels, if anybody keeps them.
            with making(origin):
                expanded[node] = expand(operands, **node.attrs)
            done[node] = expanded[node][0]
        elif node.op is ITEM and node.inputs[0] in expanded:
            done[node] = expanded[node.inputs[0]][node.attrs["index"]]
        elif moved.isdisjoint(node.inputs):
            done[node] = node
            continue
        else:
            done[node] = rebuild(node, tuple([done[i] for i in node.inputs]))
        moved.add(node)
    return done, expanded


def touched_bytes(
    node: Node, binding: Mapping[str, int], known: dict[TensorType, int] | None = None
) -> int:
    """Bytes that the blocks of a fused op read and write; `known` keeps those of each type."""
    known = {} if known is None else known
    program = take_apart(node.attrs["program"], node.attrs["results"])
    read = {k for step in program.body for k in step.operands if k < program.operands}
    types = (*(node.inputs[k].type for k in read), *node.types)
    for type_ in types:
        if type_ not in known:
            known[type_] = evaluate(type_.nbytes, binding)
    return sum([known[t] for t in types])

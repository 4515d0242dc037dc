"""The memory view: which bytes of the arena each tensor of a plan takes, and for which steps."""

from __future__ import annotations

from collections.abc import Mapping

from kgraph.errors import StageError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.printer import ordered
from kgraph.runtime.planning import make_plan
from kgraph.tools.viz.model import Memory, Rectangle
from kgraph.tools.viz.roles import role_of


def memory_of(graph: Graph, binding: Mapping[str, int]) -> Memory:
    """Plans a graph and reads off where its tensors lie.

    Args:
        graph: a graph at stage core or fused.
        binding: a number for each symbolic size.

    Returns:
        A rectangle for each buffer of the arena, in the order of their first steps; a buffer that
        several tensors use in turn has the name of the first.

    Raises:
        StageError: the graph still has layers.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((256,), name="x")
        >>> memory_of(Graph((x,), (("y", ops.exp(ops.tanh(x)) + x),)), {}).arena
        1024
    """
    if graph.stage is Stage.LAYERS:
        raise StageError(explain("a graph of layers has no plan", hint="lower it first"))
    data = make_plan(graph, {name: binding[name] for name in graph.symbols})
    ids = {node: f"n{number}" for number, node in enumerate(ordered(graph))}
    moments = sorted({m for b in data.buffers for m in (b.start, b.end)})
    items: dict[int, Rectangle] = {}
    for step in data.steps:
        for operand in (*step.outputs, *step.scratch):
            base = operand.base
            if not isinstance(base, int) or base in items or not data.buffers[base].size:
                continue
            buffer, node = data.buffers[base], step.node
            # The planner may have rewritten a node; then the rectangle belongs to no box.
            items[base] = Rectangle(
                ids.get(node, ""), node.name, step.op.name, buffer.offset, buffer.size,
                buffer.start, buffer.end, role_of(node, True),
            )  # fmt: skip
    found = tuple(sorted(items.values(), key=lambda r: (r.start, r.offset)))
    last = moments[-1] + 1 if moments else 0
    return Memory(data.arena_bytes, data.lower_bound, last, found)

"""The interpreter: runs a graph node by node with no tricks. It is the oracle of the plans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.attributes import bind_attributes
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable
from kgraph.runtime.binding import bind_shapes, feed_arrays


def interpret(
    graph: Graph,
    arrays: Sequence[Any],
    *,
    binding: Mapping[str, int] | None = None,
    step: int = 0,
) -> tuple[tuple[np.ndarray, ...], dict[Variable, np.ndarray]]:
    """Runs a CORE or FUSED graph without optimizing it and without changing any variable.

    Args:
        graph: what to run.
        arrays: one array an input, in the order of `graph.inputs`.
        binding: numbers of symbols that no input shows.
        step: what random ops take as their counter.

    Returns:
        The outputs, and the value that each update would store.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> interpret(Graph((x,), (("y", x + x),)), [[1.0, 2.0]])[0]
        (array([2., 4.], dtype=float32),)
    """
    fed = feed_arrays(graph.inputs, arrays)
    sizes = {**bind_shapes(graph.inputs, [a.shape for a in fed]), **(binding or {})}
    values: dict[Node, Any] = dict(zip(graph.inputs, fed, strict=True))
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            if node not in values:
                values[node] = evaluate(node, values, sizes, step)
    outputs = tuple(np.array(values[n]) for _, n in graph.outputs)
    return outputs, {v: np.array(values[n]) for v, n in graph.updates}


def evaluate(node: Node, values: Mapping[Node, Any], sizes: Mapping[str, int], step: int) -> Any:
    """The value of a node, from those of its operands.

    Args:
        node: what to compute.
        values: those of its operands.
        sizes: numbers of symbols.
        step: what random ops take as their counter.
    """
    if isinstance(node, Variable):
        return node.value
    if node.op.name == "rng_step":
        return np.array(step, dtype=np.int64)
    operands = [values[n] for n in node.inputs]
    if node.op.name == "item":
        return operands[0][node.attrs["index"]]
    return node.op.kernel(*operands, **bind_attributes(node.attrs, sizes))

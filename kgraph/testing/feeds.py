"""Arrays for the inputs of a graph: whole numbers, special values or harmless ones, and valid ids.

What an integer input may hold is read off the graph: ids must lie on the axis that they index.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph
from kgraph.ir.node import Node
from kgraph.passes.lower import lower
from kgraph.testing.specials import special_values

Kind = Literal["whole", "special", "smooth", "normal"]

# Op -> (operand that holds ids, size of the axis that they index), read from its node.
_INDEXING = {
    "take": lambda n: (1, n.inputs[0].shape[n.attrs["axis"]]),
    "take_along_axis": lambda n: (1, n.inputs[0].shape[n.attrs["axis"]]),
    "add_along_axis": lambda n: (1, n.inputs[0].shape[n.attrs["axis"]]),
    "scatter_add": lambda n: (1, n.inputs[0].shape[n.attrs["axis"]]),
    "scatter_max": lambda n: (1, n.inputs[0].shape[n.attrs["axis"]]),
    "scatter_min": lambda n: (1, n.inputs[0].shape[n.attrs["axis"]]),
    "scatter_multiply": lambda n: (1, n.inputs[0].shape[n.attrs["axis"]]),
    "scatter_set": lambda n: (1, n.inputs[0].shape[n.attrs["axis"]]),
    "one_hot": lambda n: (0, n.attrs["num_classes"]),
    "sparse_softmax_cross_entropy": lambda n: (1, n.inputs[0].shape[-1]),
    "sparse_categorical_crossentropy": lambda n: (0, n.inputs[1].shape[-1]),
}
# Ops whose output holds the ids of their operand.
_CARRIERS = frozenset(
    ["cast", "expand_dims", "flip", "identity", "reshape", "slice", "squeeze", "stop_gradient",
     "transpose", "broadcast_to", "concatenate"]
)  # fmt: skip


def feed(
    graph: Graph,
    rng: np.random.Generator,
    *,
    batch: int = 3,
    kind: Kind = "whole",
    sizes: Mapping[str, int] | None = None,
) -> list[np.ndarray]:
    """Arrays for the inputs of a graph.

    Args:
        graph: any graph; layers are lowered to see what their inputs index.
        rng: what is drawn from.
        batch: the number of every symbolic size that `sizes` does not name.
        kind: "whole" numbers from -4 to 4, "special" values, "smooth" ones in [0.3, 1.7), which no
            function refuses, or standard "normal" ones. Integers that index are valid ids always.
        sizes: numbers of symbols.

    Returns:
        One array an input.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> table, ids = input_node((3, 2)), input_node((40,), "int32")
        >>> graph = Graph((table, ids), (("rows", ops.take(table, ids, axis=0)),))
        >>> int(feed(graph, np.random.default_rng(0))[1].max())
        2
    """
    graph = lower(graph)
    binding = {**dict.fromkeys(graph.symbols, batch), **(sizes or {})}
    limits = id_limits(graph, binding)
    found = []
    for node in graph.inputs:
        shape = tuple(evaluate(d, binding) for d in node.shape)
        if node in limits:
            found.append(rng.integers(0, max(limits[node], 1), shape).astype(node.dtype))
        else:
            found.append(fill(rng, shape, node.dtype, kind))
    return found


def fill(
    rng: np.random.Generator, shape: tuple[int, ...], dtype: str, kind: Kind = "whole"
) -> np.ndarray:
    """An array of random elements.

    Args:
        rng: what is drawn from.
        shape: its sizes.
        dtype: of its elements.
        kind: as for `feed`.

    Returns:
        A new array.

    Example:
        >>> fill(np.random.default_rng(0), (2,), "bool").dtype
        dtype('bool')
    """
    if dtype == "bool":
        return rng.random(shape) < 0.5
    if kind == "special":
        return rng.choice(special_values(dtype), shape)
    if not dtype.startswith("float") or kind == "whole":
        return rng.integers(0 if dtype == "uint8" else -4, 5, shape).astype(dtype)
    values = rng.normal(size=shape) if kind == "normal" else rng.uniform(0.3, 1.7, shape)
    return values.astype(dtype)


def id_limits(graph: Graph, binding: Mapping[str, int]) -> dict[Node, int]:
    """Inputs that index something -> the size of the smallest axis that they index.

    Args:
        graph: any CORE or FUSED graph.
        binding: numbers of its symbols.

    Returns:
        What ids of an input must stay below; no entry for other inputs.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> ids = input_node((4,), "int32")
        >>> id_limits(Graph((ids,), (("hot", ops.one_hot(ids, 5)),)), {})[ids]
        5
    """
    limits: dict[Node, int] = {}
    for node in graph.nodes[::-1]:
        found = _INDEXING.get(node.op.name)
        if found is not None:
            place, size = found(node)
            _lower(limits, node.inputs[place], evaluate(size, binding))
        if node in limits and node.op.name in _CARRIERS:
            for operand in node.inputs:  # a float one holds ids that are cast on the way
                _lower(limits, operand, limits[node])
    return {n: limits[n] for n in graph.inputs if n in limits}


def _lower(limits: dict[Node, int], node: Node, limit: int) -> None:
    limits[node] = min(limit, limits.get(node, limit))

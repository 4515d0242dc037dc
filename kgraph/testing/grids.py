"""Numbers on which forms of one expression are compared where not every bit must stay."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph
from kgraph.testing.feeds import feed

# Where no form of an expression has trouble in float64, for which there is no wider reference.
SMALL = (0.0, -0.0, 1.0, -1.0, 0.5, -2.0, 3.0, 1e-3, -1e-3)
# exp(17) still leaves half of float64's digits to what is added to it.
MODERATE = (*SMALL, 17.0, -17.0, 0.1, -0.3, 1e-8)


def feed_grid(
    graph: Graph, rng: np.random.Generator, grid: Sequence[float], rows: int
) -> list[np.ndarray]:
    """Arrays for the inputs of a graph: floats from a grid, special values for what is no float.

    Args:
        graph: a CORE graph.
        rng: what is drawn from.
        grid: the numbers.
        rows: of symbolic sizes.

    Returns:
        One array an input.

    Example:
        >>> from kgraph.ir import input_node
        >>> graph = Graph((input_node((2,)),), ())
        >>> feed_grid(graph, np.random.default_rng(0), (0.5,), 3)
        [array([0.5, 0.5], dtype=float32)]
    """
    arrays = feed(graph, rng, batch=rows, kind="special")
    binding = dict.fromkeys(graph.symbols, rows)
    for i, node in enumerate(graph.inputs):
        if node.type.is_float:
            shape = tuple(evaluate(d, binding) for d in node.shape)
            arrays[i] = rng.choice(np.array(grid, node.dtype), shape)
    return arrays

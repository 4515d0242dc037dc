"""Points to differentiate at: away from the kinks of relu, max, abs and sort by construction."""

from __future__ import annotations

import numpy as np

from kgraph.ir.dim import evaluate
from kgraph.ir.graph import Graph
from kgraph.testing.feeds import feed, id_limits

GAP = 0.05  # elements keep this distance from zero, from ones and, in small arrays, from each other


def spread(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Numbers from -2 to 2 in random order, evenly spaced but for some noise.

    Args:
        rng: what is drawn from.
        shape: of the array.

    Returns:
        A float64 array, no two elements of which are near each other, zero, one or minus one.

    Example:
        >>> values = spread(np.random.default_rng(0), (3,))
        >>> bool(np.abs(values).min() >= GAP)
        True
    """
    count = int(np.prod(shape))
    grid = (np.arange(count) + 0.5 + rng.uniform(-0.2, 0.2, count)) / max(count, 1)
    values = rng.permutation(4 * grid - 2)
    for kink in (-1.0, 0.0, 1.0):
        distance = values - kink
        near = np.abs(distance) < GAP
        values[near] = kink + np.where(distance[near] < 0, -GAP, GAP) * (1 + np.abs(distance[near]))
    return values.reshape(shape)


def draw_point(graph: Graph, rng: np.random.Generator, batch: int = 3) -> list[np.ndarray]:
    """Arrays for the inputs of a graph at which it is likely to have a derivative.

    Args:
        graph: a CORE graph.
        rng: what is drawn from.
        batch: the number of every symbolic size.

    Returns:
        One array an input: spread floats, valid ids, small integers.

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), "float64", name="x")
        >>> draw_point(Graph((x,), (("y", x * x),)), np.random.default_rng(0))[0].shape
        (2,)
    """
    arrays = feed(graph, rng, batch=batch)
    binding = dict.fromkeys(graph.symbols, batch)
    ids = id_limits(graph, binding)
    for i, node in enumerate(graph.inputs):
        if node.type.is_float:
            shape = tuple(evaluate(d, binding) for d in node.shape)
            arrays[i] = spread(rng, shape).astype(node.dtype)
        elif node.dtype != "bool" and node not in ids:
            arrays[i] = np.abs(arrays[i])
    return arrays


def moved(rng: np.random.Generator, array: np.ndarray) -> np.ndarray:
    """A float array moved a little, another one as it is.

    Args:
        rng: what is drawn from.
        array: any array.

    Returns:
        An array of the same shape and dtype.

    Example:
        >>> moved(np.random.default_rng(0), np.array([3])).tolist()
        [3]
    """
    if array.dtype.kind != "f":
        return array
    return array + 0.01 * rng.normal(size=array.shape) * (np.abs(array) + 0.1)

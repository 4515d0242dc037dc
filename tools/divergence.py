"""Where a plan's results part from the interpreter's: the outputs that do, and the first node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from kgraph.ir.graph import Graph
from kgraph.ir.leaves import ITEM
from kgraph.ir.node import Node
from kgraph.ir.printer import name_nodes
from kgraph.ir.variable import Variable, keeping
from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.tools.progress import progress

Arrays = Sequence[np.ndarray]
Results = tuple[list[np.ndarray], dict[Variable, np.ndarray]]  # outputs, new values of variables


@dataclass(frozen=True)
class Divergence:
    """A value that two ways of computing it do not agree on.

    Args:
        name: of the output, the update or the node.
        error: the largest difference, as a part of the largest magnitude.
        place: layer and source line, or "".
    """

    name: str
    error: float
    place: str = ""


def apart(a: np.ndarray, b: np.ndarray, rtol: float, atol: float) -> float | None:
    """The relative distance of two arrays that are not close, else None.

    Example:
        >>> apart(np.ones(2), np.array([1.0, 2.0]), 1e-3, 1e-6)
        0.5
        >>> apart(np.ones(2), np.ones(2), 1e-3, 1e-6) is None
        True
    """
    if a.shape != b.shape:
        return float("inf")
    with np.errstate(all="ignore"):
        if np.allclose(a, b, rtol, atol, equal_nan=True):
            return None
        gap = np.abs(a.astype("float64") - b.astype("float64"))
        scale = max(np.nanmax(np.abs(a), initial=0.0), np.nanmax(np.abs(b), initial=0.0))
        known = np.isfinite(gap).any()
        return float(np.nanmax(gap, initial=0.0) / scale) if known else float("inf")


def run_kept(graph: Graph, arrays: Arrays) -> Results:
    """Outputs and new values of the variables, which have their old ones again afterwards."""
    executable = compile(graph)
    with keeping(executable.graph.states):
        outputs = executable(*arrays)
        return list(outputs), {v: v.numpy() for v, _ in graph.updates}


def compare_with_interpreter(
    graph: Graph, arrays: Arrays, found: Results, rtol: float, atol: float
) -> list[Divergence]:
    """Outputs and updates on which a plan and the interpreter do not agree.

    Args:
        graph: a CORE graph.
        arrays: one an input.
        found: what the plan made of them.
        rtol: allowed difference, relative to the value.
        atol: allowed difference.
    """
    expected, written = interpret(graph, arrays)
    outputs, states = found
    pairs = [(name, a, b) for (name, _), a, b in zip(graph.outputs, expected, outputs, strict=True)]
    pairs += [(v.name, written[v], states[v]) for v, _ in graph.updates]
    errors = [(name, apart(a, b, rtol, atol)) for name, a, b in pairs]
    return [Divergence(name, error) for name, error in errors if error is not None]


def first_divergence(graph: Graph, arrays: Arrays, rtol: float, atol: float) -> Divergence | None:
    """The first node, operands before users, that a plan of its own computes differently.

    Args:
        graph: a CORE graph.
        arrays: one an input.
        rtol: allowed difference, relative to the value.
        atol: allowed difference.

    Returns:
        The node; None if the difference shows in the whole graph alone.
    """
    nodes = [n for n in graph.nodes if n.inputs and len(n.types) == 1]
    names = name_nodes(graph)
    values = interpret(_outputs(graph, nodes), arrays)[0]
    for node, value in progress(list(zip(nodes, values, strict=True)), "first diverging node"):
        error = apart(value, run_kept(_outputs(graph, [node]), arrays)[0][0], rtol, atol)
        if error is not None:
            what = node.inputs[0] if node.op is ITEM else node
            place = " ".join(filter(None, (what.origin.scope, what.origin.where)))
            return Divergence(f"{names[node]} {what.op.name}", error, place)
    return None


def _outputs(graph: Graph, nodes: Sequence[Node]) -> Graph:
    return Graph(graph.inputs, tuple((f"v{i}", n) for i, n in enumerate(nodes)), (), graph.stage)


def describe(array: np.ndarray) -> dict[str, Any]:
    """Shape, dtype, least, greatest and mean element, and how many are NaN or infinite."""
    numbers = array.astype("float64") if array.size else np.zeros(0)
    real = numbers[~np.isnan(numbers)]
    with np.errstate(all="ignore"):
        return {
            "shape": list(array.shape),
            "dtype": array.dtype.name,
            "min": float(real.min()) if real.size else None,
            "max": float(real.max()) if real.size else None,
            "mean": float(real.mean()) if real.size else None,
            "nan": int(np.isnan(numbers).sum()),
            "inf": int(np.isinf(numbers).sum()),
        }

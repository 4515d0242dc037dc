"""What a notebook shows of a graph: an svg of the own engine, or nothing if it cannot be."""

from __future__ import annotations

from kgraph.ir.graph import Graph
from kgraph.tools.viz.svg import to_svg
from kgraph.tools.viz.view import build_view


def svg_of(graph: Graph | None, title: str = "") -> str | None:
    """The picture of a graph for a notebook.

    Args:
        graph: a graph, or None of a model without one.
        title: written above it.

    Returns:
        Text of an SVG file, or None: a display of a variable must never raise.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> svg_of(Graph((x,), (("y", x),)))[:4]
        '<svg'
    """
    if graph is None:
        return None
    try:
        return to_svg(build_view(graph, title, costs=False))
    except Exception:
        return None

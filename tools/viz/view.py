"""Makes the view of a graph: which nodes are boxes, which lie in which cluster, what is open."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace

from kgraph.errors import explain
from kgraph.ir.collecting import without_collection
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.printer import ordered
from kgraph.passes.cost import SIZE_HINT
from kgraph.tools.viz.builder import Drawing, Expand, draw_graph
from kgraph.tools.viz.expansions import open_loop, open_model, open_region
from kgraph.tools.viz.facts import Facts
from kgraph.tools.viz.folding import fold_repeats
from kgraph.tools.viz.memory import memory_of
from kgraph.tools.viz.model import VIEWS, Edge, GraphView, by_id
from kgraph.tools.viz.opening import open_clusters
from kgraph.tools.viz.scopes import paths_of

_LOOPS: dict[str, Expand] = {"scan": open_loop}
_EXPANSIONS: dict[str, dict[str, Expand]] = {
    "layers": {"layer_call": open_model, **_LOOPS},
    "ops": _LOOPS,
    "step": _LOOPS,
    "fused": {"fused": open_region, **_LOOPS},
    "memory": {},
}


@without_collection
def build_view(
    graph: Graph,
    title: str = "",
    *,
    view: str | None = None,
    depth: int | None = None,
    fold: bool = True,
    dims: Mapping[str, int] | None = None,
    costs: bool = True,
    folders: bool = False,
) -> GraphView:
    """Makes the picture of a graph.

    Args:
        graph: any graph.
        title: written above the picture.
        view: layers (a box a layer call, nested models as clusters), ops (a box an op, in clusters
            by layer path), step (ops by their phase of a training step), fused (each fused region
            a cluster of its members), or memory (the arena over the schedule); default layers for
            a graph of layers, else ops.
        depth: clusters nested deeper are closed; default as deep as leaves at most 300 boxes.
        fold: whether equal blocks in a row are shown once.
        dims: numbers for symbolic sizes, for estimates and the memory view; default 32.
        costs: whether to estimate flops and bytes of each box.
        folders: whether source files keep their folders.

    Returns:
        The view; equal graphs give equal views.

    Raises:
        ValueError: there is no such view.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> [box.kind for box in build_view(Graph((x,), (("y", x),))).boxes]
        ['input', 'output']
    """
    view = view or ("layers" if graph.stage is Stage.LAYERS else "ops")
    if view not in VIEWS:
        raise ValueError(explain("unknown view", expected=", ".join(VIEWS), got=view))
    symbols = dict.fromkeys(graph.symbols, SIZE_HINT) | dict(dims or {})
    made = _draw(graph, view, Facts(symbols, view == "step", costs, folders))
    made = replace(made, title=title)
    if view == "memory":
        return replace(made, memory=memory_of(graph, symbols))
    if fold and view != "step":
        made = fold_repeats(made)
    return open_clusters(made, depth)


def _draw(graph: Graph, view: str, facts: Facts) -> GraphView:
    drawing = Drawing(facts, _EXPANSIONS[view])
    step = view == "step"
    draw_graph(drawing, graph, paths_of(graph, ordered(graph), step), step)
    _mark_shared(drawing)
    return GraphView("", view, graph.stage.value, facts.symbols, tuple(drawing.boxes),
                     tuple(drawing.edges), tuple(drawing.clusters.values()))  # fmt: skip


def _mark_shared(drawing: Drawing) -> None:
    """Numbers the calls of layers that are called more than once, and links one to the next."""
    sharing = {
        id: (number, len(calls))
        for calls in drawing.calls.values()
        if len(calls) > 1
        for number, id in enumerate(calls, 1)
    }
    drawing.boxes = [
        replace(b, sharing=sharing[b.id]) if b.id in sharing else b for b in drawing.boxes
    ]
    for id, cluster in drawing.clusters.items():
        if cluster.box and id in sharing:
            box = replace(cluster.box, sharing=sharing[id])
            drawing.clusters[id] = replace(cluster, box=box)
    boxes = by_id(drawing.boxes)
    for calls in drawing.calls.values():
        for one, two in itertools.pairwise(calls):
            if one in boxes and two in boxes:  # clusters are no ends of edges
                drawing.edges.append(Edge(one, two, kind="shared"))

"""Makes the view of a graph: which nodes are boxes, which lie in which cluster, what is open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from kgraph.errors import RenderError, explain
from kgraph.ir.collecting import without_collection
from kgraph.ir.dim import Dim
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.printer import ordered
from kgraph.ir.types import TensorType
from kgraph.passes.cost import SIZE_HINT
from kgraph.tools.viz.builder import Drawing, Expand, draw_graph
from kgraph.tools.viz.calls import mark_calls, merge_calls
from kgraph.tools.viz.expansions import open_loop, open_model, open_region
from kgraph.tools.viz.facts import Facts
from kgraph.tools.viz.folding import fold_repeats
from kgraph.tools.viz.memory import memory_of
from kgraph.tools.viz.model import VIEWS, Box, GraphView
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
    calls: bool = False,
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
        dims: numbers for symbolic sizes; others stay, and are 32 for estimates and memory.
        costs: whether to estimate flops and bytes of each box.
        folders: whether source files keep their folders.
        calls: whether a layer that is called k times is k boxes instead of one.

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
    made = _draw(graph, view, Facts(symbols, view == "step", costs, folders), calls)
    made = _sized(replace(made, title=title), dims or {})
    if view == "memory":
        return replace(made, memory=memory_of(graph, symbols))
    if fold and view != "step":
        made = fold_repeats(made)
    return open_clusters(made, depth)


def _draw(graph: Graph, view: str, facts: Facts, calls: bool) -> GraphView:
    drawing = Drawing(facts, _EXPANSIONS[view])
    step = view == "step"
    draw_graph(drawing, graph, paths_of(graph, ordered(graph), step), step)
    (mark_calls if calls else merge_calls)(drawing)
    return GraphView("", view, graph.stage.value, facts.symbols, tuple(drawing.boxes),
                     tuple(drawing.edges), tuple(drawing.clusters.values()))  # fmt: skip


def refuse_large(view: GraphView, most: int) -> None:
    """Complains about a view of too many boxes.

    Raises:
        RenderError: it has more than `most`.
    """
    if len(view.boxes) > most:
        message = f"the view has {len(view.boxes):,} boxes, --max-nodes is {most:,}"
        raise RenderError(explain(message, hint="--select, or a larger --max-nodes"), "E0601")


def _sized(view: GraphView, dims: Mapping[str, int]) -> GraphView:
    """The view with numbers for some symbolic sizes."""
    if not dims:
        return view

    def typed(type_: TensorType) -> TensorType:
        sizes = (d.substitute(dims) if isinstance(d, Dim) else d for d in type_.shape)
        return TensorType(tuple(sizes), type_.dtype)

    def boxed(box: Box) -> Box:
        return replace(box, types=tuple(map(typed, box.types)))

    return replace(
        view,
        boxes=tuple(map(boxed, view.boxes)),
        edges=tuple(replace(e, type=e.type and typed(e.type)) for e in view.edges),
        clusters=tuple(replace(c, box=c.box and boxed(c.box)) for c in view.clusters),
    )

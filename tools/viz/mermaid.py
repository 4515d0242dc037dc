"""A view as a Mermaid flowchart, for pages that draw those, such as READMEs."""

from __future__ import annotations

from kgraph.tools.viz.looks import (
    EDGE_COLORS,
    THEMES,
    Look,
    Style,
    edge_label,
    look_of,
    operand_types,
    title_of,
)
from kgraph.tools.viz.model import Box, Cluster, GraphView, by_id
from kgraph.tools.viz.opening import visible
from kgraph.tools.viz.painting import Painting, painting

_DIRECTIONS = {"TB": "TD", "BT": "BT", "LR": "LR", "RL": "RL"}
_ARROWS = {"state": "-.->", "control": "-.->", "shared": "-.-"}
# What means nothing to Mermaid inside of quotes; everything else of ASCII goes by number.
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.,:/()[]=+×→…")


def to_mermaid(view: GraphView, style: Style | None = None) -> str:
    """The view as Mermaid source.

    Args:
        view: from `build_view`.
        style: how it is to look.

    Returns:
        Text that starts with `flowchart`; equal views give equal text.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> print(to_mermaid(build_view(Graph((x,), (("y", ops.tanh(x)),)))).split("\\n")[1])
          n0["x (input)<br/>f32[2]"]:::input
    """
    style = style or Style()
    whole, view = view, visible(view)
    paint = painting(whole, view, style.color_by)
    given = operand_types(view)
    classes: dict[str, str] = {}
    lines = [f"flowchart {_DIRECTIONS[style.rankdir]}"]
    table = by_id(view.clusters)
    opened: list[Cluster] = []
    for box in _by_cluster(view):
        path = [table[c] for c in _around(table, box.cluster)]
        while opened and opened != path[: len(opened)]:
            opened.pop()
            lines.append("  " * len(opened) + "  end")
        for cluster in path[len(opened) :]:
            title = quoted(title_of(cluster, paint.row(cluster.id)))
            lines.append("  " * len(opened) + f"  subgraph {cluster.id}[{title}]")
            opened.append(cluster)
        look = look_of(box, style.show, given.get(box.id, ()), paint.row(box.id))
        head = " ".join(filter(None, (look.name, look.type, look.tag)))
        label = "<br/>".join(map(escaped, (head, *look.rows)))
        name = _class(box, look, paint, style, classes)
        lines.append("  " * len(opened) + f'  {box.id}["{label}"]:::{name}')
    lines += ["  " * depth + "end" for depth in range(len(opened), 0, -1)]
    boxes = by_id(view.boxes)
    for edge in view.edges:
        label = edge_label(edge, boxes[edge.source])
        text = f"|{quoted(label)}|" if label else ""
        lines.append(f"  {edge.source} {_ARROWS.get(edge.kind, '-->')}{text} {edge.target}")
    if paint.legend is not None:
        lines.append(f"  legend[{quoted(str(paint.legend))}]")
    order = {name: place for place, name in enumerate(THEMES[style.theme].bands)}
    used = sorted(classes.items(), key=lambda item: order.get(item[1], 0))
    lines += [f"  classDef {name} {colors}" for colors, name in used]
    return "\n".join(lines) + "\n"


def _by_cluster(view: GraphView) -> list[Box]:
    """The boxes, those of one cluster together, clusters where their first box is."""
    table = by_id(view.clusters)
    first: dict[str, int] = {}
    for i, box in enumerate(view.boxes):
        for cluster in _around(table, box.cluster):
            first.setdefault(cluster, i)
    keys = [
        (*(first[c] for c in _around(table, box.cluster)), i) for i, box in enumerate(view.boxes)
    ]
    # A cluster's first box has its cluster's number twice, and so stands where the cluster does.
    return [view.boxes[key[-1]] for key in sorted(keys)]


def _around(table: dict[str, Cluster], cluster: str | None) -> list[str]:
    found: list[str] = []
    while cluster is not None:
        found.append(cluster)
        cluster = table[cluster].parent
    return found[::-1]


def _class(box: Box, look: Look, paint: Painting, style: Style, classes: dict[str, str]) -> str:
    """The name of a box's class; each pair of colours is one, and new ones are entered."""
    fill = paint.fills.get(box.id)
    color, ink = (fill.color, fill.ink) if fill else (THEMES[style.theme].bands[look.band], "#fff")
    colors = f"fill:{color},color:{ink},stroke:{EDGE_COLORS['state']}"
    return classes.setdefault(colors, f"value{len(classes)}" if fill else look.band)


def quoted(text: str) -> str:
    """A text in the quotes that Mermaid needs."""
    return f'"{escaped(text)}"'


def escaped(text: str) -> str:
    """A text without anything that Mermaid or the HTML that it makes would read as its own.

    Example:
        >>> escaped('say "<b>"')
        'say #34;#60;b#62;#34;'
    """
    return "".join(c if c in _SAFE or ord(c) > 127 else f"#{ord(c)};" for c in text) or " "

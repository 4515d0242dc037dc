"""A view as DOT for Graphviz: one table a box, frames by cluster, the looks of `looks.py`."""

from __future__ import annotations

import html

import graphviz

from kgraph.tools.viz.looks import (
    EDGE_COLORS,
    THEMES,
    Look,
    Style,
    Theme,
    edge_label,
    look_of,
    operand_types,
    title_of,
    tooltip,
)
from kgraph.tools.viz.model import Box, Edge, GraphView, by_id
from kgraph.tools.viz.opening import visible
from kgraph.tools.viz.painting import Fill, Legend, painting
from kgraph.tools.viz.palette import shade
from kgraph.tools.viz.scales import tick_text
from kgraph.tools.viz.text import clean

FONT = "DejaVu Sans,Verdana,Helvetica,Arial,sans-serif"
NARROW = "\u2009\u2009"
# Beyond this many boxes Graphviz gets cheaper settings, or it would not come back.
LARGE = 600
_SPLINES = {"polyline": "polyline", "curved": "true", "straight": "line", "ortho": "ortho"}


def to_dot(view: GraphView, style: Style | None = None) -> str:
    """The view as DOT source.

    Args:
        view: from `build_view`.
        style: how it is to look.

    Returns:
        Text that `dot` reads; equal views give equal text.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> view = build_view(Graph((x,), (("y", ops.tanh(x)),)))
        >>> to_dot(view).split()[0]
        'digraph'
    """
    return str(to_digraph(view, style or Style()).source)


def to_digraph(view: GraphView, style: Style) -> graphviz.Digraph:
    """The view as an object of the graphviz package."""
    whole, view, theme = view, visible(view), THEMES[style.theme]
    paint = painting(whole, view, style.color_by)
    attributes = _graph_attributes(view, style, theme, paint.legend)
    root = graphviz.Digraph("kgraph", graph_attr=attributes)
    root.attr("node", shape="plain", fontname=FONT, fontsize="10.5", fontcolor=theme.ink)
    root.attr("edge", fontname=FONT, fontsize="9", fontcolor=theme.faint, color=theme.line,
              arrowsize="0.6", penwidth="1.1")  # fmt: skip
    frames = {cluster.id: graphviz.Digraph(f"cluster_{cluster.id}") for cluster in view.clusters}
    for cluster in view.clusters:
        line = "rounded,filled,dashed" if cluster.kind in ("loop", "repeat", "fused") else (
            "rounded,filled")  # fmt: skip
        fill = paint.fills.get(cluster.id)
        frames[cluster.id].attr(
            label=plain(title_of(cluster, paint.row(cluster.id))), tooltip=plain(cluster.path),
            style=line, color=fill.color if fill else theme.frame_border, fillcolor=theme.frame,
            fontname=FONT, fontsize="12", fontcolor=theme.faint, labeljust="l", margin="12",
            penwidth="4" if fill else None,
        )  # fmt: skip
    given = operand_types(view)
    for box in view.boxes:
        look = look_of(box, style.show, given.get(box.id, ()), paint.row(box.id))
        tip = graphviz.escape("&#10;".join(clean(f).replace("&", "&amp;") for f in tooltip(box)))
        home = frames[box.cluster] if box.cluster else root
        home.node(box.id, _label(box, look, paint.fills.get(box.id), theme), tooltip=tip)
    # Children before parents: a frame is copied into the one around it when it is complete.
    for cluster in reversed(view.clusters):
        (frames[cluster.parent] if cluster.parent else root).subgraph(frames[cluster.id])
    boxes = by_id(view.boxes)
    for edge in view.edges:
        root.edge(edge.source, edge.target, **_edge(edge, boxes[edge.source], style, theme))
    return root


def _graph_attributes(
    view: GraphView, style: Style, theme: Theme, legend: Legend | None
) -> dict[str, str]:
    attributes = {
        "rankdir": style.rankdir,
        "bgcolor": theme.page,
        "fontname": FONT,
        "fontsize": "14",
        "fontcolor": theme.ink,
        "nodesep": "0.35",
        "ranksep": "0.45",
        "pad": "0.2",
        "splines": _SPLINES[style.splines],
        "tooltip": plain(view.title) or "kgraph",
    }
    if view.title or legend:
        label = _legend(view.title, legend, theme) if legend else plain(view.title)
        attributes |= {"label": label, "labelloc": "t", "labeljust": "l"}
    if style.size is not None:
        attributes["size"] = ",".join(f"{side / 96:.3f}" for side in style.size) + "!"
    if len(view.boxes) > LARGE:
        attributes |= {"splines": "line", "nslimit": "2", "nslimit1": "2", "mclimit": "0.5"}
    return attributes


def _legend(title: str, legend: Legend, theme: Theme) -> str:
    """The graph's label as a table: its title, then what the colours mean."""
    cells = [f"<TD>{_cell(clean(legend.title), '10.5', theme.ink, bold=True)}</TD>"]
    patches = list(legend.kinds)
    if legend.scale is not None:
        scale, (least, most) = legend.scale, legend.ends
        cells.append(f"<TD>{_cell(scale.name + NARROW, '10.5', theme.ink)}</TD>")
        ticks = [(tick_text(tick), scale.color(tick)) for tick in scale.ticks()]
        patches += [(least, shade(0)), *ticks, (most, shade(1))]
    for kind, color in patches:
        cells.append(f'<TD WIDTH="12" BGCOLOR="{color}"> </TD>')
        cells.append(f"<TD>{_cell(clean(kind) + NARROW, '10.5', theme.ink)}</TD>")
    table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="2">'
    rows = f"<TR>{''.join(cells)}</TR>"
    head = f'<TR><TD ALIGN="LEFT">{_cell(clean(title), "14", theme.ink)}</TD></TR>' if title else ""
    return f"<{table}{head}<TR><TD>{table}{rows}</TABLE></TD></TR></TABLE>>"


def plain(text: str) -> str:
    """A text for an attribute of DOT: no escape sequences of Graphviz, no entities, never HTML."""
    return graphviz.escape(clean(text).replace("&", "&amp;"))


def _cell(text: str, size: str, color: str, bold: bool = False) -> str:
    # Graphviz replaces \\N and \\G even here, so a backslash is written twice.
    inner = html.escape(text).replace("\\", "\\\\") or " "
    inner = f"<B>{inner}</B>" if bold else inner
    return f'<FONT POINT-SIZE="{size}" COLOR="{color}">{inner}</FONT>'


def _label(box: Box, look: Look, fill: Fill | None, theme: Theme) -> str:
    """An HTML-like label: a coloured band with name and type, then one line a row."""
    color, ink = (fill.color, fill.ink) if fill else (theme.bands[look.band], "#ffffff")
    head = _cell(look.name, "12", ink, bold=True)
    head += _cell(f"  {look.type}", "10.5", ink) if look.type else ""
    head += _cell(f"   {look.tag}", "10.5", ink, bold=True) if look.tag else ""
    border = EDGE_COLORS["shared"] if box.sharing else theme.border
    dashed = ' STYLE="DASHED"' if box.kind == "const" else ""
    lines = [f'<TR><TD BGCOLOR="{color}" ALIGN="LEFT">{head}</TD></TR>']
    lines += [
        # Browsers need a little more room than `dot` thinks, so rows end with a space.
        f'<TR><TD ALIGN="LEFT">{_cell(row + NARROW, "10.5", theme.ink)}</TD></TR>'
        for row in look.rows
    ]
    return (
        f'<<TABLE BORDER="1" CELLBORDER="0" CELLSPACING="0" CELLPADDING="4" COLOR="{border}" '
        f'BGCOLOR="{theme.body}"{dashed}>{"".join(lines)}</TABLE>>'
    )


def _edge(edge: Edge, box: Box, style: Style, theme: Theme) -> dict[str, str]:
    color = EDGE_COLORS.get(edge.kind, theme.line)
    if edge.kind == "shared":
        return {"style": "dotted", "dir": "none", "constraint": "false", "color": color,
                "tooltip": "same weights"}  # fmt: skip
    if edge.kind == "control":
        return {"style": "dotted", "constraint": "false", "color": color,
                "tooltip": "next turn of the loop"}  # fmt: skip
    label = edge_label(edge, box)
    attributes = {"color": color, "tooltip": plain(str(edge.type or label))}
    if label:
        attributes["label"] = plain(f" {label}")
    if edge.count > 1:
        attributes["penwidth"] = "2.5"
    if edge.kind == "state":
        attributes["style"] = "dashed"
    return attributes

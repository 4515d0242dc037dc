"""A view as DOT for Graphviz: quiet colours, one rounded box a node, frames by layer path."""

from __future__ import annotations

import html
import unicodedata

import graphviz

from kgraph.tools.viz.model import Box, Cluster, Edge, GraphView
from kgraph.tools.viz.opening import visible

# kind -> (border, fill, text beside the name). Colour is never the only sign: the kind is written
# into the box too, or its border differs.
PALETTE = {
    "input": ("#6a9bd1", "#eaf2fb", "#3d6a9c"),
    "layer": ("#9aa5b1", "#ffffff", "#6b7785"),
    "shared": ("#4fa39a", "#eaf6f4", "#2f7d74"),
    "op": ("#b4bcc6", "#ffffff", "#6b7785"),
    "state": ("#a48fd0", "#f4f0fb", "#7359ad"),
    "const": ("#b4bcc6", "#fafafa", "#6b7785"),
    "output": ("#d8a24a", "#fdf5e6", "#9a6c17"),
    "update": ("#c08a6b", "#faf1ec", "#8d5737"),
    "arg": ("#6a9bd1", "#f7fafd", "#3d6a9c"),
    "result": ("#d8a24a", "#fefaf3", "#9a6c17"),
}
PALETTE_OF_CLUSTERS = ("scope", "model", "loop", "fused", "phase", "repeat", "part")
PALETTE |= dict.fromkeys(PALETTE_OF_CLUSTERS, ("#7b8794", "#eef1f5", "#52606d"))
FONT = "Helvetica,Arial,sans-serif"
INK, FAINT = "#22303c", "#8a94a0"
# Longer texts are cut; the tooltip has all of them.
WIDEST = 40
# Beyond this many boxes Graphviz gets cheaper settings, or it would not come back.
LARGE = 600


def to_dot(view: GraphView, rankdir: str = "TB") -> str:
    """The view as DOT source.

    Args:
        view: from `build_view`.
        rankdir: TB, BT, LR or RL.

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
    view = visible(view)
    root = graphviz.Digraph(
        "kgraph", graph_attr=_graph_attributes(view, rankdir), node_attr=_NODES, edge_attr=_EDGES
    )
    frames = {cluster.id: graphviz.Digraph(f"cluster_{cluster.id}") for cluster in view.clusters}
    for cluster in view.clusters:
        frame, name = frames[cluster.id], plain(title_of(cluster))
        frame.attr(label=name, tooltip=plain(cluster.path), **_FRAME)
    for box in view.boxes:
        (frames[box.cluster] if box.cluster else root).node(box.id, _label(box), **_style(box))
    # Children before parents: a frame is copied into the one around it when it is complete.
    for cluster in reversed(view.clusters):
        (frames[cluster.parent] if cluster.parent else root).subgraph(frames[cluster.id])
    outputs = {box.id: len(box.types) for box in view.boxes}
    for edge in view.edges:
        root.edge(edge.source, edge.target, **_edge_attributes(edge, outputs[edge.source] > 1))
    return str(root.source)


_NODES = {"shape": "box", "style": "rounded,filled", "fontname": FONT, "fontsize": "11",
          "fontcolor": INK, "margin": "0.08,0.05", "penwidth": "1.2"}  # fmt: skip
_EDGES = {"fontname": FONT, "fontsize": "9", "fontcolor": FAINT, "color": "#8a94a0",
          "arrowsize": "0.6", "penwidth": "1.0"}  # fmt: skip
_FRAME = {"style": "rounded,filled", "color": "#d5dae0", "fillcolor": "#f6f8fa", "fontname": FONT,
          "fontsize": "11", "fontcolor": "#52606d", "labeljust": "l", "margin": "12"}  # fmt: skip


def title_of(cluster: Cluster) -> str:
    """A cluster's name, its class if it is a model, and how often it stands in a row."""
    kind = f" ({cluster.box.op})" if cluster.kind == "model" and cluster.box else ""
    times = f"  × {cluster.repeat}" if cluster.repeat > 1 else ""
    return f"{cluster.label}{kind}{times}"


def _graph_attributes(view: GraphView, rankdir: str) -> dict[str, str]:
    attributes = {
        "rankdir": rankdir,
        "bgcolor": "white",
        "fontname": FONT,
        "fontsize": "14",
        "fontcolor": INK,
        "nodesep": "0.35",
        "ranksep": "0.45",
        "pad": "0.2",
        "tooltip": plain(view.title) or "kgraph",
    }
    if view.title:
        attributes |= {"label": plain(view.title), "labelloc": "t", "labeljust": "l"}
    if len(view.boxes) > LARGE:
        attributes |= {"splines": "line", "nslimit": "2", "nslimit1": "2", "mclimit": "0.5"}
    return attributes


def plain(text: str) -> str:
    """A text for an attribute of DOT: no escape sequences of Graphviz, no entities, never HTML."""
    return graphviz.escape(clean(text).replace("&", "&amp;"))


def clean(text: str) -> str:
    """Makes control characters, direction marks and broken characters visible.

    Example:
        >>> clean("a\\nb\\x1b[31m\\u202e")
        'a\\\\nb\\\\x1b[31m\\\\u202e'
    """
    return "".join(
        repr(c)[1:-1] if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Co") else c
        for c in text
    )


def _cell(text: str, size: int, color: str, bold: bool = False) -> str:
    short = clean(text)
    if len(short) > WIDEST:
        short = short[: WIDEST - 1] + "…"
    # Graphviz replaces \\N and \\G even here, so a backslash is written twice.
    inner = html.escape(short).replace("\\", "\\\\") or " "
    inner = f"<B>{inner}</B>" if bold else inner
    return f'<FONT POINT-SIZE="{size}" COLOR="{color}">{inner}</FONT>'


def _label(box: Box) -> str:
    """An HTML-like label: name and type, a rule, then one line a detail."""
    _, _, accent = _colours(box)
    head = _cell(box.label, 12, INK, bold=True)
    if box.type:
        head += _cell(f"  {box.type}", 10, accent)
    rows = [head]
    if box.sharing:
        rows.append(_cell("shared: call {} of {}".format(*box.sharing), 10, accent, bold=True))
    below = [_cell(text, 10, "#52606d") for text in lines_of(box)]
    below += [_cell(str(type_), 10, INK) for type_ in box.types]
    lines = [f"<TR><TD>{row}</TD></TR>" for row in rows]
    if box.kind in ("layer", "op", *PALETTE_OF_CLUSTERS) and below:
        lines.append("<HR/>")
    lines += [f"<TR><TD>{row}</TD></TR>" for row in below]
    table = '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="3">'
    return f"<{table}{''.join(lines)}</TABLE>>"


def _colours(box: Box) -> tuple[str, str, str]:
    return PALETTE["shared" if box.sharing else box.kind]


def _style(box: Box) -> dict[str, str]:
    border, fill, _ = _colours(box)
    shape = "rounded,filled,dashed" if box.kind == "const" else "rounded,filled"
    facts = [f"{box.label} {box.type}".strip(), *lines_of(box), *map(str, box.types)]
    facts += [f"at {box.source}"] if box.source else []
    facts += [f"made by {' <- '.join(box.lineage)}"] if box.lineage else []
    return {
        "color": border,
        "fillcolor": fill,
        "style": shape,
        "tooltip": graphviz.escape("&#10;".join(clean(f).replace("&", "&amp;") for f in facts)),
    }


def lines_of(box: Box) -> list[str]:
    """What a box says below its name, types apart."""
    found = [f"activation = {box.activation}"] if box.activation else []
    found += box.details
    if box.params:
        found.append(f"{box.params:,} parameters" + ("" if box.trainable else ", frozen"))
    if box.hidden:
        found.append(f"{box.hidden:,} inside")
    return found


def edge_label(edge: Edge) -> str:
    """The shape that an edge carries, or the number of tensors in a bundle."""
    if edge.type is None or edge.count > 1:
        return f"{edge.count} tensors" if edge.count > 1 else ""
    return f"[{', '.join(map(str, edge.type.shape))}]" if edge.type.shape else ""


def _edge_attributes(edge: Edge, numbered: bool) -> dict[str, str]:
    if edge.kind == "shared":
        return {"style": "dotted", "dir": "none", "constraint": "false", "color": "#4fa39a",
                "tooltip": "same weights"}  # fmt: skip
    if edge.kind == "control":
        return {"style": "dotted", "constraint": "false", "color": "#8a94a0",
                "tooltip": "next turn of the loop"}  # fmt: skip
    label = edge_label(edge)
    label = f"{label} (output {edge.output})".strip() if numbered else label
    attributes = {"label": plain(f" {label}"), "tooltip": plain(label)}
    if edge.kind == "state":
        attributes |= {"color": "#a48fd0", "style": "dashed", "label": ""}
    return attributes

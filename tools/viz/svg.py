"""A view as SVG without any program: plain presentation attributes, a title for every box and line.

The picture scales with its viewBox. Nothing in it runs or loads, and every name is escaped.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape, quoteattr

from kgraph.tools.viz.legend_svg import legend_svg
from kgraph.tools.viz.looks import (
    BAND,
    EDGE_COLORS,
    HEADER,
    LINE,
    MARGIN,
    ROW,
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
from kgraph.tools.viz.model import Box, Cluster, Edge, GraphView, by_id
from kgraph.tools.viz.nested import PAD
from kgraph.tools.viz.opening import visible
from kgraph.tools.viz.painting import Fill, Legend, painting
from kgraph.tools.viz.picture import Point, Rect
from kgraph.tools.viz.placing import place
from kgraph.tools.viz.text import clean, short, width

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
EDGE, HEAD = 16.0, 26.0  # around the picture; more above if it has a title
_DASHES = {"state": "4 3", "control": "2 3", "shared": "1 3"}


def to_svg(view: GraphView, style: Style | None = None) -> str:
    """The view as SVG, laid out here.

    Args:
        view: from `build_view`.
        style: how it is to look.

    Returns:
        Text of an SVG file; equal views give equal text.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> to_svg(build_view(Graph((x,), (("y", ops.tanh(x)),))))[:4]
        '<svg'
    """
    style = style or Style()
    seen = visible(view)
    paint, given = painting(view, seen, style.color_by), operand_types(seen)
    looks = {b.id: look_of(b, style.show, given.get(b.id, ()), paint.row(b.id)) for b in seen.boxes}
    titles = {c.id: title_of(c, paint.row(c.id)) for c in seen.clusters}
    sizes = {name: (look.width, look.height) for name, look in looks.items()}
    widths = {c: width(text, HEADER) + 2 * PAD for c, text in titles.items()}
    picture = place(seen, sizes, widths, style.rankdir, style.wrap)
    theme, fills, boxes = THEMES[style.theme], paint.fills, by_id(seen.boxes)
    parts = [_frame(c, picture.clusters[c.id], fills.get(c.id), theme) for c in seen.clusters]
    for edge, route in zip(seen.edges, picture.routes, strict=True):
        if route:
            parts.append(_edge(edge, route, boxes, style, theme))
    parts += [_frame_title(titles[c.id], picture.clusters[c.id], theme) for c in seen.clusters]
    parts += [_box(b, looks[b.id], picture.boxes[b.id], fills.get(b.id), theme) for b in seen.boxes]
    return document(parts, view.title, picture.width, picture.height, style, paint.legend)


def document(
    parts: Iterable[str], title: str, width_: float, height: float, style: Style,
    legend: Legend | None = None,
) -> str:  # fmt: skip
    """A whole file around some elements whose left upper corner is at 0, 0."""
    theme = THEMES[style.theme]
    top = HEAD if title else 0.0
    wide = max(width_, width(short(title), 14, bold=True)) + 2 * EDGE
    key = ""
    if legend is not None:
        key, across, down = legend_svg(legend, max(width_, 300.0), theme)
        wide, top = max(wide, across + 2 * EDGE), top + down + 6
        key = f'<g transform="translate(0 {_n(-down - 6)})">{key}</g>\n'
    high = height + top + 2 * EDGE
    scale = 1.0
    if style.size is not None:
        scale = min(style.size[0] / wide, style.size[1] / high)
    name = escape(clean(title) or "kgraph")
    at = HEAD - 12 - top
    heading = _text(0, at, short(title), 'font-size="14" font-weight="bold"') if title else ""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(wide * scale)}" '
        f'height="{_n(high * scale)}" viewBox="0 0 {_n(wide)} {_n(high)}" role="img" '
        f'font-family="{FONT}" font-size="{ROW}" fill="{theme.ink}">\n'
        f"<title>{name}</title>\n<defs>\n{_markers(theme)}</defs>\n"
        f'<rect width="100%" height="100%" fill="{theme.page}"/>\n'
        f'<g transform="translate({_n(EDGE)} {_n(EDGE + top)})">\n'
        f"{heading}{key}{''.join(parts)}</g>\n</svg>\n"
    )


def _markers(theme: Theme) -> str:
    colors = {"data": theme.line, **EDGE_COLORS}
    return "".join(
        f'<marker id="end-{kind}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0 0.8L8 4L0 7.2z" fill="{color}"/></marker>\n'
        for kind, color in colors.items()
    )


def _frame(cluster: Cluster, rect: Rect, fill: Fill | None, theme: Theme) -> str:
    x, y, w, h = rect
    line = f'stroke="{fill.color}" stroke-width="4"' if fill else f'stroke="{theme.frame_border}"'
    dash = ' stroke-dasharray="5 3"' if cluster.kind in ("loop", "repeat", "fused") else ""
    return (
        f'<g id="{cluster.id}" class="cluster"><title>{escape(clean(cluster.path))}</title>'
        f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" rx="8" '
        f'fill="{theme.frame}" {line}{dash}/></g>\n'
    )


def _frame_title(title: str, rect: Rect, theme: Theme) -> str:
    """A cluster's title, over the lines that enter the cluster there."""
    x, y = rect[0] + PAD, rect[1]
    return (
        f'<rect x="{_n(x - 2)}" y="{_n(y + 7)}" width="{_n(width(title, HEADER) + 4)}" '
        f'height="16" rx="3" fill="{theme.frame}" opacity="0.85"/>'
        f'<text x="{_n(x)}" y="{_n(y + 19)}" font-size="{HEADER:g}" '
        f'fill="{theme.faint}">{escape(title)}</text>\n'
    )


def _box(box: Box, look: Look, rect: Rect, fill: Fill | None, theme: Theme) -> str:
    x, y, w, h = rect
    band, border = fill.color if fill else theme.bands[look.band], theme.border
    ink = f'fill="{fill.ink if fill else "#fff"}"'
    stroke = f'stroke="{EDGE_COLORS["shared"]}" stroke-width="2"' if box.sharing else (
        f'stroke="{border}"')  # fmt: skip
    dash = ' stroke-dasharray="4 3"' if box.kind == "const" else ""
    foot = f"v{_n(BAND - 5)}h{_n(-w)}v{_n(5 - BAND)}"
    if not look.rows:
        foot = f"v{_n(BAND - 10)}a5 5 0 0 1 -5 5h{_n(10 - w)}a5 5 0 0 1 -5 -5v{_n(10 - BAND)}"
    bold = f'font-size="{HEADER:g}" font-weight="bold" {ink}'
    lines = [
        f'<g id="{box.id}" class="box {box.kind}"><title>{escape(clean_lines(tooltip(box)))}'
        f'</title><rect x="{_n(x)}" y="{_n(y)}" width="{_n(w)}" height="{_n(h)}" rx="5" '
        f'fill="{theme.body}" {stroke}{dash}/>'
        f'<path d="M{_n(x)} {_n(y + 5)}a5 5 0 0 1 5 -5h{_n(w - 10)}a5 5 0 0 1 5 5{foot}z" '
        f'fill="{band}"/>',
        _text(x + MARGIN, y + 15, look.name, bold),
    ]
    after = x + MARGIN + width(look.name, HEADER, bold=True) + 6
    if look.type:
        lines.append(_text(after, y + 15, look.type, ink))
    if look.tag:
        lines.append(_text(x + w - MARGIN - 9, y + 15, look.tag, f'font-weight="bold" {ink}'))
    for i, row in enumerate(look.rows):
        lines.append(_text(x + MARGIN, y + BAND + LINE * (i + 1) - 1, row, ""))
    return "".join(lines) + "</g>\n"


def clean_lines(lines: Sequence[str]) -> str:
    """Lines of a tooltip."""
    return "\n".join(clean(line) for line in lines)


def _text(x: float, y: float, text: str, attributes: str) -> str:
    space = f" {attributes}" if attributes else ""
    # Spaces at the ends and in rows would be lost.
    return f'<text x="{_n(x)}" y="{_n(y)}"{space} xml:space="preserve">{escape(text)}</text>'


def _edge(
    edge: Edge, route: Sequence[Point], boxes: dict[str, Box], style: Style, theme: Theme
) -> str:
    color = EDGE_COLORS.get(edge.kind, theme.line)
    dash = f' stroke-dasharray="{_DASHES[edge.kind]}"' if edge.kind in _DASHES else ""
    end = "" if edge.kind == "shared" else f' marker-end="url(#end-{edge.kind})"'
    heavy = ' stroke-width="2.5"' if edge.count > 1 else ' stroke-width="1.2"'
    name = {"shared": "same weights", "control": "next turn of the loop"}.get(edge.kind)
    tip = name or (str(edge.type) if edge.type is not None else f"{edge.count} tensors")
    ends = f"{boxes[edge.source].label} → {boxes[edge.target].label}: {tip}"
    label = edge_label(edge, boxes[edge.source])
    text = _edge_text(label, route, theme, edge) if label else ""
    return (
        f'<g class="edge" data-ends={quoteattr(f"{edge.source} {edge.target}")}>'
        f"<title>{escape(clean(ends))}</title>"
        f'<path d="{path_of(route, style)}" fill="none" stroke="{color}"{heavy}{dash}{end}/>'
        f"{text}</g>\n"
    )


def _edge_text(label: str, route: Sequence[Point], theme: Theme, edge: Edge) -> str:
    """A label on the longest piece of a route, or beside that of an edge from a box to itself."""
    (a, b), (c, d) = max(itertools.pairwise(route), key=lambda piece: math.dist(*piece))
    # Calls may go to and fro on one way, so what says their numbers stands before the middle.
    part, size = 0.35 if any(edge.calls) else 0.5, 9.0
    x, y, wide = a + (c - a) * part, b + (d - b) * part, width(label, size)
    if edge.source == edge.target:
        (a, b), (c, d) = route[1:3]
        x, y = (a + wide / 2 + 4, (b + d) / 2) if a == c else ((a + c) / 2, b + 8)
    return (
        f'<rect x="{_n(x - wide / 2 - 2)}" y="{_n(y - 7)}" width="{_n(wide + 4)}" height="13" '
        f'rx="3" fill="{theme.page}" opacity="0.85"/>'
        f'<text x="{_n(x)}" y="{_n(y + 3)}" font-size="9" text-anchor="middle" '
        f'fill="{theme.faint}">{escape(label)}</text>'
    )


def path_of(route: Sequence[Point], style: Style) -> str:
    """A route as the data of a path."""
    if style.splines == "straight":
        route = [route[0], route[-1]]
    flat = style.rankdir in ("LR", "RL")
    parts = [f"M{_n(route[0][0])} {_n(route[0][1])}"]
    for (a, b), (c, d) in itertools.pairwise(route):
        middle = (a + c) / 2 if flat else (b + d) / 2
        if a == c or b == d or style.splines in ("polyline", "straight"):
            parts.append(f"L{_n(c)} {_n(d)}")
        elif style.splines == "curved":
            one, two = ((middle, b), (middle, d)) if flat else ((a, middle), (c, middle))
            parts.append(f"C{_n(one[0])} {_n(one[1])} {_n(two[0])} {_n(two[1])} {_n(c)} {_n(d)}")
        elif flat:
            parts.append(f"H{_n(middle)}V{_n(d)}H{_n(c)}")
        else:
            parts.append(f"V{_n(middle)}H{_n(c)}V{_n(d)}")
    return "".join(parts)


def _n(value: float) -> str:
    """A coordinate to a tenth, without a zero that says nothing."""
    text = f"{value:.1f}".removesuffix(".0")
    return text if text != "-0" else "0"

"""The legend of a coloured picture as SVG: a bar with ticks, or a patch a kind."""

from __future__ import annotations

from xml.sax.saxutils import escape

from kgraph.tools.viz.looks import ROW, Theme
from kgraph.tools.viz.painting import Legend
from kgraph.tools.viz.palette import shade
from kgraph.tools.viz.scales import tick_text
from kgraph.tools.viz.text import short, width

LINE = 20.0
_BELOW = 12.0  # a line of ticks
_PATCH, _GAP, _STEPS, _STEP = 12.0, 8.0, 24, 6.0


def legend_svg(legend: Legend, wide: float, theme: Theme) -> tuple[str, float, float]:
    """A legend whose left upper corner is at 0, 0.

    Args:
        legend: what the colours mean.
        wide: width after which kinds go on in a new line.
        theme: of the picture.

    Returns:
        The elements, their width, and their height.

    Example:
        >>> from kgraph.tools.viz.looks import LIGHT
        >>> from kgraph.tools.viz.scales import Scale
        >>> key = Legend("ms", scale=Scale(0.1, 2, False))
        >>> text, wide, high = legend_svg(key, 300, LIGHT)
        >>> text.count("<rect"), high
        (24, 32.0)
    """
    title = short(legend.title)
    parts = [_text(0, 0, title, ' font-weight="bold"')]
    x, y, widest = width(title, ROW, bold=True) + _GAP, 0.0, 0.0
    for kind, color in legend.kinds:
        name = short(kind)
        need = _PATCH + _GAP / 2 + width(name, ROW)
        if x + need > wide and x:
            x, y = 0.0, y + LINE
        parts.append(_patch(x, y, _PATCH, color, theme))
        parts.append(_text(x + _PATCH + _GAP / 2, y, name))
        x += need + _GAP
        widest = max(widest, x - _GAP)
    if legend.scale is not None:
        bar, widest = _bar(x, legend, theme)
        parts.append(bar)
        y += _BELOW
    return f'<g class="legend">{"".join(parts)}</g>\n', widest, y + LINE


def _bar(x: float, legend: Legend, theme: Theme) -> tuple[str, float]:
    """The scale between its ends, with ticks below it, its name behind; and where that ends."""
    scale, (least, most) = legend.scale, map(short, legend.ends)
    assert scale is not None
    parts = [_text(x, 0, least)]
    x += width(least, ROW) + _GAP / 2
    for i in range(_STEPS):
        parts.append(_patch(x + i * _STEP, 0, _STEP, shade(i / (_STEPS - 1)), theme))
    for tick in scale.ticks():
        at = x + scale.part(tick) * _STEPS * _STEP
        parts.append(f'<path d="M{at:.1f} 12v4" stroke="{theme.ink}"/>')
        parts.append(_text(at, 15, tick_text(tick), ' font-size="9" text-anchor="middle"'))
    x += _STEPS * _STEP + _GAP / 2
    end = f"{most}  {scale.name}"
    parts.append(_text(x, 0, end))
    return "".join(parts), x + width(end, ROW)


def _text(x: float, y: float, text: str, attributes: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y + 10:.1f}"{attributes}>{escape(text)}</text>'


def _patch(x: float, y: float, wide: float, color: str, theme: Theme) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y + 1:.1f}" width="{wide:.1f}" height="11" fill="{color}"'
        f' stroke="{color if wide == _STEP else theme.border}"/>'
    )

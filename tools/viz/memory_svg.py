"""The memory view as SVG: bytes of the arena upwards, steps of the schedule to the right."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from kgraph.ir.printer import show_bytes
from kgraph.tools.viz.looks import THEMES, Style
from kgraph.tools.viz.model import GraphView, Rectangle
from kgraph.tools.viz.svg import document
from kgraph.tools.viz.text import clean, short, width

_WIDE, _HIGH, _LEFT = 960.0, 480.0, 76.0
_TICKS = 8


def memory_svg(view: GraphView, style: Style | None = None) -> str:
    """The arena of a plan as a picture.

    Args:
        view: a view `memory`.
        style: how it is to look.

    Returns:
        Text of an SVG file: a rectangle a buffer, the least possible arena as a dashed line.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((256,), name="x")
        >>> graph = Graph((x,), (("y", ops.exp(ops.tanh(x)) + x),))
        >>> "lower bound 1.0 KB" in memory_svg(build_view(graph, view="memory"))
        True
    """
    style = style or Style()
    memory, theme = view.memory, THEMES[style.theme]
    assert memory is not None, "a view `memory` has one"
    across, up = _WIDE / max(memory.steps, 1), _HIGH / max(memory.arena, 1)
    parts = []
    for tick in range(_TICKS + 1):
        y = _HIGH * (1 - tick / _TICKS)
        size = show_bytes(round(memory.arena * tick / _TICKS))
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}h{_WIDE}" stroke="{theme.frame_border}" fill="none"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{size}</text>\n'
        )
    for item in memory.items:
        x, w = _LEFT + item.start * across, (item.end + 1 - item.start) * across
        h = item.size * up
        parts.append(_rectangle(item, x, _HIGH - item.offset * up - h, w, h, theme.bands))
    least = _HIGH - memory.lower_bound * up
    parts.append(
        f'<path d="M{_LEFT} {least:.1f}h{_WIDE}" stroke="{theme.ink}" stroke-dasharray="6 4" '
        f'fill="none"/><text x="{_LEFT + _WIDE}" y="{_HIGH + 20}" text-anchor="end">'
        f"step 0 to {memory.steps - 1} · arena {show_bytes(memory.arena)} · "
        f"lower bound {show_bytes(memory.lower_bound)} (dashed)</text>\n"
    )
    return document(parts, view.title, _LEFT + _WIDE, _HIGH + 28, style)


def _rectangle(
    item: Rectangle, x: float, y: float, w: float, h: float, bands: Mapping[str, str]
) -> str:
    color = bands[item.role]
    life = f"{item.label} ({item.op}): {item.size:,} bytes at {item.offset:,}, "
    life += f"steps {item.start} to {item.end}"
    name = short(item.op, 20)
    text = ""
    if width(name, 9) + 6 < w and h > 12:
        at = f'x="{x + 3:.1f}" y="{y + h / 2 + 3:.1f}"'
        text = f'<text {at} font-size="9" fill="#fff">{escape(name)}</text>'
    return (
        f'<g class="buffer"><title>{escape(clean(life))}</title><rect x="{x:.1f}" y="{y:.1f}" '
        f'width="{w:.1f}" height="{h:.1f}" fill="{color}" stroke="#fff" stroke-width="0.4"/>'
        f"{text}</g>\n"
    )

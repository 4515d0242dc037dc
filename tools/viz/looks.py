"""How a box looks: what is written in it, how large that is, and in which colours.

Colour is never the only sign: trainable layers also have a T, frozen ones an F, shared ones and
closed clusters a line, constants a dashed border.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kgraph.ir.types import DTYPES, TensorType
from kgraph.tools.viz.model import Box, Cluster, Edge, GraphView
from kgraph.tools.viz.text import short, width

SHOWN = ("shapes", "dtypes", "names", "acts", "trainable", "params", "source", "attrs", "costs")
USUAL = frozenset(SHOWN) - {"source", "costs"}
HEADER, ROW = 12.0, 10.5  # sizes of the letters
BAND, LINE, MARGIN = 22.0, 16.0, 9.0
LEAST = 56.0


@dataclass(frozen=True)
class Theme:
    """Colours of a picture; `bands` are behind white letters."""

    page: str
    body: str
    ink: str
    faint: str
    line: str
    border: str
    frame: str
    frame_border: str
    bands: Mapping[str, str]


_BANDS = {
    "input": "#2f6fad", "param": "#6b4fa8", "state": "#6f6390", "constant": "#66727e",
    "forward": "#45566a", "loss": "#a35709", "backward": "#1f7068", "metric": "#70621c",
    "update": "#85552f", "output": "#8a6512", "trainable": "#2c7549", "frozen": "#6a7580",
}  # fmt: skip
LIGHT = Theme("#ffffff", "#ffffff", "#1f2a35", "#52606d", "#76828e", "#9aa5b1", "#f4f6f9",
              "#d0d7de", _BANDS)  # fmt: skip
DARK = Theme("#12171c", "#1e262e", "#e6ebf0", "#a9b5c1", "#8794a1", "#4a5764", "#182027",
             "#36424d", _BANDS)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK, "auto": LIGHT}
# Lines of edges that are not plain data.
EDGE_COLORS = {"state": "#8f78c4", "grad": "#2f8f86", "control": "#c07a1f", "shared": "#2f8f86"}


@dataclass(frozen=True)
class Style:
    """How a picture is to look.

    Args:
        show: which of `SHOWN` the boxes say.
        rankdir: TB, BT, LR or RL.
        theme: light, dark or auto, which is light where nobody can ask; a page asks.
        splines: polyline, curved, straight or ortho.
        wrap: rows after which a long picture goes on in a new column.
        dpi: of png.
        size: (width, height) in pixels that the picture is to fit into, or None.
        color_by: what colours say; see `painting`.
    """

    show: frozenset[str] = USUAL
    rankdir: str = "TB"
    theme: str = "auto"
    splines: str = "polyline"
    wrap: int | None = None
    dpi: int = 200
    size: tuple[float, float] | None = None
    color_by: str = "role"


@dataclass(frozen=True)
class Look:
    """A box as it is drawn.

    Args:
        name: bold, in the band.
        type: beside it.
        tag: T, F or nothing, at the right end of the band.
        rows: lines below.
        band: key of the band's colour.
        width, height: of all.
    """

    name: str
    type: str
    tag: str
    rows: tuple[str, ...]
    band: str
    width: float
    height: float


def look_of(
    box: Box, show: frozenset[str] = USUAL, given: Sequence[TensorType] = (), value: str = ""
) -> Look:
    """What a box says under a style.

    Args:
        box: the box.
        show: which of `SHOWN`.
        given: types of a layer's operands.
        value: the line that says what its colour does.

    Example:
        >>> look_of(Box("n1", "layer", "Dense", "top", "Dense", params=6, trainable=True)).rows
        ('6 parameters',)
    """
    name, kind = head_of(box, show)
    rows = tuple(map(short, dict.fromkeys(filter(None, (value, *rows_of(box, show, given))))))
    tag = ""
    if "trainable" in show and box.trainable is not None and box.role != "state":
        tag = "T" if box.trainable else "F"
    band = {"T": "trainable", "F": "frozen"}.get(tag, box.role) if box.kind != "state" else box.role
    header = width(name, HEADER, bold=True) + (6 + width(kind, ROW) if kind else 0)
    header += 18 if tag else 0
    wide = max([header, *(width(row, ROW) for row in rows), LEAST - 2 * MARGIN]) + 2 * MARGIN
    high = BAND + (LINE * len(rows) + 8 if rows else 0)
    return Look(name, kind, tag, rows, band, wide, high)


def head_of(box: Box, show: frozenset[str] = USUAL) -> tuple[str, str]:
    """The name and the type in a box's header."""
    plain = box.kind in ("op", "arg", "result")
    if "names" not in show and not plain:
        return short(box.type or box.op), ""
    name = box.label if box.kind != "loop" else f"{box.label} (loop)"
    # An input says what it is even without a name of its own.
    return short(name) or box.kind, f"({short(box.type)})" if box.type and not plain else ""


def rows_of(
    box: Box, show: frozenset[str] = USUAL, given: Sequence[TensorType] = ()
) -> tuple[str, ...]:
    """The lines below a box's header, whole."""
    rows = []
    if box.sharing:
        rows.append(calls_text(box.sharing))
    if box.activation and "acts" in show:
        rows.append(f"activation = {box.activation}")
    if "attrs" in show:
        rows += box.details
    if box.params and "params" in show:
        frozen = ", frozen" if box.trainable is False else ""
        rows.append(f"{box.params:,} parameters{frozen}")
    if box.hidden:
        rows.append(f"{box.hidden:,} inside")
    if box.work and "costs" in show:
        rows.append(f"{box.work.flops:,} flops, {box.work.bytes:,} bytes")
    before, after = type_text(given, show), type_text(box.types, show)
    if after:
        both = before and before != after and box.kind in ("layer", "model")
        rows += [f"{before} → {after}"] if both and len(before + after) < 37 else [after]
    if box.source and "source" in show:
        rows.append(str(box.source))
    return tuple(rows)


def calls_text(sharing: tuple[int, int]) -> str:
    """Which call of a shared layer a box is, or how many it stands for.

    Example:
        >>> calls_text((1, 2)), calls_text((0, 2))
        ('shared: call 1 of 2', 'shared: calls #1 to #2')
    """
    call, calls = sharing
    return f"shared: call {call} of {calls}" if call else f"shared: calls #1 to #{calls}"


def type_text(types: Sequence[TensorType], show: frozenset[str] = USUAL) -> str:
    """Shapes, dtypes or both of some tensors."""
    shapes, dtypes = "shapes" in show, "dtypes" in show
    if not shapes and not dtypes:
        return ""
    words = [
        (DTYPES[t.dtype] if dtypes else "")
        + (f"[{', '.join(map(str, t.shape))}]" if shapes else "")
        for t in types
    ]
    return ", ".join(words)


def tooltip(box: Box) -> list[str]:
    """All that is known of a box, a line a fact."""
    facts = [f"{box.label} ({box.type or box.op})"]
    facts += rows_of(box, frozenset(SHOWN) - {"source"})
    facts += [f"at {box.source}"] if box.source else []
    facts += [f"made by {' <- '.join(box.lineage)}"] if box.lineage else []
    return facts


def title_of(cluster: Cluster, value: str = "") -> str:
    """A cluster's name, its class if it is a model, how often it stands in a row, its value."""
    kind = f" ({cluster.box.op})" if cluster.kind == "model" and cluster.box else ""
    times = f"  × {cluster.repeat}" if cluster.repeat > 1 else ""
    calls = f"  {calls_text(cluster.box.sharing)}" if cluster.box and cluster.box.sharing else ""
    return f"{short(cluster.label)}{kind}{times}{calls}" + (f"  {short(value)}" if value else "")


def operand_types(view: GraphView) -> dict[str, list[TensorType]]:
    """Box -> types of what comes into it, in the order of its operands."""
    found: dict[str, list[Edge]] = {}
    for edge in view.edges:
        # Of a box that stands for several calls, those of the first one.
        if edge.type is not None and edge.kind != "state" and edge.calls[1] < 2:
            found.setdefault(edge.target, []).append(edge)
    return {
        box: [e.type for e in sorted(edges, key=lambda e: e.operand) if e.type is not None]
        for box, edges in found.items()
    }


def edge_label(edge: Edge, box: Box) -> str:
    """What an edge says: the number of tensors in a bundle, which output, which call it is of."""
    if edge.kind in ("shared", "control"):
        return ""
    if edge.count > 1:
        return f"{edge.count} tensors"
    several = len(box.types) > 1 and box.kind in ("op", "layer")
    calls = " → ".join(f"#{number}" for number in dict.fromkeys(edge.calls) if number)
    return ", ".join(filter(None, (f"output {edge.output}" if several else "", calls)))

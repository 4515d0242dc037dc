"""Colouring by what is known of boxes: values, the colours and lines that say them, the legend."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from kgraph.errors import explain
from kgraph.ir.types import DTYPES
from kgraph.tools.viz.levels import representatives
from kgraph.tools.viz.model import Box, GraphView, Value, ancestors, by_id
from kgraph.tools.viz.palette import KINDS, NEUTRAL, ink_on
from kgraph.tools.viz.scales import Scale, scale_of

MEASURES = ("role", "op", "trainable", "dtype", "ms", "bytes", "flops", "params", "overlay")
_UNITS = {"ms": "ms", "bytes": "bytes", "flops": "flops", "params": "parameters"}


_SOURCES = {"ms": "measure it: --run N or --profile FILE", "overlay": "--overlay FILE"}


@dataclass(frozen=True)
class Fill:
    """The colour of a box's band or of an open frame, that of the letters on it, and its value."""

    color: str
    ink: str
    row: str = ""


@dataclass(frozen=True)
class Legend:
    """What the colours mean.

    Args:
        title: what is measured.
        kinds: each kind with its colour; beside a scale, what it has no place for.
        scale: of numbers that differ; none for kinds.
    """

    title: str
    kinds: tuple[tuple[str, str], ...] = ()
    scale: Scale | None = None

    @property
    def ends(self) -> tuple[str, str]:
        """The least and the greatest number as texts."""
        assert self.scale is not None
        return value_text(self.scale.least), value_text(self.scale.most)

    def __str__(self) -> str:
        if self.scale is not None:
            return f"{self.title}: {' to '.join(self.ends)}, {self.scale.name}"
        return f"{self.title}: {', '.join(name for name, _ in self.kinds)}"


@dataclass(frozen=True)
class Painting:
    """The colours of one picture.

    Args:
        fills: box or open cluster -> its colour; empty where boxes have the colours of their roles.
        legend: None if nothing is coloured.
    """

    fills: Mapping[str, Fill] = field(default_factory=dict)
    legend: Legend | None = None

    def row(self, id: str) -> str:
        """The line that says a value, or nothing."""
        return self.fills[id].row if id in self.fills else ""


def usual_measure(asked: str | None, overlay: object) -> str:
    """What boxes are coloured by: what was asked for, else the overlay if there is one.

    Example:
        >>> usual_measure(None, None), usual_measure(None, {"nodes": {}}), usual_measure("op", None)
        ('role', 'overlay', 'op')
    """
    return asked or ("role" if overlay is None else "overlay")


def painting(view: GraphView, seen: GraphView, by: str = "role") -> Painting:
    """Colours the boxes of a picture by one of `MEASURES`.

    Args:
        view: the whole view.
        seen: what `visible` makes of it.
        by: role, op, trainable, dtype, ms, bytes, flops, params, or overlay for the first one.

    Returns:
        A colour a box, and the legend.

    Raises:
        ValueError: there is no such measure, or the view has no values of it.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> view = build_view(Graph((x,), (("y", x),)))
        >>> str(painting(view, view, "dtype").legend)
        'dtype: f32'
    """
    if by not in MEASURES:
        raise ValueError(explain("unknown color_by", expected=", ".join(MEASURES), got=by))
    if by == "role":
        return Painting()
    values = _values(view, seen, by)
    if not values:
        hint = _SOURCES.get(by, "another view, or another measure")
        raise ValueError(explain(f"nothing is known to colour by {by}", hint=hint))
    title, unit = by, _UNITS.get(by, "")
    if by == "overlay":
        title, unit = view.overlays[0].name, view.overlays[0].unit
    colors, legend = _colors(values, f"{title} ({unit})" if by == "overlay" and unit else title)
    name = f"{title} = " if by == "overlay" else ""
    rows = {} if by == "op" else {  # which the header says
        id: f"{name}{value_text(value)} {unit}".rstrip() for id, value in values.items()
    }  # fmt: skip
    fills = {
        b.id: Fill(colors.get(b.id, NEUTRAL), ink_on(colors.get(b.id, NEUTRAL)), rows.get(b.id, ""))
        for b in seen.boxes
    }
    frames = {c.id for c in seen.clusters} & set(values)
    fills |= {id: Fill(colors[id], ink_on(colors[id]), rows.get(id, "")) for id in frames}
    return Painting(fills, legend)


def value_text(value: Value) -> str:
    """A value for people.

    Example:
        >>> value_text(12345), value_text(0.0123456), value_text("gpu")
        ('12,345', '0.0123', 'gpu')
    """
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.3g}"


def _values(view: GraphView, seen: GraphView, by: str) -> dict[str, Value]:
    """Box or open cluster -> its value, where it has one."""
    if by in ("ms", "overlay"):
        known = view.times if by == "ms" else view.overlays[0].values if view.overlays else {}
        return _gathered(view, seen, known)
    found = {box.id: _own(box, by) for box in seen.boxes}
    return {id: value for id, value in found.items() if value is not None}


def _own(box: Box, by: str) -> Value | None:
    """What a box says of itself; a closed cluster does so of all that it holds."""
    if by == "op":
        return box.op
    if by == "trainable":
        return None if box.trainable is None else "trainable" if box.trainable else "frozen"
    if by == "dtype":
        return DTYPES[box.types[0].dtype] if box.types else None
    if by == "params":
        size = box.types[0].size if box.kind == "state" and box.role == "param" else box.params
        return size if isinstance(size, int) and size else None
    return None if box.work is None else getattr(box.work, by)


def _gathered(view: GraphView, seen: GraphView, known: Mapping[str, Value]) -> dict[str, Value]:
    """Values as they are seen: a closed cluster has its own, or all that is inside together."""
    table, shown = by_id(view.clusters), representatives(view)
    for cluster in view.clusters:
        closed = [c for c in ancestors(table, cluster.id) if not table[c].open]
        shown[cluster.id] = closed[-1] if closed else cluster.id
    inside: dict[str, list[Value]] = {}
    for id, value in known.items():
        if id in shown:
            inside.setdefault(shown[id], []).append(value)
    found = {id: known[id] if id in known else _together(vs) for id, vs in inside.items()}
    ids = {box.id for box in seen.boxes} | {cluster.id for cluster in seen.clusters}
    return {id: value for id, value in found.items() if id in ids and value is not None}


def _together(values: Sequence[Value]) -> Value | None:
    numbers = [v for v in values if not isinstance(v, str)]
    if len(numbers) == len(values):
        return sum(numbers)
    return values[0] if len(set(values)) == 1 else None


def _colors(values: Mapping[str, Value], title: str) -> tuple[dict[str, str], Legend]:
    """Colours along the scale for numbers that differ; one a kind for anything else."""
    numbers = {id: v for id, v in values.items() if not isinstance(v, str)}
    different = set(numbers.values())
    if len(numbers) == len(values) and len(different) > 1:
        scale = scale_of(different)
        colors = {id: scale.color(value) for id, value in numbers.items()}
        zero = (("0", NEUTRAL),) if scale.logarithmic and 0 in different else ()
        return colors, Legend(title, zero, scale)
    kinds = sorted({value_text(value) for value in values.values()})
    of = {kind: KINDS[i % len(KINDS)] for i, kind in enumerate(kinds)}
    return {id: of[value_text(v)] for id, v in values.items()}, Legend(title, tuple(of.items()))

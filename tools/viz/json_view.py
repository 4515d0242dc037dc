"""The view as JSON, one box, edge or cluster a line; `view.schema.json` describes it.

Journal of versions:
    1  all boxes, also those in closed clusters; what a reader does not know it ignores.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kgraph.ir.types import DTYPES
from kgraph.tools.viz.model import Box, Cluster, Edge, GraphView, Memory, Overlay

VERSION = 1
SCHEMA = Path(__file__).with_name("view.schema.json")


def to_json(view: GraphView, rankdir: str = "TB", color_by: str = "role") -> str:
    """The view as JSON.

    Args:
        view: from `build_view`.
        rankdir: direction of the edges that the reader is to use.
        color_by: what its colours are to say; see `painting`.

    Returns:
        ASCII text; equal views give equal text. Fields without content are left out.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> view = build_view(Graph((x,), (("y", ops.tanh(x)),)))
        >>> [node["label"] for node in json.loads(to_json(view))["nodes"]]
        ['x', 'tanh', 'y']
    """
    nodes = _lines(_timed(box_row(box), view.times.get(box.id)) for box in view.boxes)
    edges = _lines(edge_row(edge) for edge in view.edges)
    clusters = _lines(_timed(_cluster_row(c), view.times.get(c.id)) for c in view.clusters)
    overlays = _lines(map(_overlay_row, view.overlays))
    head = {
        "kgraph_view": VERSION,
        "title": view.title,
        "view": view.view,
        "stage": view.stage,
        "graph_hash": _digest(view),
        "rankdir": rankdir,
        "symbols": {name: {"min": 0, "hint": hint} for name, hint in view.symbols.items()},
    }
    if color_by != "role":
        head["color_by"] = color_by
    memory = f',\n"memory": {_memory(view.memory)}' if view.memory else ""
    return (
        f'{_dumps(head)[:-1]},\n"nodes": {nodes},\n"edges": {edges},\n'
        f'"clusters": {clusters},\n"overlays": {overlays},\n'
        f'"passes": {_lines(view.passes)}{memory}}}\n'
    )


def box_row(box: Box) -> dict[str, Any]:
    """A box as JSON data."""
    first = box.types[0] if box.types else None
    work = box.work
    return _filled(
        id=box.id,
        kind=box.kind,
        op=box.op,
        label=box.label,
        type=box.type,
        cluster=box.cluster,
        shape=None if first is None else _shape(first),
        dtype=None if first is None else DTYPES[first.dtype],
        types=[str(t) for t in box.types],
        ports={"in": list(box.ins), "out": [f"y{i}" if i else "y" for i in range(len(box.types))]},
        details=list(box.details),
        activation=box.activation,
        params=box.params,
        trainable=box.trainable,
        role=box.role,
        sharing=list(box.sharing or ()),
        src=None if box.source is None else {"file": box.source.file, "line": box.source.line},
        lineage=list(box.lineage),
        cost=None if work is None else {"flops": work.flops, "bytes": work.bytes},
    )


def edge_row(edge: Edge) -> dict[str, Any]:
    """An edge as JSON data; `t` names the tensor, which several edges may carry."""
    tensor = f"v{edge.source.lstrip('n')}" + (f".{edge.output}" if edge.output else "")
    type_ = edge.type
    return _filled(
        s=edge.source,
        sp=edge.output,
        d=edge.target,
        dp=edge.operand,
        t=None if type_ is None else tensor,
        kind=edge.kind,
        shape=None if type_ is None else _shape(type_),
        dtype=None if type_ is None else DTYPES[type_.dtype],
        calls=list(edge.calls) if any(edge.calls) else None,
    )


def _cluster_row(cluster: Cluster) -> dict[str, Any]:
    known = box_row(cluster.box) if cluster.box is not None else {}
    for name in ("id", "kind", "label", "cluster"):
        known.pop(name, None)
    return {
        **_filled(
            id=cluster.id,
            label=cluster.label,
            kind=cluster.kind,
            path=cluster.path,
            parent=cluster.parent,
            open=cluster.open,
            repeat=cluster.repeat if cluster.repeat > 1 else None,
        ),
        **known,
    }


def _timed(row: dict[str, Any], ms: float | None) -> dict[str, Any]:
    """A row with a measured time among its costs."""
    return row if ms is None else row | {"cost": row.get("cost", {}) | {"ms": ms}}


def _overlay_row(overlay: Overlay) -> dict[str, Any]:
    fields = _filled(name=overlay.name, unit=overlay.unit, unknown=list(overlay.unknown))
    return fields | {"nodes": dict(overlay.values)}


def _memory(memory: Memory) -> str:
    rows = _lines(
        _filled(t=f"v{r.id.lstrip('n')}" if r.id else "", node=r.id, label=r.label, op=r.op,
                role=r.role, off=r.offset, size=r.size, start=r.start, end=r.end)
        for r in memory.items
    )  # fmt: skip
    head = {"arena": memory.arena, "lower_bound": memory.lower_bound, "steps": memory.steps}
    return f'{_dumps(head)[:-1]}, "items": {rows}}}'


def _digest(view: GraphView) -> str:
    """Equal for views of graphs that do the same in the same way: lines and names do not count."""
    boxes = [(b.id, b.kind, b.op, list(map(str, b.types)), b.details) for b in view.boxes]
    edges = [(e.source, e.output, e.target, e.operand, e.kind) for e in view.edges]
    return hashlib.sha256(_dumps([boxes, edges]).encode("ascii")).hexdigest()


def _shape(type_: Any) -> list[int | str]:
    return [d if isinstance(d, int) else str(d) for d in type_.shape]


def _filled(**fields: Any) -> dict[str, Any]:
    """The fields that say something; zero, False and the shape of a scalar do."""
    return {
        name: value
        for name, value in fields.items()
        if value is not None and value != "" and (name == "shape" or value != [])
    }


def _lines(rows: Iterable[Mapping[str, Any]]) -> str:
    return "[" + ",".join(f"\n {_dumps(row)}" for row in rows) + "]"


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True)

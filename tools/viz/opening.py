"""What a first look shows: clusters are open down to a depth, and closed ones become boxes.

A level of more than `MOST` units is cut into parts first, so that some depth always fits.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from kgraph.ir.types import TensorType
from kgraph.tools.viz.levels import in_order, levels_of, representatives
from kgraph.tools.viz.model import (
    Box,
    Cluster,
    Edge,
    GraphView,
    Work,
    ancestors,
    by_id,
    outer_first,
)

# Boxes that a picture shows unless the caller asks for a depth.
MOST = 300
# Parts that a level with more units is cut into.
PARTS = 100
_SHOWN_TYPES = 3


def open_clusters(view: GraphView, depth: int | None = None) -> GraphView:
    """Opens the clusters of a view down to a depth.

    Args:
        view: any view.
        depth: how many clusters may lie around a box that is seen; default the most that leaves
            at most `MOST` boxes.
    """
    if depth is None:
        view = cut_into_parts(view)
    table = by_id(view.clusters)
    depths = {c: len(ancestors(table, c)) for c in table}
    if depth is None:
        depth = _deepest(view, depths)
    clusters = tuple(replace(c, open=depths[c.id] <= depth) for c in view.clusters)
    return replace(view, clusters=clusters)


def _deepest(view: GraphView, depths: dict[str, int]) -> int:
    """The largest depth at which at most `MOST` boxes are seen."""
    deepest = max(depths.values(), default=0)
    # At depth d one sees the boxes in clusters of depth <= d and the clusters of depth d + 1.
    boxes = Counter(depths[b.cluster] if b.cluster else 0 for b in view.boxes)
    clusters = Counter(depths.values())
    inside, best = 0, 0
    for depth in range(deepest + 1):
        inside += boxes[depth]
        if inside + clusters[depth + 1] <= MOST:
            best = depth
    return best


def cut_into_parts(view: GraphView) -> GraphView:
    """Puts the units of every level that has too many into `PARTS` clusters, in their order."""
    levels = levels_of(view)
    if all(len(level.units) <= MOST for level in levels.values()):
        return view
    boxes, clusters = by_id(view.boxes), by_id(view.clusters)
    waiting = [(name, in_order(level)[0]) for name, level in levels.items()]
    while waiting:
        name, units = waiting.pop()
        if len(units) <= MOST:
            continue
        size = -(-len(units) // PARTS)
        for start in range(0, len(units), size):
            part = units[start : start + size]
            id = f"c{len(clusters)}"
            labels = [(boxes.get(u) or clusters[u]).label for u in (part[0], part[-1])]
            above = f"{clusters[name].path}/" if name is not None else ""
            clusters[id] = _part(id, name, labels, above)
            for unit in part:
                if unit in boxes:
                    boxes[unit] = replace(boxes[unit], cluster=id)
                else:
                    clusters[unit] = replace(clusters[unit], parent=id)
            waiting.append((id, part))
    return replace(view, boxes=tuple(boxes.values()), clusters=outer_first(clusters))


def _part(id: str, parent: str | None, ends: Sequence[str], above: str) -> Cluster:
    label = " … ".join(dict.fromkeys(ends))
    return Cluster(id, label, "part", f"{above}{label}", parent)


def visible(view: GraphView) -> GraphView:
    """The view as a picture shows it: closed clusters are boxes, edges between them bundles.

    Args:
        view: with clusters open or closed.

    Returns:
        A view whose clusters are all open; parallel edges between boxes stay apart.

    Example:
        >>> from kgraph.tools.viz.model import Box, Cluster
        >>> boxes = Box("a", "op", "op", "a"), Box("b", "op", "op", "b", cluster="c0")
        >>> shut = Cluster("c0", "c", "scope", "c", open=False)
        >>> edges = Edge("a", "b", 0, 0), Edge("a", "b", 0, 1)
        >>> [(e.target, e.count) for e in
        ...  visible(GraphView("", "ops", "core", {}, boxes, edges, (shut,))).edges]
        [('c0', 2)]
    """
    if all(c.open for c in view.clusters):
        return view
    seen = representatives(view)
    table = by_id(view.clusters)
    members: dict[str, list[Box]] = {}
    order: dict[str, Box | None] = {}
    for box in view.boxes:
        name = seen[box.id]
        order.setdefault(name, box if name == box.id else None)
        if name != box.id:
            members.setdefault(name, []).append(box)
    edges = _bundled(view.edges, seen, table)
    given = _given(view, seen, table)
    boxes = [
        box or _closed(table[name], members[name], given.get(name, ()))
        for name, box in order.items()
    ]
    kept = {c for box in boxes for c in ancestors(table, box.cluster)}
    clusters = tuple(c for c in view.clusters if c.id in kept)
    return replace(view, boxes=tuple(boxes), edges=edges, clusters=clusters)


def _bundled(
    edges: Sequence[Edge], seen: dict[str, str], clusters: dict[str, Cluster]
) -> tuple[Edge, ...]:
    """Edges between what is seen; those at closed clusters are one a pair, with their number."""
    found: dict[object, Edge] = {}
    for number, edge in enumerate(edges):
        source, target = seen[edge.source], seen[edge.target]
        # An edge to oneself is seen at a box only; in a closed cluster it may be of a part.
        if source == target and (source in clusters or edge.source != edge.target):
            continue
        moved = replace(edge, source=source, target=target)
        if source not in clusters and target not in clusters:
            found[number] = moved
            continue
        key = (source, target, edge.kind in ("shared", "control"))
        if key in found:
            first = found[key]
            same = first.type if first.type == edge.type else None
            found[key] = replace(first, count=first.count + edge.count, type=same)
        else:
            at_source = edge.output if source == edge.source else 0
            at_target = edge.operand if target == edge.target else 0
            found[key] = replace(moved, output=at_source, operand=at_target)
    return tuple(found.values())


def _given(
    view: GraphView, seen: dict[str, str], clusters: dict[str, Cluster]
) -> dict[str, tuple[TensorType, ...]]:
    """Closed cluster -> types of the tensors that leave it, each once."""
    found: dict[str, dict[tuple[str, int], TensorType]] = {}
    for edge in view.edges:
        name = seen[edge.source]
        if name in clusters and seen[edge.target] != name and edge.type is not None:
            found.setdefault(name, {})[edge.source, edge.output] = edge.type
    return {name: tuple(types.values())[:_SHOWN_TYPES] for name, types in found.items()}


def _closed(cluster: Cluster, inside: Sequence[Box], given: tuple[TensorType, ...]) -> Box:
    """The box of a closed cluster."""
    known = cluster.box or Box(cluster.id, cluster.kind, cluster.kind, cluster.label,
                               cluster.kind, cluster=cluster.parent)  # fmt: skip
    roles = Counter(b.role for b in inside if b.role not in ("param", "state", "constant"))
    params = [_params(b) for b in inside]
    works = [b.work for b in inside if b.work is not None]
    details = known.details if cluster.repeat == 1 else (f"× {cluster.repeat}", *known.details)
    return replace(
        known,
        label=cluster.label,
        role=roles.most_common(1)[0][0] if roles else known.role,
        types=known.types or given,
        details=details,
        params=known.params if known.params is not None else (sum(params) * cluster.repeat or None),
        work=known.work or (sum(works, start=Work(0, 0)) if works else None),
        trainable=_any_trainable(known, inside),
        hidden=len(inside) * cluster.repeat,
        cluster=cluster.parent,
    )


def _params(box: Box) -> int:
    """Parameters of a layer at its first call, or of a state that training changes."""
    if box.kind == "layer":
        return (box.params or 0) if not box.sharing or box.sharing[0] <= 1 else 0
    if box.role != "param":
        return 0
    size = box.types[0].size
    return size if isinstance(size, int) else 0


def _any_trainable(known: Box, inside: Sequence[Box]) -> bool | None:
    if known.trainable is not None:
        return known.trainable
    flags = [b.trainable for b in inside if b.trainable is not None and b.role != "state"]
    return any(flags) if flags else None

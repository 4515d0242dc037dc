"""Layers that are called more than once: a box a call, or one box whose edges say the call."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from kgraph.tools.viz.builder import Drawing
from kgraph.tools.viz.model import Box, Edge, ancestors, by_id


def mark_calls(drawing: Drawing) -> None:
    """Numbers the calls of layers that are called more than once, and links one to the next."""
    sharing = {
        id: (number, len(calls))
        for calls in drawing.calls.values()
        if len(calls) > 1
        for number, id in enumerate(calls, 1)
    }
    _share(drawing, sharing)
    boxes = by_id(drawing.boxes)
    for calls in drawing.calls.values():
        for one, two in itertools.pairwise(calls):
            if one in boxes and two in boxes:  # clusters are no ends of edges
                drawing.edges.append(Edge(one, two, kind="shared"))


def merge_calls(drawing: Drawing) -> None:
    """Draws each layer once: the edges of its calls meet at one box, or at one nested model."""
    calls = _numbered(drawing)
    if not calls.same:
        return
    boxes: dict[str, Box] = {}
    for box in drawing.boxes:
        name = calls.canonical(box.id)
        if name not in boxes:
            boxes[name] = replace(box, id=name)
        else:  # it stands where the first call does, which may be drawn later
            first, other = (box, boxes[name]) if box.id == name else (boxes[name], box)
            boxes[name] = _joined(first, other)
    drawing.boxes = list(boxes.values())
    drawing.edges = [e for edge in drawing.edges for e in _moved(edge, calls)]
    table = drawing.clusters
    used = {c for box in drawing.boxes for c in ancestors(table, box.cluster)}
    drawing.clusters = {id: cluster for id, cluster in table.items() if id in used}
    names = {cluster.node: id for id, cluster in table.items() if cluster.node}
    _share(drawing, {names.get(id, id): (0, count) for id, count in calls.shared.items()})


@dataclass
class _Calls:
    """Which node stands for which: ids of nodes inside of a call begin with the call's own id.

    Args:
        same: id of a later call -> id of the first one.
        numbers: id of a call of a shared layer -> its number.
        shared: id of the first call -> number of calls.
    """

    same: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    shared: dict[str, int] = field(default_factory=dict)

    def canonical(self, id: str) -> str:
        """What a node is called in the first call of all that is around it."""
        found = next((head for head in _heads(id) if head in self.same), None)
        while found is not None:
            id = self.same[found] + id[len(found) :]
            found = next((head for head in _heads(id) if head in self.same), None)
        return id


def _heads(id: str) -> Iterator[str]:
    """The calls that a node lies in, the outermost first, and the node itself.

    Example:
        >>> list(_heads("n3_1_7"))
        ['n3', 'n3_1', 'n3_1_7']
    """
    parts = id.split("_")
    return ("_".join(parts[: k + 1]) for k in range(len(parts)))


def _numbered(drawing: Drawing) -> _Calls:
    found, first = _Calls(), dict[Any, str]()
    counts, seen = Counter[str](), dict[str, int]()
    nodes = {id: c.node for id, c in drawing.clusters.items()}
    given = [(layer, nodes.get(id, id)) for layer, ids in drawing.calls.items() for id in ids]
    # Outer calls first: two calls of a model call each of its layers once, not twice.
    for layer, id in sorted(given, key=lambda call: call[1].count("_")):
        around, _, last = id.rpartition("_")
        name = f"{found.canonical(around)}_{last}" if around else id
        start = first.setdefault(layer, name)
        if name not in seen:
            counts[start] += 1
            seen[name] = counts[start]
            if name != start:
                found.same[name] = start
        found.numbers[id] = seen[name]
    found.shared = {id: count for id, count in counts.items() if count > 1}
    alone = {id for id in found.numbers if found.canonical(id) not in found.shared}
    found.numbers = {id: n for id, n in found.numbers.items() if id not in alone}
    return found


def _joined(first: Box, other: Box) -> Box:
    """One box for two calls of a layer."""
    work = first.work + other.work if first.work and other.work else first.work
    said = ", ".join(map(str, other.types))
    more = () if other.types == first.types or said in first.details else (said,)
    return replace(first, work=work, details=(*first.details, *more))


def _moved(edge: Edge, calls: _Calls) -> Iterator[Edge]:
    """An edge between the boxes that are left; inside of later calls there is none."""
    one, two = list(_heads(edge.source)), list(_heads(edge.target))
    common = [a for a, b in zip(one[:-1], two[:-1]) if a == b]
    if any(head in calls.same or calls.numbers.get(head, 0) > 1 for head in common):
        return
    ends = [
        next((calls.numbers[head] for head in heads[len(common) :] if head in calls.numbers), 0)
        for heads in (one, two)
    ]
    source, target = calls.canonical(edge.source), calls.canonical(edge.target)
    yield replace(edge, source=source, target=target, calls=(ends[0], ends[1]))


def _share(drawing: Drawing, sharing: Mapping[str, tuple[int, int]]) -> None:
    """Writes which call it is into boxes and into what is known of clusters."""
    drawing.boxes = [
        replace(b, sharing=sharing[b.id]) if b.id in sharing else b for b in drawing.boxes
    ]
    for id, cluster in drawing.clusters.items():
        if cluster.box and id in sharing:
            box = replace(cluster.box, sharing=sharing[id])
            drawing.clusters[id] = replace(cluster, box=box)

"""Parts of a view: what names match, what lies between two nodes, what lies around one."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from kgraph.errors import RenderError, explain
from kgraph.tools.viz.levels import UNORDERED
from kgraph.tools.viz.model import GraphView, ancestors, by_id

STUB = "not selected"
_LISTED = 12  # names of a view that an error tells


def select(
    view: GraphView,
    globs: Sequence[str] = (),
    start: str | None = None,
    end: str | None = None,
    around: str | None = None,
    hops: int = 2,
) -> GraphView:
    """A part of a view, and what it touches.

    Args:
        view: any view.
        globs: patterns for labels, ids and paths of clusters.
        start, end: all that lies on the ways from one to the other; one alone goes to the ends.
        around: what is at most `hops` edges away from it.
        hops: number of edges.

    Returns:
        The union of the selections; neighbours outside of it are kept as boxes that say no more
        than their name and that they are not selected.

    Raises:
        RenderError: a name matches nothing.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> view = build_view(Graph((x,), (("y", ops.exp(ops.tanh(x))),)))
        >>> [box.label for box in select(view, ["tanh"]).boxes]
        ['x', 'tanh', 'exp']
    """
    after, before = _neighbours(view)
    chosen = {name for glob in globs for name in _named(view, glob)}
    if start is not None or end is not None:
        below = _reached(_named(view, start), after) if start is not None else None
        above = _reached(_named(view, end), before) if end is not None else None
        between = below if above is None else above if below is None else below & above
        if not between:
            message = f"no edges lead from {start!r} to {end!r}"
            hint = "edges go from inputs to outputs"
            raise RenderError(explain(message, hint=hint), "E0431")
        chosen |= between
    if around is not None:
        centre = _named(view, around)
        chosen |= _reached(centre, after, hops) | _reached(centre, before, hops)
    touched = {n for name in chosen for n in (*after.get(name, ()), *before.get(name, ()))}
    boxes = [
        b if b.id in chosen else replace(b, details=(STUB,), types=(), activation=None, params=None)
        for b in view.boxes
        if b.id in chosen or b.id in touched
    ]
    kept = {b.id for b in boxes}
    edges = [
        e for e in view.edges
        if {e.source, e.target} <= kept and {e.source, e.target} & chosen
    ]  # fmt: skip
    table = by_id(view.clusters)
    used = {c for b in boxes for c in ancestors(table, b.cluster)}
    clusters = tuple(c for c in view.clusters if c.id in used)
    return replace(view, boxes=tuple(boxes), edges=tuple(edges), clusters=clusters)


def _neighbours(view: GraphView) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for edge in view.edges:
        if edge.kind not in UNORDERED:
            after.setdefault(edge.source, []).append(edge.target)
            before.setdefault(edge.target, []).append(edge.source)
    return after, before


def _named(view: GraphView, glob: str) -> set[str]:
    """Ids of the boxes that a pattern names, by label, id, or the path of a cluster around it."""
    table = by_id(view.clusters)
    found: set[str] = set()
    names: dict[str, None] = {}
    for box in view.boxes:
        own = [box.label, box.id, *(table[c].path for c in ancestors(table, box.cluster))]
        names |= dict.fromkeys(own)
        if any(fnmatch.fnmatchcase(name, glob) or name == glob for name in own):
            found.add(box.id)
    if not found:
        near = ", ".join(difflib.get_close_matches(glob, list(names), 3, 0.3))
        hint = f"did you mean {near}?" if near else ""
        labels = list(dict.fromkeys(box.label for box in view.boxes))
        known = "" if near else ", ".join(labels[:_LISTED])
        message = explain(f"no node is called {glob!r}", expected=known, hint=hint)
        raise RenderError(message, "E0431")
    return found


def _reached(
    start: Iterable[str], table: Mapping[str, Sequence[str]], hops: int | None = None
) -> set[str]:
    """What edges lead to, in at most so many."""
    found, ring = set(start), set(start)
    while ring and hops != 0:
        ring = {n for name in ring for n in table.get(name, ())} - found
        found |= ring
        hops = None if hops is None else hops - 1
    return found

"""What the interactive page shows: one tab a view, the passes, the profile, as JSON data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kgraph.ir.graph import Graph
from kgraph.passes.report import CompileReport, PassRecord
from kgraph.runtime.profile import Profile
from kgraph.tools.viz.html_page import make_page
from kgraph.tools.viz.json_view import to_json
from kgraph.tools.viz.looks import Style
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.opening import visible
from kgraph.tools.viz.painting import painting
from kgraph.tools.viz.view import build_view

Tab = dict[str, Any]

# What makes two boxes of different graphs the same one; `lineage` tells what a rule made.
_SAID = ("kind", "op", "label", "types", "details", "lineage")

LABELS = {"layers": "Layers", "ops": "Ops", "step": "Training step", "fused": "Fused",
          "memory": "Memory"}  # fmt: skip


def graph_tab(view: GraphView, rankdir: str = "TB", color_by: str = "role") -> Tab:
    """A tab with a picture: all that the view has, the closed clusters too, which the page opens.

    Args:
        view: layers, ops, step or fused.
        rankdir: direction of its edges.
        color_by: what colours say at first.

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> graph_tab(build_view(Graph((x,), (("y", x),)), "model"))["label"]
        'Ops'
    """
    data = json.loads(to_json(view, rankdir, color_by))
    return {"id": view.view, "label": LABELS[view.view], "kind": "graph", "view": data}


def view_page(view: GraphView, style: Style | None = None) -> str:
    """The page of one view.

    Args:
        view: from `build_view`.
        style: direction of the edges, theme, what colours say at first.

    Returns:
        HTML that asks for nothing else.
    """
    style = style or Style(theme="auto")
    if style.color_by != "role":
        painting(view, visible(view), style.color_by)  # complains about what is not known
    tab = graph_tab(view, style.rankdir, style.color_by)
    if view.memory is not None:
        tab.update(kind="memory", memory=tab["view"]["memory"])
    return make_page(view.title, [tab], "\n".join(texts([tab])), style.theme)


def memory_tab(graph: Graph, dims: Mapping[str, int] | None = None) -> Tab:
    """A tab with the arena of a fused graph over the time of a run."""
    view = build_view(graph, view="memory", dims=dims, costs=False)
    memory = json.loads(to_json(view))["memory"]
    return {"id": "memory", "label": LABELS["memory"], "kind": "memory", "memory": memory}


def passes_tab(report: CompileReport, title: str, rankdir: str = "TB", **options: Any) -> Tab:
    """A tab that steps through the passes that changed the graph.

    Boxes that say the same have one id in all views, so that the page sees what is new: a pass
    that changes one node makes all that depend on it anew.

    Args:
        report: of a compilation.
        title: of the pictures.
        rankdir: direction of their edges.
        options: of `build_view`.
    """
    changed = [record for record in report.passes if record.changed]
    graphs = list(dict.fromkeys(graph for r in changed for graph in (r.before, r.after)))
    ids: dict[tuple[str, int], str] = {}
    # Folding would hide what a pass did to one block only, merging what it did to one call.
    whole = {**options, "fold": False, "calls": True}
    made = (build_view(g, title, **whole) for g in graphs)
    views = [_with_common_ids(json.loads(to_json(view, rankdir)), ids) for view in made]
    rows = [_viewed(record, graphs) for record in changed]
    return {"id": "passes", "label": "Passes", "kind": "passes", "passes": rows, "views": views}


def profile_tab(
    profile: Profile,
    runs: int,
    places: Sequence[Sequence[str]],
    of: str,
    notes: Sequence[str] = (),
) -> Tab:
    """A tab with what each step of a plan took.

    Args:
        profile: the measured steps.
        runs: how often each was run; 0 if that is not known.
        places: the box or cluster of each step, or nothing.
        of: the tab that has these.
        notes: lines above the table.
    """
    rows = []
    for row, scope, op, ids in zip(profile.steps, profile.scopes, profile.ops, places, strict=True):
        line = {"name": scope or "(none)", "op": op, "calls": row.calls, "ms": row.seconds * 1e3,
                "flops": row.flops, "bytes": row.bytes}  # fmt: skip
        rows.append(line | ({"id": ids[0]} if ids else {}))
    data = {"runs": runs, "rows": rows, "notes": list(notes)}
    return {"id": "profile", "label": "Profile", "kind": "profile", "of": of, "profile": data}


def _with_common_ids(found: Any, ids: dict[tuple[str, int], str]) -> Any:
    """A view whose ids stand for what boxes say; equal boxes count in their order.

    Args:
        found: the view as data.
        ids: (what a box says, how many equal ones came before) -> id; new ones are entered.
    """
    paths = {cluster["id"]: cluster["path"] for cluster in found["clusters"]}
    seen, names = Counter[str](), {}
    for node in found["nodes"]:
        said = [node.get(field) for field in _SAID]
        key = json.dumps([*said, paths.get(node.get("cluster"))])
        names[node["id"]] = ids.setdefault((key, seen[key]), f"k{len(ids)}")
        seen[key] += 1
        node["id"] = names[node["id"]]
    for edge in found["edges"]:
        edge["s"], edge["d"] = names[edge["s"]], names[edge["d"]]
    return found


def _viewed(record: PassRecord, graphs: list[Graph]) -> Mapping[str, Any]:
    before, after = graphs.index(record.before), graphs.index(record.after)
    return {**pass_row(record), "view_before": before, "view_after": after}


def pass_row(record: PassRecord) -> Mapping[str, Any]:
    """What a pass did, as JSON data."""
    return {
        "pass": record.name,
        "ms": record.seconds * 1e3,
        "before": _numbers(record.before, record.cost_before),
        "after": _numbers(record.after, record.cost_after),
        "rules": [{"name": rule, "count": count} for rule, count in record.fired.items()],
    }


def _numbers(graph: Graph, cost: Any) -> Mapping[str, int]:
    return {"nodes": len(graph), "flops": cost.flops, "bytes": cost.bytes}


def texts(tabs: list[Tab]) -> Iterator[str]:
    """The boxes of the first picture as lines, for whoever cannot see it."""
    for tab in tabs:
        if tab["kind"] != "graph":
            continue
        for node in tab["view"]["nodes"]:
            kind = node.get("type") or node.get("op", "")
            types = ", ".join(node.get("types", ()))
            yield f"{node['label']} ({kind}) {types}".rstrip()
        return

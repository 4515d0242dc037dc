"""What the interactive page shows: one tab a view, the passes, the profile, as JSON data."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from kgraph.ir.graph import Graph, Stage
from kgraph.passes.report import CompileReport, PassRecord
from kgraph.runtime.profile import Profile
from kgraph.tools.viz.html_page import make_page
from kgraph.tools.viz.json_view import to_json
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.view import build_view

Tab = dict[str, Any]

# What makes two boxes of different graphs the same one; `lineage` tells what a rule made.
_SAID = ("kind", "op", "label", "types", "details", "lineage")

LABELS = {"layers": "Layers", "ops": "Ops", "step": "Training step", "fused": "Fused",
          "memory": "Memory"}  # fmt: skip


def graph_tab(view: str, graph: Graph, title: str, **options: Any) -> Tab:
    """A tab with a picture.

    Args:
        view: layers, ops, step or fused.
        graph: what is drawn.
        title: of the picture.
        options: further ones of `build_view`, and `rankdir`.

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> graph_tab("ops", Graph((x,), (("y", x),)), "model")["label"]
        'Ops'
    """
    return {"id": view, "label": LABELS[view], "kind": "graph",
            "view": _view(view, graph, title, **options)}  # fmt: skip


def view_page(view: GraphView, rankdir: str = "TB") -> str:
    """The page of one view.

    Args:
        view: from `build_view`.
        rankdir: direction of its edges.

    Returns:
        HTML that asks for nothing else.
    """
    data = json.loads(to_json(view, rankdir))
    tab: Tab = {"id": view.view, "label": LABELS[view.view], "kind": "graph", "view": data}
    if view.memory is not None:
        tab.update(kind="memory", memory=data["memory"])
    return make_page(view.title, [tab], "\n".join(texts([tab])))


def memory_tab(graph: Graph, **options: Any) -> Tab:
    """A tab with the arena of a fused graph over the time of a run."""
    memory = _view("memory", graph, "", **options)["memory"]
    return {"id": "memory", "label": LABELS["memory"], "kind": "memory", "memory": memory}


def passes_tab(report: CompileReport, title: str, **options: Any) -> Tab:
    """A tab that steps through the passes that changed the graph.

    Boxes that say the same have one id in all views, so that the page sees what is new: a pass
    that changes one node makes all that depend on it anew.
    """
    changed = [record for record in report.passes if record.changed]
    graphs = list(dict.fromkeys(graph for r in changed for graph in (r.before, r.after)))
    ids: dict[tuple[str, int], str] = {}
    views = [_with_common_ids(graph, ids, title, options) for graph in graphs]
    rows = [_pass_row(record, graphs) for record in changed]
    return {"id": "passes", "label": "Passes", "kind": "passes", "passes": rows, "views": views}


def profile_tab(
    profile: Profile, runs: int, ids: Sequence[str], picture: Tab, notes: Sequence[str] = ()
) -> Tab:
    """A tab with what each step of a plan took; the times are written into a picture as well.

    Args:
        profile: the measured steps.
        runs: how often each was run.
        ids: the box of each step.
        picture: the tab that has these boxes; those of folded blocks are not in it.
        notes: lines above the table.
    """
    view = picture["view"]
    clusters = {cluster["id"]: cluster for cluster in view["clusters"]}
    boxes = {node["id"]: node for node in view["nodes"]}
    # A loop or a fused region is the cluster around its parts.
    opened = {id.removesuffix("_0"): box for id, box in boxes.items() if id.endswith("_0")}
    boxes |= {id: clusters[first["cluster"]] for id, first in opened.items()}
    rows = []
    for row, scope, op, id in zip(profile.steps, profile.scopes, profile.ops, ids, strict=True):
        ms = row.seconds * 1e3
        line = {"name": scope or "(none)", "op": op, "calls": row.calls, "ms": ms,
                "flops": row.flops, "bytes": row.bytes}  # fmt: skip
        if id in boxes:
            cost = boxes[id].setdefault("cost", {})
            cost["ms"] = cost.get("ms", 0) + ms
            line["id"] = boxes[id]["id"]
        rows.append(line)
    data = {"runs": runs, "rows": rows, "notes": list(notes)}
    return {"id": "profile", "label": "Profile", "kind": "profile", "of": picture["id"],
            "profile": data}  # fmt: skip


def _view(view: str, graph: Graph, title: str, rankdir: str = "TB", **options: Any) -> Any:
    # All that the view has, the closed clusters too: the page opens them.
    return json.loads(to_json(build_view(graph, title, view=view, **options), rankdir))


def _with_common_ids(
    graph: Graph, ids: dict[tuple[str, int], str], title: str, options: Mapping[str, Any]
) -> Any:
    """A view whose ids stand for what boxes say; equal boxes count in their order.

    Args:
        graph: what is drawn.
        ids: (what a box says, how many equal ones came before) -> id; new ones are entered.
        title, options: of the view.
    """
    name = "layers" if graph.stage is Stage.LAYERS else "ops"
    # Folding would hide what a pass did to one block only.
    found = _view(name, graph, title, **{**options, "fold": False})
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


def _pass_row(record: PassRecord, graphs: list[Graph]) -> Mapping[str, Any]:
    return {
        "pass": record.name,
        "ms": record.seconds * 1e3,
        "before": _numbers(record.before, record.cost_before),
        "after": _numbers(record.after, record.cost_after),
        "rules": [{"name": rule, "count": count} for rule, count in record.fired.items()],
        "view_before": graphs.index(record.before),
        "view_after": graphs.index(record.after),
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

"""Measured times on pictures: of a plan that runs here, or out of a file of `kgraph profile`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from kgraph.errors import RenderError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.printer import ordered
from kgraph.passes.cost import SIZE_HINT
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import Executable
from kgraph.runtime.profile import Profile, Row, profile
from kgraph.runtime.unfuse import came_from
from kgraph.testing.feeds import feed
from kgraph.tools.feeding import filled, running
from kgraph.tools.viz.model import GraphView

Feeds = Callable[[Graph], Sequence[np.ndarray]]


@dataclass(frozen=True)
class Timing:
    """Where the times of a picture come from.

    Args:
        runs: how often each step is run here, of which the median counts; 0 for not at all.
        feeds: what a graph is run on; default random numbers.
        document: what `kgraph profile -o FILE.json` wrote, instead of runs.
    """

    runs: int = 0
    feeds: Feeds | None = None
    document: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return self.runs > 0 or self.document is not None

    def of(self, executable: Executable, dims: Mapping[str, int] | None = None) -> Times:
        """The times of a plan; the variables keep their values.

        Args:
            executable: what runs.
            dims: numbers for symbolic sizes; default 32.

        Raises:
            RenderError: the document is of another model.
        """
        graph = executable.graph
        sizes = dict.fromkeys(graph.symbols, SIZE_HINT) | dict(dims or {})
        if self.document is not None:
            known = self.document.get("sizes", {})
            plan = executable.bind(sizes | {k: v for k, v in known.items() if k in sizes})
            return Times(_stored(self.document, plan), plan, 0, graph)
        if self.feeds is None:
            arrays: Sequence[np.ndarray] = feed(
                graph, np.random.default_rng(0), kind="normal", sizes=sizes
            )
        else:
            arrays = self.feeds(graph)
        plan = filled(executable, arrays, sizes)
        with running():
            return Times(profile(plan, self.runs), plan, self.runs, graph)


@dataclass(frozen=True)
class Times:
    """A measured plan.

    Args:
        profile: its steps.
        plan: what was measured.
        runs: how often; 0 if a file says it.
        graph: what is shown of it: small fused regions are taken apart before they run.
    """

    profile: Profile
    plan: Plan
    runs: int
    graph: Graph

    def on(self, view: GraphView) -> GraphView:
        """A view with the times of its boxes and clusters.

        Of layers, a step counts for the one whose path it has; calls that have boxes of their own
        share evenly, for one path is all that is known. Else a step is a node of the graph.

        Args:
            view: of the graph of layers, or of the graph that runs.

        Raises:
            RenderError: it shows ops before the passes, which never ran.
        """
        if view.stage == Stage.CORE.value:
            message = "times are known of layers and of what runs, not of ops before the passes"
            raise RenderError(explain(message, hint="--view layers, or --view fused"), "E0101")
        found: dict[str, float] = {}
        places = self._layers(view) if view.stage == Stage.LAYERS.value else self.places(view)
        for row, ids in zip(self.profile.steps, places, strict=True):
            for id in ids:
                found[id] = found.get(id, 0.0) + row.seconds * 1e3 / len(ids)
        return replace(view, times=found)

    def places(self, view: GraphView) -> list[list[str]]:
        """The box or cluster of each step in a view of the graph that ran."""
        ids = {box.id for box in view.boxes}
        clusters = {cluster.node: cluster.id for cluster in view.clusters if cluster.node}
        names = {node: f"n{i}" for i, node in enumerate(ordered(self.graph))}
        came = came_from(self.graph, self.plan.data.binding)
        found = []
        for step in self.plan.data.steps:
            name = names.get(came.get(step.node, step.node), "")
            place = clusters.get(name, name if name in ids else "")
            found.append([place] if place else [])
        return found

    def _layers(self, view: GraphView) -> list[list[str]]:
        """The boxes, or the cluster, that have the longest part of each step's path."""
        paths = {cluster.id: cluster.path for cluster in view.clusters}
        known = {path: [id] for id, path in paths.items()}
        for box in view.boxes:
            if box.kind == "layer":
                above = f"{paths[box.cluster]}/" if box.cluster else ""
                known.setdefault(above + box.label, []).append(box.id)
        found = []
        for scope in self.profile.scopes:
            parts = scope.split("/")
            heads = ("/".join(parts[:k]) for k in range(len(parts), 0, -1))
            found.append(next((known[head] for head in heads if head in known), []))
        return found


def _stored(document: Mapping[str, Any], plan: Plan) -> Profile:
    """The profile that a file holds, if it is one of this plan."""
    steps = plan.data.steps
    scopes = tuple(step.node.origin.scope for step in steps)
    ops = tuple(step.op.name for step in steps)
    rows = {str(row.get("name", "")).split(" ", 1)[0]: row for row in document.get("nodes", ())}
    found = []
    for number, (scope, op) in enumerate(zip(scopes, ops, strict=True)):
        name = f"{scope}: {op}" if scope else op
        row = rows.get(str(number))
        if row is None or not f"{row['name']} ".startswith(f"{number} {name} "):
            got = "nothing" if row is None else row["name"]
            message = "the profile is of another model, or of another mode or level of numerics"
            raise RenderError(explain(message, expected=f"{number} {name}", got=got), "E0431")
        found.append(Row(name, 1, row["us"] / 1e6, row.get("flops", 0), row.get("bytes", 0)))
    return Profile(tuple(found), scopes, ops, document.get("run_us", 0.0) / 1e6)

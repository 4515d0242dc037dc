"""The interactive page of a model: which of its graphs become which tabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kgraph.ir.graph import Graph, Stage
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import compile
from kgraph.runtime.profile import Profile
from kgraph.tools.models import graph_of
from kgraph.tools.timing import Times, Timing
from kgraph.tools.training_step import training_step
from kgraph.tools.viz.html_page import make_page
from kgraph.tools.viz.looks import Style
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.overlay import overlaid
from kgraph.tools.viz.tabs import (
    Tab,
    graph_tab,
    memory_tab,
    passes_tab,
    profile_tab,
    texts,
)
from kgraph.tools.viz.view import build_view, refuse_large


def interactive_page(found: Any, title: str, *, runs: int = 0, **options: Any) -> str:
    """A model or graph as one file that a browser opens.

    Args:
        found: a model, or a graph of any stage.
        title: of the page.
        runs: how often to run each step for a tab with times, and on the boxes; 0 for none.
        options: see `page_with_views`.

    Returns:
        HTML that asks for nothing else.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> page = interactive_page(Sequential([Dense(1, input_dim=2, name="top")]), "model")
        >>> [name in page for name in ("data-layers", "data-fused", "data-memory", "data-step")]
        [True, True, True, False]
    """
    return page_with_views(found, title, timing=Timing(runs), **options)[0]


def page_with_views(
    found: Any,
    title: str,
    *,
    training: bool = False,
    loss: str | None = None,
    optimizer: str = "adam",
    passes: bool = False,
    timing: Timing | None = None,
    overlay: Mapping[str, Any] | None = None,
    style: Style | None = None,
    most: int | None = None,
    **options: Any,
) -> tuple[str, list[GraphView]]:
    """The page, and what it shows.

    Args:
        found: a model, or a graph of any stage.
        title: of the page.
        training: whether to show the training step instead of inference.
        loss, optimizer: see `training_step`.
        passes: whether to add a tab that steps through the passes.
        timing: where times come from, for a tab with them and on the boxes; default nowhere.
        overlay: values from outside; see `overlaid`.
        style: direction of edges, theme, what colours say at first.
        most: boxes that a view may have.
        options: of `build_view` (`dims`, `fold`, `folders`, `depth`, `calls`).

    Returns:
        HTML that asks for nothing else, and the views that its tabs show.

    Raises:
        KGraphError: a bare graph has no training step.
        RenderError: a view has more boxes than `most`.
    """
    graph, style = graph_of(found), style or Style(theme="auto")
    executable = training_step(found, loss, optimizer) if training else compile(graph)
    times = timing.of(executable, options.get("dims")) if timing else None
    report = executable.report
    shown = [("layers", graph)] if graph.stage is Stage.LAYERS else []
    if report is not None:
        shown.append(("step" if training else "ops", report.source))
    shown.append(("fused", executable.graph if times is None else times.graph))
    views: dict[str, GraphView] = {}
    for name, drawn in shown:
        timed = None if name in ("ops", "step") else times  # which never ran
        views[name] = _with_values(drawn, name, title, timed, overlay, options)
        if most is not None:
            refuse_large(views[name], most)
    tabs: list[Tab] = [graph_tab(v, style.rankdir, style.color_by) for v in views.values()]
    tabs.append(memory_tab(executable.graph, options.get("dims")))
    if passes and report is not None:
        tabs.append(passes_tab(report, title, style.rankdir, **options))
    if times is not None:
        tabs.append(profile_tab(times.profile, times.runs, times.places(views["fused"]), "fused"))
    return make_page(title, tabs, "\n".join(texts(tabs)), style.theme), list(views.values())


def _with_values(
    graph: Graph,
    name: str,
    title: str,
    times: Times | None,
    overlay: Mapping[str, Any] | None,
    options: Mapping[str, Any],
) -> GraphView:
    """A view with what is known of its boxes; blocks that have values of their own stay apart."""
    fold = options.get("fold", True) and overlay is None and times is None
    view = build_view(graph, title, view=name, **{**options, "fold": fold})
    view = view if overlay is None else overlaid(view, overlay)
    return view if times is None else times.on(view)


def profile_page(
    plan: Plan, measured: Profile, runs: int, title: str, notes: Sequence[str] = ()
) -> str:
    """A measured plan as one file that a browser opens: times, the graph that ran, memory.

    Args:
        plan: what ran.
        measured: its profile.
        runs: how often each step was run.
        title: of the page.
        notes: lines above the times.

    Returns:
        HTML that asks for nothing else.
    """
    times, dims = Times(measured, plan, runs, plan.data.graph), dict(plan.data.binding)
    view = times.on(build_view(times.graph, title, view="fused", fold=False, dims=dims))
    first = profile_tab(measured, runs, times.places(view), "fused", notes)
    tabs = [first, graph_tab(view), memory_tab(times.graph, dims)]
    return make_page(title, tabs, "\n".join(texts(tabs)))

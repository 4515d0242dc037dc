"""The interactive page of a model: which of its graphs become which tabs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.ir.graph import Graph, Stage
from kgraph.ir.printer import ordered
from kgraph.passes.cost import SIZE_HINT
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import Executable, compile
from kgraph.runtime.profile import Profile, profile
from kgraph.runtime.unfuse import came_from
from kgraph.testing.feeds import feed
from kgraph.tools.models import graph_of
from kgraph.tools.training_step import training_step
from kgraph.tools.viz.html_page import make_page
from kgraph.tools.viz.tabs import (
    Tab,
    graph_tab,
    memory_tab,
    passes_tab,
    profile_tab,
    texts,
)


def interactive_page(
    found: Any,
    title: str,
    *,
    training: bool = False,
    loss: str | None = None,
    optimizer: str = "adam",
    passes: bool = False,
    runs: int = 0,
    **options: Any,
) -> str:
    """A model or graph as one file that a browser opens.

    Args:
        found: a model, or a graph of any stage.
        title: of the page.
        training: whether to show the training step instead of inference.
        loss, optimizer: see `training_step`.
        passes: whether to add a tab that steps through the passes.
        runs: how often to run each step for a tab with times; 0 for none.
        options: of `build_view` (`dims`, `fold`, `folders`, `depth`), and `rankdir`.

    Returns:
        HTML that asks for nothing else.

    Raises:
        KGraphError: a bare graph has no training step.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> page = interactive_page(Sequential([Dense(1, input_dim=2, name="top")]), "model")
        >>> [name in page for name in ("data-layers", "data-fused", "data-memory", "data-step")]
        [True, True, True, False]
    """
    graph = graph_of(found)
    tabs: list[Tab] = []
    if graph.stage is Stage.LAYERS:
        tabs.append(graph_tab("layers", graph, title, **options))
    executable = training_step(found, loss, optimizer) if training else compile(graph)
    report = executable.report
    if report is not None:
        view = "step" if training else "ops"
        tabs.append(graph_tab(view, report.source, title, **options))
    fused = graph_tab("fused", executable.graph, title, **options)
    tabs += [fused, memory_tab(executable.graph, **options)]
    if passes and report is not None:
        tabs.append(passes_tab(report, title, **options))
    if runs:
        tabs.append(_times(executable, options.get("dims"), runs, fused))
    return make_page(title, tabs, "\n".join(texts(tabs)))


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
    graph, dims = plan.data.graph, dict(plan.data.binding)
    picture = graph_tab("fused", graph, title, dims=dims)
    times = profile_tab(measured, runs, _boxes(plan, graph), picture, notes)
    tabs = [times, picture, memory_tab(graph, dims=dims)]
    return make_page(title, tabs, "\n".join(texts(tabs)))


def _times(executable: Executable, dims: Mapping[str, int] | None, runs: int, picture: Tab) -> Tab:
    """The profile of a plan on random inputs; the variables keep their values."""
    graph = executable.graph
    sizes = dict.fromkeys(graph.symbols, SIZE_HINT) | dict(dims or {})
    plan = executable.bind(sizes)
    arrays = feed(graph, np.random.default_rng(0), kind="normal", sizes=sizes)
    for buffer, array in zip(plan.inputs, arrays, strict=True):
        buffer[...] = array
    return profile_tab(profile(plan, runs), runs, _boxes(plan, graph), picture)


def _boxes(plan: Plan, graph: Graph) -> list[str]:
    """The box of each step, or of what it was fused into; what a plan does besides has none."""
    numbers = {node: f"n{number}" for number, node in enumerate(ordered(graph))}
    came = came_from(graph, plan.data.binding)
    return [numbers.get(came.get(step.node, step.node), "") for step in plan.data.steps]

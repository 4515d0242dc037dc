"""Which graph a view shows: the model's as it is, lowered, optimized, or its training step's."""

from __future__ import annotations

from typing import Any

from kgraph.errors import StageError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.tools.stages import at_stage as brought_to
from kgraph.tools.training_step import training_step

_ORDER = list(Stage)
# View -> the stage that it shows when none is asked for; ops of a later stage stay there.
_STAGES = {"ops": Stage.CORE, "step": Stage.CORE, "fused": Stage.FUSED, "memory": Stage.FUSED}


def contradiction(view: str | None, stage: str | None, training: bool) -> str | None:
    """What is wrong with a view and a stage together, or None.

    Example:
        >>> contradiction("layers", "core", False)
        '--view layers contradicts --stage core: lowering replaces the layers'
    """
    training = training or view == "step"
    if view == "layers" and (training or stage in ("core", "fused")):
        other = "--training" if training else f"--stage {stage}"
        return f"--view layers contradicts {other}: lowering replaces the layers"
    if stage == "layers" and (training or view in ("fused", "memory")):
        other = "--training" if training else f"--view {view}"
        return f"--stage layers contradicts {other}: lowering replaces the layers"
    if view == "fused" and stage == "core":
        return "--view fused contradicts --stage core: passes fuse the ops"
    return None


def training_graph(
    found: Any, view: str | None, stage: str | None, loss: str | None, optimizer: str
) -> Graph:
    """The graph of a model's training step, before the passes or after them.

    Args:
        found: a model.
        view: one of `VIEWS` or None.
        stage: core, fused, or None: what the view shows.
        loss, optimizer: see `training_step`.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(1, input_dim=2)])
        >>> training_graph(model, "step", None, "mse", "sgd").stage
        <Stage.CORE: 'core'>
    """
    report = training_step(found, loss, optimizer).report
    assert report is not None, "a compiled step has one"
    wanted = Stage(stage) if stage else _STAGES.get(view or "", Stage.CORE)
    return report.result if wanted is Stage.FUSED else report.source


def at_stage(graph: Graph, view: str | None, stage: str | None) -> Graph:
    """The graph at the stage that the options ask for.

    Args:
        graph: as it was read.
        view: one of `VIEWS` or None.
        stage: a stage's name, or None: what the view shows, else as it is.

    Raises:
        StageError: the graph is past that stage.
    """
    present = _ORDER.index(graph.stage)
    wanted = present
    if view in _STAGES:
        wanted = max(present, _ORDER.index(_STAGES[view]))
    if view == "layers":
        wanted = _ORDER.index(Stage.LAYERS)
    if stage is not None:
        wanted = _ORDER.index(Stage(stage))
    if wanted < present:
        raise StageError(
            explain(
                f"the file holds a graph at stage {graph.stage.value}, which is past "
                f"{_ORDER[wanted].value}",
                hint=f"--view ops --stage {graph.stage.value}",
            )
        )
    return brought_to(graph, _ORDER[wanted].value)

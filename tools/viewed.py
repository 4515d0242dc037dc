"""Which stage of a graph a view shows: as it is, lowered, or optimized."""

from __future__ import annotations

from kgraph.errors import StageError, explain
from kgraph.ir.graph import Stage

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


def shown_stage(present: Stage, view: str | None, stage: str | None) -> Stage:
    """The stage that the options ask for.

    Args:
        present: that of the graph at hand; CORE for a training step.
        view: one of `VIEWS` or None.
        stage: a stage's name, or None: what the view shows, else as it is.

    Raises:
        StageError: the graph is past that stage.

    Example:
        >>> shown_stage(Stage.LAYERS, "memory", None), shown_stage(Stage.CORE, None, None)
        (<Stage.FUSED: 'fused'>, <Stage.CORE: 'core'>)
    """
    wanted = present
    if view in _STAGES:
        wanted = max(present, _STAGES[view], key=_ORDER.index)
    if view == "layers":
        wanted = Stage.LAYERS
    if stage is not None:
        wanted = Stage(stage)
    if _ORDER.index(wanted) < _ORDER.index(present):
        raise StageError(
            explain(
                f"the file holds a graph at stage {present.value}, which is past {wanted.value}",
                hint=f"--view ops --stage {present.value}",
            )
        )
    return wanted

"""A model as the commands take it apart: at a stage, and at a level of numerics."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from kgraph import config
from kgraph.errors import StageError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.passes.rules import ADMITTED
from kgraph.tools.complaints import CommandError

LEVELS = tuple(ADMITTED)
_STAGES = {stage.value: stage for stage in Stage}


@contextlib.contextmanager
def numerics(level: str | None) -> Iterator[None]:
    """Lets the rules of a level fire in the block: strict, safe or fast; None changes nothing."""
    kept = config.numerics
    config.numerics = level or kept
    try:
        yield
    finally:
        config.numerics = kept


def split_stage(text: str) -> tuple[str, str | None, str | None]:
    """A model, a stage and a level of numerics out of `model.json@fused:fast`.

    Raises:
        CommandError: there is no such stage or level.

    Example:
        >>> split_stage("m.json@fused:fast"), split_stage("m.json")
        (('m.json', 'fused', 'fast'), ('m.json', None, None))
    """
    model, mark, rest = text.rpartition("@")
    if not mark or "/" in rest:
        return text, None, None
    stage, _, level = rest.partition(":")
    if stage not in _STAGES or level not in ("", *LEVELS):
        expected = f"one of {', '.join(_STAGES)}, and perhaps :{', :'.join(LEVELS)}"
        raise CommandError("E0101", explain(f"no stage {rest!r}", expected=expected))
    return model, stage, level or None


def at_stage(graph: Graph, stage: str | None, level: str | None = None) -> Graph:
    """The graph at a stage.

    Args:
        graph: as it was read.
        stage: layers, core, fused, or None for the one that it is at.
        level: of numerics, for fused.

    Raises:
        StageError: the graph is past that stage.
    """
    order = list(Stage)
    wanted = graph.stage if stage is None else _STAGES[stage]
    if order.index(wanted) < order.index(graph.stage):
        message = f"the graph is at stage {graph.stage.value}, which is past {wanted.value}"
        raise StageError(explain(message, hint="give the model that it was made from"))
    if graph.stage is Stage.LAYERS and wanted is not Stage.LAYERS:
        graph = lower(graph)
    if wanted is Stage.FUSED and graph.stage is Stage.CORE:
        with numerics(level):
            graph = optimize(graph)[0]
    return graph

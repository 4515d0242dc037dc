"""The order of the passes, and `optimize`, which runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from kgraph.ir.graph import Graph, Stage
from kgraph.passes.manager import CompileReport, Pass, Pipeline
from kgraph.passes.share import ShareSoftmax
from kgraph.passes.simplify import DropMarkers, Simplify
from kgraph.passes.stabilize import Stabilize


@dataclass(frozen=True)
class Finish(Pass):
    """Hands the graph over to the runtime: from here on it is at stage FUSED."""

    gives: ClassVar[Stage] = Stage.FUSED

    def run(self, graph: Graph) -> Graph:
        """The same nodes at the last stage."""
        return graph.with_roots(graph.roots, stage=Stage.FUSED)


CORE: tuple[Pass, ...] = (
    DropMarkers(),  # no gradient will be taken any more
    Simplify(),  # constants and identities, which would hide forms from the next pass
    Stabilize(),
    ShareSoftmax(),
    Simplify(),  # what the new ops brought together
    Finish(),
)


def optimize(
    graph: Graph, pipeline: Pipeline | Sequence[Pass] | None = None
) -> tuple[Graph, CompileReport]:
    """Makes a graph of primitive ops ready for the runtime.

    Args:
        graph: a CORE graph; a FUSED one is returned as it is.
        pipeline: passes to run instead of `CORE`.

    Returns:
        The better graph, and the report of what each pass did.

    Raises:
        StageError: the graph still has layers.
        PassError: a pass failed.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2, 3), name="x")
        >>> graph, report = optimize(Graph((x,), (("y", ops.log(1 + x * 1)),)))
        >>> graph.outputs[0][1].op, dict(report.fired)
        (<op log1p>, {'mul-one': 1, 'log-one-plus': 1})
    """
    if graph.stage is Stage.FUSED:
        return graph, CompileReport(graph)
    if isinstance(pipeline, Pipeline):
        return pipeline.run(graph)
    return Pipeline(CORE if pipeline is None else tuple(pipeline)).run(graph)

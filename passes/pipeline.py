"""The order of the passes, and `optimize`, which runs them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from kgraph.ir.graph import Graph, Stage
from kgraph.passes.batch_norm import FoldBatchNorm
from kgraph.passes.contraction import Contract
from kgraph.passes.extending import extended
from kgraph.passes.fuse import Fuse
from kgraph.passes.gradients import Gradients
from kgraph.passes.horizontal import MergeProducts
from kgraph.passes.loop_hoisting import HoistLoops
from kgraph.passes.loop_parts import MergeLoops
from kgraph.passes.manager import CompileReport, Pass, Pipeline
from kgraph.passes.pooling import PoolFirst
from kgraph.passes.rematerialize import Rematerialize
from kgraph.passes.share import ShareSoftmax
from kgraph.passes.simplify import DropMarkers, Simplify
from kgraph.passes.stabilize import Stabilize
from kgraph.passes.transposes import Transposes


@dataclass(frozen=True)
class Finish(Pass):
    """Hands the graph over to the runtime: from here on it is at stage FUSED."""

    gives: ClassVar[Stage] = Stage.FUSED

    def run(self, graph: Graph) -> Graph:
        """The same nodes at the last stage."""
        return graph.with_roots(graph.roots, stage=Stage.FUSED)


CORE: tuple[Pass, ...] = (
    DropMarkers(),  # no gradient will be taken any more
    MergeLoops(),  # before a rule that counts users tells the bodies of two of them apart
    Simplify(),  # constants and identities, which would hide forms from the next pass
    Stabilize(),
    ShareSoftmax(),
    Gradients(),  # sparse parts of gradients stay sparse
    Transposes(),  # fewer of them, and channels last beside convolutions
    PoolFirst(),  # relu on what pooling leaves
    FoldBatchNorm(),  # at inference, into the weights beside
    HoistLoops(),  # what does not depend on the carry, so that the next passes see it
    Contract(),  # products in their best order
    MergeProducts(),  # products that share an operand
    Simplify(),  # what the new ops brought together
    MergeLoops(),  # what nobody reads any more
    Fuse(),  # what may run in blocks; the runtime undoes what is too small to pay
)

# What runs on a forward graph before it is differentiated. The gradient of a stable form is stable;
# what is transposed or computed less on the way there is so on the way back.
FORWARD: tuple[Pass, ...] = (Stabilize(), Transposes(), PoolFirst())


def default_pipeline() -> Pipeline:
    """`CORE` with what users added, less what they left out.

    Example:
        >>> default_pipeline().passes == CORE
        True
    """
    return extended(CORE, FORWARD)


def forward_pipeline() -> Pipeline:
    """The passes to run before gradients are taken, with what users added or left out.

    Example:
        >>> print(forward_pipeline())
        stabilize,transposes,pool_first
    """
    return extended(FORWARD, CORE, main=False)


def optimize(
    graph: Graph,
    pipeline: Pipeline | Sequence[Pass] | None = None,
    memory_budget: int | float | None = None,
) -> tuple[Graph, CompileReport]:
    """Makes a graph of primitive ops ready for the runtime.

    Args:
        graph: a CORE graph; a FUSED one is returned as it is, unless there is a budget.
        pipeline: passes to run instead of `CORE` with what users added (`using`, `register`) or
            left out (`config.passes`).
        memory_budget: ends with `Rematerialize(memory_budget)`, symbolic sizes counting as 32.
            `kgraph.runtime.executable.compile` has real sizes, and calls it for each binding.

    Returns:
        The better graph, and the report of what each pass did.

    Raises:
        StageError: the graph still has layers.
        PassError: a pass failed.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2, 3), name="x")
        >>> graph, report = optimize(Graph((x,), (("y", ops.log(x * 1 + 1)),)))
        >>> graph.outputs[0][1].op, dict(report.fired)
        (<op log1p>, {'mul-one': 1, 'log-one-plus': 1})
    """
    if graph.stage is Stage.FUSED:
        chosen = Pipeline(())
    elif pipeline is None:
        chosen = default_pipeline()
    else:
        chosen = pipeline if isinstance(pipeline, Pipeline) else Pipeline(tuple(pipeline))
    if memory_budget is not None:
        # What a fused op holds together could not be dropped and computed again one by one.
        single = [Finish() if isinstance(p, Fuse) else p for p in chosen.passes]
        chosen = replace(chosen, passes=(*single, Rematerialize(memory_budget)))
    return chosen.run(graph)

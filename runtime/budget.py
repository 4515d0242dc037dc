"""Budget: a plan that takes no more memory than was allowed, because values are computed twice.

The pass estimates, the plan decides. Where a plan of what the pass chose is too large, for places
in the arena and scratch buffers also count, the pass is asked again for as much less.
"""

from __future__ import annotations

from collections.abc import Mapping

from kgraph.errors import MemoryBudgetError, PassError, explain
from kgraph.ir.graph import Graph
from kgraph.passes.liveness import Liveness
from kgraph.passes.manager import Pipeline
from kgraph.passes.rematerialize import Rematerialize, allowed_bytes
from kgraph.runtime.plan import PlanData
from kgraph.runtime.planning import make_plan
from kgraph.runtime.unfuse import unfuse_all

ATTEMPTS = 8


def plan_within(graph: Graph, binding: Mapping[str, int], memory_budget: int | float) -> PlanData:
    """Plans a graph, rematerialized as far as its arena has to shrink for the budget.

    Args:
        graph: a FUSED graph.
        binding: the number of every symbol.
        memory_budget: bytes as an int, or a part of the plain plan's arena as a float up to 1.0.

    Returns:
        The plan.

    Raises:
        MemoryBudgetError: no plan is small enough.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Stage, input_node
        >>> x = input_node((1024,), name="x")
        >>> a = ops.tanh(x)
        >>> b = ops.sum(ops.exp(ops.cumsum(ops.exp(ops.cumsum(a)))))
        >>> graph = Graph((x,), (("y", ops.sum(a * b)),), (), Stage.FUSED)
        >>> plan_within(graph, {}, 1.0).arena_bytes > plan_within(graph, {}, 0.7).arena_bytes
        True
    """
    plain = make_plan(graph, binding)
    limit = target = allowed_bytes(memory_budget, plain.arena_bytes)
    if plain.arena_bytes <= limit:
        return plain
    # What a fused op holds together could not be dropped and computed again one by one.
    graph, smallest = unfuse_all(graph), plain.arena_bytes
    for attempt in range(ATTEMPTS):
        try:
            smaller, _ = Pipeline((Rematerialize(target, tuple(binding.items())),)).run(graph)
        except PassError as error:
            if not isinstance(error.__cause__, MemoryBudgetError):
                raise
            if not attempt:
                raise error.__cause__ from None
            break
        found = make_plan(smaller, binding)
        if found.arena_bytes <= limit:
            return found
        smallest = min(smallest, found.arena_bytes)
        estimate = Liveness(smaller, binding).peak
        target = max(min(estimate - 1, target * limit // found.arena_bytes), 1)
    raise MemoryBudgetError(
        explain(
            "no plan fits the memory budget",
            expected=f"an arena of at most {limit:,} bytes",
            got=f"{smallest:,} bytes; {plain.arena_bytes:,} without computing anything twice",
            hint="a smaller batch needs less, in proportion to its activations",
        )
    )

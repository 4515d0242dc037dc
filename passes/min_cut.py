"""Min-cut: the fewest bytes to keep when everything cheap may be computed again.

The values that a backward pass needs are the sink of a network of pipes whose widths are bytes; the
source feeds what is too dear to compute twice. A minimal cut is the cheapest set to keep: whatever
lies behind it follows from it by cheap ops alone. Only this file of the passes loads networkx.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

import networkx
from networkx.algorithms.flow import boykov_kolmogorov

from kgraph.passes.liveness import Liveness


def cheapest_cut(
    live: Liveness, needed: Collection[int], free: Collection[int], is_cheap: Callable[[int], bool]
) -> frozenset[int]:
    """Chooses the values to keep.

    Args:
        live: the graph's values.
        needed: numbers of those that will be needed later.
        free: those that are kept anyway.
        is_cheap: whether a value may be computed again.

    Returns:
        The numbers to keep. Of several cuts of one size it is the one nearest to the uses, which
        has the least to recompute.
    """
    # From the uses towards their origin, so that the side of the uses is what networkx returns.
    pipes = networkx.DiGraph()
    pipes.add_nodes_from(("use", "source"))
    stack, seen = list(needed), set(needed)
    pipes.add_edges_from(("use", (value, "out")) for value in needed)
    while stack:
        value = stack.pop()
        width = 0 if value in free else live.sizes[value]
        pipes.add_edge((value, "out"), (value, "in"), capacity=width)
        if not is_cheap(value):
            pipes.add_edge((value, "in"), "source")
            continue
        for operand in live.runs[value].reads:
            pipes.add_edge((value, "in"), (operand, "out"))
            if operand not in seen:
                seen.add(operand)
                stack.append(operand)
    _, (uses, _) = networkx.minimum_cut(pipes, "use", "source", flow_func=boykov_kolmogorov)
    return frozenset(v for v in seen if (v, "out") in uses and (v, "in") not in uses)

"""Poison: runs a plan over memory that holds NaNs wherever nothing lives.

A plan that reads a buffer before it is written, or after its last reader, mostly gets away with it:
what it reads is still there from the run before. Here it gets NaNs, or -1 where numbers are whole.
"""

from __future__ import annotations

import numpy as np

from kgraph.runtime.emit import Plan

GARBAGE = 0xFF  # a byte; four or eight of them are a NaN


def run_poisoned(plan: Plan) -> None:
    """Runs the steps of a plan one by one; each finds garbage in every buffer that is not alive.

    Args:
        plan: a bound plan whose inputs are filled.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.runtime.planning import make_plan
        >>> x = input_node((2,), name="x")
        >>> plan = Plan(make_plan(Graph((x,), (("y", ops.exp(x)),)), {}))
        >>> run_poisoned(plan)
        >>> plan.outputs[0].tolist()
        [1.0, 1.0]
    """
    data, arena = plan.data, plan.arena
    arena[...] = GARBAGE
    waiting = sorted((b for b in data.buffers if b.size), key=lambda b: b.end, reverse=True)
    with np.errstate(all="ignore"):
        for step, (kernel, arrays) in zip(data.steps, plan.calls, strict=True):
            while waiting and waiting[-1].end < step.moment:
                dead = waiting.pop()
                arena[dead.offset : dead.offset + dead.size] = GARBAGE
            kernel(*arrays)

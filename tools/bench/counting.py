"""What one run of a plan does, counted rather than timed; a loop's step counts once a turn."""

from __future__ import annotations

from collections.abc import Iterator

from kgraph.runtime.plan import PlanData, Step
from kgraph.runtime.profile import step_cost


def count_all(plan: PlanData) -> dict[str, int]:
    """Counts of one run.

    Returns:
        loops: how many there are; calls: of kernels; matmuls: products of matrices, fused ones and
        those in loops included; convolutions: with their gradients, each of which is several
        products; flops and bytes: floating-point operations, and bytes that kernels read and write.
    """
    found = dict.fromkeys(("loops", "calls", "matmuls", "convolutions", "flops", "bytes"), 0)
    for step, times in every_step(plan):
        if step.loop is not None:
            found["loops"] += times
            continue
        flops, moved = step_cost(step)
        found["calls"] += times
        found["matmuls"] += times * count_matmuls(step)
        found["convolutions"] += times * step.op.name.startswith("conv")
        found["flops"] += times * flops
        found["bytes"] += times * moved
    return found


def every_step(plan: PlanData) -> Iterator[tuple[Step, int]]:
    """The steps of a plan and of its loops, each with how often a run calls it."""
    todo = [(step, 1) for step in reversed(plan.steps)]
    while todo:
        step, times = todo.pop()
        yield step, times
        if step.loop is not None:
            turns = times * int(step.attrs["length"])
            todo += [(inner, turns) for inner in reversed(step.loop.steps)]


def count_matmuls(step: Step) -> int:
    """The matrix products of a step, fused ones included."""
    if step.op.name != "fused":
        return int(step.op.name == "matmul")
    return sum(name == "matmul" for name, *_ in step.attrs["program"])

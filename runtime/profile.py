"""Profile: seconds of each step of a plan, summed by layer, by op or by node."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kgraph.ir.variable import Variable, keeping
from kgraph.runtime.emit import Plan
from kgraph.runtime.plan import Step


@dataclass(frozen=True)
class Row:
    """One line of a profile: what, how many steps, seconds a run, floating-point ops, bytes."""

    name: str
    calls: int
    seconds: float
    flops: int
    bytes: int


@dataclass(frozen=True)
class Profile:
    """The measured steps of a plan, in order of execution.

    Args:
        steps: one row a step, named `layer path: op`.
        scopes: layer path of each step.
        ops: op of each step.
        total: seconds of a whole run, timed without the clock between the steps.
    """

    steps: tuple[Row, ...]
    scopes: tuple[str, ...]
    ops: tuple[str, ...]
    total: float

    def by_layer(self) -> list[Row]:
        """Rows summed by layer path, slowest first; "" are steps outside any layer."""
        return _sum(self.steps, self.scopes)

    def by_op(self) -> list[Row]:
        """Rows summed by op, slowest first."""
        return _sum(self.steps, self.ops)

    def __str__(self) -> str:
        lines = [f"{'layer':<32} {'steps':>5} {'us':>9} {'share':>6} {'MFLOP':>9} {'MB':>8}"]
        whole = sum(row.seconds for row in self.steps) or 1.0
        for row in self.by_layer():
            lines.append(
                f"{row.name or '(none)':<32} {row.calls:>5} {row.seconds * 1e6:>9.1f} "
                f"{row.seconds / whole:>6.1%} {row.flops / 1e6:>9.2f} {row.bytes / 1e6:>8.2f}"
            )
        return "\n".join(lines)


def profile(plan: Plan, runs: int = 20) -> Profile:
    """Times every step of a plan on the inputs that it holds; variables keep their values.

    Args:
        plan: a bound plan whose inputs are filled.
        runs: repetitions; the median of each step counts.

    Returns:
        The measured steps, and the time of a whole run.
    """
    variables = [v for v in plan.data.graph.states if isinstance(v, Variable)]
    with keeping(variables):
        total = _median([_timed(plan.run) for _ in range(runs)])
        with np.errstate(all="ignore"):
            calls = [functools.partial(kernel, *arrays) for kernel, arrays in plan.calls]
            samples = [[_timed(call) for call in calls] for _ in range(runs)]
    rows = [
        _row(step, _median([sample[i] for sample in samples]))
        for i, step in enumerate(plan.data.steps)
    ]
    scopes = tuple(step.node.origin.scope for step in plan.data.steps)
    ops = tuple(step.op.name for step in plan.data.steps)
    return Profile(tuple(rows), scopes, ops, total)


def step_cost(step: Step) -> tuple[int, int]:
    """Floating-point operations and bytes moved of a step, estimated from its types."""
    inputs = [o.type for o in step.inputs]
    outputs = [o.type for o in step.outputs]
    flops, moved = step.op.cost(inputs, outputs, step.attrs)
    return int(flops), int(moved)


def _row(step: Step, seconds: float) -> Row:
    flops, moved = step_cost(step)
    scope = step.node.origin.scope
    return Row(f"{scope}: {step.op.name}" if scope else step.op.name, 1, seconds, flops, moved)


def _sum(rows: tuple[Row, ...], keys: tuple[str, ...]) -> list[Row]:
    sums: dict[str, Row] = {}
    for row, key in zip(rows, keys, strict=True):
        old = sums.get(key, Row(key, 0, 0.0, 0, 0))
        sums[key] = Row(
            key,
            old.calls + 1,
            old.seconds + row.seconds,
            old.flops + row.flops,
            old.bytes + row.bytes,
        )
    return sorted(sums.values(), key=lambda row: -row.seconds)


def _timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]

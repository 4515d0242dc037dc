"""A measured plan as data: rows by layer, op and node, memory over time, and a Chrome trace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kgraph.ir.node import Node
from kgraph.runtime.plan import PlanData
from kgraph.runtime.profile import Profile, Row
from kgraph.tools.summary_rows import prefixes

SORTS = {"self": lambda r: r.seconds, "total": lambda r: r.seconds, "calls": lambda r: r.calls,
         "bytes": lambda r: r.bytes, "flops": lambda r: r.flops}  # fmt: skip


@dataclass(frozen=True)
class Compilation:
    """Where the time before the first run goes.

    Args:
        passes: seconds of the passes.
        plan: seconds from the optimized graph to a plan that can run.
    """

    passes: float
    plan: float


def as_rows(
    rows: Sequence[Row], sort: str = "self", whole: float | None = None
) -> list[dict[str, Any]]:
    """Rows of a profile with their rates, the largest first.

    Args:
        rows: of a `Profile`.
        sort: a key of `SORTS`.
        whole: seconds that the shares are of; default the sum of the rows.
    """
    ordered = sorted(rows, key=SORTS[sort], reverse=True)
    whole = whole or sum(row.seconds for row in rows) or 1.0
    return [
        {
            "name": row.name,
            "calls": row.calls,
            "us": row.seconds * 1e6,
            "share": row.seconds / whole,
            "flops": row.flops,
            "bytes": row.bytes,
            "gflops": row.flops / row.seconds / 1e9 if row.seconds else 0.0,
            "gbs": row.bytes / row.seconds / 1e9 if row.seconds else 0.0,
        }
        for row in ordered
    ]


def memory_timeline(data: PlanData) -> list[int]:
    """Bytes of the arena that are in use at each step of a plan.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.runtime.planning import make_plan
        >>> x = input_node((256,), name="x")
        >>> max(memory_timeline(make_plan(Graph((x,), (("y", ops.exp(ops.tanh(x)) + x),)), {})))
        1024
    """
    times = [step.moment for step in data.steps]
    return [sum(b.size for b in data.buffers if b.start <= time <= b.end) for time in times]


def chrome_trace(profile: Profile, data: PlanData, compilation: Compilation) -> dict[str, Any]:
    """One compilation and one run in the format of chrome://tracing and Perfetto."""
    events: list[dict[str, Any]] = [
        {"name": "process_name", "ph": "M", "pid": 1, "tid": 1, "args": {"name": "kgraph"}}
    ]
    clock = 0.0
    for name, seconds in (("passes", compilation.passes), ("plan", compilation.plan)):
        events.append(_event(name, "compile", clock, seconds, {}))
        clock += seconds * 1e6
    steps = zip(profile.steps, profile.scopes, profile.ops, data.steps, memory_timeline(data))
    for row, scope, op, step, live in steps:
        args = {"layer": scope, "op": op, "flops": row.flops, "bytes": row.bytes,
                "at": step.node.origin.where or ""}  # fmt: skip
        events.append(_event(row.name, "run", clock, row.seconds, args))
        events.append({"name": "arena", "ph": "C", "ts": clock, "pid": 1, "args": {"bytes": live}})
        clock += row.seconds * 1e6
    return {"traceEvents": events, "displayTimeUnit": "ms"}


def _event(name: str, category: str, start: float, seconds: float, args: Any) -> dict[str, Any]:
    return {"name": name, "cat": category, "ph": "X", "ts": start, "dur": seconds * 1e6,
            "pid": 1, "tid": 1, "args": args}  # fmt: skip


def by_layer(profile: Profile, total: bool = False) -> list[Row]:
    """A row a layer.

    Args:
        profile: the measured steps.
        total: whether a layer counts what the layers inside it take; "" is the whole run then.
    """
    if not total:
        return profile.by_layer()
    sums: dict[str, Row] = {}
    for row in profile.by_layer():
        for path in prefixes(row.name):
            old = sums.get(path, Row(path, 0, 0.0, 0, 0))
            sums[path] = Row(path, old.calls + row.calls, old.seconds + row.seconds,
                             old.flops + row.flops, old.bytes + row.bytes)  # fmt: skip
    return list(sums.values())


def by_node(profile: Profile, nodes: Sequence[Node]) -> list[Row]:
    """A row a step, with the line of the user that it comes from."""
    found = []
    for number, (row, node) in enumerate(zip(profile.steps, nodes, strict=True)):
        place = f"  [{node.origin.where}]" if node.origin.where else ""
        found.append(
            Row(f"{number} {row.name}{place}", row.calls, row.seconds, row.flops, row.bytes)
        )
    return found

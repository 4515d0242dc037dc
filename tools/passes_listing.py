"""What passes there are, which of them to run, and every firing in its order, as text."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from kgraph.ir.graph import Graph, Stage
from kgraph.passes.blame import cut_out
from kgraph.passes.cost import SIZE_HINT
from kgraph.passes.journal import Firing
from kgraph.passes.liveness import Liveness
from kgraph.passes.manager import CompileReport, Pipeline
from kgraph.passes.options import PASSES, print_pass
from kgraph.passes.report import PassRecord, show_step, show_table
from kgraph.testing.failures import expression


def chosen(only: str | None, skip: str | None) -> str:
    """The text of a pipeline for `--only` and `--skip`; "" if neither is given.

    Example:
        >>> chosen("simplify,stabilize", None), chosen(None, "fuse,rule:mul-one")
        ('simplify,stabilize,finish', '-fuse,-rule:mul-one')
        >>> chosen("simplify,fuse", None)
        'simplify,fuse'
    """
    if skip is not None:
        return ",".join(f"-{name.strip()}" for name in skip.split(","))
    if only is None:
        return ""
    names = [name.strip() for name in only.split(",")]
    last: Any = PASSES.get(names[-1])
    return ",".join(names if last is not None and last.gives is Stage.FUSED else [*names, "finish"])


def listed(pipeline: Pipeline) -> list[dict[str, Any]]:
    """The passes of a pipeline with their rules, as data."""
    return [
        {"pass": step.name, "text": print_pass(step), "rules": list(step.rule_names),
         "needs": step.needs.value, "gives": step.gives.value}
        for step in pipeline.passes
    ]  # fmt: skip


def list_text(pipeline: Pipeline) -> str:
    """The same for people: a line a pass, its rules below."""
    lines = []
    for step in pipeline.passes:
        about = (type(step).__doc__ or "").strip().split("\n", 1)[0]
        lines.append(f"{print_pass(step)}: {about}")
        lines += [f"    {name}" for name in step.rule_names]
    return "\n".join(lines)


def all_rules(report: CompileReport, pipeline: Pipeline) -> set[str]:
    """Names of the rules that may fire, and of those that did."""
    return {name for step in pipeline.passes for name in step.rule_names} | set(report.fired)


def firing_line(firing: Firing) -> str:
    """A replacement: before -> after, and where the node comes from."""
    sides = cut_out(firing.old, firing.new, Stage.FUSED).outputs
    place = " ".join(filter(None, (firing.old.origin.scope, firing.old.origin.where)))
    change = " -> ".join(expression(n) for _, n in sides)
    return change + (f"  [{place}]" if place else "")


def firings(report: CompileReport, rule: str | None = None) -> list[dict[str, Any]]:
    """Every firing in its order, or those of one rule, as data.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import optimize
        >>> x = input_node((2,), name="x")
        >>> [found] = firings(optimize(Graph((x,), (("y", x * 1),)))[1])
        >>> found["number"], found["rule"], found["change"].split("  [")[0]
        (1, 'mul-one', 'x * 1.0 -> x')
    """
    every = [(record.name, firing) for record in report.passes for firing in record.firings]
    return [
        {"number": number, "pass": name, "rule": firing.rule, "kind": firing.kind,
         "change": firing_line(firing)}
        for number, (name, firing) in enumerate(every, 1)
        if rule in (None, firing.rule)
    ]  # fmt: skip


def trace_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The same for people, a line a firing."""
    lines = ["{number} {pass} {rule}: {change}".format(**row) for row in rows]
    return "\n".join(lines) or "nothing fired"


def peaks(record: PassRecord) -> tuple[int, int]:
    """Bytes that live at the fullest moment before a pass and after it, by estimate."""
    before = _peak(record.before)
    return before, _peak(record.after) if record.changed else before


@functools.lru_cache(maxsize=4)  # what a pass returns is what the next one gets
def _peak(graph: Graph) -> int:
    return Liveness(graph, dict.fromkeys(graph.symbols, SIZE_HINT)).peak


def passes_table(report: CompileReport) -> str:
    """A line a pass: its time, what it changed, and how often rules fired and were held back."""
    rows: list[tuple[str, ...]] = [
        ("pass", "ms", "nodes", "flops", "bytes", "peak", "fired", "held back", "rules")
    ]
    for record in report.passes:
        a, b = record.cost_before, record.cost_after
        sizes = zip((a.nodes, a.flops, a.bytes), (b.nodes, b.flops, b.bytes), strict=True)
        held = sum(miss.count for miss in record.near_misses)
        rules = ", ".join(f"{rule} x{n}" for rule, n in record.fired.items())
        rows.append(
            (record.name, f"{record.seconds * 1e3:.2f}", *(show_step(*s) for s in sizes),
             show_step(*peaks(record)), str(len(record.firings)), str(held), rules)
        )  # fmt: skip
    return show_table(rows)

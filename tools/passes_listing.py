"""What passes there are, which of them to run, and every firing in its order, as text."""

from __future__ import annotations

from typing import Any

from kgraph.ir.graph import Stage
from kgraph.passes.blame import cut_out
from kgraph.passes.journal import Firing
from kgraph.passes.manager import CompileReport, Pipeline
from kgraph.passes.options import PASSES, print_pass
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


def trace(report: CompileReport, rule: str | None = None) -> str:
    """Every firing in its order, or those of one rule.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import optimize
        >>> x = input_node((2,), name="x")
        >>> print(trace(optimize(Graph((x,), (("y", x * 1),)))[1]).split("  [")[0])
        1 simplify mul-one: x * 1.0 -> x
    """
    lines, number = [], 0
    for record in report.passes:
        for firing in record.firings:
            number += 1
            if rule in (None, firing.rule):
                lines.append(f"{number} {record.name} {firing.rule}: {firing_line(firing)}")
    return "\n".join(lines) or "nothing fired"

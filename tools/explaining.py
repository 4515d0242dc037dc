"""`kgraph passes --explain`: what a rule says, where it fired in a model, and what held it back."""

from __future__ import annotations

import inspect
import os
from textwrap import dedent, indent
from typing import Any

from kgraph.passes.report import PassRecord
from kgraph.passes.rules import ADMITTED, PatternRule
from kgraph.passes.statistics import RuleStatistics
from kgraph.tools.passes_listing import firing_line

_SHOWN = 8  # places, and lines of source


def rule_text(rule: Any, pass_name: str) -> str:
    """A rule's equation, pass, class, legality and source."""
    equation = f": {rule.pattern}" if isinstance(rule, PatternRule) else ""
    levels = [level for level, kinds in ADMITTED.items() if rule.kind in kinds]
    lines = [f"{rule.name}{equation}", f"  pass: {pass_name}",
             f"  kind: {rule.kind}, fires at numerics {', '.join(levels)}"]  # fmt: skip
    if rule.users is not None:
        lines.append(f"  condition: no inner node has more than {rule.users} user")
    function = rule.right if isinstance(rule, PatternRule) else getattr(rule, "find", None)
    if function is not None:
        lines += _written(function)
    return "\n".join(lines)


def _written(function: Any) -> list[str]:
    """Where a rule stands in the source, and how it reads there."""
    code = function.__code__
    place = f"  written in: {os.path.basename(code.co_filename)}:{code.co_firstlineno}"
    try:
        source = inspect.getsource(function).rstrip().splitlines()
    except OSError:  # made in a session that kept no source
        source = []
    return [place, *indent(dedent("\n".join(source[:_SHOWN])), "    ").splitlines()]


def statistics_of(name: str, record: PassRecord) -> RuleStatistics | None:
    """What a rule did in a pass; None if the pass does not know it."""
    return next((s for s in record.statistics if s.rule == name), None)


def did_data(name: str, record: PassRecord) -> dict[str, Any]:
    """What a rule did in a pass that knows it, as data."""
    stats = statistics_of(name, record)
    assert stats is not None
    return {
        "pass": record.name,
        **stats.as_dict(),
        "firings": [firing_line(f) for f in record.firings if f.rule == name],
        "held_back": [str(m) for m in record.near_misses if m.rule == name],
    }


def did_text(data: dict[str, Any]) -> str:
    """The same for people."""
    looked, firings = data["looked"], data["firings"]
    tried = f"tried at {looked} nodes, fitted at {data['matched']}, " if looked else ""
    lines = [f"in {data['pass']}: {tried}fired at {data['fired']}"]
    lines += [f"  {line}" for line in firings[:_SHOWN]]
    if len(firings) > _SHOWN:
        lines.append(f"  ... and {len(firings) - _SHOWN} more")
    return "\n".join([*lines, *(f"  held back: {line}" for line in data["held_back"])])

"""The report of a compilation: what each pass cost and did, and the graphs before and after it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from kgraph.ir.graph import Graph
from kgraph.ir.serialize import dumps
from kgraph.passes.cost import SIZE_HINT, Cost, estimate
from kgraph.passes.journal import Firing, NearMiss, Tally
from kgraph.passes.schema import VERSION
from kgraph.passes.statistics import RuleStatistics, gather, merge


@dataclass(frozen=True)
class PassRecord:
    """What one pass did.

    Args:
        name: the pass's name.
        seconds: how long it ran.
        verify_seconds: how long its result was verified.
        before: the graph that it got.
        after: the graph that it returned, the same object if it changed nothing.
        firings: every replacement, in order.
        near_misses: rules that fitted but were held back, with the reason.
        tallies: what each rule looked at and matched.
    """

    name: str
    seconds: float
    verify_seconds: float
    before: Graph
    after: Graph
    firings: tuple[Firing, ...] = ()
    near_misses: tuple[NearMiss, ...] = ()
    tallies: tuple[Tally, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the pass returned another graph."""
        return self.after is not self.before

    @property
    def fired(self) -> Counter[str]:
        """Rule -> how often it fired."""
        return Counter(f.rule for f in self.firings)

    @cached_property
    def cost_before(self) -> Cost:
        """Estimated work before the pass."""
        return estimate(self.before)

    @cached_property
    def cost_after(self) -> Cost:
        """Estimated work after the pass."""
        return estimate(self.after) if self.changed else self.cost_before

    @cached_property
    def statistics(self) -> tuple[RuleStatistics, ...]:
        """What each rule did that was tried."""
        binding = dict.fromkeys((*self.before.symbols, *self.after.symbols), SIZE_HINT)
        return gather(self.tallies, self.firings, self.near_misses, binding)


@dataclass(frozen=True)
class CompileReport:
    """What the passes of one compilation did.

    Args:
        source: the graph as it came.
        passes: one record a pass, in order.
        pipeline: the passes and their options as one line.
        options: the switches of the compiler.
    """

    source: Graph
    passes: tuple[PassRecord, ...] = ()
    pipeline: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def result(self) -> Graph:
        """The graph as it left."""
        return self.passes[-1].after if self.passes else self.source

    @property
    def seconds(self) -> float:
        """Time of all passes, verification included."""
        return sum(p.seconds + p.verify_seconds for p in self.passes)

    @property
    def fired(self) -> Counter[str]:
        """Rule -> how often it fired in all passes."""
        return sum((p.fired for p in self.passes), start=Counter())

    @property
    def near_misses(self) -> tuple[NearMiss, ...]:
        """The near misses of all passes."""
        return tuple(miss for p in self.passes for miss in p.near_misses)

    @property
    def statistics(self) -> tuple[RuleStatistics, ...]:
        """What each rule did in all passes together."""
        return merge(p.statistics for p in self.passes)

    def __getitem__(self, name: str) -> PassRecord:
        """The first record of the pass of that name."""
        for record in self.passes:
            if record.name == name:
                return record
        raise KeyError(f"no pass {name!r}; passes: {', '.join(p.name for p in self.passes)}")

    def as_dict(self, times: bool = True) -> dict[str, Any]:
        """The report as JSON data; `kgraph.passes.schema.REPORT_SCHEMA` describes it.

        Args:
            times: whether to add `times`, the only part in which two equal compilations differ.

        Example:
            >>> from kgraph.ir import Graph, input_node
            >>> from kgraph.passes import optimize
            >>> x = input_node((2,), name="x")
            >>> data = optimize(Graph((x,), (("y", x * 1),)))[1].as_dict()
            >>> [r["rule"] for p in data["passes"] for r in p["rules"] if r["fired"]]
            ['mul-one']
        """
        data = {
            "version": VERSION,
            "pipeline": self.pipeline,
            "options": dict(self.options),
            "graphs": {"before": fingerprint(self.source), "after": fingerprint(self.result)},
            "passes": [_record_data(p) for p in self.passes],
        }
        return data | {"times": _times(self)} if times else data

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [("pass", "ms", "nodes", "flops", "bytes", "rules fired")]
        for p in self.passes:
            a, b = p.cost_before, p.cost_after
            rules = ", ".join(f"{rule} x{n}" for rule, n in p.fired.items())
            sizes = zip((a.nodes, a.flops, a.bytes), (b.nodes, b.flops, b.bytes))
            rows.append((p.name, f"{p.seconds * 1e3:.2f}", *(show_step(*s) for s in sizes), rules))
        return "\n".join([show_table(rows), *(f"held back: {miss}" for miss in self.near_misses)])


def fingerprint(graph: Graph) -> str:
    """A digest that is equal for graphs that compute the same in the same way."""
    return hashlib.sha256(dumps(graph, labels=False).encode()).hexdigest()


def show_table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(row, widths)).rstrip() for row in rows)


def show_step(before: int, after: int) -> str:
    """A number that may have changed."""
    return str(after) if before == after else f"{before} -> {after}"


def _record_data(record: PassRecord) -> dict[str, Any]:
    before, after = record.cost_before, record.cost_after
    return {
        "pass": record.name,
        "nodes": [before.nodes, after.nodes],
        "flops": [before.flops, after.flops],
        "bytes": [before.bytes, after.bytes],
        "rules": [s.as_dict() for s in record.statistics if s.looked or s.fired],
        "near_misses": [
            {"rule": m.rule, "reason": m.reason, "node": m.node.name,
             "where": m.node.origin.where or "", "count": m.count}
            for m in record.near_misses
        ],
    }  # fmt: skip


def _times(report: CompileReport) -> dict[str, Any]:
    passes = [
        {
            "ms": p.seconds * 1e3,
            "verify_ms": p.verify_seconds * 1e3,
            "rules": {t.rule: t.seconds * 1e3 for t in p.tallies if t.seconds},
        }
        for p in report.passes
    ]
    return {"ms": report.seconds * 1e3, "passes": passes}

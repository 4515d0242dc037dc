"""How busy each rule was: looked at, matched, fired, held back and why, and what it saved."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kgraph.passes.cost import Cost, estimate_nodes
from kgraph.passes.journal import Firing, NearMiss, Tally

NOTHING = Cost(0, 0, 0)


@dataclass(frozen=True)
class RuleStatistics:
    """What one rule did.

    Args:
        rule: its name.
        kind: how exact it is.
        looked: at how many nodes it was tried.
        matched: how often its pattern fitted, refusals included.
        fired: how often it replaced something.
        refused: reason -> at how many nodes it was held back.
        removed: nodes that its patterns covered, which go if nobody else reads them.
        made: nodes that it made.
        seconds: time of matching and building, 0 unless `config.stats` was on.
    """

    rule: str
    kind: str
    looked: int = 0
    matched: int = 0
    fired: int = 0
    refused: Mapping[str, int] | None = None
    removed: Cost = NOTHING
    made: Cost = NOTHING
    seconds: float = 0.0

    def __add__(self, other: RuleStatistics) -> RuleStatistics:
        refused = dict(self.refused or {})
        for reason, count in (other.refused or {}).items():
            refused[reason] = refused.get(reason, 0) + count
        return RuleStatistics(
            self.rule, self.kind, self.looked + other.looked, self.matched + other.matched,
            self.fired + other.fired, refused, self.removed + other.removed,
            self.made + other.made, self.seconds + other.seconds,
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        """The counts as JSON data, without the time."""
        return {
            "rule": self.rule,
            "kind": self.kind,
            "looked": self.looked,
            "matched": self.matched,
            "fired": self.fired,
            "refused": dict(self.refused or {}),
            "nodes": [self.removed.nodes, self.made.nodes],
            "flops": [self.removed.flops, self.made.flops],
            "bytes": [self.removed.bytes, self.made.bytes],
        }


def gather(
    tallies: Iterable[Tally],
    firings: Sequence[Firing],
    near_misses: Iterable[NearMiss],
    binding: Mapping[str, int],
) -> tuple[RuleStatistics, ...]:
    """The statistics of one pass, in the order in which its rules were first tried.

    Args:
        tallies: how often each rule was tried.
        firings: the replacements.
        near_misses: the refusals.
        binding: numbers of the symbolic sizes, for the costs.
    """
    found = {
        t.rule: RuleStatistics(t.rule, t.kind, t.looked, t.matched, seconds=t.seconds)
        for t in tallies
    }
    for f in firings:
        removed = estimate_nodes((f.old, *f.covered), binding)
        made = estimate_nodes(f.made, binding)
        once = RuleStatistics(f.rule, f.kind, fired=1, removed=removed, made=made)
        found[f.rule] = found[f.rule] + once if f.rule in found else once
    for miss in near_misses:
        once = RuleStatistics(miss.rule, "", refused={miss.reason: miss.count})
        found[miss.rule] = found[miss.rule] + once if miss.rule in found else once
    return tuple(found.values())


def merge(parts: Iterable[Iterable[RuleStatistics]]) -> tuple[RuleStatistics, ...]:
    """The statistics of several passes together, one entry a rule."""
    found: dict[str, RuleStatistics] = {}
    for part in parts:
        for entry in part:
            found[entry.rule] = found[entry.rule] + entry if entry.rule in found else entry
    return tuple(found.values())

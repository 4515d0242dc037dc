"""What a pass writes down while it rewrites: firings, near misses, and the fuel that is left."""

from __future__ import annotations

import contextlib
import contextvars
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from kgraph.ir.node import Node


@dataclass(frozen=True, slots=True)
class Firing:
    """One replacement.

    Args:
        rule: the rule's name.
        kind: how exact it is.
        old: the node that was replaced.
        new: the node that took its place.
    """

    rule: str
    kind: str
    old: Node
    new: Node


@dataclass(frozen=True, slots=True)
class NearMiss:
    """A rule whose pattern fitted but which a condition held back.

    Args:
        rule: the rule's name.
        reason: why it did not fire.
        node: the first node where it did not.
        count: at how many nodes it did not, for this reason.
    """

    rule: str
    reason: str
    node: Node
    count: int

    def __str__(self) -> str:
        place = self.node.origin.where
        times = f" ({self.count} times)" if self.count > 1 else ""
        return f"{self.rule} at {self.node.name}: {self.reason}{times}" + (
            f" [{place}]" if place else ""
        )


@dataclass
class Journal:
    """The notes of one `optimize`, from which the report is made.

    Args:
        fuel: how many firings are left, None for any number.

    Attributes:
        firings: the replacements of the pass that is running.
        missed: (rule, reason) -> the nodes where a rule was held back.
    """

    fuel: int | None = None
    firings: list[Firing] = field(default_factory=list)
    missed: dict[tuple[str, str], dict[Node, None]] = field(default_factory=dict)

    @property
    def exhausted(self) -> bool:
        """Whether no rule may fire any more."""
        return self.fuel is not None and self.fuel <= 0

    def fired(self, rule: str, kind: str, old: Node, new: Node) -> None:
        """Notes a replacement and burns its fuel."""
        self.firings.append(Firing(rule, kind, old, new))
        if self.fuel is not None:
            self.fuel -= 1

    def refused(self, rule: str, reason: str, node: Node) -> None:
        """Notes that a rule was held back."""
        self.missed.setdefault((rule, reason), {})[node] = None

    def counts(self) -> Counter[str]:
        """Rule -> how often it fired, the most frequent first."""
        return Counter(f.rule for f in self.firings)

    def turn_page(self) -> tuple[tuple[Firing, ...], tuple[NearMiss, ...]]:
        """Hands over the notes of a pass that has ended."""
        firings = tuple(self.firings)
        missed = tuple(
            NearMiss(rule, reason, next(iter(nodes)), len(nodes))
            for (rule, reason), nodes in self.missed.items()
        )
        self.firings, self.missed = [], {}
        return firings, missed


_JOURNAL: contextvars.ContextVar[Journal | None] = contextvars.ContextVar("journal", default=None)


def current_journal() -> Journal | None:
    """The journal of the pipeline that is running, or None."""
    return _JOURNAL.get()


@contextlib.contextmanager
def keeping(journal: Journal) -> Iterator[Journal]:
    """Makes `journal` the current one."""
    token = _JOURNAL.set(journal)
    try:
        yield journal
    finally:
        _JOURNAL.reset(token)

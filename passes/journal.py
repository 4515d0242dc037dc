"""What a pass writes down while it rewrites: firings, near misses, counts, and the fuel left."""

from __future__ import annotations

import contextlib
import contextvars
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from kgraph import config
from kgraph.ir.node import Node


@dataclass(frozen=True, slots=True)
class Firing:
    """One replacement.

    Args:
        rule: the rule's name; the pass's where a pass replaced nodes without any rule.
        kind: how exact it is.
        old: the node that was replaced.
        new: the node that took its place.
        covered: the nodes below `old` that the pattern saw; they go if nobody else reads them.
        made: the nodes that did not exist in the graph before.
    """

    rule: str
    kind: str
    old: Node
    new: Node
    covered: tuple[Node, ...] = ()
    made: tuple[Node, ...] = ()


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


@dataclass(slots=True)
class Tally:
    """How busy a rule was in one pass.

    Args:
        rule: its name.
        kind: how exact it is.
        looked: at how many nodes it was tried; ops that cannot match are not even tried.
        matched: how often its pattern fitted, refusals included.
        seconds: time of matching and building, 0 unless `config.stats`.
    """

    rule: str
    kind: str
    looked: int = 0
    matched: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class Tank:
    """Fuel for firings, of one pipeline or of several.

    Args:
        left: how many firings are left, None for any number.
        burnt: how many there were.
    """

    left: int | None = None
    burnt: int = 0


_TANK: contextvars.ContextVar[Tank | None] = contextvars.ContextVar("tank", default=None)


@contextlib.contextmanager
def fueled(firings: int | None = None) -> Iterator[Tank]:
    """Lets all pipelines in the block together fire so many rules, instead of `config.fuel` each.

    Args:
        firings: the limit; None for none, to count only.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import optimize
        >>> x = input_node((2,))
        >>> with fueled() as tank:
        ...     _ = optimize(Graph((x,), (("y", x * 1 / 1),)))
        >>> tank.burnt
        2
    """
    token = _TANK.set(Tank(firings))
    try:
        yield _TANK.get()  # type: ignore[misc]
    finally:
        _TANK.reset(token)


def _present_tank() -> Tank:
    return _TANK.get() or Tank(config.fuel)


@dataclass
class Journal:
    """The notes of one `optimize`, from which the report is made.

    Args:
        tank: the fuel; default that of `fueled`, else `config.fuel` for this journal alone.
        excluded: names of rules that must not fire.

    Attributes:
        firings: the replacements of the pass that is running.
        missed: (rule, reason) -> the nodes where a rule was held back.
        tallies: rule -> its counts in the pass that is running.
        settled: rules -> nodes known to match none of them, from one pass to the next.
        memory: rules that remember what they saw -> what they remember.
    """

    tank: Tank = field(default_factory=_present_tank)
    excluded: frozenset[str] = frozenset()
    firings: list[Firing] = field(default_factory=list)
    missed: dict[tuple[str, str], dict[Node, None]] = field(default_factory=dict)
    tallies: dict[str, Tally] = field(default_factory=dict)
    settled: dict[object, set[Node]] = field(default_factory=dict)
    memory: dict[object, dict[Any, Any]] = field(default_factory=dict)

    @property
    def exhausted(self) -> bool:
        """Whether no rule may fire any more."""
        left = self.tank.left
        return left is not None and left <= 0

    def may_fire(self, rule: str) -> bool:
        """Whether there is fuel, and nobody has excluded the rule."""
        return not self.exhausted and rule not in self.excluded

    def fired(
        self,
        rule: str,
        kind: str,
        old: Node,
        new: Node,
        covered: tuple[Node, ...] = (),
        made: tuple[Node, ...] = (),
    ) -> None:
        """Notes a replacement and burns its fuel."""
        self.firings.append(Firing(rule, kind, old, new, covered, made))
        tank = self.tank
        tank.burnt += 1
        if tank.left is not None:
            tank.left -= 1

    def refused(self, rule: str, reason: str, node: Node) -> None:
        """Notes that a rule was held back."""
        self.missed.setdefault((rule, reason), {})[node] = None

    def forget(self, settled: set[Node]) -> None:
        """Strikes out refusals at nodes that are looked at again, which are not settled."""
        for key, nodes in list(self.missed.items()):
            self.missed[key] = {n: None for n in nodes if n in settled}
            if not self.missed[key]:
                del self.missed[key]

    def tally(self, rule: str, kind: str) -> Tally:
        """The counts of a rule, to be added to."""
        found = self.tallies.get(rule)
        if found is None:
            found = self.tallies[rule] = Tally(rule, kind)
        return found

    def counts(self) -> Counter[str]:
        """Rule -> how often it fired, the most frequent first."""
        return Counter(f.rule for f in self.firings)

    def turn_page(self) -> tuple[tuple[Firing, ...], tuple[NearMiss, ...], tuple[Tally, ...]]:
        """Hands over the notes of a pass that has ended."""
        firings = tuple(self.firings)
        missed = tuple(
            NearMiss(rule, reason, next(iter(nodes)), len(nodes))
            for (rule, reason), nodes in self.missed.items()
        )
        tallies = tuple(self.tallies.values())
        self.firings, self.missed, self.tallies = [], {}, {}
        return firings, missed, tallies


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

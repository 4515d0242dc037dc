"""Checkpoints: which values of a training step to keep, and which to compute a second time.

The turn is the moment when most bytes lie idle: the end of the forward pass. What is computed
before it and needed after it is either kept or computed again, just before its first late use, from
what is kept. Two families of choices are tried. One keeps a minimal cut and recomputes cheap ops
only. The other (Chen et al. 2016, arXiv:1604.06174) cuts the forward pass into segments, keeps what
crosses their borders and recomputes the rest, matrix products included. Both work on a prefix of
the forward pass: the earliest values wait longest, and what the end of it made is needed at once.

Known limit: one turn is looked for, so a graph that goes forth and back twice, such as two training
steps in a row, is helped at the larger of its two peaks only.
"""

from __future__ import annotations

import bisect
import functools
import importlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from kgraph.passes.liveness import Liveness, Run

# An op is cheap if it does at most this many operations for an element of its result: ufuncs,
# casts, masks and small reductions are, products over more than 16 terms are not.
CHEAP_FLOPS = 32

# Operations in the time of moving one byte to or from memory, on today's CPUs.
FLOPS_A_BYTE = 6


@dataclass(frozen=True)
class Choice:
    """What to keep, and what that costs.

    Args:
        rule: name of the method.
        saved: numbers of the values to keep.
        peak: estimated bytes.
        work: time of what is computed again, in floating-point operations.
    """

    rule: str
    saved: frozenset[int]
    peak: int
    work: int


@dataclass(frozen=True)
class Replay:
    """The computations of a step of which some are made twice.

    Args:
        runs: in order; the second value number `v` is `v` + the number of values.
        clones: value -> the late computation that needs it first, in the order of making them.
    """

    runs: list[Run]
    clones: dict[int, int]


class Checkpoints:
    """The choices that a graph offers.

    Args:
        live: the graph's values.

    Attributes:
        turn: number of the last early computation.
        late: early values that are needed late, kept ones left out.
    """

    def __init__(self, live: Liveness) -> None:
        self.live = live
        self.turn = _turn(live)
        early = range(self.turn + 1)
        reads = [r for run in live.runs[self.turn + 1 :] for r in run.reads if r <= self.turn]
        self.late = sorted(set(reads) - live.kept)
        self._always = live.kept | {v for v in early if not self._can_repeat(v)}
        self._last_early = list(early)
        for run in live.runs[: self.turn + 1]:
            for value in run.reads:
                self._last_early[value] = run.makes
        self._work = [flops + FLOPS_A_BYTE * moved for flops, moved in live.costs]
        self._sizes = [*live.sizes, *live.sizes]

    def _can_repeat(self, value: int) -> bool:
        """Whether computing the value again gives the same bits, and can be told to wait."""
        node = self.live.nodes[value]
        return node.op.pure and any(n.op.name != "const" for n in node.inputs)

    def is_cheap(self, value: int) -> bool:
        """Whether the value may be computed again without further thought."""
        if value in self._always:
            return False
        types = self.live.bind(self.live.nodes[value].types)
        elements = sum(t.size for t in types)  # type: ignore[misc]
        return self.live.costs[value][0] <= CHEAP_FLOPS * max(int(elements), 1)

    def replay(self, saved: frozenset[int]) -> Replay:
        """The order of computing when only `saved` is kept over the turn."""
        saved, shift = saved | self._always, len(self.live.nodes)
        runs, clones = list(self.live.runs[: self.turn + 1]), dict[int, int]()

        def again(value: int) -> int:
            return value + shift if value in clones else value

        def is_missing(value: int) -> bool:
            return value <= self.turn and value not in saved and value not in clones

        for run in self.live.runs[self.turn + 1 :]:
            stack = [v for v in run.reads if is_missing(v)]
            while stack:
                value = stack[-1]
                missing = [v for v in self.live.runs[value].reads if is_missing(v)]
                stack.extend(missing)
                if not missing:
                    stack.pop()
                    if value not in clones:
                        operands = tuple(map(again, self.live.runs[value].reads))
                        clones[value] = run.makes
                        runs.append(Run(value + shift, operands))
            overwrites = tuple([tuple(map(again, values)) for values in run.overwrites])
            runs.append(Run(run.makes, tuple(map(again, run.reads)), overwrites))
        return Replay(runs, clones)

    def weigh(self, rule: str, saved: frozenset[int]) -> Choice:
        """Estimates what a choice costs."""
        replay = self.replay(saved)
        peak = max(self.live.balance(replay.runs, self._sizes))
        return Choice(rule, saved, peak, sum(self._work[v] for v in replay.clones))

    # -- families of choices -------------------------------------------------------------------
    def choices(self, budget: int) -> Iterator[Choice]:
        """The least work of every family that fits the budget, or its smallest peak."""
        if not self.late:
            return
        cut, everything = self._cut, frozenset(range(self.turn + 1))
        rests = [everything] if self._is_useless(cut) else [everything, cut]
        if len(rests) > 1:
            parts = [*_spread(self.late, 16), self.turn + 1]

            def cheap(i: int) -> frozenset[int]:
                return cut | {v for v in everything if v >= parts[i]}

            yield from self._least("recompute-cheap", len(parts), cheap, budget)
        tried = set[tuple[int, ...]]()
        for count in _counts(len(self.late)):
            borders = tuple(self._borders(count))
            if borders in tried:
                continue
            tried.add(borders)
            for rest in rests:
                make = functools.partial(self._segments, borders, rest)
                yield from self._least("recompute-segments", len(borders), make, budget)

    def _least(
        self, rule: str, size: int, make: Callable[[int], frozenset[int]], budget: int
    ) -> Iterator[Choice]:
        """Bisects a family whose members have more and more work and a falling peak."""
        low, high = 0, size - 1
        if high < 0:
            return
        best = self.weigh(rule, make(high))
        yield best
        while low < high and best.peak <= budget:
            middle = (low + high) // 2
            found = self.weigh(rule, make(middle))
            yield found
            low, high = (low, middle) if found.peak <= budget else (middle + 1, high)

    @functools.cached_property
    def _cut(self) -> frozenset[int]:
        # networkx takes longer to load than NumPy, and few programs have a memory budget.
        module = importlib.import_module("kgraph.passes.min_cut")
        return module.cheapest_cut(self.live, self.late, self._always, self.is_cheap)

    def _is_useless(self, cut: frozenset[int]) -> bool:
        sizes = self.live.sizes
        return sum(sizes[v] for v in cut) > 0.97 * sum(sizes[v] for v in self.late)

    def _borders(self, count: int) -> list[int]:
        """Where to cut the forward pass into about `count` segments of as many idle bytes each.

        A border is the number of the first value behind it; of the places in a segment it takes
        the one that the fewest bytes cross.
        """
        sizes, last = self.live.sizes, self._last_early
        change = [0] * (self.turn + 3)
        for value in range(self.turn + 1):
            change[value + 1] += sizes[value]
            change[last[value] + 1] -= sizes[value]
        crossing = list(itertools.accumulate(change))
        idle = dict.fromkeys(self.late, 0) | {v: sizes[v] for v in self.late}
        share = sum(idle.values()) / count
        found, start, held = [], 0, 0
        for value in range(self.turn + 1):
            held += idle.get(value, 0)
            if held > share and value > start:
                border = min(range(start + 1, value + 1), key=lambda p: (crossing[p], -p))
                found.append(border)
                start, held = border, sum(idle.get(v, 0) for v in range(border, value + 1))
        return found

    def _segments(
        self, borders: tuple[int, ...], rest: frozenset[int], last: int
    ) -> frozenset[int]:
        """What crosses the borders up to number `last`; of what lies behind it what `rest` says."""
        end = borders[last]
        saved = {v for v in rest if v >= end}
        for value in range(end):
            if borders[bisect.bisect_right(borders, value)] <= self._last_early[value]:
                saved.add(value)
        return frozenset(saved)


def _turn(live: Liveness) -> int:
    """The computation during which the most bytes lie idle: read before it and after it."""
    touches: list[list[int]] = [[] for _ in live.nodes]
    for run in live.runs:
        for value in (run.makes, *run.reads):
            touches[value].append(run.makes)
    change = [0] * (len(live.nodes) + 1)
    for value, times in enumerate(touches):
        if value not in live.kept:
            for before, after in itertools.pairwise(times):
                change[before + 1] += live.sizes[value]
                change[after] -= live.sizes[value]
    idle = list(itertools.accumulate(change))
    return idle.index(max(idle))


def _counts(most: int) -> Iterator[int]:
    """Numbers of segments, each about 1.6 times the one before."""
    count = 2
    while count <= most:
        yield count
        count = max(count + 1, round(count * 1.6))


def _spread(values: list[int], most: int) -> list[int]:
    """At most so many of the values, evenly spread."""
    step = max(len(values) // most, 1)
    return values[step::step]

"""Memory: which bytes of the arena each buffer gets, from the steps between which it lives."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

ALIGNMENT = 64  # one cache line, and the widest vector load

# Above this many buffers the choice by size, whose time grows with the square of what lives at
# once, gives way to one pass in the order of time.
MANY = 4000


@dataclass
class Buffer:
    """A piece of memory that one or more values use in turn.

    Attributes:
        size: bytes.
        start: index of the step that writes it first.
        end: index of the last step that reads it.
        offset: place in the arena, set by `assign_offsets`.
    """

    size: int
    start: int
    end: int
    offset: int = -1


def assign_offsets(buffers: Sequence[Buffer]) -> int:
    """Places buffers so that two that live at one time never overlap.

    Greedy by size: large buffers choose first, each takes the smallest gap that fits between the
    placed buffers it meets. Very many buffers choose in the order of time instead. Lifetimes are
    closed intervals of steps.

    Args:
        buffers: lifetimes and sizes; their offsets are set.

    Returns:
        Bytes of the arena.
    """
    if len(buffers) > MANY:
        return sweep_offsets(buffers)
    placed = _Timeline()
    total = 0
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.start, b.end)):
        size = -(-buffer.size // ALIGNMENT) * ALIGNMENT
        buffer.offset = _best_gap(placed.meeting(buffer.start, buffer.end), size)
        placed.add(buffer.start, buffer.end, buffer.offset, buffer.offset + size)
        total = max(total, buffer.offset + size)
    return total


def sweep_offsets(buffers: Sequence[Buffer]) -> int:
    """Places buffers as an allocator would that meets them in the order of time, best fit.

    Args:
        buffers: lifetimes and sizes; their offsets are set.

    Returns:
        Bytes of the arena.
    """
    holes, total = _Holes(), 0
    living: list[tuple[int, int, int]] = []  # a heap of (end, low, high)
    for buffer in sorted(buffers, key=lambda b: (b.start, -b.size)):
        while living and living[0][0] < buffer.start:
            holes.free(*heapq.heappop(living)[1:])
        size = -(-buffer.size // ALIGNMENT) * ALIGNMENT
        if size:
            buffer.offset = holes.take(size, total)
            total = max(total, buffer.offset + size)
            heapq.heappush(living, (buffer.end, buffer.offset, buffer.offset + size))
        else:
            buffer.offset = 0
    return total


def lower_bound(buffers: Sequence[Buffer]) -> int:
    """The most bytes that live at one step: no placement needs less."""
    change: dict[int, int] = {}
    for buffer in buffers:
        change[buffer.start] = change.get(buffer.start, 0) + buffer.size
        change[buffer.end + 1] = change.get(buffer.end + 1, 0) - buffer.size
    live = most = 0
    for step in sorted(change):
        live += change[step]
        most = max(most, live)
    return most


def _best_gap(taken: list[tuple[int, int]], size: int) -> int:
    """The smallest hole between the taken ranges that `size` fits, or the end of them."""
    best, best_size, cursor = -1, -1, 0
    for low, high in sorted(taken):
        if low - cursor >= size and (best < 0 or low - cursor < best_size):
            best, best_size = cursor, low - cursor
        cursor = max(cursor, high)
    return cursor if best < 0 else best


@dataclass
class _Holes:
    """Free ranges, of which no two touch, by place and by size."""

    highs: dict[int, int] = field(default_factory=dict)  # low -> high
    lows: dict[int, int] = field(default_factory=dict)  # high -> low
    sizes: list[tuple[int, int]] = field(default_factory=list)  # sorted (size, low)

    def take(self, size: int, total: int) -> int:
        """The start of the smallest hole that fits, or of new memory at the arena's end."""
        at = bisect.bisect_left(self.sizes, (size, 0))
        if at < len(self.sizes):
            low = self.sizes[at][1]
            high = self._remove(low)
            self._insert(low + size, high)
            return low
        last = self.lows.get(total, total)
        if last < total:
            self._remove(last)
        return last

    def free(self, low: int, high: int) -> None:
        """Gives a range back, joined with the holes beside it."""
        if low in self.lows:
            low = self.lows[low]
            self._remove(low)
        if high in self.highs:
            high = self._remove(high)
        self._insert(low, high)

    def _insert(self, low: int, high: int) -> None:
        if low < high:
            self.highs[low], self.lows[high] = high, low
            bisect.insort(self.sizes, (high - low, low))

    def _remove(self, low: int) -> int:
        high = self.highs.pop(low)
        del self.lows[high]
        del self.sizes[bisect.bisect_left(self.sizes, (high - low, low))]
        return high


class _Timeline:
    """Placed ranges by lifetime, short-lived ones apart so that a query looks at few."""

    def __init__(self) -> None:
        # Length class -> sorted starts and, beside them, (end, low, high).
        self.classes: dict[int, tuple[list[int], list[tuple[int, int, int]]]] = {}

    def add(self, start: int, end: int, low: int, high: int) -> None:
        starts, rows = self.classes.setdefault((end - start).bit_length(), ([], []))
        at = bisect.bisect(starts, start)
        starts.insert(at, start)
        rows.insert(at, (end, low, high))

    def meeting(self, start: int, end: int) -> list[tuple[int, int]]:
        found = []
        for length, (starts, rows) in self.classes.items():
            # Nothing in this class lives 2**length steps, so older starts have ended.
            for i in range(bisect.bisect(starts, start - (1 << length)), len(starts)):
                if starts[i] > end:
                    break
                if rows[i][0] >= start:
                    found.append(rows[i][1:])
        return found

"""Memory: which bytes of the arena each buffer gets, from the steps between which it lives."""

from __future__ import annotations

import bisect
import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

ALIGNMENT = 64  # one cache line, and the widest vector load

_ENDLESS = 1 << 62  # bytes of the hole after the last buffer

# A placement in the order of time is quick and mostly as good as any. Where it takes more than
# this factor of the lower bound, large buffers choose first instead, unless there are so MANY that
# their choosing, whose time grows with the square of their number, would outlast the training.
GOOD = 1.02
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

    Args:
        buffers: lifetimes, closed intervals of steps, and sizes; their offsets are set.

    Returns:
        Bytes of the arena.
    """
    total = place_by_time(buffers)
    if total <= GOOD * lower_bound(buffers) or len(buffers) > MANY:
        return total
    earlier = [b.offset for b in buffers]
    other = place_by_size(buffers)
    if other <= total:
        return other
    for buffer, offset in zip(buffers, earlier, strict=True):
        buffer.offset = offset
    return total


def place_by_size(buffers: Sequence[Buffer]) -> int:
    """Places the largest buffer first, each in the smallest hole between those that it meets.

    Args:
        buffers: lifetimes and sizes; their offsets are set.

    Returns:
        Bytes of the arena.
    """
    placed = np.empty((4, len(buffers)), np.int64)  # rows low, high, start, end; sorted by low
    lows, highs, starts, ends = placed
    total = 0
    for count, buffer in enumerate(sorted(buffers, key=lambda b: (-b.size, b.start, b.end))):
        size = _aligned(buffer.size)
        met = ((starts[:count] <= buffer.end) & (ends[:count] >= buffer.start)).nonzero()[0]
        begins = np.zeros(len(met) + 1, np.int64)
        np.maximum.accumulate(highs[met], out=begins[1:])
        holes = np.full(len(met) + 1, _ENDLESS)
        holes[:-1] = lows[met]
        holes -= begins
        holes[holes < size] = _ENDLESS + 1
        buffer.offset = low = int(begins[holes.argmin()])
        place = lows[:count].searchsorted(low)
        placed[:, place + 1 : count + 1] = placed[:, place:count]
        placed[:, place] = low, low + size, buffer.start, buffer.end
        total = max(total, low + size)
    return total


def place_by_time(buffers: Sequence[Buffer]) -> int:
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
        size = _aligned(buffer.size)
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


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


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

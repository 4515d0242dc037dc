"""Memory: which bytes of the arena each buffer gets, from the steps between which it lives."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

ALIGNMENT = 64  # one cache line, and the widest vector load


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
    placed buffers it meets. Lifetimes are closed intervals of steps.

    Args:
        buffers: lifetimes and sizes; their offsets are set.

    Returns:
        Bytes of the arena.
    """
    placed = _Timeline()
    total = 0
    for buffer in sorted(buffers, key=lambda b: (-b.size, b.start, b.end)):
        size = -(-buffer.size // ALIGNMENT) * ALIGNMENT
        buffer.offset = _best_gap(placed.meeting(buffer.start, buffer.end), size)
        placed.add(buffer.start, buffer.end, buffer.offset, buffer.offset + size)
        total = max(total, buffer.offset + size)
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

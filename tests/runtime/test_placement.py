"""Arenas against the best there is: all packings of a few buffers, by exhaustion."""

from __future__ import annotations

import itertools

import numpy as np

from kgraph.runtime.memory import ALIGNMENT, Buffer, assign_offsets, lower_bound


def best_arena(buffers):
    """The smallest arena. Some order of placing each buffer as low as it goes gives it."""
    best = sum(b.size for b in buffers)
    for order in itertools.permutations(buffers):
        placed, total = [], 0
        for buffer in order:
            taken = sorted(
                (low, high)
                for low, high, other in placed
                if other.start <= buffer.end and buffer.start <= other.end
            )
            place = 0
            for low, high in taken:
                if place + buffer.size <= low:
                    break
                place = max(place, high)
            placed.append((place, place + buffer.size, buffer))
            total = max(total, place + buffer.size)
            if total >= best:
                break
        best = min(best, total)
    return best


def draw(rng, count):
    spans = np.sort(rng.integers(0, 8, (count, 2)), axis=1)
    sizes = ALIGNMENT * rng.integers(1, 9, count)
    return [Buffer(int(s), int(a), int(b)) for s, (a, b) in zip(sizes, spans, strict=True)]


def test_small_arenas_are_the_best_or_nearly():
    rng, ratios = np.random.default_rng(4), []
    for _ in range(60):
        buffers = draw(rng, 6)
        total, best = assign_offsets(buffers), best_arena(buffers)
        assert lower_bound(buffers) <= best <= total
        ratios.append(total / best)
    assert max(ratios) <= 1.25
    assert np.mean(ratios) <= 1.02

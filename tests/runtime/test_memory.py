"""The arena: buffers that live at one time never overlap, and little is wasted."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kgraph.runtime.memory import (
    ALIGNMENT,
    MANY,
    Buffer,
    assign_offsets,
    lower_bound,
    place_by_size,
    place_by_time,
)

lifetimes = st.tuples(st.integers(0, 5000), st.integers(0, 30), st.integers(0, 30)).map(
    lambda t: Buffer(t[0], min(t[1:]), max(t[1:]))
)


@pytest.mark.parametrize("place", [assign_offsets, place_by_size, place_by_time])
@given(buffers=st.lists(lifetimes, max_size=40))
def test_living_buffers_never_overlap(place, buffers):
    total = place(buffers)
    for a, b in itertools.combinations(buffers, 2):
        if a.start <= b.end and b.start <= a.end and a.size and b.size:
            assert a.offset + a.size <= b.offset or b.offset + b.size <= a.offset
    for buffer in buffers:
        assert buffer.offset % ALIGNMENT == 0
        assert 0 <= buffer.offset <= total - buffer.size
    assert total >= lower_bound(buffers)


@pytest.mark.parametrize("place", [assign_offsets, place_by_size, place_by_time])
def test_a_chain_needs_two_buffers(place):
    chain = [Buffer(1024, i, i + 1) for i in range(100)]
    assert place(chain) == 2048 == lower_bound(chain)


def test_very_many_buffers_that_live_at_once():
    # Like the activations of a deep chain, which wait for its backward pass.
    deep = 10 * MANY
    kept = [Buffer(64, i, 2 * deep - i) for i in range(deep)]
    passing = [Buffer(64, deep + i, deep + i + 1) for i in range(deep)]
    buffers = [*kept, *passing]
    assert assign_offsets(buffers) == lower_bound(buffers)


def test_lower_bound_counts_what_lives_together():
    assert lower_bound([Buffer(10, 0, 1), Buffer(20, 1, 2), Buffer(40, 3, 3)]) == 40
    assert lower_bound([]) == 0


def test_a_hole_is_reused_before_the_arena_grows():
    large, short, late = Buffer(4096, 0, 9), Buffer(1024, 0, 1), Buffer(1024, 2, 9)
    assert assign_offsets([large, short, late]) == 5120
    assert short.offset == late.offset

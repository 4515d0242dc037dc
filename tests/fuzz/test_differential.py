"""A sample of the differential fuzzing, and the same decisions in processes of other hash seeds.

The long run is by hand: `python tests/fuzz/differential.py --graphs 50000 --processes 2`.
"""

import os
import pathlib
import subprocess
import sys

import differential
import numpy as np
import pytest
import relations
from agreement import Case, DisagreementError
from reduce import reduced

from kgraph import ops
from kgraph.ir import Dim, Graph, const, input_node

HERE = pathlib.Path(__file__).resolve().parent
PART, PARTS = 60, 5
BATCH = Dim.symbol("batch")


@pytest.mark.parametrize("part", range(PARTS))
def test_sample(part):
    failures = [differential.check(s) for s in range(part * PART, (part + 1) * PART)]
    failures = [f for f in failures if f is not None]
    assert not failures, "\n".join(failures)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(10))
def test_larger_sample(part):
    first = 10_000 + 250 * part
    failures = [differential.check(s) for s in range(first, first + 250)]
    failures = [f for f in failures if f is not None]
    assert not failures, "\n".join(failures)


def test_equal_decisions_under_two_hash_seeds():
    printed = [
        subprocess.run(
            [sys.executable, str(HERE / "fingerprint.py"), "40"],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    ]  # fmt: skip
    assert printed[0].count("\n") == 40
    assert printed[0] == printed[1]


# -- the judge itself --------------------------------------------------------------------------

X = input_node((4,), name="x")
ROUGH = np.array([0.1, -0.7, 1.3, 2.9], "float32")


def judge(y, found, **options):
    """Compares an array with what an expression of x gives."""
    case = Case(Graph((X,), (("y", y),)), [ROUGH], tame=True)
    case.check([np.asarray(found, "float32")], **options)


def test_a_last_bit_is_seen_where_no_order_of_additions_excuses_it():
    with pytest.raises(DisagreementError, match="bits"):
        judge(X * 3.0, np.nextafter(ROUGH * 3.0, 9.0), exact=True)
    judge(X * 3.0, np.nextafter(ROUGH * 3.0, 9.0), exact=False)


def test_sums_of_rough_numbers_may_round_otherwise_and_no_more():
    total = np.float32(ROUGH.sum())
    judge(ops.sum(X), np.nextafter(total, np.float32(9.0)), exact=True)
    with pytest.raises(DisagreementError, match="wrong"):
        judge(ops.sum(X), total * 1.0001, exact=True)


def test_cancellation_is_measured():
    """x + 1000 - 1000 has lost its last digits, so any last digits will do."""
    judge((X + 1000.0) - 1000.0, ROUGH, exact=False)
    with pytest.raises(DisagreementError, match="wrong"):
        judge((X + 1000.0) - 1000.0, ROUGH + 0.01, exact=False)


@pytest.mark.parametrize(("got", "want"), [(-0.0, 0.0), (np.nan, 0.0), (1.0, np.inf)])
def test_zeros_nans_and_infinities(got, want):
    with pytest.raises(DisagreementError):
        judge(const([want] * 4), [got] * 4, exact=True)


def test_reduction_keeps_what_fails():
    """What is below the node at fault becomes an input that holds the same values."""
    y = ops.tanh(ops.exp(X) * 0.1) * 2.0
    case = Case(Graph((X,), (("y", y), ("z", ops.cos(X)))), [ROUGH], tame=True)

    def fails(smaller):
        has_tanh = any(n.op is ops.tanh for n in smaller.graph.nodes)
        return has_tanh and all((root > 0).all() for root in smaller.base)

    assert not fails(case)
    case = Case(Graph((X,), (("y", y), ("z", y + 1.0))), [ROUGH], tame=True)
    small = reduced(case, fails)
    assert [n.op.name for n in small.graph.nodes] == ["input", "tanh"]
    assert (small.arrays[0] > 0).all()


def test_relations_see_what_depends_on_the_telling(monkeypatch):
    """A pass that knows operands by their places, and one that goes by an output's place."""
    a, b = input_node((4,), name="a"), input_node((4,), name="b")
    case = Case(Graph((a, b), (("y", a + b), ("z", a - b))), [ROUGH, ROUGH[::-1]], tame=True)
    relations.told_otherwise(case)

    def first_only(graph, passes, level):
        roots = [graph.roots[0], *(r * 2 for r in graph.roots[1:])]
        return graph.with_roots(roots), True

    monkeypatch.setattr(relations, "optimized", first_only)
    with pytest.raises(DisagreementError, match="two values"):
        relations.told_otherwise(case)


def test_relations_see_what_is_kept_from_another_size(monkeypatch):
    rows = input_node((BATCH, 2), name="rows")
    case = Case(Graph((rows,), (("y", rows * 3),)), [np.ones((5, 2), "float32")], tame=True)
    relations.several_sizes(case)
    first = relations.compiled(case)(*case.arrays)
    monkeypatch.setattr(relations, "compiled", lambda case: lambda *arrays: first)
    with pytest.raises(DisagreementError, match=r"\(5, 2\) instead of"):
        relations.several_sizes(case)

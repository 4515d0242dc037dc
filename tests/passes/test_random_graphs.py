"""Random graphs with every rule's left side planted: strict numerics change no bit, the default no
meaning, and what is optimal stays as it is."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from kgraph.passes import CORE, Pipeline, optimize
from kgraph.passes.rules import PatternRule
from kgraph.passes.simplify import SIMPLIFY, Simplify
from kgraph.passes.stabilize import STABILIZE, Stabilize
from kgraph.testing import check_pass, draw_graph, graphs, seeds

FUSES = True
PLANTS = tuple(r for r in (*SIMPLIFY, *STABILIZE) if isinstance(r, PatternRule))


@pytest.mark.parametrize("make", [Simplify, Stabilize])
def test_strict_numerics_change_no_bit(make):
    check_pass(make(numerics="strict"), patterns=PLANTS, exact=True, draws=50)


@pytest.mark.parametrize("make", [Simplify, Stabilize])
def test_default_numerics_change_no_meaning(make):
    assert check_pass(make(), patterns=PLANTS, draws=50) > 10


def test_the_pipeline_keeps_values():
    assert check_pass(Pipeline(CORE), patterns=PLANTS, draws=40) > 30


@settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(graphs(most=12, patterns=PLANTS))
def test_a_pipeline_that_changes_values_shrinks(graph):
    check_pass(Pipeline(CORE), graph)


def test_optimizing_what_is_optimal_changes_nothing():
    for rng in seeds(40):
        # Fused ops would hide from some passes what others are to leave alone.
        single = Pipeline(CORE).without("fuse")
        result, _ = optimize(draw_graph(rng, most=20, patterns=PLANTS), single)
        again, report = optimize(result, single)
        assert again.roots == result.roots
        assert not report.fired


def test_graphs_hold_what_rules_look_for():
    fired: set[str] = set()
    for rng in seeds(80):
        graph = draw_graph(rng, patterns=PLANTS)
        fired |= set(optimize(graph)[1].fired)
    assert len(fired & {r.name for r in PLANTS}) > len(PLANTS) / 3

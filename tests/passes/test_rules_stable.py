"""Every stabilizing rewrite fires where its table says, and comes nearer to the truth."""

from __future__ import annotations

import pytest
from rule_checks import check_fires, check_keeps, check_meaning, graph_of, only
from stable_cases import STABLE

from kgraph.passes.stabilize import STABILIZE

RULES = {r.name: r for r in STABILIZE}


def test_every_rule_has_a_case():
    assert {c.rule for c in STABLE} == set(RULES)
    assert all(c.keeps for c in STABLE)


@pytest.mark.parametrize("case", STABLE, ids=str)
def test_rule_fires(case):
    check_fires(case, RULES[case.rule])


@pytest.mark.parametrize("case", STABLE, ids=str)
def test_rule_keeps(case):
    check_keeps(case, RULES[case.rule])


@pytest.mark.parametrize("case", STABLE, ids=str)
def test_rule_comes_nearer_to_the_truth(case):
    check_meaning(case, RULES[case.rule])


@pytest.mark.parametrize("case", STABLE, ids=str)
def test_strict_numerics_leave_the_form_alone(case):
    if RULES[case.rule].kind == "exact":
        return
    inputs = next(case.variants())
    graph = graph_of(inputs, case.before(*inputs))
    assert only(RULES[case.rule], "strict").run(graph) is graph

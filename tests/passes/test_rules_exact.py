"""Every identity fires where its table says, into exactly that, and changes no bit."""

from __future__ import annotations

import pytest
from identity_cases import IDENTITIES, MARKERS
from rule_checks import check_close, check_exact, check_fires, check_gradient, check_keeps

from kgraph.passes import simplify

RULES = {r.name: r for r in (*simplify.SIMPLIFY, *simplify.MARKERS)}
CASES = (*IDENTITIES, *MARKERS)


def test_every_rule_has_a_case():
    assert {c.rule for c in CASES} == set(RULES) - {"fold"}
    assert all(c.keeps for c in CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_fires(case):
    check_fires(case, RULES[case.rule])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_keeps(case):
    check_keeps(case, RULES[case.rule])


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_keeps_values(case):
    kind = RULES[case.rule].kind
    if kind == "fast":
        return
    for inputs in case.variants():
        before, after = case.before(*inputs), case.after(*inputs)
        if kind == "exact":
            check_exact(inputs, before, after)
        else:
            check_close(case, inputs, before, after)


@pytest.mark.parametrize("case", [c for c in CASES if c.smooth], ids=str)
def test_rule_commutes_with_differentiation(case):
    check_gradient(case, RULES[case.rule])

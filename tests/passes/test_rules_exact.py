"""Every identity fires where its table says, into exactly that, and changes no bit."""

from __future__ import annotations

import pytest
from identity_cases import IDENTITIES, MARKERS
from rule_checks import check_fires, check_keeps, check_meaning

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
def test_rule_keeps_its_promise(case):
    check_meaning(case, RULES[case.rule])

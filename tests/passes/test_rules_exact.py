"""Every identity fires where its table says, into exactly that, and changes no bit."""

from __future__ import annotations

import pytest
from identity_cases import IDENTITIES, MARKERS
from rule_checks import check_close, check_exact, check_gradient, graph_of, only

from kgraph.passes import simplify
from kgraph.passes.journal import Journal, keeping

RULES = {r.name: r for r in (*simplify.SIMPLIFY, *simplify.MARKERS)}
CASES = (*IDENTITIES, *MARKERS)


def test_every_rule_has_a_case():
    assert {c.rule for c in CASES} == set(RULES) - {"fold"}
    assert all(c.keeps for c in CASES)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_fires(case):
    step = only(RULES[case.rule], case.numerics)
    for inputs in case.variants():
        graph = graph_of(inputs, case.before(*inputs))
        with keeping(Journal()) as journal:
            result = step.run(graph)
        assert result.outputs[0][1] is case.after(*inputs), inputs
        assert journal.counts() == {case.rule: case.fires}
        assert step.run(result) is result


@pytest.mark.parametrize("case", CASES, ids=str)
def test_rule_keeps(case):
    step = only(RULES[case.rule], case.numerics)
    for inputs in case.variants():
        for keep in case.keeps:
            graph = graph_of(inputs, keep(*inputs))
            assert step.run(graph) is graph


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

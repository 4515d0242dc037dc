"""The rules of a pass end together, and none undoes another."""

from __future__ import annotations

import pytest
from identity_cases import IDENTITIES
from rule_checks import graph_of
from stable_cases import STABLE

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.passes import Simplify, Stabilize
from kgraph.passes.journal import Journal, keeping
from kgraph.passes.transposes import Transposes
from kgraph.testing import draw_graph, seeds

LEVELS = ("strict", "safe", "fast")
TABLES = [(Simplify, case) for case in IDENTITIES] + [(Stabilize, case) for case in STABLE]


def normal_form(make, graph, numerics):
    """The result of a pass, of which a second run changes nothing."""
    step = make(numerics=numerics)
    with keeping(Journal()) as journal:
        result = step.run(graph)
        firings = len(journal.firings)
    assert step.run(result) is result
    assert firings <= 3 * len(graph)
    return result


@pytest.mark.parametrize(("make", "case"), TABLES, ids=lambda v: getattr(v, "rule", ""))
def test_all_rules_together_end_on_each_pattern(make, case):
    inputs = list(case.variants())[-1]
    before, after = case.before(*inputs), case.after(*inputs)
    for numerics in LEVELS:
        result = normal_form(make, graph_of(inputs, before), numerics)
        if numerics == case.numerics:
            assert before not in result.nodes or before is after
            # Which way is taken first does not matter.
            other = normal_form(make, graph_of(inputs, after), numerics)
            assert len(result) <= len(other) + 1


@pytest.mark.parametrize("numerics", LEVELS)
@pytest.mark.parametrize("make", [Simplify, Stabilize, Transposes])
def test_random_graphs_reach_a_normal_form(make, numerics):
    for rng in seeds(40):
        graph = draw_graph(rng, most=30)
        result = normal_form(make, graph, numerics)
        if make is not Stabilize:
            assert cost(result) <= cost(graph)


def cost(graph: Graph) -> int:
    """How many nodes compute something; moving elements is free."""
    free = ("reshape", "squeeze", "expand_dims", "slice", "broadcast_to", "transpose", "flip",
            "input", "const", "state", "item", "size", "rng_step")  # fmt: skip
    return sum(n.op.name not in free for n in graph.nodes)


def test_simplify_ends_where_a_quotient_that_decided_has_gone():
    """x / -1 becomes -x, so that no quotient reaches the floor any more."""
    a, b = input_node((3,), name="a"), input_node((3,), name="b")
    graph = Graph((a, b), (("y", a / 3), ("z", ops.floor(b / -1))))
    once = Simplify().run(graph)
    assert "divide" not in [n.op.name for n in once.nodes]
    assert Simplify().run(once) is once

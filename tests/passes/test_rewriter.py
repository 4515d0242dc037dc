"""The rewriter reaches the fixpoint, ends, keeps origins, counts fuel, blames the right rule."""

from __future__ import annotations

import pytest
from rule_checks import BATCH, graph_of, only

from kgraph import config, ops
from kgraph.errors import PassError
from kgraph.ir import Graph, Stage, Variable, const, input_node
from kgraph.ir.origin import Origin, making
from kgraph.passes import P, Rewrite, Simplify, optimize, rule, unknowns
from kgraph.passes.journal import Journal, keeping

x, y, p = unknowns("x y p")
A = input_node((BATCH, 3), name="a")

TO_TANH = rule("to-tanh", P.exp(x), lambda x: ops.tanh(x))
TO_SIN = rule("to-sin", P.tanh(x), lambda x: ops.sin(x))
DOUBLE_NEGATIVE = rule("neg-neg", P.negative(-x), lambda x: x)


def apply(node, *rules, **options):
    """The node after these rules."""
    return Rewrite(rules, **options).run(graph_of((A,), node)).outputs[0][1]


def test_what_a_rule_makes_is_rewritten_too():
    assert apply(ops.exp(ops.exp(A)), TO_SIN, TO_TANH) is ops.sin(ops.sin(A))


def test_operands_made_by_a_rule_are_rewritten_before_its_root():
    grow = rule("grow", P.cos(x), lambda x: -ops.negative(ops.exp(x)))
    assert apply(ops.cos(A), grow, DOUBLE_NEGATIVE, TO_TANH) is ops.tanh(A)


def test_earlier_rules_go_first():
    other = rule("other", P.exp(x), lambda x: ops.cos(x))
    assert apply(ops.exp(A), other, TO_TANH) is ops.cos(A)
    assert apply(ops.exp(A), TO_TANH, other) is ops.tanh(A)


def test_nothing_to_do_returns_the_same_graph():
    graph = graph_of((A,), ops.sqrt(A))
    assert only(TO_TANH).run(graph) is graph


def test_a_graph_without_work_is_not_walked(monkeypatch):
    monkeypatch.setattr("kgraph.passes.rewrite._Walk.run", None)
    graph = graph_of((A,), ops.sqrt(A))
    assert only(TO_TANH).run(graph) is graph
    with pytest.raises(TypeError):
        only(TO_TANH).run(graph_of((A,), ops.exp(A)))


def test_rules_left_out_by_name():
    assert apply(ops.exp(A), TO_TANH, TO_SIN, without=("to-sin",)) is ops.tanh(A)
    with pytest.raises(ValueError, match="has no rule 'to-cos'"):
        apply(A, TO_TANH, without=("to-cos",))


def test_two_rules_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two rules are called to-tanh"):
        apply(A, TO_TANH, TO_TANH)


def test_updates_are_rewritten_and_inputs_stay_in_the_signature():
    weight = Variable([1.0], "w")
    graph = Graph((A,), (), ((weight, ops.exp(weight)),))
    result = only(TO_TANH).run(graph)
    assert result.updates == ((weight, ops.tanh(weight)),)
    assert result.inputs == (A,)


def test_new_nodes_keep_the_label_and_say_who_made_them():
    with making(Origin("probability", "model/dense", "user.py", 7)):
        node = ops.exp(ops.cos(ops.exp(A)))
    origin = apply(node, TO_TANH).origin
    assert (origin.name, origin.scope, origin.where) == ("probability", "model/dense", "user.py:7")
    (step,) = origin.lineage
    assert str(step) == "rewrite/to-tanh from probability"


def test_lineage_names_all_nodes_that_the_pattern_covers():
    fused = rule("log-softmax", P.log(P.softmax(x, axis=p)), lambda x, p: ops.log_softmax(x, p))
    (step,) = apply(ops.log(ops.softmax(A * 1.25)), fused).origin.lineage
    assert step.sources == ("log", "softmax")


def test_rules_that_undo_each_other_are_named():
    back = rule("back", P.tanh(x), lambda x: ops.exp(x))
    with pytest.raises(PassError, match="rules to-tanh, back go in circles"):
        apply(ops.exp(A), TO_TANH, back)


def test_rule_that_returns_its_own_root_is_named():
    with pytest.raises(PassError, match="rule same goes in circles"):
        apply(ops.exp(A), rule("same", P.exp(x), lambda root: root))


def test_rule_whose_result_holds_its_root_is_named():
    with pytest.raises(PassError, match="rule inside goes in circles"):
        apply(ops.exp(A), rule("inside", P.exp(x), lambda root: ops.sin(root)))


def test_rule_that_grows_without_end_is_named():
    grow = rule("grow", P.exp(x), lambda x: ops.exp(x + 1))
    with pytest.raises(PassError, match=r"(?s)rule grow keeps firing.*fit its own left side"):
        apply(ops.exp(A), grow)
    there = rule("there", P.exp(x), lambda x: ops.sin(x + 1))
    back = rule("back", P.sin(x), lambda x: ops.exp(x + 1))
    with pytest.raises(PassError, match=r"(?s)keeps firing.*one rule's result matches the other's"):
        apply(ops.exp(A), there, back)


def test_replacement_of_another_type_is_an_error():
    with pytest.raises(PassError, match=r"rule bad: exp.*another type") as caught:
        apply(ops.exp(A), rule("bad", P.exp(x), lambda x: ops.sum(x)))
    assert "expected: f32[batch, 3]" in str(caught.value)
    assert "got: f32[]" in str(caught.value)


def test_replacement_that_is_no_node_is_an_error():
    with pytest.raises(PassError, match="the replacement is no node"):
        apply(ops.exp(A), rule("bad", P.exp(x), lambda x: 1.0))


def test_error_inside_a_rule_names_rule_node_and_line():
    with pytest.raises(PassError, match="rule bad: exp") as caught:
        apply(ops.exp(A), rule("bad", P.exp(x), lambda x: 1 / 0))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "test_rewriter.py:" in str(caught.value)


def test_users_count_outputs_and_both_operands_once():
    alone = rule("alone", P.sin(P.exp(x)), lambda x: ops.cos(x), users=1)
    assert apply(ops.sin(ops.exp(A)), alone) is ops.cos(A)
    graph = Graph((A,), (("e", ops.exp(A)), ("s", ops.sin(ops.exp(A)))))
    assert only(alone).run(graph) is graph
    square = rule("square", P.exp(x) * P.exp(x), lambda x: ops.cos(x), users=1)
    assert apply(ops.exp(A) * ops.exp(A), square) is ops.cos(A)


def test_users_are_those_of_the_node_before_its_operands_changed():
    alone = rule("alone", P.sin(P.exp(x)), lambda x: ops.cos(x), users=1)
    e = ops.exp(ops.tanh(A))
    graph = Graph((A,), (("e", e), ("s", ops.sin(e))))
    result = Rewrite((alone, TO_SIN)).run(graph)
    assert result.outputs[1][1] is ops.sin(ops.exp(ops.sin(A)))


def test_users_are_counted_again_when_others_have_gone():
    # The second user of exp goes in the first round, and only then may the rule fire.
    alone = rule("alone", P.sin(P.exp(x)), lambda x: ops.cos(x), users=1)
    drop = rule("drop", x - P.cos(P.exp(y)), lambda x: x)
    e = ops.exp(A)
    with keeping(Journal()) as journal:
        assert apply(ops.sin(e) - ops.cos(e), alone, drop) is ops.cos(A)
    assert not journal.missed


def test_near_misses_of_a_node_that_another_rule_replaced_are_not_reported():
    never = rule("never", P.exp(x), lambda x: x, where=lambda x: "not today")
    with keeping(Journal()) as journal:
        apply(ops.exp(A), never, TO_TANH)
    assert not journal.missed


@pytest.mark.parametrize("fuel", [0, 1, 2, 3])
def test_fuel_stops_after_so_many_firings(monkeypatch, fuel):
    monkeypatch.setattr(config, "fuel", fuel)
    node = A
    for _ in range(3):
        node = ops.exp(node * 2)
    graph, report = optimize(graph_of((A,), node), (Rewrite((TO_TANH,)), Rewrite((TO_SIN,))))
    assert sum(report.fired.values()) == fuel
    assert sum(n.op is ops.tanh for n in graph.nodes) == fuel


def test_fuel_counts_folding(monkeypatch):
    monkeypatch.setattr(config, "fuel", 1)
    graph = graph_of((A,), A * ops.exp(const(1.0)) * 1)
    result, report = optimize(graph)
    assert report.fired == {"fold": 1}
    assert result.stage is Stage.FUSED


def test_fuel_finds_a_wrong_rule(monkeypatch):
    wrong = rule("wrong", P.cos(x), lambda x: ops.sin(x))
    node = ops.cos(ops.exp(ops.exp(A)) * 1)

    def broken(fuel):
        monkeypatch.setattr(config, "fuel", fuel)
        graph, report = optimize(graph_of((A,), node), (Simplify(), Rewrite((TO_TANH, wrong))))
        return any(n.op is ops.sin for n in graph.nodes), report

    first = next(n for n in range(10) if broken(n)[0])
    assert broken(first)[1].passes[-1].firings[-1].rule == "wrong"


def test_long_chains():
    """Recursion would overflow, and quadratic work would take hours."""
    node = A
    for i in range(100_000):
        node = ops.tanh(node) if i % 2 else node * 1
    graph, _ = optimize(graph_of((A,), node))
    assert len(graph) == 50_001


def test_deep_replacements_need_no_recursion():
    unroll = rule("unroll", P.cos(x), lambda x: tower(x, 5_000))
    (result,) = Rewrite((unroll, TO_TANH)).rewrite([ops.cos(tower(A, 2_000))])
    assert result.op is ops.tanh


def tower(node, height):
    """exp of exp of ..."""
    for _ in range(height):
        node = ops.exp(node * 0.5)
    return node

"""Loops that go the same way become one; loops lose what nobody needs, and nothing else."""

import pytest
from loop_checks import BATCH, STATE, TIME, XS, W, check_values, graph_of, loops, run, zeros

from kgraph import ops
from kgraph.passes import Pipeline, Rewrite, optimize
from kgraph.passes.blame import rerun
from kgraph.passes.loop_parts import MERGE_LOOPS, MergeLoops
from kgraph.passes.planned import PlannedRewrite
from kgraph.runtime.autodiff import grad

RULES = {r.name: r for r in MERGE_LOOPS}


def only(name):
    return PlannedRewrite((RULES[name],))


def cell(h, e):
    return ops.tanh(h + e[:, :3])


def give_state(h, e):
    h = cell(h, e)
    return h, h


def give_old(h, e):
    return cell(h, e), h


def counts(node):
    """How many constants, carries, sequences and outputs a loop has."""
    attrs = node.attrs
    carry = attrs["carry"]
    return attrs["consts"], carry, attrs["xs"], len(attrs["body"].outputs) - carry


# -- equal loops -------------------------------------------------------------------------------
def test_two_loops_of_one_carry_are_one():
    last, ys = ops.scan(give_state, STATE, XS)
    _, olds = ops.scan(give_old, STATE, XS)
    graph = graph_of(last, ys, olds)
    better = run(only("merge-loops"), graph)
    (node,) = loops(better)
    assert counts(node) == (0, 1, 1, 2)

    def both(h, e):
        new = cell(h, e)
        return new, (new, h)

    wanted = ops.scan(both, STATE, XS)
    assert better.roots == (wanted[0], *wanted[1])
    check_values(graph, better)


def test_the_forward_loop_and_the_one_with_residuals_are_one():
    last, _ = ops.scan(lambda h, e: (ops.sin(h + e[:, :3]), None), STATE, XS)
    graph = graph_of(last, *grad(ops.sum(last * last), [XS]))
    assert len(loops(graph)) == 3
    better = run(MergeLoops(), graph)
    assert len(loops(better)) == 2
    check_values(graph, better)
    check_values(graph, optimize(graph)[0], exact=False)


def test_second_derivatives_share_the_loop_too():
    last, _ = ops.scan(give_state, STATE, XS)
    (slope,) = grad(ops.sum(last * last), [STATE])
    (second,) = grad(ops.sum(slope * slope), [STATE])
    graph = graph_of(last, slope, second)
    better = run(MergeLoops(), graph)
    assert len(loops(better)) < len(loops(graph))
    check_values(graph, better, exact=False)


def other_cell(h, e):
    return ops.sin(h + e[:, :3]), None


@pytest.mark.parametrize(
    "other",
    [
        lambda: ops.scan(give_old, STATE, XS, reverse=True),
        lambda: ops.scan(give_old, zeros(BATCH, 3), XS),
        lambda: ops.scan(give_old, STATE, ops.tanh(XS)),
        lambda: ops.scan(other_cell, STATE, XS),
        lambda: ops.scan(lambda h, e: (h, cell(h, e)), STATE, XS),
        lambda: ops.scan(lambda h, e: (cell(h, e * W[0, 0]), None), STATE, XS),
    ],
    ids=["reverse", "start", "sequence", "step", "constant carry", "constants"],
)
def test_loops_that_go_other_ways_stay_two(other):
    last, ys = ops.scan(give_state, STATE, XS)
    graph = graph_of(last, ys, other()[0])
    assert only("merge-loops").run(graph) is graph


def test_carries_in_another_order_stay_apart():
    """Which output feeds which carry is part of what a loop is."""

    def straight(carry, e):
        a, b = carry
        return (a + e[:, :3], b * 2.0), None

    def crossed(carry, e):
        a, b = carry
        return (b * 2.0, a + e[:, :3]), None

    first = ops.scan(straight, (STATE, STATE), XS)[0]
    second = ops.scan(crossed, (STATE, STATE), XS)[0]
    graph = graph_of(*first, *second)
    better, _ = optimize(graph)
    assert len(loops(better)) == 2
    check_values(graph, better)


def test_loops_one_behind_the_other():
    _, ys = ops.scan(lambda h, e: (h + e, h + e), zeros(BATCH, 4), XS)
    _, again = ops.scan(lambda h, e: (h + e, h + e), zeros(BATCH, 4), ys)
    graph = graph_of(ys, again)
    assert MergeLoops().run(graph) is graph


# -- what nobody needs -------------------------------------------------------------------------
def test_unread_parts_go():
    def step(carry, x):
        h, count, seen = carry
        e, factor = x
        new = cell(h, e)
        return (new, count + 1.0, seen + factor * count), (new, h, seen * W[0, 0])

    factors = ops.exp(XS[:, 0, 0])
    (last, _, _), _ = ops.scan(step, (STATE, 0.0, 0.0), (XS, factors))
    graph = graph_of(last)
    assert counts(loops(graph)[0]) == (1, 3, 2, 3)
    better = run(only("loop-unused"), graph)
    (node,) = loops(better)
    assert counts(node) == (0, 1, 1, 0)
    assert better.roots == (ops.scan(lambda h, e: (cell(h, e), None), STATE, XS)[0],)
    check_values(graph, better)


def test_what_is_read_by_way_of_later_steps_stays():
    def step(carry, e):
        h, count = carry
        return (cell(h, e) * count, count + 1.0), None

    graph = graph_of(ops.scan(step, (STATE, 0.0), XS)[0][0])
    assert only("loop-unused").run(graph) is graph


def test_an_output_is_enough_to_keep_a_carry():
    graph = graph_of(ops.scan(give_old, STATE, XS)[1])
    assert MergeLoops().run(graph) is graph


# -- what stands twice -------------------------------------------------------------------------
def test_operands_and_outputs_that_stand_twice():
    """As the gradient of a loop leaves them, which reads one sequence for two reasons."""

    def step(h, x):
        a, b = x
        new = h + a * b
        return new, (new * 2.0, new * a, new * b)

    _, (double, left, right) = ops.scan(step, zeros(BATCH, 4), (XS, XS))
    graph = graph_of(double, left, right)
    better = run(only("loop-twice"), graph)
    (node,) = loops(better)
    assert counts(node) == (0, 1, 1, 2)
    assert better.roots[1] is better.roots[2]
    check_values(graph, better)


def test_equal_sequences_and_constants_of_other_values_stay():
    _, ys = ops.scan(lambda h, x: (h + x[0], h * x[1]), zeros(BATCH, 4), (XS, ops.exp(XS)))
    graph = graph_of(ys)
    assert MergeLoops().run(graph) is graph


# -- what never changes ------------------------------------------------------------------------
def test_a_carry_that_never_changes_is_a_constant():
    def step(carry, e):
        h, scale = carry
        return (cell(h * scale, e), scale), scale

    (last, scale), scales = ops.scan(step, (STATE, W[0]), XS)
    graph = graph_of(last, scale, scales)
    better = run(MergeLoops(), graph)
    (node,) = loops(better)
    assert counts(node) == (1, 1, 1, 0)
    assert better.roots[1] is W[0]
    assert better.roots[2] is ops.broadcast_to(W[0], (TIME, 3))
    check_values(graph, better)


def test_swapped_carries_change():
    graph = graph_of(*ops.scan(lambda c, e: ((c[1], c[0]), None), (STATE, STATE * 2.0), XS)[0])
    assert MergeLoops().run(graph) is graph
    check_values(graph, graph)


def test_outputs_that_are_known_outside():

    def step(h, x):
        e, other = x
        return h + e * other, (other, h)

    _, (given, hs) = ops.scan(step, zeros(BATCH, 4), (XS, ops.exp(XS)))
    graph = graph_of(given, hs)
    better = run(MergeLoops(), graph)
    assert better.roots[0] is ops.exp(XS)
    check_values(graph, better)


def test_a_loop_of_nothing_but_known_outputs_goes():
    def step(carry, e):
        return carry, carry

    last, ys = ops.scan(step, STATE, XS)
    better = run(MergeLoops(), graph_of(last, ys))
    assert loops(better) == []
    assert better.roots == (STATE, ops.broadcast_to(STATE, (TIME, BATCH, 3)))
    check_values(graph_of(last, ys), better)


# -- the books ---------------------------------------------------------------------------------
def test_rules_in_bodies_of_outer_loops():
    def outer(h, e):
        (inner, _), _ = ops.scan(lambda c, x: ((c[0] + x[:3], c[1] * 2.0), None), (h, e[0]), e)
        return inner, None

    last, _ = ops.scan(outer, zeros(3), XS)
    graph = graph_of(last)
    better, report = Pipeline((MergeLoops(),)).run(graph)
    assert report.fired == {"loop-unused": 1}
    check_values(graph, better)


def test_reports_name_the_rules():
    last, ys = ops.scan(give_state, STATE, XS)
    graph = graph_of(last, ys, ops.scan(give_old, STATE, XS)[1])
    better, report = Pipeline((MergeLoops(),)).run(graph)
    assert report.fired == {"merge-loops": 3}
    assert loops(better)[0].origin.lineage[-1].rule == "merge-loops"
    assert isinstance(MergeLoops(), Rewrite)


def test_strict_numerics_keep_where_outputs_lie():
    """A sequence that is a transposed view is added up in another order than a copy of it."""
    turned = ops.transpose(XS, (1, 0, 2))

    def step(carry, x):
        h, fixed = carry
        return (h + x[0] * x[1], fixed), x[0]

    (last, fixed), ys = ops.scan(step, (turned[0], XS[0]), (turned, ops.exp(turned)))
    graph = graph_of(last, fixed, ops.sum(ys))
    assert MergeLoops(numerics="strict").run(graph) is graph
    assert {r.name for r in MERGE_LOOPS if r.kind != "exact"} == {"loop-fixed-carry", "loop-given"}


def test_every_number_of_firings_keeps_the_values():
    """Loops that are replaced in part are there twice, with the same values."""
    last, ys = ops.scan(give_state, STATE, XS)
    (late,) = grad(ops.sum(ops.sin(ys)), [STATE])
    graph = graph_of(last, late, ops.scan(give_old, STATE, XS)[1])
    _, firings = rerun(MergeLoops(), graph, None, frozenset())
    for fuel in range(len(firings)):
        better, found = rerun(MergeLoops(), graph, fuel, frozenset())
        assert len(found) == fuel
        check_values(graph, better)

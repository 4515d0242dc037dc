"""Bodies of loops are optimized as what is around them, with the same books."""

import numpy as np
import pytest
from loop_checks import BATCH, STATE, XS, W, check_values, graph_of, inside, loops, run, zeros

from kgraph import config, ops
from kgraph.errors import PassError
from kgraph.ir import Graph, input_node
from kgraph.ir.body import all_bodies
from kgraph.ir.leaves import arg
from kgraph.ir.verify import verify
from kgraph.passes import (
    Dump,
    Gradients,
    P,
    Pipeline,
    Rewrite,
    Simplify,
    Stabilize,
    observing,
    optimize,
    rule,
    unknowns,
    using,
)
from kgraph.passes.blame import rerun
from kgraph.passes.pipeline import forward_pipeline
from kgraph.runtime.autodiff import grad
from kgraph.runtime.interp import interpret

(x,) = unknowns("x")


def doubled_tanh(h, e):
    """A step with three things to simplify."""
    h = ops.tanh(ops.negative(ops.negative(h * 1)) + e[:, :3])
    return h, h * 1


def double(step=doubled_tanh):
    last, ys = ops.scan(step, zeros(BATCH, 3), XS)
    return graph_of(last, ys)


def test_rules_fire_in_bodies():
    graph = double()
    better, report = Pipeline((Simplify(),)).run(graph)
    verify(better)
    (body,) = all_bodies(better.nodes)
    h, e = (arg(i, t) for i, t in enumerate(body.parameters))
    new = ops.tanh(h + e[:, :3])
    assert body.outputs == (new, new)
    assert report.fired == {"mul-one": 2, "negative-negative": 1}
    assert {s.rule for s in report.statistics if s.fired} == {"mul-one", "negative-negative"}
    check_values(graph, better)


def test_a_body_that_is_as_good_as_it_gets_is_the_same_object():
    graph = double(lambda h, e: (ops.tanh(h + e[:, :3]), None))
    graph = graph_of(graph.outputs[0][1])
    for step in (Simplify(), Stabilize(), Gradients()):
        assert step.run(graph) is graph
        assert step.rewrite(graph.roots) == graph.roots


def test_equal_bodies_are_looked_at_once():
    first, _ = ops.scan(lambda h, e: (h * 1 + e[:, :3], None), zeros(BATCH, 3), XS)
    second, _ = ops.scan(lambda h, e: (h * 1 + e[:, :3], None), STATE, XS)
    _, report = Pipeline((Simplify(),)).run(graph_of(first, second))
    assert report.fired == {"mul-one": 1}


def test_loops_in_loops():
    def outer(h, e):
        inner, _ = ops.scan(lambda s, _: (ops.sin(s * 1), None), h, length=2)
        return ops.negative(-inner) + e[:, :3], None

    last, _ = ops.scan(outer, zeros(BATCH, 3), XS)
    graph = graph_of(last)
    better, report = Pipeline((Simplify(),)).run(graph)
    assert report.fired == {"mul-one": 1, "negative-negative": 1}
    assert sorted(inside(better)) == ["add", "scan", "sin", "slice"]
    check_values(graph, run(Simplify(), graph))


def test_what_is_stable_inside_is_differentiated():
    def step(h, e):
        return h + ops.log(ops.softmax(e[:, :3] * 200)), None

    last, _ = ops.scan(step, zeros(BATCH, 3), XS)
    (stable,) = forward_pipeline().rewrite([last])
    (found,) = [n for n in stable.attrs["body"].nodes if n.op is ops.log_softmax]
    assert found.origin.lineage[-1].rule == "log-softmax"
    assert inside(Stabilize().run(graph_of(last)), "log_softmax") == 1
    (slope,) = grad(ops.sum(stable), [XS])
    values, _ = interpret(graph_of(slope), [np.ones((2, 1, 4), "f") * [0, 1, 2, 3], W_, S_])
    assert np.isfinite(values[0]).all()


W_, S_ = np.zeros((4, 3), "f"), np.zeros((1, 3), "f")


def test_differentiated_then_optimized_or_the_other_way_round():
    last, _ = ops.scan(doubled_tanh, zeros(BATCH, 3), XS)
    (late,) = grad(ops.sum(last * last), [XS])
    (better,) = Simplify().rewrite([last])
    (early,) = grad(ops.sum(better * better), [XS])
    check_values(graph_of(late), optimize(graph_of(early))[0], exact=False)
    check_values(graph_of(late), optimize(graph_of(late))[0], exact=False)


def test_parts_of_a_gradient_are_joined_inside():
    def step(h, e):
        z = e @ ops.concatenate([W, W], axis=1) + ops.concatenate([h, h], axis=1)
        return ops.tanh(z[:, :3]) * ops.sigmoid(z[:, 3:]), None

    last, _ = ops.scan(step, zeros(BATCH, 3), XS)
    graph = graph_of(*grad(ops.sum(last), [W]))
    assert inside(graph, "slice_grad") == 2
    better = run(Gradients(), graph)
    assert inside(better, "slice_grad") == 0
    assert inside(better, "concatenate") == inside(graph, "concatenate") + 1
    check_values(graph, better)


def test_numerics_hold_inside():
    def step(h, e):
        return h + ops.log(ops.exp(e[:, :3]) + 1) + (h * 7.0) * 3.0, None

    graph = graph_of(ops.scan(step, zeros(BATCH, 3), XS)[0])
    for numerics, untouched in (("strict", True), ("safe", False)):
        for pass_ in (Stabilize(numerics=numerics), Simplify(numerics=numerics)):
            assert (pass_.run(graph) is graph) is untouched


def test_fuel_counts_firings_inside():
    graph = double()
    for fuel in range(4):
        better, firings = rerun(Simplify(), graph, fuel, frozenset())
        assert len(firings) == fuel
        assert (better is graph) is (fuel == 0)
        check_values(graph, better)


def test_rules_can_be_left_out():
    with using("-rule:mul-one"):
        _, report = optimize(double())
    assert "mul-one" not in report.fired
    assert "negative-negative" in report.fired


def test_near_misses_inside():
    stays = rule("tanh-stays", P.tanh(x), lambda x: x, where=lambda x: "it bends")
    _, report = Pipeline((Rewrite((stays,)),)).run(double())
    (miss,) = report.near_misses
    assert (miss.rule, miss.reason, miss.count) == ("tanh-stays", "it bends", 1)


def test_a_rule_that_changes_values_is_blamed():
    wrong = rule("tanh-is-sin", P.tanh(x), lambda x: ops.sin(x))
    with pytest.raises(PassError, match="firing 3 of 4: rule tanh-is-sin") as caught:
        _checked((wrong, *Simplify().rules))
    assert "sin(%0)" in str(caught.value)


def _checked(rules):
    before, config.check = config.check, "values"
    try:
        Pipeline((Simplify(rules=rules),)).run(double())
    finally:
        config.check = before


def test_a_rule_that_changes_a_type_is_named():
    wrong = rule("tanh-to-double", P.tanh(x), lambda x: ops.cast(ops.tanh(x), "float64"))
    with pytest.raises(PassError, match=r"rule tanh-to-double: .* failed"):
        Pipeline((Rewrite((wrong,)),)).run(double())


def test_dumps_show_new_bodies(tmp_path):
    with observing(Dump(tmp_path)):
        Pipeline((Simplify(),)).run(double())
    before, after = ((tmp_path / f"{n}.txt").read_text() for n in ("000-input", "001-simplify"))
    assert "negative" in before
    assert "negative" not in after


def test_random_ops_stay_where_they_are():
    counter = input_node((), "int64", "counter")

    def step(carry, e):
        h, n = carry
        draw = ops.random_bernoulli(n, (2, 3), p=0.5, seed=1, site=1)
        return (h + draw * e[:, :3], n + 1), None

    xs = input_node((5, 2, 4), name="x")
    (last, count), _ = ops.scan(step, (zeros(2, 3), counter), xs)
    graph = Graph((xs, counter), (("last", last), ("count", count)))
    better, _ = optimize(graph)
    assert inside(better, "random_bernoulli") == len(loops(better)) == 1
    arrays = [np.ones((5, 2, 4), "f"), np.array(3)]
    for a, b in zip(interpret(better, arrays)[0], interpret(graph, arrays)[0], strict=True):
        np.testing.assert_array_equal(a, b)

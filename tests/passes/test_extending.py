"""Rules and passes of a user's own, written as a user would, reach everything that is compiled."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np
import pytest
from rule_checks import BATCH, graph_of

import kgraph
from kgraph import config, ops
from kgraph.errors import PassError
from kgraph.ir import input_node
from kgraph.layers import Activation, Dense, Input
from kgraph.models import Sequential
from kgraph.passes import (
    CORE,
    Fold,
    P,
    Pass,
    Pipeline,
    optimize,
    parse_pipeline,
    register,
    rule,
    unknowns,
    unregister,
    using,
)
from kgraph.passes.pipeline import default_pipeline, forward_pipeline
from kgraph.testing import check_rule

FUSES = True
X = input_node((BATCH, 4), name="x")
(x,) = unknowns("x")
# tanh is odd: one negation outside instead of one inside, where it may meet another.
ODD = rule("tanh-odd", P.tanh(-x), lambda x: -ops.tanh(x))
# The same, wrong.
EVEN = rule("tanh-even", P.tanh(-x), lambda x: ops.tanh(x), kind="fast")


def network():
    layers = [Dense(3, activation=lambda t: -ops.tanh(-t)), Activation("linear"), Dense(1)]
    model = Sequential([Input((4,)), *layers])
    model.compile("sgd", "mse")
    return model


def test_ten_lines_of_a_user():
    x, y = kgraph.passes.unknowns("x y")
    difference_of_squares = kgraph.passes.rule(
        "difference-of-squares",
        (x + y) * (x - y),
        lambda x, y: kgraph.ops.square(x) - kgraph.ops.square(y),
        kind="fast",
        where=lambda x, y: x.shape == y.shape or "the shapes differ",
    )
    config_before, kgraph.config.numerics = kgraph.config.numerics, "fast"
    try:
        with kgraph.passes.using(difference_of_squares):
            f = kgraph.jit(lambda a, b: (a + b) * (a - b))
            np.testing.assert_allclose(f(np.float32([3, 4]), np.float32([1, 2])), [8, 12])
            report = f.executable(np.float32([3, 4]), np.float32([1, 2])).report
    finally:
        kgraph.config.numerics = config_before
    assert report.fired["difference-of-squares"] == 1


def test_a_rule_reaches_fit_and_predict_and_leaves_with_the_block():
    data = np.ones((8, 4), "float32"), np.zeros((8, 1), "float32")
    with using(ODD):
        model = network()
        model.fit(*data, epochs=1, verbose=0)
        model.predict(data[0], verbose=0)
        fired = model.executable(*data).report.fired
    assert fired["tanh-odd"] == 1
    assert fired["negative-negative"] >= 1  # what it brought together
    assert "tanh-odd" not in network().executable(*data).report.fired


def test_a_rule_may_join_the_pass_before_gradients():
    with using(ODD, to="stabilize"):
        assert forward_pipeline().passes[0].rules[0] is ODD
        assert default_pipeline().passes[1].rules == CORE[1].rules
    with using(ODD):
        assert forward_pipeline().passes[0].rules[0] is not ODD


def test_for_good_means_in_all_threads_until_taken_back():
    found = []

    def work():
        found.append(dict(optimize(graph_of((X,), ops.tanh(-X)))[1].fired))

    register(ODD)
    try:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    finally:
        unregister(ODD)
    work()
    assert [f.get("tanh-odd") for f in found] == [1, None]
    with pytest.raises(ValueError, match="not registered"):
        unregister(ODD)


@dataclass(frozen=True)
class SinToCos(Pass):
    """A pass as users write them."""

    def run(self, graph):
        return graph.rewrite(lambda n: ops.cos(*n.inputs) if n.op is ops.sin else n)


def test_a_pass_comes_before_the_graph_is_handed_over():
    graph = graph_of((X,), ops.sin(X * 1))
    with using(SinToCos()):
        names = [p.name for p in default_pipeline().passes]
        result, report = optimize(graph)
    last = next(i for i, p in enumerate(CORE) if p.needs is not p.gives)
    assert names.index("sin_to_cos") == last
    assert result.outputs[0][1] is ops.cos(X)
    assert report.fired["sin_to_cos"] == 1
    with using(SinToCos(), before="stabilize"):
        names = [p.name for p in default_pipeline().passes]
        assert names.index("sin_to_cos") == names.index("stabilize") - 1


def test_what_is_left_out_and_what_is_no_addition():
    with using("-rule:mul-one", "-stabilize"):
        assert not optimize(graph_of((X,), ops.log(ops.softmax(X * 1))))[1].fired
        assert "stabilize" not in str(forward_pipeline()).split(",")
    for wrong in ("mul-one", 3):
        with pytest.raises(TypeError, match="not an addition"), using(wrong):
            pass
    with pytest.raises(ValueError, match="no pass 'simplyfy'"), using(ODD, to="simplyfy"):
        pass
    with using("-rule:mul-won"), pytest.raises(ValueError, match="did you mean 'mul-one'"):
        optimize(graph_of((X,), X))


def test_a_rule_whose_pass_was_left_out_gets_a_pass_of_its_own():
    with using(ODD, "-simplify", "-rule:fuse-elementwise"):
        report = optimize(graph_of((X,), ops.tanh(-X)))[1]
    assert report.passes[0].name == "rewrite"
    assert report.fired == {"tanh-odd": 1}


def test_two_rules_of_one_name_are_an_error():
    with using(rule("mul-one", x * 1, lambda x: x)), pytest.raises(PassError, match="mul-one"):
        optimize(graph_of((X,), X))


def test_adding_nothing_costs_nothing():
    assert default_pipeline().passes is CORE
    with using(Fold()):
        assert len(default_pipeline().passes) == len(CORE) + 1


def test_the_wrong_version_is_caught_before_it_runs():
    check_rule(ODD)
    with pytest.raises(AssertionError) as caught:
        check_rule(EVEN)
    text = str(caught.value)
    assert "rule tanh-even (fast)" in text
    assert "before: tanh(-x)" in text
    assert "after: tanh(x)" in text
    assert "x = float32" in text  # the counter-example


def test_the_wrong_version_is_caught_when_it_runs(monkeypatch):
    monkeypatch.setattr(config, "check", "values")
    monkeypatch.setattr(config, "numerics", "fast")
    with using(EVEN), pytest.raises(PassError) as caught:
        optimize(graph_of((X,), ops.tanh(-X) * 2))
    text = str(caught.value)
    assert "pass simplify changes the value of output y" in text
    assert "rule tanh-even (fast)" in text
    assert "test_extending.py:" in text


def test_a_pipeline_with_added_rules_reads_back(monkeypatch):
    with using(ODD):
        pipeline = default_pipeline()
        assert parse_pipeline(str(pipeline)) == Pipeline(CORE)
        monkeypatch.setattr(config, "passes", str(pipeline))
        assert default_pipeline() == pipeline

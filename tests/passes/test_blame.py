"""Wrong rules and passes are found: by value, by fuel, and by what a pass must keep."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from rule_checks import BATCH, graph_of
from zoo import ZOO, training_core

from kgraph import config, ops
from kgraph.errors import KGraphError, PassError
from kgraph.ir import Graph, Variable, input_node
from kgraph.ir.origin import Origin, making
from kgraph.passes import (
    CORE,
    P,
    Pass,
    Pipeline,
    Rewrite,
    fueled,
    optimize,
    rule,
    unknowns,
)
from kgraph.passes.blame import cut_out, describe, first_bad
from kgraph.runtime.interp import interpret
from kgraph.testing.comparing import compare_bits
from kgraph.testing.widening import as_functions

X = input_node((BATCH, 4), name="x")
(x,) = unknowns("x")
GOOD = rule("good", P.exp(x), lambda x: ops.exp(x + 0.0), where=lambda x: x.op is not ops.add)
WRONG = rule("wrong", P.cos(x), lambda x: ops.sin(x), kind="rounding")


@dataclass(frozen=True)
class Give(Pass):
    """Returns what it is told to return."""

    result: object = None

    def run(self, graph):
        return self.result


@dataclass(frozen=True)
class Swap(Pass):
    """Replaces an op by another without any rule."""

    old: str = "cos"
    new: str = "sin"

    def run(self, graph):
        def swap(node):
            return getattr(ops, self.new)(*node.inputs) if node.op.name == self.old else node

        return graph.rewrite(swap)


@pytest.fixture
def _values(monkeypatch):
    monkeypatch.setattr(config, "check", "values")


@pytest.mark.usefixtures("_values")
def test_the_first_guilty_firing_is_shown():
    node = ops.exp(ops.exp(ops.tanh(X)) * 0.1)
    with making(Origin("angle", "model/dense", "user.py", 7)):
        node = ops.cos(ops.exp(node * 0.1) + 2)
    with pytest.raises(PassError) as caught:
        Pipeline((Rewrite((GOOD, WRONG)),)).run(graph_of((X,), node * 3))
    text = str(caught.value)
    assert "pass rewrite changes the value of output y" in text
    assert "firing 4 of 4: rule wrong (rounding) at <angle = cos: f32[batch, 4]>" in text
    assert "[model/dense, user.py:7]" in text
    assert "output 'before' %1" in text  # the smallest subgraph: cos(t) -> sin(t)
    assert "in float64: " in text


@pytest.mark.usefixtures("_values")
def test_updates_are_compared_too():
    weight = Variable(np.zeros(4), "w", "float32")
    graph = Graph((X,), (), ((weight, ops.sum(ops.cos(X), axis=0) + weight),))
    with pytest.raises(PassError, match="value of output new w"):
        Pipeline((Rewrite((WRONG,)),)).run(graph)
    assert not weight.numpy().any()


@pytest.mark.usefixtures("_values")
def test_a_pass_without_rules_is_blamed_itself():
    with pytest.raises(PassError, match=r"(?s)pass swap changes.*replaces nodes itself"):
        Pipeline((Swap(),)).run(graph_of((X,), ops.cos(X)))


@pytest.mark.usefixtures("_values")
def test_states_are_not_at_zero():
    """A slot that starts at zero would hide a lost term."""
    slot = Variable(np.zeros(4), "slot", "float32")
    lost = rule("lost", P.square(x), lambda x: x, kind="fast")
    config_numerics, config.numerics = config.numerics, "fast"
    try:
        with pytest.raises(PassError, match="rule lost"):
            graph = Graph((X,), (("y", X + ops.square(slot)),))
            Pipeline((Rewrite((lost,)),)).run(graph)
    finally:
        config.numerics = config_numerics


@pytest.mark.usefixtures("_values")
@pytest.mark.parametrize("numerics", ["strict", "safe"])
@pytest.mark.parametrize("name", ["mlp_binary", "siamese", "embedding_adam"])
def test_the_default_passes_keep_the_values_of_the_zoo(monkeypatch, name, numerics):
    monkeypatch.setattr(config, "numerics", numerics)
    specimen = ZOO[name]
    optimize(training_core(specimen.model(), *specimen.arrays(4)))


@pytest.mark.usefixtures("_values")
def test_a_graph_that_cannot_run_says_so():
    ids = input_node((3,), "int32", name="ids")
    graph = graph_of((ids,), ops.take(ops.reshape(ops.cast(ids, "float32"), (1, 3)), ids * 0 + 9))
    with pytest.raises(KGraphError, match="cannot be checked: it fails on drawn inputs"):
        optimize(graph)


def test_unknown_checks_are_named(monkeypatch):
    monkeypatch.setattr(config, "check", "valuse")
    with pytest.raises(ValueError, match=r"(?s)no check 'valuse'.*did you mean 'values'"):
        optimize(graph_of((X,), X))


def test_fuel_counts_whole_passes():
    graph = graph_of((X,), ops.cos(ops.exp(X) * 1))
    steps = (Rewrite((rule("one", x * 1, lambda x: x),)), Swap(), Swap("exp", "tanh"))
    with fueled() as tank:
        Pipeline(steps).run(graph)
    assert tank.burnt == 3
    results = []
    for fuel in range(4):
        with fueled(fuel) as tank:
            result, report = Pipeline(steps).run(graph)
        assert tank.burnt == sum(report.fired.values()) == fuel
        results.append({n.op.name for n in result.nodes} - {"input", "const"})
    assert results == [
        {"cos", "exp", "multiply"}, {"cos", "exp"}, {"sin", "exp"}, {"sin", "tanh"},
    ]  # fmt: skip


def test_a_whole_pass_can_be_left_out_like_a_rule():
    graph = graph_of((X,), ops.cos(X))
    assert Pipeline((Swap(),), excluded=("swap",)).run(graph)[0] is graph


def test_one_tank_for_several_pipelines():
    with fueled(1):
        first = optimize(graph_of((X,), X * 1))[1]
        second = optimize(graph_of((X,), X * 1))[1]
    assert (sum(first.fired.values()), sum(second.fired.values())) == (1, 0)


def test_fuel_gives_prefixes_of_the_same_firings():
    specimen = ZOO["mlp_binary"]
    graph = training_core(specimen.model(), *specimen.arrays(4))

    def names(fuel):
        with fueled(fuel):
            report = optimize(graph)[1]
        return [(f.rule, f.old) for p in report.passes for f in p.firings]

    whole = names(None)
    assert len(whole) > 5
    for fuel in range(0, len(whole), 3):
        assert names(fuel) == whole[:fuel]


@pytest.mark.parametrize("guilty", [1, 2, 7, 64, 100])
def test_bisection(guilty):
    asked = []
    assert first_bad(lambda n: asked.append(n) or n >= guilty, 100) == guilty
    assert len(asked) <= 7


def test_what_both_sides_share_becomes_an_input():
    y = ops.tanh(X @ ops.transpose(X))
    small = cut_out(ops.exp(y) * 1 + y, ops.exp(y) + y)
    assert [n.attrs["name"] for n in small.inputs] == ["exp", "tanh"]
    assert len(small) == 6
    total, single = as_functions(*(Graph(small.inputs, (("y", n),)) for _, n in small.outputs))
    arrays = [np.ones((2, 2), "float32")] * 2
    assert compare_bits(total, single, arrays) is None
    assert interpret(small, arrays)[0][0].tolist() == [[2, 2], [2, 2]]


def test_outputs_of_one_node_that_both_sides_read():
    loss, p = ops.softmax_cross_entropy(X, X)
    small = cut_out(ops.sum(p) + 0, ops.sum(p))
    assert len(small.inputs) == 1
    both = cut_out(ops.sum(p), ops.sum(loss))
    assert {n.op.name for n in both.nodes} >= {"softmax_cross_entropy", "item"}


def test_a_firing_in_words():
    report = Pipeline((Rewrite((WRONG,)),)).run(graph_of((X,), ops.cos(X)))[1]
    text = describe(report.passes[0].firings[0])
    assert text.startswith("rule wrong (rounding) at <cos: f32[batch, 4]> [")
    assert "test_blame.py:" in text.splitlines()[0]


SUM = ops.sum(ops.exp(X))


@pytest.mark.parametrize(
    ("result", "parts"),
    [
        (Graph((X,), ()), ["pass give", "output 'y': f32[]", "got: fewer", "test_blame.py:"]),
        (Graph((X,), (("y", X),)), ["pass give", "expected: output 'y': f32[]",
                                    "got: output 'y': f32[batch, 4]", "test_blame.py:"]),
        (Graph((), (("y", SUM),)), ["pass give", "input <x = input"]),
        (None, ["pass give", "returns a graph"]),
    ],
)  # fmt: skip
def test_broken_passes_are_named_with_the_line(result, parts):
    with pytest.raises(PassError) as caught:
        Pipeline((*CORE[:2], Give(result))).run(graph_of((X,), SUM))
    assert all(part in str(caught.value) for part in [*parts, "passes before it: drop_markers"])


@dataclass(frozen=True)
class Forge(Rewrite):
    """Its rule smuggles in a node of another type."""

    rules: tuple = field(
        default=(rule("forge", P.exp(x), lambda x: ops.cast(x, "float64")),), repr=False
    )


def test_a_rule_of_a_wrong_type_is_named_with_pass_node_and_line():
    with pytest.raises(PassError) as caught:
        Pipeline((Forge(),)).run(graph_of((X,), ops.exp(X)))
    text = str(caught.value)
    assert "pass forge failed: rule forge: exp(x) failed at <exp: f32[batch, 4]>" in text
    assert "test_blame.py:" in text
    assert "expected: f32[batch, 4]" in text

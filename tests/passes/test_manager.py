"""The manager: stages, verification, report, observers, and errors that say where."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest
from rule_checks import BATCH, graph_of

from kgraph import config, ops
from kgraph.errors import PassError, StageError, VerifyError
from kgraph.ir import Graph, Stage, input_node
from kgraph.passes import (
    CORE,
    Finish,
    Observer,
    P,
    Pass,
    Pipeline,
    Rewrite,
    Simplify,
    Stabilize,
    observing,
    optimize,
    rule,
    unknowns,
)
from kgraph.passes.manager import CompileReport
from kgraph.passes.report import estimate

X = input_node((BATCH, 4), name="x")
(x,) = unknowns("x")


@dataclass(frozen=True)
class Broken(Pass):
    """Returns what it is told to return."""

    result: object = None

    def run(self, graph):
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@dataclass(frozen=True)
class ToFused(Pass):
    """Needs a stage that does not come."""

    needs: ClassVar[Stage] = Stage.FUSED
    gives: ClassVar[Stage] = Stage.FUSED

    def run(self, graph):
        return graph


def naive():
    """log(softmax(x * 1)), spelled out."""
    e = ops.exp(X * 1)
    return graph_of((X,), ops.log(e / ops.sum(e, axis=1, keepdims=True)))


def test_optimize_gives_a_fused_graph_and_a_report():
    graph, report = optimize(naive())
    assert graph.stage is Stage.FUSED
    assert graph.outputs[0][1] is ops.log_softmax(X)
    assert isinstance(report, CompileReport)
    assert report.result is graph
    assert report.fired == {"mul-one": 1, "softmax": 1, "log-softmax": 1}


def test_optimizing_twice_changes_nothing():
    graph, _ = optimize(naive())
    again, report = optimize(graph)
    assert again is graph
    assert report.passes == ()
    core = Graph(graph.inputs, graph.outputs)
    assert optimize(core)[0].outputs == graph.outputs
    assert not optimize(core)[1].fired


def test_layers_must_be_lowered_first():
    graph = Graph((X,), (("y", X),), stage=Stage.LAYERS)
    with pytest.raises(StageError, match="pass drop_markers cannot take this graph") as caught:
        optimize(graph)
    assert "lower" in str(caught.value)


def test_pass_that_needs_another_stage():
    with pytest.raises(StageError, match="expected: stage FUSED"):
        Pipeline((ToFused(),)).run(naive())
    graph, _ = Pipeline((Finish(), ToFused())).run(naive())
    assert graph.stage is Stage.FUSED


def test_names_are_snake_case():
    assert [p.name for p in CORE[:2]] == ["drop_markers", "merge_loops"]
    assert ToFused().name == "to_fused"


def test_passes_are_values():
    assert Simplify(numerics="fast") == Simplify(numerics="fast")
    assert Simplify() != Simplify(without=("mul-one",))
    assert hash(Stabilize()) == hash(Stabilize())


def test_pipeline_without_a_pass():
    graph, report = Pipeline(CORE).without("stabilize", "fuse").run(naive())
    assert "stabilize" not in [p.name for p in report.passes]
    assert ops.log in [n.op for n in graph.nodes]
    with pytest.raises(ValueError, match="no pass 'inline'"):
        Pipeline(CORE).without("inline")


def test_report_holds_cost_and_graphs():
    source = naive()
    _, report = optimize(source)
    record = report["stabilize"]
    assert record.before is report["simplify"].after
    assert record.cost_before.nodes == len(record.before)
    assert record.cost_after.flops < record.cost_before.flops
    assert record.cost_after.bytes < record.cost_before.bytes
    assert 0 < record.seconds <= report.seconds
    assert [f.rule for f in record.firings] == ["softmax", "log-softmax"]
    assert record.firings[-1].new is ops.log_softmax(X)
    assert record.changed
    assert not report["share_softmax"].changed
    assert report.source is source
    with pytest.raises(KeyError, match="drop_markers, merge_loops, simplify"):
        report["inline"]


def test_report_prints_a_line_a_pass():
    text = str(optimize(graph_of((X,), X * 1 + 0))[1])
    lines = text.splitlines()
    assert len(lines) == 1 + len(CORE) + 2
    assert lines[3].split()[0] == "simplify"
    assert "mul-one x1" in lines[3]
    assert "held back: add-zero-positive at add: the operand may be -0.0 [" in text
    assert "held back: add-zero-fast at add: a fast rule, which numerics does not admit" in text


def test_report_as_data_is_json():
    data = json.loads(json.dumps(optimize(graph_of((X,), X * 1 + 0))[1].as_dict()))
    first = data["passes"][2]
    assert first["pass"] == "simplify"
    assert {r["rule"]: r["fired"] for r in first["rules"] if r["fired"]} == {"mul-one": 1}
    assert first["nodes"] == [5, 3]
    assert first["near_misses"][0]["reason"] == "the operand may be -0.0"


def test_estimate_gives_symbols_a_number():
    graph = graph_of((X,), ops.matmul(X, ops.transpose(X)))
    cost = estimate(graph)
    assert cost.flops == 2 * 32 * 4 * 32
    assert estimate(graph, hint=1).flops == 2 * 4


def test_near_misses_count_nodes():
    graph = Graph((X,), (("a", X + 0), ("b", ops.sqrt(X) + 0)))
    report = Pipeline((Simplify(),)).run(graph)[1]
    miss = report.near_misses[0]
    assert (miss.rule, miss.count) == ("add-zero-positive", 2)
    assert "(2 times)" in str(miss)


def test_every_result_is_verified(monkeypatch):
    stranger = input_node((BATCH, 4), name="stranger")
    bad = Broken(graph_of((X,), -stranger))
    with pytest.raises(PassError, match=r"pass broken failed: .*stranger") as caught:
        Pipeline((Simplify(), bad)).run(naive())
    assert isinstance(caught.value.__cause__, VerifyError)
    assert "passes before it: simplify" in str(caught.value)
    monkeypatch.setattr(config, "verify", False)
    assert Pipeline((bad,)).run(naive())[0] is bad.result


def test_failing_pass_is_named_with_its_cause():
    with pytest.raises(PassError, match="pass broken failed: ValueError: out of luck") as caught:
        Pipeline((Broken(ValueError("out of luck")),)).run(naive())
    assert isinstance(caught.value.__cause__, ValueError)
    assert "passes before it: none" in str(caught.value)


def test_a_pass_without_run_says_so():
    class Idle(Pass):
        pass

    with pytest.raises(PassError, match=r"pass idle failed: .* class Idle has no method run"):
        Pipeline((Idle(),)).run(naive())


def test_failing_rule_is_named_with_what_fired_before():
    rules = (
        rule("good", -x, lambda x: ops.sin(x)),
        rule("bad", P.sin(x), lambda x: ops.sum(x)),
    )
    with pytest.raises(PassError, match="pass rewrite failed: rule bad: sin") as caught:
        Pipeline((Rewrite(rules),)).run(graph_of((X,), -X))
    assert "rules it fired: good x1" in str(caught.value)


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (3, "a pass returns a graph"),
        (Graph((), (("y", ops.exp(X)),)), "signature"),
        (Graph((X,), (("z", X),)), "signature"),
        (Graph((X,), (("y", ops.sum(X)),)), "signature"),
        (Graph((X,), (("y", -X),), stage=Stage.FUSED), "wrong stage"),
        (Graph((X,), (("y", ops.exp(X)),)), "returns the graph that it got"),
    ],
)
def test_wrong_results_are_refused(result, message):
    with pytest.raises(PassError, match=message):
        Pipeline((Broken(result),)).run(graph_of((X,), ops.exp(X)))


class Watcher(Observer):
    """Notes what it sees."""

    def __init__(self):
        self.seen = []

    def before(self, step, graph):
        self.seen.append(("before", step.name, len(graph)))

    def after(self, step, old, new):
        self.seen.append((step.name, len(old), len(new)))


def test_observers_see_every_pass():
    first, second = Watcher(), Watcher()
    with observing(second):
        Pipeline((Simplify(), Stabilize()), observers=(first,)).run(naive())
    assert first.seen == second.seen
    assert first.seen == [
        ("before", "simplify", 7), ("simplify", 7, 5), ("before", "stabilize", 5),
        ("stabilize", 5, 2),
    ]  # fmt: skip
    with observing():
        optimize(naive())
    assert len(second.seen) == 4


def test_pass_of_the_user_in_a_few_lines():
    @dataclass(frozen=True)
    class ReplaceOp(Pass):
        old: str
        new: str

        def run(self, graph):
            def swap(node):
                return getattr(ops, self.new)(*node.inputs) if node.op.name == self.old else node

            return graph.rewrite(swap)

    graph, report = optimize(graph_of((X,), ops.sin(X)), (ReplaceOp("sin", "cos"), *CORE))
    assert graph.outputs[0][1] is ops.cos(X)
    assert report["replace_op"].changed


def test_wrong_numerics_are_no_fault_of_a_pass(monkeypatch):
    monkeypatch.setattr(config, "numerics", "sloppy")
    with pytest.raises(ValueError, match=r"^unknown numerics"):
        optimize(graph_of((X,), ops.sin(X)))

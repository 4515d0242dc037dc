"""Counts by rule, the report as data under its schema, and two runs that differ in times only."""

from __future__ import annotations

import json

import pytest
from rule_checks import BATCH, graph_of
from zoo import ZOO, training_core

from kgraph import config, ops
from kgraph.ir import Graph, input_node
from kgraph.passes import CORE, P, Pipeline, Rewrite, Simplify, optimize, rule, unknowns
from kgraph.passes.schema import REPORT_SCHEMA

FUSES = True
X = input_node((BATCH, 4), name="x")
(x,) = unknowns("x")
KINDS = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list,
         "object": dict, "null": type(None)}  # fmt: skip


def validate(data, schema, path="$"):
    """The part of JSON Schema that the report's schema uses."""
    if "const" in schema:
        assert data == schema["const"], path
        return
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(isinstance(data, KINDS[k]) for k in kinds), f"{path} is {data!r}"
    if isinstance(data, list):
        assert schema.get("minItems", 0) <= len(data) <= schema.get("maxItems", len(data)), path
        for i, entry in enumerate(data):
            validate(entry, schema["items"], f"{path}[{i}]")
    if isinstance(data, dict):
        known, other = schema.get("properties", {}), schema["additionalProperties"]
        assert set(schema.get("required", ())) <= set(data), path
        assert other is not False or set(data) <= set(known), f"{path} has {set(data) - set(known)}"
        for name, entry in data.items():
            validate(entry, known.get(name, other), f"{path}.{name}")


def report_of(name):
    """What the passes do to the training step of a model of the zoo."""
    specimen = ZOO[name]
    return optimize(training_core(specimen.model(), *specimen.arrays(4)))[1]


def test_counts_of_one_rule():
    never = rule("never", P.exp(x), lambda x: x, where=lambda x: "not today")
    once = rule("once", P.sin(P.cos(x)), lambda x: ops.tanh(x))
    graph = Graph((X,), (("a", ops.exp(X)), ("b", ops.sin(ops.cos(X))), ("c", ops.sin(X))))
    record = Pipeline((Rewrite((never, once)),)).run(graph)[1].passes[0]
    first, second = record.statistics
    assert (first.rule, first.looked, first.matched, first.fired) == ("never", 1, 1, 0)
    assert first.refused == {"not today": 1}
    # sin(x) is not even tried: its operand has the wrong op.
    assert (second.rule, second.looked, second.matched, second.fired) == ("once", 1, 1, 1)
    assert (second.removed.nodes, second.made.nodes) == (2, 1)
    assert second.removed.flops == 2 * second.made.flops > 0
    assert second.removed.bytes == 2 * second.made.bytes


def test_counts_of_several_passes_add_up():
    graph = graph_of((X,), ops.log(ops.softmax(X * 1)) + 0)
    report = optimize(graph)[1]
    together = {s.rule: s for s in report.statistics}
    assert {n: s.fired for n, s in together.items() if s.fired} == dict(report.fired)
    assert together["add-zero-positive"].refused == {"the operand may be -0.0": 2}  # a node a pass


def test_times_of_rules_are_measured_on_demand(monkeypatch):
    graph = graph_of((X,), X * 1)
    assert all(s.seconds == 0 for s in optimize(graph)[1].statistics)
    monkeypatch.setattr(config, "stats", True)
    tried = [s for s in optimize(graph)[1].statistics if s.looked]
    assert tried
    assert all(s.seconds > 0 for s in tried)


def test_the_second_simplify_looks_at_new_nodes_only():
    steps = (Simplify(), Simplify())
    records = Pipeline(steps).run(graph_of((X,), ops.sqrt(X * 2) + 0))[1].passes
    assert sum(t.looked for t in records[0].tallies) > 0
    assert sum(t.looked for t in records[1].tallies) == 0


@pytest.mark.parametrize("name", ["mlp_binary", "siamese"])
def test_the_report_keeps_to_its_schema(name):
    data = json.loads(json.dumps(report_of(name).as_dict()))
    validate(data, REPORT_SCHEMA)
    assert data["pipeline"] == str(Pipeline(CORE))
    assert data["options"]["numerics"] == "safe"


def test_two_runs_differ_in_times_only():
    specimen = ZOO["mlp_binary"]
    graph = training_core(specimen.model(), *specimen.arrays(4))
    reports = [optimize(graph)[1] for _ in range(2)]
    assert reports[0].as_dict(times=False) == reports[1].as_dict(times=False)
    whole = reports[0].as_dict()
    assert whole.pop("times")["ms"] > 0
    assert whole == reports[0].as_dict(times=False)


def test_whatever_fires_can_be_left_out_by_name():
    known = {name for step in CORE for name in step.rule_names}
    for name in ZOO:
        assert set(report_of(name).fired) <= known, name

"""`kgraph bench MODEL`: one model at several levels of numerics, in turn."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest

from kgraph.ir import Graph, Variable, input_node
from kgraph.ir.serialize import save
from kgraph.layers import Dense, Input
from kgraph.models import Model
from kgraph.tools.bench import levels
from kgraph.tools.cli import main


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kgraph.tools.bench.bench_command.load_average", lambda: 0.0)
    x = Input((4,), name="x")
    Path("m.json").write_text(Model(x, Dense(2, "tanh", name="top")(x)).to_json())


def rows_of(capsys, *words: str, code: int = 0) -> dict:
    assert main(["-q", "bench", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("mode", ["forward", "step"])
def test_a_row_a_level(mode, capsys):
    found = rows_of(capsys, "m.json", "--levels", "none,strict,fast", "--runs", "3", "--mode", mode)
    rows = found["rows"]
    assert [row["workload"] for row in rows] == [
        "m.json@none", "m.json@strict", "m.json@fast"
    ]  # fmt: skip
    for row in rows:
        assert 0 < row["step_min_us"] <= row["step_us"] <= row["p95_us"]
        assert row["plan"]["matmuls"] == (1 if mode == "forward" else 2)
        assert {"flops", "bytes", "arena_bytes", "steps", "compile_ms"} <= set(row["plan"])


def test_levels_take_turns_and_variables_keep_their_values(capsys, monkeypatch):
    x, w = input_node((2,), name="x"), Variable(np.ones(2), name="w", dtype="float32")
    graph = Graph((x,), (("y", x * w),), ((w, w + 1.0),))
    save(graph, "g.json")
    seen = []
    plan_of = levels._plan

    def watched(graph, level, *rest):
        plan = plan_of(graph, level, *rest)
        run, states = plan.run, plan.data.graph.states
        monkeypatch.setattr(plan, "run", lambda: (seen.append((level, states[0])), run()))
        return plan

    monkeypatch.setattr(levels, "_plan", watched)
    rows_of(capsys, "g.json", "--runs", "2")
    assert [level for level, _ in seen] == ["none", "safe"] * 3
    assert all((state.numpy() == 1).all() for _, state in seen)


def test_a_baseline(capsys):
    found = rows_of(capsys, "m.json", "--levels", "safe", "--runs", "2")
    Path("then.json").write_text(json.dumps(found))
    limits = ["--levels", "safe", "--runs", "2", "--baseline", "then.json", "--max-regress"]
    again = rows_of(capsys, "m.json", *limits, "100000%")
    assert again["compared"][0].startswith("m.json@safe: step_us ")
    found["rows"][0]["step_min_us"] = 1e-9
    Path("then.json").write_text(json.dumps(found))
    worse = rows_of(capsys, "m.json", *limits, "5%", code=1)
    assert worse["regressions"][0].startswith("m.json@safe: slower by ")


def test_tables(capsys):
    assert main(["bench", "m.json", "--runs", "2"]) == 0
    printed = capsys.readouterr().out
    assert "to the first" in printed
    assert "m.json@safe" in printed


def test_a_reader_that_has_gone(capsys, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with monkeypatch.context() as patch, os.fdopen(writing, "w", encoding="utf-8") as stream:
        patch.setattr("sys.stdout", stream)
        assert main(["-q", "bench", "m.json", "--runs", "1"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["m.json", "--levels", "O3"], 2, "none, strict, safe, fast"),
        (["m.json", "--runs", "0"], 2, "--runs"),
        (["m.json", "mlp_binary"], 2, "one MODEL at a time"),
        (["none.json"], 4, "error[E0401]"),
        (["m.json", "--input", "z=zeros"], 4, "no input 'z'"),
    ],
)
def test_what_is_refused(words, code, text, capsys):
    assert main(["bench", *words]) == code
    assert text in capsys.readouterr().err

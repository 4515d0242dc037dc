"""What each pass did to single nodes: from the first graph and the changes every other follows."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest

import kgraph
from kgraph.ir.printer import ordered
from kgraph.layers import Dense, Dropout, Input, add
from kgraph.models import Model
from kgraph.runtime.executable import compile
from kgraph.tools.cli import main
from kgraph.tools.pass_changes import pass_changes
from kgraph.tools.training_step import source_graph
from kgraph.tools.viz.json_view import SCHEMA


def model() -> Model:
    """A shared layer, a dropout and two ways that meet."""
    x = Input((6,), name="x")
    shared = Dense(6, activation="relu", name="shared")
    y = Dropout(0.5)(shared(shared(x)))
    return Model(x, Dense(3, activation="softmax", name="probs")(add([x, y])))


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(model().to_json())


def document(capsys, *words: str) -> dict:
    assert main([*words]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("training", [False, True])
def test_every_graph_follows_from_the_first(training):
    report = compile(source_graph(model(), training, None, "adam")).report
    first = ordered(report.passes[0].before)
    ids = {node: f"n{number}" for number, node in enumerate(first)}
    now = {ids[n]: (n.op.name, [ids[i] for i in n.inputs]) for n in first}
    for record, change in zip(report.passes, pass_changes(report), strict=True):
        assert any(change.values()) <= record.changed
        for name in change["del"]:
            del now[name]
        assert not {row["id"] for row in change["add"]} & set(now)
        assert {row["id"] for row in change["chg"]} <= set(now)
        now |= {row["id"]: (row["op"], row["inputs"]) for row in change["add"] + change["chg"]}
        edges = sorted((op, *(now[i][0] for i in inputs)) for op, inputs in now.values())
        after = ordered(record.after)
        assert edges == sorted((n.op.name, *(i.op.name for i in n.inputs)) for n in after)


def test_ids_are_those_of_the_view_of_ops(capsys):
    words = ["viz", "m.json", "--view", "ops", "-o", "-", "--format", "json", "--passes"]
    found = document(capsys, *words)
    jsonschema.validate(found, json.loads(SCHEMA.read_text()))
    shown = {node["id"]: node["op"] for node in found["nodes"] if node["kind"] == "op"}
    (fuse,) = [row for row in found["passes"] if row["pass"] == "fuse"]
    assert {shown[name] for name in fuse["del"]} >= {"matmul", "relu"}
    assert {row["op"] for row in fuse["add"]} == {"fused"}
    assert min(fuse["before"]["peak"], fuse["after"]["peak"]) > 0
    report = document(capsys, "passes", "m.json", "--json")
    names = [row["pass"] for row in report["passes"]]
    assert report["changes"][names.index("fuse")] == {k: fuse[k] for k in ("del", "add", "chg")}
    assert len(report["changes"]) == len(names)


def test_changes_are_the_same_in_every_process():
    found = set()
    for seed in ("1", "2"):
        env = {**os.environ, "PYTHONPATH": str(Path(kgraph.__file__).parents[1]),
               "PYTHONHASHSEED": seed}  # fmt: skip
        command = [sys.executable, "-m", "kgraph", "passes", "m.json", "--training", "--json"]
        done = subprocess.run(command, capture_output=True, check=True, env=env)
        report = json.loads(done.stdout)
        del report["times"], report["graphs"]  # weights and seeds are drawn anew
        found.add(json.dumps(report))
    assert len(found) == 1

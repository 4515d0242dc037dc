"""`kgraph profile`: sections, rates, the Chrome trace and memory over time."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kgraph.layers import Dense, Embedding, Input
from kgraph.models import Model, Sequential
from kgraph.tools.cli import main


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = Input((16,), name="x")
    y = Dense(4, activation="softmax", name="top")(Dense(32, activation="relu", name="low")(x))
    Path("m.json").write_text(Model(x, y).to_json())


def answer_of(capsys, *words: str) -> dict:
    assert main(["-q", "profile", "m.json", "--runs", "2", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("mode", ["forward", "step"])
def test_the_sections_add_up(mode, capsys):
    found = answer_of(capsys, "--mode", mode, "--batch", "5")
    assert found["sizes"] == {"batch": 5}
    whole = found["steps_us"]
    for title in ("layers", "ops", "nodes"):
        rows = found[title]
        assert sum(row["us"] for row in rows) == pytest.approx(whole)
        assert sum(row["share"] for row in rows) == pytest.approx(1)
        assert all(row["gbs"] == pytest.approx(row["bytes"] / row["us"] / 1e3) for row in rows)
        assert [row["us"] for row in rows] == sorted((r["us"] for r in rows), reverse=True)
    assert found["overhead_us"] == pytest.approx(found["run_us"] - whole)
    assert {"low", "top"} <= {row["name"] for row in found["layers"]}
    assert any("matmul" in row["name"] for row in found["nodes"])
    assert all(ms > 0 for ms in found["compile_ms"].values())


def test_memory_over_time(capsys):
    memory = answer_of(capsys, "--mode", "step")["memory"]
    assert max(memory["timeline"]) == memory["lower_bound"] <= memory["arena"]
    assert main(["profile", "m.json", "--runs", "1", "--memory", "--top", "1"]) == 0
    out = capsys.readouterr().out
    assert "memory in use" in out
    assert "more: --top" in out


def test_a_step_keeps_to_the_budget_of_its_model(capsys):
    Path("deep.py").write_text(
        "from kgraph.layers import Dense\n"
        "from kgraph.models import Sequential\n"
        "layers = [Dense(64, 'tanh', input_dim=64), *(Dense(64, 'tanh') for _ in range(7))]\n"
        "plain, small = Sequential(layers), Sequential(layers)\n"
        "plain.compile('sgd', 'mse')\n"
        "small.compile('sgd', 'mse', memory_budget=0.7)\n"
    )
    arenas = []
    for name in ("plain", "small"):
        words = f"-q profile py:deep.py:{name} --mode step --runs 1 --batch 512 --json"
        assert main(words.split()) == 0
        arenas.append(json.loads(capsys.readouterr().out)["memory"]["arena"])
    assert arenas[1] <= 0.7 * arenas[0]


def test_other_orders(capsys):
    for sort, key in (("flops", "flops"), ("bytes", "bytes"), ("calls", "calls")):
        rows = answer_of(capsys, "--sort", sort)["ops"]
        assert [r[key] for r in rows] == sorted((r[key] for r in rows), reverse=True)


def test_files(capsys):
    assert main(["-q", "profile", "m.json", "--runs", "1", "-o", "p.json", "-o", "trace.json"]) == 0
    assert json.loads(Path("p.json").read_text())["version"] == 1
    events = json.loads(Path("trace.json").read_text())["traceEvents"]
    spans = [e for e in events if e["ph"] == "X"]
    assert [e["name"] for e in spans[:2]] == ["passes", "plan"]
    ends = [e["ts"] + e["dur"] for e in spans]
    assert [e["ts"] for e in spans[1:]] == pytest.approx(ends[:-1])
    assert {e["args"]["layer"] for e in spans if e["cat"] == "run"} >= {"low", "top"}
    assert [e for e in events if e["ph"] == "C"]
    capsys.readouterr()
    assert main(["profile", "m.json", "--runs", "1", "-o", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["mode"] == "forward"


def test_a_page(capsys):
    assert main(["profile", "m.json", "--runs", "1", "--mode", "step", "-o", "p.html"]) == 0
    streams = capsys.readouterr()
    assert streams.err.startswith("wrote p.html (")
    page = Path("p.html").read_text()
    profile, fused, memory = (
        json.loads(re.search(f'id="data-{name}">(.*?)</script>', page)[1])
        for name in ("profile", "fused", "memory")
    )
    boxes = {node["id"] for node in fused["view"]["nodes"]}
    rows = profile["profile"]["rows"]
    assert {row["id"] for row in rows if "id" in row} <= boxes
    assert sum("id" in row for row in rows) > len(rows) / 2
    assert profile["profile"]["notes"] == streams.out.splitlines()[:3]
    assert memory["memory"]["items"]


def test_layers_with_what_is_inside_them(capsys):
    x = Input((4,), name="x")
    inner = Sequential(
        [Dense(3, "relu", name="a", input_dim=4), Dense(3, "relu", name="b")], name="inner"
    )
    Path("n.json").write_text(Model(x, Dense(2, name="top")(inner(x))).to_json())
    assert main(["-q", "profile", "n.json", "--runs", "2", "--sort", "total", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    layers = {row["name"]: row for row in found["layers"]}
    assert set(layers) == {"", "inner", "inner/a", "inner/b", "top"}
    assert layers[""]["us"] == pytest.approx(found["steps_us"])
    assert layers["inner"]["us"] == pytest.approx(layers["inner/a"]["us"] + layers["inner/b"]["us"])
    assert layers["top"]["share"] + layers["inner"]["share"] == pytest.approx(1)


def test_a_kernel_that_fails_is_no_fault_of_kgraph(capsys):
    ids = Input((3,), dtype="int32", name="ids")
    Path("e.json").write_text(Model(ids, Embedding(5, 2, name="table")(ids)).to_json())
    np.save("ids.npy", np.full((2, 3), 99))
    assert main(["profile", "e.json", "--input", "ids.npy"]) == 5
    error = capsys.readouterr().err
    assert error.startswith("kgraph: error[E0501]: ")
    assert "of layer table" in error


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-o", "p.svg"], "FILE.json"),
        (["-o", "m.json", "--no-clobber"], "there already"),
        (["-o", "-", "--json"], "both want"),
        (["--runs", "0"], "--runs"),
        (["--sort", "colour"], "invalid choice"),
        (["-o", "no/p.json"], "cannot be written"),
    ],
)
def test_what_is_refused(words, text, capsys):
    assert main(["profile", "m.json", "--runs", "1", *words]) == 2
    assert text in capsys.readouterr().err

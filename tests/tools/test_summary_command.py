"""`kgraph summary`: rows, totals, costs, formats, and widths that are too small."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from kgraph.ir.serialize import save
from kgraph.layers import BatchNormalization, Dense, Input, concatenate
from kgraph.models import Model, Sequential
from kgraph.passes.lower import lower
from kgraph.tools.cli import main


def siamese() -> Model:
    tower = Sequential([Dense(3, input_dim=4, name="one"), Dense(2, name="two")], name="tower")
    a, b = Input((4,), name="a"), Input((4,), name="b")
    joined = BatchNormalization(name="norm")(concatenate([tower(a), tower(b)], name="join"))
    return Model([a, b], Dense(1, name="top")(joined * 2.0), name="siamese")


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(siamese().to_json())


def answer_of(capsys, *words: str) -> dict:
    assert main(["summary", *words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_rows_and_totals(capsys):
    found = answer_of(capsys, "m.json")
    rows = {row["name"]: row for row in found["layers"]}
    assert list(rows) == ["a", "b", "tower", "join", "norm", "multiply_1", "top"]
    assert rows["tower"]["params"] == 4 * 3 + 3 + 3 * 2 + 2  # once, though it is called twice
    assert rows["tower"]["links"] == ["a[0][0]", "b[0][0]"]
    assert (rows["norm"]["kind"], rows["norm"]["shape"]) == ("BatchNormalization", "(None, 4)")
    model = siamese()
    trained = sum(v.value.size for v in model.trainable_weights)
    assert found["totals"]["trainable_params"] == trained
    assert found["totals"]["non_trainable_bytes"] == 8 * 4
    assert found["totals"]["total_params"] == model.count_params()
    assert not found["sequential"]


def test_nested_layers_follow_their_model(capsys):
    rows = answer_of(capsys, "m.json", "--expand-nested")["layers"]
    assert [(r["name"], r["depth"]) for r in rows if r["depth"]] == [("one", 1), ("two", 1)]
    assert main(["summary", "m.json", "--expand-nested", "--show-trainable"]) == 0
    out = capsys.readouterr().out
    assert "| one (Dense)" in out
    assert "Trainable" in out


def test_costs_are_those_of_the_formulas(capsys):
    found = answer_of(capsys, "m.json", "--costs", "--expand-nested", "--batch", "5")
    rows = {row["name"]: row for row in found["layers"]}
    assert rows["one"]["macs"] == 2 * 5 * 4 * 3  # two calls, a batch of 5
    assert rows["tower"]["macs"] == rows["one"]["macs"] + rows["two"]["macs"]
    assert rows["multiply_1"]["flops"] == 5 * 4
    assert found["totals"]["macs"] == 2 * 5 * (4 * 3 + 3 * 2) + 5 * 4
    assert found["totals"]["peak_bytes"] > 0
    main(["summary", "m.json", "--costs"])
    assert "With a batch of 32: " in capsys.readouterr().out


def test_the_optimizer_counts_for_itself(capsys):
    model = siamese()
    model.compile("adam", "mse")
    model.train_on_batch([np.ones((2, 4))] * 2, np.ones((2, 1)))
    model.save("m.h5")
    totals = answer_of(capsys, "m.h5")["totals"]
    assert totals["optimizer_params"] >= 2 * totals["trainable_params"]
    assert totals["total_params"] == totals["trainable_params"] + totals["non_trainable_params"]


@pytest.mark.parametrize("width", [-3, 0, 1, 10, 30, 200])
def test_no_width_is_too_small(width, capsys):
    assert main(["summary", "m.json", "--line-length", str(width)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines[1:10])) <= max(width, 24)
    text = "".join("".join(line.split()) for line in lines)
    assert "towe" in text


def test_other_formats(capsys):
    assert main(["summary", "m.json", "--csv"]) == 0
    rows = list(csv.reader(io.StringIO(capsys.readouterr().out)))
    assert rows[0] == ["Layer (type)", "Output Shape", "Param #", "Connected to"]
    assert rows[3] == ["tower (Sequential)", "(None, 2)", "23", "a[0][0], b[0][0]"]
    assert main(["summary", "m.json", "--markdown"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "|---|---|---|---|"
    assert main(["summary", "m.json", "--csv", "--json"]) == 2


def test_a_range_of_layers(capsys):
    rows = answer_of(capsys, "m.json", "--layer-range", "tower", "norm")["layers"]
    assert [row["name"] for row in rows] == ["tower", "join", "norm"]
    assert main(["summary", "m.json", "--layer-range", "tower", "nrom"]) == 4
    error = capsys.readouterr().err
    assert "error[E0431]: no layer 'nrom'" in error
    assert "did you mean 'norm'" in error


def test_a_range_by_regular_expressions(capsys):
    rows = answer_of(capsys, "m.json", "--layer-range", "n.rm", "tow")["layers"]
    assert [row["name"] for row in rows] == ["tower", "join", "norm"]
    assert main(["summary", "m.json", "--layer-range", "(", "norm"]) == 2
    assert "unterminated" in capsys.readouterr().err


def test_models_without_shapes_and_graphs_without_layers(capsys):
    Path("open.json").write_text(Sequential([Dense(3, name="d")]).to_json())
    assert main(["summary", "open.json"]) == 0
    assert "0 (unbuilt)" in capsys.readouterr().out
    assert main(["summary", "open.json", "--costs"]) == 4
    assert "input_shape" in capsys.readouterr().err
    save(lower(siamese().graph), "core.json")
    found = answer_of(capsys, "core.json", "--costs")
    assert found["totals"]["total_params"] == siamese().count_params()
    assert {"matmul", "state", "input"} <= {row["kind"] for row in found["layers"]}
    save(siamese().graph, "layers.json")
    assert len(answer_of(capsys, "layers.json")["layers"]) == 7

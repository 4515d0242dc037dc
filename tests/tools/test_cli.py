"""The command line: exit codes, messages, formats and pipes."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kgraph
from kgraph import ops
from kgraph.ir import Graph, Stage, Variable, input_node
from kgraph.ir.serialize import dumps, save
from kgraph.layers import Dense, Input
from kgraph.models import Model, Sequential
from kgraph.passes.lower import lower
from kgraph.tools.cli import main


def model() -> Model:
    x = Input((4,), name="x")
    return Model(x, Dense(2, activation="softmax", name="probs")(Dense(3, name="hidden")(x)))


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("keras.json").write_text(model().to_json())
    save(model().graph, "layers.json")
    save(lower(model().graph), "core.json")


def view_of(*options: str) -> dict:
    assert main(["viz", *options, "-o", "view.out.json"]) == 0
    return json.loads(Path("view.out.json").read_text())


@pytest.mark.parametrize("source", ["keras.json", "layers.json"])
def test_the_content_decides_what_a_file_is(source, capsys):
    document = view_of(source)
    labels = [(n["kind"], n["label"]) for n in document["nodes"]]
    assert labels == [("input", "x"), ("layer", "hidden"), ("layer", "probs"), ("output", "probs")]
    assert document["stage"] == "layers"
    assert document["title"] == source.removesuffix(".json")
    assert capsys.readouterr().err.startswith("wrote view.out.json (4 nodes, 3 edges, ")


@pytest.mark.parametrize(
    ("options", "stage"),
    [
        (["keras.json"], "layers"),
        (["keras.json", "--view", "layers"], "layers"),
        (["keras.json", "--view", "ops"], "core"),
        (["keras.json", "--view", "ops", "--stage", "layers"], "layers"),
        (["keras.json", "--stage", "core"], "core"),
        (["keras.json", "--stage", "fused"], "fused"),
        (["keras.json", "--view", "ops", "--stage", "fused"], "fused"),
        (["core.json"], "core"),
        (["core.json", "--view", "ops"], "core"),
        (["core.json", "--stage", "fused"], "fused"),
    ],
)
def test_views_and_stages(options, stage):
    document = view_of(*options)
    assert document["stage"] == stage
    assert ("matmul" in {n["label"] for n in document["nodes"]}) == (stage != "layers")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "usage: kgraph"),
        (["dance"], 2, "invalid choice"),
        (["viz"], 2, "MODEL"),
        (["viz", "keras.json", "-o", "x.bmp"], 2, "svg, dot, png, pdf, mermaid, json, text"),
        (["viz", "keras.json", "-o", "x"], 2, "extension"),
        (["viz", "keras.json", "-o", "x.svg", "--format", "dot"], 2, "contradicts"),
        (["viz", "keras.json", "--view", "layers", "--stage", "core"], 2, "contradicts"),
        (["viz", "keras.json", "--view", "none"], 2, "invalid choice"),
        (["viz", "keras.json", "-o", "-"], 2, "--format"),
        (["viz", "missing.json", "-o", "x.dot"], 4, "missing.json"),
        (["viz", ".", "-o", "x.dot"], 4, "directory"),
        (["viz", "core.json", "--view", "layers", "-o", "x.dot"], 4, "past layers"),
        (["viz", "fused.json", "--stage", "core", "-o", "x.dot"], 4, "past core"),
        (["viz", "keras.json", "-o", "no/such/folder/x.dot"], 2, "cannot be written"),
    ],
)
def test_what_is_refused(arguments, code, message, capsys):
    x = input_node((2,), name="x")
    save(Graph((x,), (("y", ops.tanh(x)),), (), Stage.FUSED), "fused.json")
    assert main(arguments) == code
    assert message in capsys.readouterr().err
    assert not list(Path().glob("x*"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        ("[" * 9999, "nested too deeply"),
        ("[]", "neither kgraph JSON nor Keras model JSON"),
        ("{}", "neither kgraph JSON nor Keras model JSON"),
        ('{"kgraph": 99}', "is missing"),
        ('{"class_name": "Modle", "config": {}}', "Modle"),
        ('{"class_name": "Model"}', "cannot be built"),
        ('{"class_name": "Model", "config": 3}', "cannot be built"),
        ('{"class_name": "Sequential", "config": {"layers": []}}', "graph"),
        ('{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": '
         '{"units": -3, "batch_input_shape": [null, 2]}}]}}', "units"),
    ],
)  # fmt: skip
def test_files_that_are_no_model(text, message, capsys):
    Path("bad.json").write_text(text)
    assert main(["viz", "bad.json", "-o", "x.dot"]) == 4
    error = capsys.readouterr().err
    assert re.match(r"kgraph: error\[E04(01|02|11)\]: bad.json: ", error)
    assert message in error
    assert not Path("x.dot").exists()


def test_a_model_without_shapes_has_no_graph(capsys):
    Path("open.json").write_text(Sequential([Dense(3)]).to_json())
    assert main(["viz", "open.json", "-o", "x.dot"]) == 4
    assert "input_shape" in capsys.readouterr().err


def test_standard_streams(capsysbinary, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(dumps(model().graph).encode())))
    assert main(["viz", "-", "-o", "-", "--format", "dot", "--title", "t"]) == 0
    streams = capsysbinary.readouterr()
    assert streams.out.startswith(b"digraph kgraph {")
    assert streams.err == b""


def test_values_are_not_lost_when_a_file_is_drawn(capsys):
    x = input_node((300,), name="x")
    weight = Variable(np.ones(300), name="w", dtype="float32")
    save(Graph((x,), (("y", x * weight),)), "big.json")
    assert main(["viz", "big.json", "-o", "big.view.json"]) == 0
    Path("big.npz").unlink()
    assert main(["viz", "big.json", "-o", "other.json"]) == 4
    assert ".npz" in capsys.readouterr().err


def test_version_and_help(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"kgraph {kgraph.__version__}\n"
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in ("viz", "demo", "bench"))
    assert main(["viz", "--help"]) == 0


def test_an_interrupt_is_130(monkeypatch):
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("kgraph.tools.draw.find_model", interrupted)
    assert main(["viz", "keras.json", "-o", "x.dot"]) == 130


def test_a_limit_is_6_and_says_what_to_make_smaller(monkeypatch, capsys):
    def refused(*_: object) -> None:
        raise MemoryError("Unable to allocate 3 TiB")

    monkeypatch.setattr("kgraph.tools.eval.arrays_for", refused)
    assert main(["eval", "keras.json"]) == 6
    error = capsys.readouterr().err
    assert error.startswith("kgraph: error[E0601]: Unable to allocate 3 TiB\n")
    assert "hint: a smaller --batch" in error


def test_a_reader_that_leaves_is_no_error():
    x = y = input_node((2,), name="x")
    for _ in range(2000):
        y = ops.tanh(y)
    save(Graph((x,), (("y", y),)), "long.json")
    command = [sys.executable, "-m", "kgraph.tools.cli", "viz", "long.json", "-o", "-"]
    root = str(Path(kgraph.__file__).parents[1])
    process = subprocess.Popen(
        [*command, "--format", "json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": root},
    )
    process.stdout.read(10)
    process.stdout.close()
    error = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), error) == (0, b"")


def test_the_folder_of_a_model_is_not_searched_afterwards(tmp_path, monkeypatch):
    (tmp_path / "own_names.py").write_text("WIDTH = 3\n")
    (tmp_path / "made_here.py").write_text(
        "from own_names import WIDTH\nfrom kgraph.layers import Dense\n"
        "from kgraph.models import Sequential\nmodel = Sequential([Dense(WIDTH, input_dim=2)])\n"
    )
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    assert main(["summary", "py:made_here:model"]) == 0
    assert sys.path == before

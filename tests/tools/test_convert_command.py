"""`kgraph convert`: every format there and back, scripts that run, refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import kgraph
from kgraph import ops
from kgraph.ir.parser import parse
from kgraph.ir.serialize import save
from kgraph.layers import (
    LSTM,
    BatchNormalization,
    Bidirectional,
    Dense,
    Dropout,
    Input,
    MultiHeadAttention,
    TimeDistributed,
    concatenate,
)
from kgraph.models import Model, Sequential
from kgraph.testing.drawn_models import draw_model
from kgraph.tools.cli import main
from kgraph.tools.models import find_model


def several() -> Model:
    """Shared and nested models, raw ops, several outputs, arguments of calls."""
    a, b = Input((3, 4), name="a-b"), Input((3, 4), name="class")
    inner = Sequential([Dense(4, input_shape=(3, 4), name="one"), Dropout(0.2, name="off")])
    x, state, _ = LSTM(4, return_sequences=True, return_state=True, name="lstm")(inner(a))
    y = MultiHeadAttention(2, 2, name="attend")(inner(b), x)
    z = TimeDistributed(Dense(2, name="each"), name="time")(y)
    z = Bidirectional(LSTM(2, name="one_way"), name="both")(z)
    z = BatchNormalization(name="norm", trainable=False)(concatenate([z, state * 2.0]))
    return Model([a, b], {"p": Dense(1, name="p")(z), "q": ops.exp(z)}, name="several")


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def goes_round(source: str, capsys, *formats: str) -> None:
    for name in formats:
        options = ["--to", "keras-json"] if name == "keras.json" else []
        assert main(["-q", "convert", source, "-o", name, *options]) == 0, name
        back = f"py:{name}:model" if name.endswith(".py") else name
        assert main(["diff", source, back]) == 0, capsys.readouterr().out


def test_a_model_of_everything_goes_round(capsys):
    save(several().graph, "m.json")
    goes_round("m.json", capsys, "copy.json", "keras.json", "copy.h5", "copy.py")


@pytest.mark.parametrize("seed", range(4))
def test_drawn_models_go_round(seed, capsys):
    save(draw_model(np.random.default_rng(seed), most=5).graph, "m.json")
    goes_round("m.json", capsys, "copy.json", "keras.json", "copy.py")


def test_a_script_runs_by_itself():
    Path("m.json").write_text(several().to_json())
    assert main(["-q", "convert", "m.json", "-o", "made.py"]) == 0
    root = str(Path(kgraph.__file__).parents[1])
    command = [sys.executable, "-W", "error", "-c", "import made; print(made.model.output_names)"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env={"PYTHONPATH": root}
    )
    assert (done.stderr, done.stdout) == ("", "['p', 'q']\n")


def test_weights_travel(capsys):
    model = several()
    model.save("m.h5")
    assert main(["-q", "convert", "m.h5", "-o", "w.npz"]) == 0
    assert main(["-q", "convert", "m.h5", "-o", "m.py"]) == 0
    again = find_model("py:m.py:model", "w.npz")
    assert all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights()))
    assert main(["-q", "convert", "m.h5", "-o", "core.json", "--stage", "core"]) == 0
    assert main(["diff", "m.h5@core", "core.json", "--values"]) == 0


def test_stages_and_texts(capsys):
    Path("m.json").write_text(Sequential([Dense(2, input_dim=3, name="d")]).to_json())
    assert main(["-q", "convert", "m.json", "-o", "fused.json", "--stage", "fused"]) == 0
    assert json.loads(Path("fused.json").read_text())["stage"] == "fused"
    assert main(["-q", "convert", "m.json", "-o", "m.dot"]) == 0
    assert Path("m.dot").read_text().startswith("digraph")
    assert main(["convert", "m.json", "-o", "-", "--to", "text", "--stage", "core"]) == 0
    assert len(parse(capsys.readouterr().out).nodes) == 5
    assert main(["convert", "m.json", "-o", "-", "--to", "kgraph-json", "--indent", "2"]) == 0
    assert capsys.readouterr().out.startswith('{\n  "kgraph"')
    assert main(["convert", "m.json", "-o", "x.txt", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["format"] == "text"


def test_frozen_models_stay_frozen():
    inner = Sequential([Dense(2, input_dim=2, name="d")], name="inner")
    inner.trainable = False
    x = Input((2,), name="x")
    Path("m.json").write_text(Model(x, inner(x), name="m").to_json())
    assert main(["-q", "convert", "m.json", "-o", "m.py"]) == 0
    assert find_model("py:m.py:model").trainable_weights == []
    assert main(["-q", "diff", "m.json", "py:m.py:model"]) == 0


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["m.json", "-o", "x.bmp"], 2, "no format"),
        (["m.json", "-o", "-"], 2, "no format"),
        (["m.json", "-o", "m.onnx"], 2, "kgraph writes no ONNX"),
        (["m.json", "-o", "-", "--to", "onnx"], 2, "kgraph writes no ONNX"),
        (["m.json", "-o", "-", "--to", "h5"], 2, "standard output"),
        (["m.json", "-o", "-", "--to", "text", "--json"], 2, "both want"),
        (["m.json", "-o", "m.json", "--no-clobber"], 2, "there already"),
        (["m.json", "-o", "fresh.json", "--no-clobber"], 2, "fresh.npz is there already"),
        (["m.json", "-o", "no/where.txt"], 2, "cannot be written"),
        (["m.json", "-o", "no/where.json"], 2, "cannot be written"),
        (["core.json", "-o", "x.py"], 4, "no layers"),
        (["core.json", "-o", "x.json", "--stage", "layers"], 4, "past layers"),
        (["py:own.py:model", "-o", "x.py"], 4, "none of kgraph's layers"),
        (["py:own.py:lam", "-o", "x.py"], 4, "no name to be found by"),
    ],
)
def test_what_is_refused(words, code, text, capsys):
    Path("m.json").write_text(Sequential([Dense(2, input_dim=3)]).to_json())
    Path("own.py").write_text(
        "from kgraph.layers import *\nfrom kgraph.models import *\n"
        "class Own(Layer):\n    def call(self, inputs):\n        return inputs * 2\n"
        "def model(): return Sequential([Input((2,)), Own()])\n"
        "def lam(): return Sequential([Input((2,)), Lambda(lambda x: x)])\n"
    )
    Path("fresh.npz").touch()
    main(["-q", "convert", "m.json", "-o", "core.json", "--stage", "core"])
    capsys.readouterr()
    assert main(["convert", *words]) == code
    assert text in capsys.readouterr().err
    assert not list(Path().glob("x*"))

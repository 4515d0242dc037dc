"""`kgraph check`: sound models pass, and each kind of fault is found where it is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.ir.serialize import save
from kgraph.layers import Dense, Dropout, Input
from kgraph.models import Model
from kgraph.ops import sin
from kgraph.passes import P, register, rule, unknowns, unregister
from kgraph.runtime.executable import compile
from kgraph.tools.cli import main


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = Input((4,), name="x")
    y = Dense(2, activation="softmax", name="top")(Dropout(0.5)(Dense(3, name="low")(x)))
    Path("m.json").write_text(Model(x, y).to_json())


def rows() -> tuple:
    return Dim.symbol("batch"), 3


def findings(capsys, *words: str, code: int = 0) -> list[tuple[str, str, str]]:
    assert main(["check", *words, "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert found["ok"] is (code == 0)
    return [(f["level"], f["code"], f["location"]) for f in found["findings"]]


def test_a_sound_model(capsys):
    words = ["--strict", "--gradients", "--levels", "--fuzz", "4"]
    assert findings(capsys, "m.json", *words) == []
    assert main(["check", "m.json"]) == 0
    assert capsys.readouterr().out == "nothing found\n"


def test_inputs_that_nobody_needs(capsys):
    a, b = input_node(rows(), name="a"), input_node(rows(), name="b")
    save(Graph((a, b), (("y", ops.tanh(a)),)), "g.json")
    assert findings(capsys, "g.json") == [("warning", "unused-input", "b")]
    assert findings(capsys, "g.json", "--strict", code=1)
    assert main(["check", "g.json"]) == 0
    assert "warning unused-input b: no output depends on it" in capsys.readouterr().out


def test_weights_that_nobody_reaches(capsys):
    Path("dead.py").write_text(
        "from kgraph.layers import *\nfrom kgraph.models import *\n"
        "class Half(Layer):\n"
        "    def build(self, shape):\n"
        "        self.used = self.add_weight(name='used', shape=())\n"
        "        self.dead = self.add_weight(name='dead', shape=())\n"
        "    def call(self, inputs):\n        return inputs * self.used\n"
        "def model(): return Sequential([Input((2,)), Half(name='half')])\n"
    )
    found = findings(capsys, "py:dead.py:model")
    assert found == [
        ("note", "no-file", "layers"),
        ("warning", "unreachable-parameter", "half/dead"),
    ]


def test_where_float64_begins(capsys):
    x = input_node(rows(), name="x")
    wide = ops.cast(x, "float64")
    save(Graph((x,), (("y", ops.tanh(ops.exp(wide))),)), "g.json")
    [(level, code, place)] = findings(capsys, "g.json")
    assert (level, code) == ("warning", "float64")
    assert place.startswith("%1")
    y = input_node(rows(), "float64", name="y")
    save(Graph((y,), (("y", ops.tanh(y)),)), "asked.json")
    assert findings(capsys, "asked.json") == []


def test_unstable_forms(capsys):
    x = input_node(rows(), name="x")
    save(Graph((x,), (("y", ops.log(ops.softmax(x))),)), "g.json")
    [(level, code, _)] = findings(capsys, "g.json", "--strict")
    assert (level, code) == ("note", "stabilised")


def test_a_wrong_rule_is_found(capsys):
    x = input_node(rows(), name="x")
    save(Graph((x,), (("y", ops.tanh(x)),)), "g.json")
    (a,) = unknowns("a")
    wrong = rule("tanh-wrong", P.tanh(a), lambda a: a, kind="fast")
    register(wrong)
    try:
        found = findings(capsys, "g.json", "--levels", code=1)
    finally:
        unregister(wrong)
    assert set(found) == {("error", "levels", "y")}
    assert findings(capsys, "g.json", "--levels") == []


def test_a_plan_that_reads_what_is_dead_is_found(capsys, monkeypatch):
    assert findings(capsys, "m.json", "--poison") == []

    def hasty(graph, *args, **options):
        executable = compile(graph, *args, **options)
        for buffer in executable.bind({"batch": 3}).data.buffers:
            buffer.end = buffer.start  # so that a value dies before it is read
        return executable

    monkeypatch.setattr("kgraph.tools.findings.compile", hasty)
    found = findings(capsys, "m.json", "--poison", code=1)
    assert [each[:2] for each in found] == [("error", "poison")]


def test_a_wrong_gradient_is_found(capsys, monkeypatch):
    x = input_node(rows(), name="x")
    save(Graph((x,), (("y", sin(x)),)), "g.json")
    assert findings(capsys, "g.json", "--gradients") == []
    monkeypatch.setattr(sin, "vjp", lambda g, y, x: (g * ops.sin(x),))
    [(level, code, _)] = findings(capsys, "g.json", "--gradients", code=1)
    assert (level, code) == ("error", "gradient")


def test_variables_keep_their_values(capsys):
    x, w = input_node(rows(), name="x"), Variable(np.ones(3), name="w", dtype="float32")
    graph = Graph((x,), (("y", x * w),), ((w, w + 1.0),))
    save(graph, "g.json")
    assert findings(capsys, "g.json", "--levels", "--fuzz", "3") == []


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["m.json", "--fuzz", "-1"], 2, "--fuzz"),
        (["m.json", "--fuzz", "99999"], 2, "1000"),
        (["open.json"], 4, "input_shape"),
        (["bad.json"], 4, "error[E0411]"),
    ],
)
def test_what_is_refused(words, code, text, capsys):
    Path("open.json").write_text(
        '{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", '
        '"config": {"units": 2}}]}}'
    )
    Path("bad.json").write_text('{"kgraph": 2, "stage": "nowhere", "nodes": [], "inputs": [], '
                                '"outputs": [], "updates": []}')  # fmt: skip
    assert main(["check", *words]) == code
    assert text in capsys.readouterr().err

"""`kgraph passes` on real models: tables, statistics, explanations, dumps, bisection, errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kgraph import config, ops
from kgraph.ir import Dim, Graph, input_node
from kgraph.ir.serialize import load, save
from kgraph.layers import Dense, Dropout, Input, concatenate
from kgraph.models import Model
from kgraph.passes import CORE, Pipeline
from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.runtime.interp import interpret
from kgraph.tools.cli import build_parser, main

MODULE = """
from kgraph import ops
from kgraph.ir import Dim, Graph, input_node
from kgraph.layers import Dense, Input
from kgraph.models import Sequential
from kgraph.passes import P, Pass, Rewrite, rule, unknowns
from dataclasses import dataclass, field

(x,) = unknowns("x")
wrong = rule("exp-tanh", P.exp(P.tanh(x)), lambda x: ops.exp(x), kind="rounding")

@dataclass(frozen=True)
class Harm(Rewrite):
    rules: tuple = field(default=(wrong,), repr=False)

@dataclass(frozen=True)
class Swap(Pass):
    def run(self, graph):
        return graph.rewrite(lambda n: ops.sin(*n.inputs) if n.op is ops.tanh else n)

@dataclass(frozen=True)
class Lose(Pass):
    def run(self, graph):
        other = input_node(graph.outputs[0][1].shape, name="other")
        return Graph(graph.inputs, (("y", graph.outputs[0][1] + other),))

def graph():
    a = input_node((Dim.symbol("batch"), 3), name="a")
    return Graph((a,), (("y", ops.sum(ops.exp(ops.tanh(a * 1)) * 1 / 1)),))

def network():
    model = Sequential([Input((4,)), Dense(3), Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    return model

def eager():
    model = network()
    model.compile("sgd", "sparse_categorical_crossentropy", run_eagerly=True)
    return model

number = 3
"""
CHECK = """
import numpy as np

def check(executable):
    a = np.ones((2, 3), "float32")
    np.testing.assert_allclose(executable(a)[0], np.exp(np.tanh(a)).sum(), rtol=1e-5)
"""
HARM = "simplify,harm,finish"


def model() -> Model:
    """Two heads over a dropout."""
    x = Input((6,), name="x")
    h = Dropout(0.5)(Dense(5, activation="relu", name="hidden")(x))
    heads = [Dense(3, activation="softmax", name="kind"), Dense(1, activation="sigmoid", name="on")]
    return Model(x, [*(head(h) for head in heads), concatenate([h, x])])


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "theirs", raising=False)
    Path("theirs.py").write_text(MODULE)
    Path("check.py").write_text(CHECK)
    Path("keras.json").write_text(model().to_json())
    save(lower(model().graph), "core.json")


def out(capsys, *arguments: str, code: int = 0) -> str:
    """What the command prints."""
    assert main(["passes", *arguments]) == code
    streams = capsys.readouterr()
    return streams.out if code in (0, 1) else streams.err


@pytest.mark.parametrize("source", ["keras.json", "core.json", "py:theirs:graph"])
def test_a_line_a_pass(source, capsys):
    lines = out(capsys, source).splitlines()
    assert lines[0] == f"pipeline: {Pipeline(CORE)}"
    titles = ["pass", "ms", "nodes", "flops", "bytes", "peak", "fired", "held", "back", "rules"]
    assert lines[1].split() == titles
    assert [line.split()[0] for line in lines[2 : 2 + len(CORE)]] == [p.name for p in CORE]


@pytest.mark.parametrize("source", ["keras.json", "py:theirs:network", "py:theirs:eager"])
def test_the_training_step(source, capsys):
    plain, step = (
        json.loads(out(capsys, source, "--json", *options))["passes"][0]["nodes"][0]
        for options in ([], ["--training"])
    )
    assert step > 2 * plain
    assert config.numerics == "safe"


def test_losses_fit_the_outputs(capsys):
    text = out(capsys, "keras.json", "--training", "--explain", "categorical-crossentropy")
    # Stable forms come before gradients: what is left for the pipeline has them already.
    assert "no node of this model" in text


def test_statistics_of_rules(capsys):
    text = out(capsys, "py:theirs:graph", "--stats", "--numerics", "strict")
    (line,) = [s.split() for s in text.splitlines() if s.startswith("mul-one ")]
    assert line[:5] == ["mul-one", "exact", "2", "2", "2"]
    assert config.stats is False


def test_the_report_as_json(capsys):
    data = json.loads(out(capsys, "core.json", "--json", "--numerics", "fast"))
    assert data["version"] == 2
    assert data["options"]["numerics"] == "fast"
    assert len(data["passes"]) == len(CORE)


def test_what_it_says_as_json(capsys):
    def data(*options: str) -> dict:
        return json.loads(out(capsys, "py:theirs:graph", *options, "--json"))

    assert len(data()["peaks"]) == len(CORE)
    fired = data("--trace", "mul-one")["firings"]
    assert [f["rule"] for f in fired] == ["mul-one", "mul-one"]
    told = data("--explain", "mul-one")
    assert (told["pass"], told["passes"][0]["fired"]) == ("simplify", 2)
    assert len(told["passes"][0]["firings"]) == 2
    found = data("--pipeline", HARM, "--bisect", "check.py")
    assert (found["found"], found["number"], found["rule"]) == (True, 4, "exp-tanh")
    nothing = json.loads(out(capsys, "py:theirs:graph", "--bisect", "check.py", "--json", code=1))
    assert (nothing["ok"], nothing["found"]) == (False, False)


def test_a_long_chain_is_traced(capsys):
    x = y = input_node((2,), name="x")
    for _ in range(3000):
        y = ops.tanh(-y)
    save(Graph((x,), (("y", y),)), "chain.json")
    text = out(capsys, "chain.json", "--pipeline", "fuse", "--trace")
    assert "fuse-elementwise: " in text
    assert "fused of " in text


def test_what_is_held_back_is_counted(capsys):
    x = input_node((2,), name="x")
    save(Graph((x,), (("y", ops.sqrt(x) + 0),)), "zero.json")
    rows = [line.split() for line in out(capsys, "zero.json").splitlines()[2:]]
    assert [row[-2:] for row in rows if row[0] in ("simplify", "stabilize")] == [
        ["0", "2"], ["0", "0"], ["0", "0"]
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("when", "code", "words"),
    [("off", 0, ""), ("phase", 4, "declared"), ("every", 4, "pass lose failed")],
)
def test_when_graphs_are_verified(when, code, words, capsys):
    arguments = ["py:theirs:graph", "--pipeline", "lose,finish", "--verify", when]
    assert words in out(capsys, *arguments, code=code)


def test_pipelines_given_as_text(capsys):
    text = out(capsys, "py:theirs:graph", "--pipeline", "simplify{without=('mul-one',)},finish")
    assert "div-one x1" in text
    assert "mul-one x" not in text
    text = out(capsys, "py:theirs:graph", "--pipeline=-stabilize,-rule:mul-one")
    names = [p.name for p in CORE if p.name != "stabilize"]
    assert text.splitlines()[0] == f"pipeline: {','.join(names)},-rule:mul-one"
    assert config.passes == ""


def test_explaining_a_rule_that_fired(capsys):
    text = out(capsys, "py:theirs:graph", "--explain", "mul-one")
    assert text.startswith("mul-one: a * 1\n  pass: simplify\n  kind: exact, fires at numerics")
    assert "simplify.py:" in text
    assert "lambda a: a" in text
    assert "in simplify: tried at 2 nodes, fitted at 2, fired at 2" in text
    assert "  a * 1.0 -> a  [" in text
    assert "theirs.py:" in text


def test_explaining_a_pass_without_rules(capsys):
    text = out(capsys, "py:theirs:graph", "--explain", "fuse-elementwise")
    assert text.startswith("fuse-elementwise\n  pass: fuse\nin fuse: fired at ")
    text = out(capsys, "py:theirs:graph", "--pipeline", "swap,finish", "--explain", "swap")
    assert text.startswith("swap\n  pass: swap\nin swap: fired at 1\n")


def test_the_source_of_a_rule_keeps_its_indentation(capsys):
    text = out(capsys, "py:theirs:graph", "--explain", "fold")
    assert "\n    def foldable(" in text
    assert '\n        """' in text


def test_a_reader_that_goes_is_no_fault_of_the_model(monkeypatch):
    def gone(*_):
        raise BrokenPipeError

    monkeypatch.setattr("kgraph.tools.passes._table", gone)
    args = build_parser("passes").parse_args(["passes", "py:theirs:graph"])
    with pytest.raises(BrokenPipeError):  # `main` knows what to do
        args.run(args)


def test_explaining_a_rule_that_did_not(capsys):
    x = input_node((2,), name="x")
    save(Graph((x,), (("y", ops.sqrt(x) + 0),)), "zero.json")
    text = out(capsys, "zero.json", "--explain", "add-zero-positive")
    assert "fitted at 1, fired at 0" in text
    assert "held back: add-zero-positive at add: the operand may be -0.0" in text
    text = out(capsys, "zero.json", "--explain", "add-zero-fast")
    assert "fires at numerics fast" in text
    assert "which numerics does not admit" in text
    assert "no node of this model" in out(capsys, "zero.json", "--explain", "log-softmax")
    assert "pass: share_softmax" in out(capsys, "zero.json", "--explain", "softmax-of-loss")


def test_every_rule_can_be_explained(capsys):
    for step in CORE:
        for name in step.rule_names[:: 1 if len(step.rule_names) < 9 else 25]:
            assert name in out(capsys, "py:theirs:graph", "--explain", name)


def test_dumps(capsys):
    out(capsys, "py:theirs:graph", "--dump", "graphs")
    names = sorted(p.name for p in Path("graphs").iterdir())
    assert names[:4] == ["000-input.json", "000-input.txt", "003-simplify.json", "003-simplify.txt"]
    assert names[-1] == "manifest.json"
    result = load(f"graphs/{names[-3]}")
    assert result.stage.value == "fused"


def test_bisection_finds_the_wrong_rule(capsys):
    text = out(capsys, "py:theirs:graph", "--pipeline", HARM, "--bisect", "check.py")
    assert "the check fails from firing 4 of 4 on: AssertionError: Not equal to" in text
    assert "pass harm, rule exp-tanh (rounding) at <exp: f32[batch, 3]>" in text
    assert "theirs.py:" in text
    assert "the two sides differ on drawn inputs; wrote reproduction.json" in text
    small = load("reproduction.json")
    assert [n.op.name for n in small.nodes] == ["input", "tanh", "exp", "exp"]
    before, after = interpret(small, [np.ones((1, 3))])[0]
    assert np.abs(before - after).max() > 0.1
    # The reproduction is a model like any other: the wrong rule fires on it again.
    text = out(capsys, "reproduction.json", "--pipeline", HARM, "--explain", "exp-tanh")
    assert "fired at 1" in text


def test_bisection_with_nothing_to_find(capsys):
    text = out(capsys, "py:theirs:graph", "--bisect", "check.py", code=1)
    assert "nothing to find" in text
    assert not Path("reproduction.json").exists()


def test_bisection_of_a_training_step_restores_variables(capsys):
    Path("steps.py").write_text(
        "import numpy as np\n"
        "found = []\n"
        "def check(executable):\n"
        "    x, y = np.ones((3, 4), 'float32'), np.zeros((3, 1), 'int32')\n"
        "    before = [v.numpy() for v, _ in executable.graph.updates]\n"
        "    executable(*[x, y][:len(executable.graph.inputs)])\n"
        "    found.append(before)\n"
        "    return all(np.array_equal(a, b) for a, b in zip(found[0], before))\n"
    )
    text = out(capsys, "py:theirs:network", "--training", "--bisect", "steps.py", code=1)
    assert "nothing to find" in text


def test_checks_that_are_no_use(capsys):
    Path("coin.py").write_text(
        "import itertools\nturn = itertools.count()\ndef check(e): return next(turn) % 2 == 0\n"
    )
    Path("never.py").write_text("def check(executable): return False\n")
    Path("none.py").write_text("cheque = 3\n")
    Path("broken.py").write_text("1 / 0\n")
    expected = {
        "coin.py": "not deterministic",
        "never.py": "(?s)fails without any optimization.*got: check returned False",
        "none.py": "has no check",
        "broken.py": "ZeroDivisionError",
        "missing.py": "error\\[E0401\\]: missing.py: No such file",
    }
    for name, message in expected.items():
        assert re.search(message, out(capsys, "py:theirs:graph", "--bisect", name, code=4)), name


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        ([], 2, "MODEL"),
        (["keras.json", "--numerics", "loose"], 2, "invalid choice"),
        (["keras.json", "--stats", "--explain", "mul-one"], 2, "not allowed"),
        (["keras.json", "--dump", ".", "--no-clobber"], 2, "there already"),
        (["keras.json", "--dump", "check.py"], 2, "check.py cannot be written: File exists"),
        (["keras.json", "--limit", "-1"], 2, "'-1' is not a whole number from 0 on"),
        (["keras.json", "--limit", "1", "--bisect", "check.py"], 2, "leave out --limit"),
        (["keras.json", "--training", "--loss", "mes"], 2, "Unknown loss function: mes"),
        (["keras.json", "--pipeline", "fuze"], 2, "no pass 'fuze'"),
        (["keras.json", "--pipeline", "simplify{a=1}"], 2, "no option 'a'"),
        (["keras.json", "--pipeline=-rule:mul-won"], 2, "did you mean 'mul-one'"),
        (["keras.json", "--explain", "mul-won"], 2, "did you mean 'mul-one'"),
        (["missing.json"], 4, "missing.json"),
        (["check.py"], 4, "not JSON"),
        (["core.json", "--training"], 4, "a bare graph has no training step"),
        (["fused.json"], 4, "optimized already"),
        (["py:theirs"], 4, "py:module:name"),
        (["py:nowhere:model"], 4, "ModuleNotFoundError"),
        (["py:theirs:nothing"], 4, "theirs.py has no 'nothing'"),
        (["py:theirs:grahp"], 4, "did you mean 'graph'"),
        (["py:theirs:number"], 4, "is no model"),
    ],
)
def test_what_is_refused(arguments, code, message, capsys):
    x = input_node((Dim.symbol("batch"), 2), name="x")
    save(optimize(Graph((x,), (("y", ops.tanh(x)),)))[0], "fused.json")
    assert main(["passes", *arguments]) == code
    assert message in capsys.readouterr().err


def test_a_wrong_rule_shows_in_the_value_check(monkeypatch, capsys):
    monkeypatch.setattr(config, "check", "values")
    error = out(capsys, "py:theirs:graph", "--pipeline", HARM, code=4)
    assert "pass harm changes the value of output y" in error
    assert "rule exp-tanh (rounding)" in error

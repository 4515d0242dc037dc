"""`kgraph eval`: feeds, outputs, comparison with the interpreter, training steps."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from kgraph import ops
from kgraph.ir import Dim, Graph, Variable, input_node
from kgraph.ir.serialize import save
from kgraph.layers import Dense, Embedding, Flatten, Input, concatenate
from kgraph.models import Model
from kgraph.passes import P, register, rule, unknowns, unregister
from kgraph.tools.cli import main


def two_inputs() -> Model:
    ids, x = Input((3,), dtype="int32", name="ids"), Input((2,), name="x")
    table = Flatten(name="flat")(Embedding(5, 2, name="table")(ids))
    y = Dense(3, activation="softmax", name="probs")(concatenate([table, x], name="both"))
    return Model([ids, x], y, name="m")


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(two_inputs().to_json())
    x = input_node((Dim.symbol("batch"), Dim.symbol("n")), name="x")
    w = Variable(np.full((), 3.0), name="w", dtype="float32")
    save(Graph((x,), (("y", x * w), ("total", ops.sum(x)))), "g.json")


def answer_of(capsys, *words: str, code: int = 0) -> dict:
    assert main(["eval", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_outputs_are_described(capsys):
    found = answer_of(capsys, "m.json", "--batch", "4", "--check", "--repeat", "3")
    [probs] = found["outputs"]
    assert (probs["name"], probs["shape"], probs["dtype"]) == ("probs", [4, 3], "float32")
    assert probs["mean"] == pytest.approx(1 / 3)
    assert 0 < probs["min"] < probs["max"] < 1
    assert (found["runs"], found["checked"], found["diverging"]) == (3, True, [])
    assert main(["eval", "m.json", "--check"]) == 0
    assert "agrees with the interpreter" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("what", "expected"),
    [("zeros", 0.0), ("ones", 3.0), ("const:2.5", 7.5), ("x=ones", 3.0), ("x=const:-1", -3.0)],
)
def test_constants(what, expected, capsys):
    y, total = answer_of(capsys, "g.json", "--input", what, "--dim", "n=5")["outputs"]
    assert (y["min"], y["max"], y["shape"]) == (expected, expected, [8, 5])
    assert total["mean"] == pytest.approx(expected / 3 * 40)


def test_files_say_the_sizes(capsys):
    x = np.arange(6, dtype="float32").reshape(2, 3)
    np.save("x.npy", x)
    np.savez("x.npz", other=np.zeros(1), x=x)
    np.savez("one.npz", anything=x)
    for what in ("x=x.npy", "x.npz", "x=one.npz"):
        y, _ = answer_of(capsys, "g.json", "--input", what)["outputs"]
        assert (y["shape"], y["max"]) == ([2, 3], 15.0)
    assert main(["eval", "g.json", "--input", "x=x.npy", "--output", "y=out.npy"]) == 0
    np.testing.assert_array_equal(np.load("out.npy"), 3 * x)
    assert main(["eval", "g.json", "--input", "x=x.npy", "--output", "out.npz"]) == 0
    with np.load("out.npz") as file:
        assert set(file) == {"y", "total"}
        np.testing.assert_array_equal(file["y"], 3 * x)


def test_ids_that_come_as_floats_are_valid(capsys):
    ids = Input((7,), dtype="float32", name="ids")
    Path("f.json").write_text(Model(ids, Embedding(3, 2, name="table")(ids)).to_json())
    assert answer_of(capsys, "f.json", "--batch", "50", "--check")["diverging"] == []
    for words in (["profile", "f.json", "--runs", "1"], ["check", "f.json", "--levels"]):
        assert main(words) == 0


def test_random_numbers_depend_on_the_seed(capsys):
    def mean(*words: str) -> float:
        return answer_of(capsys, "g.json", *words, "--dim", "n=4")["outputs"][0]["mean"]

    assert mean("--seed", "1") == mean("--seed", "1") != mean("--seed", "2")
    assert mean("--input", "randn:3") == mean("--input", "x=randn:3") != mean("--input", "randn:4")


def test_nan_and_infinity_are_counted(capsys):
    np.save("x.npy", np.array([[np.nan, np.inf, 1.0]], "float32"))
    y, _ = answer_of(capsys, "g.json", "--input", "x.npy")["outputs"]
    assert (y["nan"], y["inf"], y["min"], y["max"]) == (1, 1, 3.0, "inf")


def test_the_first_diverging_node_is_named(capsys):
    x = input_node((4,), name="x")
    y = ops.exp(ops.tanh(x * 0.5)) + 1.0
    save(Graph((x,), (("y", y), ("fine", x * 0.5))), "t.json")
    (a,) = unknowns("a")
    wrong = rule("tanh-wrong", P.tanh(a), lambda a: a, kind="rounding")
    register(wrong)
    try:
        found = answer_of(capsys, "t.json", "--check", code=1)
        assert [d["name"] for d in found["diverging"]] == ["y"]
        assert found["first"]["name"].endswith(" tanh")
        assert main(["eval", "t.json", "--check"]) == 1
        assert "first diverging node: " in capsys.readouterr().out
    finally:
        unregister(wrong)
    assert main(["eval", "t.json", "--check"]) == 0


def test_a_training_step_changes_nothing_for_good(capsys):
    model = two_inputs()
    model.compile("sgd", "categorical_crossentropy")
    model.save("m.h5")
    before = answer_of(capsys, "m.h5")["outputs"]
    found = answer_of(capsys, "m.h5", "--train-step", "--lr", "0.5", "--check")
    changes = {row["name"]: row["change"] for row in found["updates"]}
    assert changes["probs/kernel"] > 0
    assert found["diverging"] == []
    small = answer_of(capsys, "m.h5", "--train-step", "--lr", "0.05")["updates"]
    small = {row["name"]: row["change"] for row in small}
    assert small["probs/bias"] == pytest.approx(changes["probs/bias"] / 10, rel=1e-3)
    assert answer_of(capsys, "m.h5")["outputs"] == before


def test_values_on_the_way(capsys):
    rows = answer_of(capsys, "m.json", "--trace-values", "probs/*")["values"]
    assert [row["name"] for row in rows] == ["probs/matmul", "probs/add", "probs/softmax"]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["m.json", "--input", "y=zeros"], 4, "error[E0431]: no input 'y'"),
        (["m.json", "--input", "x=many"], 2, "zeros, ones, randn"),
        (["m.json", "--input", "x=const:a"], 2, "const:VALUE"),
        (["m.json", "--input", "x=none.npy"], 4, "error[E0401]: none.npy"),
        (["m.json", "--input", "x=wrong.npy"], 4, "error[E0412]"),
        (["m.json", "--dim", "batch=x"], 2, "SYMBOL=NUMBER"),
        (["m.json", "--dim", "bacth=3"], 4, "did you mean 'batch'?"),
        (["m.json", "--output", "z=z.npy"], 4, "error[E0431]: no output 'z'"),
        (["m.json", "--output", "probs=no/where.npy"], 2, "cannot be written"),
        (["m.json", "--output", "probs=p.txt"], 2, "FILE.npz"),
        (["m.json", "--output", "ids.npy", "--no-clobber"], 2, "ids.npy is there already"),
        (["m.json", "--trace-values", "prob"], 4, "no op fits"),
        (["m.json", "--repeat", "0"], 2, "--repeat: '0' is not a whole number above 0"),
        (["m.json", "--batch", "-1"], 2, "--batch: '-1' is not a whole number from 0 on"),
        (["m.json", "--rtol", "nan"], 2, "--rtol: 'nan' is not a number from 0 on"),
        (["m.json", "--train-step", "--loss", "mes"], 2, "Unknown loss function: mes"),
        (["m.json", "--train-step", "--optimizer", "sdg"], 2, "Unknown optimizer: sdg"),
        (["g.json", "--train-step"], 4, "no training step"),
        (["m.json", "--input", "ids=ids.npy"], 5, "error[E0501]"),
    ],
)
def test_what_is_refused(words, code, text, capsys):
    np.save("wrong.npy", np.zeros((2, 7)))
    np.save("ids.npy", np.full((2, 3), 99))
    assert main(["eval", *words]) == code
    assert text in capsys.readouterr().err

"""What holds for every command: exit codes, errors of the catalogue, JSON, colours, logs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from kgraph import ops
from kgraph.errors import KGraphError, MemoryBudgetError
from kgraph.ir import Graph, Variable, input_node
from kgraph.ir.serialize import save
from kgraph.layers import Dense, Input
from kgraph.models import Model, Sequential
from kgraph.tools import complaints
from kgraph.tools.answers import as_json
from kgraph.tools.cli import main
from kgraph.tools.complaints import CATALOGUE, CommandError
from kgraph.tools.models import find_model


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(Sequential([Dense(2, input_dim=3, name="out")]).to_json())


def failing(error: BaseException):
    def run(*_: object) -> None:
        raise error

    return run


def test_every_error_has_an_exit_code():
    codes = {number: CommandError(number, "x").exit for number in CATALOGUE}
    assert set(codes.values()) == {2, 3, 4, 5, 6, 7}
    assert codes["E0101"] == complaints.USAGE
    assert codes["E0413"] == complaints.BAD_INPUT
    assert codes["E0701"] == complaints.INTERNAL


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (CommandError("E0501", "tanh failed"), 5, "error[E0501]: tanh failed"),
        (MemoryBudgetError("too large"), 6, "error[E0601]: too large"),
        (MemoryError(), 6, "error[E0601]: not enough memory"),
        (KGraphError("no such thing"), 4, "error[E0411]: no such thing"),
        (KeyboardInterrupt(), 130, ""),
        (ZeroDivisionError("oh"), 7, "error[E0701]: ZeroDivisionError: oh\n  at "),
    ],
)
def test_exit_codes(error, code, text, monkeypatch, capsys):
    monkeypatch.setattr("kgraph.tools.passes.run", failing(error))
    assert main(["passes", "m.json"]) == code
    assert text in capsys.readouterr().err


def test_an_internal_error_leaves_its_traceback(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("kgraph.tools.passes.run", failing(TypeError("what\nis this")))
    assert main(["passes", "m.json"]) == 7
    error = capsys.readouterr().err
    path = re.search(r"^  at (.*)$", error, re.MULTILINE)[1]
    saved = Path(path).read_text()
    assert saved.startswith("kgraph passes m.json\n")
    assert "TypeError: what" in saved
    assert main(["-v", "passes", "m.json"]) == 7
    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "texts"),
    [
        (["vis"], ["invalid choice: 'vis'", "hint: did you mean 'viz'?"]),
        (["passes", "m.json", "--stat5"], ["unrecognized", "hint: did you mean '--stats'?"]),
        (["passes", "m.json", "--numerics", "saef"], ["invalid choice", "did you mean 'safe'?"]),
        (["passes", "m.json", "--zzz"], ["unrecognized arguments: --zzz", "kgraph passes --help"]),
        (["passes", "m.json", "n.json"], ["arguments: n.json\n  hint: kgraph passes --help"]),
        (["run"], ["arguments are required: SCRIPT\n"]),
        (["demo", "--epochs", "0"], ["--epochs: '0' is not a whole number above 0"]),
        (["demo", "-o", "none/x.svg"], ["none/x.svg cannot be written: No such file"]),
        (["--log-json", "none/log", "passes", "m.json"], ["--log-json none/log cannot be"]),
        (["passes", "m.json", "--explain", "simplify"], ["'simplify' is a pass", "mul-one"]),
        (["passes"], ["required: MODEL", "hint: kgraph passes --help"]),
        (["-v", "-q", "passes", "m.json"], ["not allowed with"]),
    ],
)
def test_wrong_usage_suggests_what_was_meant(words, texts, capsys):
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("kgraph: error[E0101]: ")
    assert all(text in error for text in texts)


def document(**changes: object) -> str:
    x = input_node((2,), name="x")
    save(Graph((x,), (("y", ops.tanh(x)),)), "good.json")
    return json.dumps(json.loads(Path("good.json").read_text()) | changes)


X = {"op": "input", "attrs": {"name": "x"}, "types": ["f32[2]"]}


@pytest.mark.parametrize(
    ("text", "error", "place"),
    [
        ('{"kgraph": 1,', "E0401", "line 1, column 14, character 13"),
        ('{"a": [{"b": 1, "b": 2}]}', "E0401", "/a/0"),
        ("[1]", "E0402", None),
        ({"kgraph": 99}, "E0402", "/kgraph"),
        ({"nodes": [X, {"op": "tanh", "inputs": [7], "types": ["f32[2]"]}]},
         "E0411", "/nodes/1/inputs/0"),
        ({"nodes": [X, {"op": "tahn", "inputs": [0], "types": ["f32[2]"]}]},
         "E0411", "/nodes/1/op"),
        ({"nodes": [X, {"op": "tanh", "inputs": [0], "types": ["f32[3]"]}]},
         "E0412", "/nodes/1/types"),
        ({"nodes": [X, {"op": "matmul", "inputs": [0], "types": ["f32[3]"]}]}, "E041", "/nodes/1"),
    ],
)  # fmt: skip
def test_bad_files_have_a_code_and_a_place(text, error, place, capsys):
    Path("bad.json").write_text(text if isinstance(text, str) else document(**text))
    assert main(["passes", "bad.json", "--json"]) == 4
    streams = capsys.readouterr()
    found = json.loads(streams.out)
    assert (found["ok"], found["code"], found.get("at")) == (False, 4, place)
    assert found["error"].startswith(error)
    assert place is None or f"\n  at {place}\n" in streams.err + "\n"


def test_weights_that_do_not_fit(capsys):
    x = input_node((300,), name="x")
    weight = Variable(np.ones(300), name="w", dtype="float32")
    save(Graph((x,), (("y", x * weight),)), "big.json")
    np.savez("short.npz", w=np.ones(3, "float32"))
    np.savez("other.npz", v=np.ones(300, "float32"))
    np.savez("right.npz", w=np.full(300, 2, "float32"))
    for file in ("short.npz", "other.npz", "m.json", "none.npz"):
        assert main(["passes", "big.json", "--weights", file]) == 4
        assert "error[E0413]" in capsys.readouterr().err
    assert float(find_model("big.json", "right.npz").states[0].value[0]) == 2.0
    Path("big.npz").unlink()
    assert main(["passes", "big.json"]) == 4
    assert "error[E0413]" in capsys.readouterr().err


def test_models_of_python_and_hdf5(capsys):
    Path("make.py").write_text(
        "from kgraph.layers import Dense\nfrom kgraph.models import Sequential\n"
        "def made(): return Sequential([Dense(1, input_dim=2)])\nnumber = 3\n"
    )
    assert isinstance(find_model("py:make.py:made"), Model)
    for text in ("py:make.py:number", "py:make.py:none", "py:nothing:x", "py:make", "py:no.py:x"):
        assert main(["passes", text]) == 4
        assert "error[E0421]" in capsys.readouterr().err
    x = Input((2,))
    model = Model(x, Dense(1)(x))
    model.save("m.h5")
    read = find_model("m.h5")
    assert all((a == b).all() for a, b in zip(read.get_weights(), model.get_weights()))
    model.set_weights([np.ones((2, 1)), np.ones(1)])
    model.save_weights("w.h5")
    assert find_model("m.h5", "w.h5").get_weights()[0].tolist() == [[1.0], [1.0]]


def test_hdf5_that_is_damaged_or_holds_no_model(capsys):
    model = Sequential([Dense(1, input_dim=2)])
    model.save("m.h5")
    model.save_weights("w.h5")
    Path("cut.h5").write_bytes(Path("m.h5").read_bytes()[:600])
    for name in ("w.h5", "cut.h5"):
        assert main(["summary", name]) == 4
        assert capsys.readouterr().err.startswith(f"kgraph: error[E0401]: {name}: ")


def test_what_a_file_holds_stands_on_no_line(capsys):
    assert main(["eval", "m.json", "--trace-values", "*"]) == 0
    assert all(not n.origin.where for n in find_model("m.json").graph.nodes)


def test_json_has_words_for_what_arrays_hold():
    document = {"a": np.int64(3), "b": np.float32(0.5), "c": np.bool_(True), "d": float("nan"),
                "e": np.float64("-inf"), "f": b"\xff", "g": {"y", "x"}, "h": (1, None),
                "i": Path("p")}  # fmt: skip
    found = json.loads(as_json(document, 1), parse_constant=lambda name: pytest.fail(name))
    assert found == {"ok": False, "code": 1, "a": 3, "b": 0.5, "c": True, "d": "nan", "e": "-inf",
                     "f": "\\xff", "g": ["x", "y"], "h": [1, None], "i": "p"}  # fmt: skip


def test_a_log_on_a_full_disk_is_no_error(capsys):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kgraph.tools.cli._check_log", lambda path: None)
        assert main(["--log-json", "none/log", "summary", "m.json"]) == 0
    streams = capsys.readouterr()
    assert streams.err == "kgraph: warning: none/log cannot be written: No such file or directory\n"
    assert "out (Dense)" in streams.out


def test_notes_colours_and_logs(capsys, monkeypatch):
    assert main(["-q", "viz", "m.json", "-o", "x.dot"]) == 0
    monkeypatch.setenv("NO_COLOR", "1")
    assert main(["--log-json", "log", "--color", "auto", "passes", "m.json"]) == 0
    assert main(["--log-json", "log", "passes", "none.json"]) == 4
    assert "\x1b" not in capsys.readouterr().out
    lines = [json.loads(line) for line in Path("log").read_text().splitlines()]
    assert [(line["event"], line["code"]) for line in lines] == [("end", 0), ("error", 4)]


def test_a_python_file_is_told_how_it_is_read(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text("model = None")
    assert main(["summary", "net.py"]) == 4
    assert "hint: py:net.py:NAME is a model" in capsys.readouterr().err

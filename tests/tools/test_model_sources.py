"""What the commands call a MODEL: what is said of one that cannot be had, and of its weights."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from viz_models import sequential

from kgraph.ir.serialize import save
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.passes.lower import lower
from kgraph.tools.cli import main
from kgraph.tools.models import find_model, load_values, named_states

MODULE = """
from kgraph.layers import Dense
from kgraph.models import Sequential
model = Sequential([Dense(2, input_dim=3, name="made")])
number = 3
def broken():
    raise ValueError("no such data")
"""


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save(sequential().graph, "layers.json")
    save(lower(sequential().graph), "core.json")
    Path("sources_module.py").write_text(MODULE)


def told(capsys, *words: str) -> str:
    assert main(["viz", *words, "-o", "x.svg"]) == 4
    error = capsys.readouterr().err
    assert "kgraph: error[E04" in error
    assert not Path("x.svg").exists()
    return error


@pytest.mark.parametrize("source", ["layers.json", "core.json"])
def test_weights_of_a_graph(source, capsys):
    names = ["first/kernel", "first/bias", "second/kernel", "second/bias", "third/kernel",
             "third/bias"]  # fmt: skip
    assert list(named_states(find_model(source))) == names
    assert main(["convert", source, "-o", "w.npz"]) == 0
    arrays = dict(np.load("w.npz"))
    assert list(arrays) == names
    arrays["second/bias"] += 7
    np.savez("other.npz", **arrays)
    found = find_model(source, "other.npz")
    assert (named_states(found)["second/bias"].numpy() == 7).all()
    np.savez("bad.npz", **{**arrays, "first/bias": np.zeros(3, "float32")})
    error = told(capsys, source, "--weights", "bad.npz")
    assert "error[E0413]: bad.npz: first/bias does not fit" in error
    assert "expected: f32[64]" in error
    assert "got: float32[3]" in error
    del arrays["third/kernel"]
    np.savez("less.npz", **arrays)
    assert "less.npz has no values of third/kernel" in told(capsys, source, "--weights", "less.npz")
    load_values(found, "w.npz")
    assert (named_states(found)["second/bias"].numpy() == 0).all()


@pytest.mark.parametrize(
    ("name", "said", "hint"),
    [
        ("sources_module:modle", "has no 'modle'", "hint: did you mean 'model'?"),
        ("sources_module:x_y_z", "has no 'x_y_z'", "expected: model"),
        ("no_such_module:x", "No module named", "hint: modules are looked for in this folder"),
        ("sources_module:number", "is no model", "got: 3"),
        ("sources_module:broken", "ValueError: no such data", ""),
        ("sources_module", "cannot read the name", "expected: py:module:name"),
    ],
)
def test_python_objects(name, said, hint, capsys):
    error = told(capsys, f"py:{name}")
    assert "error[E0421]" in error
    assert said in error
    assert hint in error
    assert "hint" in error or not hint.startswith("hint")


def broken(change) -> None:
    document = json.loads(Path("core.json").read_text())
    change(document, next(n for n in document["nodes"] if n.get("inputs")))
    Path("broken.json").write_text(json.dumps(document))
    Path("broken.npz").write_bytes(Path("core.npz").read_bytes())


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (lambda d, n: d.update(kgraph=99), "E0402", "hint: `kgraph convert` of a version that"),
        (lambda d, n: n["inputs"].__setitem__(0, 999), "E0411", "at /nodes/2/inputs/0"),
        (lambda d, n: n["inputs"].__setitem__(0, 3), "E0411", "(a cycle?)"),
        (lambda d, n: n.update(op="matmull"), "E0411", "unknown op: 'matmull'"),
        (
            lambda d, n: n.update(types=["f32[batch, 65]"]),
            "E0412",
            "matmul is stored as f32[batch, 65] but comes to f32[batch, 64]",
        ),
    ],
)
def test_graphs_with_a_fault(change, code, said, capsys):
    broken(change)
    error = told(capsys, "broken.json")
    assert f"error[{code}]: broken.json: " in error
    assert said in error


@pytest.mark.parametrize(
    ("text", "said"),
    [('{"kgraph": 2,', "line 1, column"), ('{"kgraph": 2, "kgraph": 2}', "stands twice"),
     ("", "the file is empty"), (b"\xff\xfe", "byte 0 is not UTF-8")],
)  # fmt: skip
def test_files_that_are_no_json(text, said, capsys):
    Path("bad.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    error = told(capsys, "bad.json")
    assert "error[E0401]: bad.json: " in error
    assert said in error


def test_a_model_in_yaml(capsys):
    Path("m.yaml").write_text(Sequential([Dense(2, input_dim=3, name="out")]).to_yaml())
    assert main(["summary", "m.yaml"]) == 0
    assert "out (Dense)" in capsys.readouterr().out
    Path("bad.yml").write_text("a: [1")
    assert main(["summary", "bad.yml"]) == 4
    assert "error[E0411]: bad.yml: the model cannot be built" in capsys.readouterr().err


def test_archives_are_named_as_what_they_are(capsys):
    with zipfile.ZipFile("m.keras", "w") as file:
        file.writestr("config.json", "{}")
    np.savez("w.npz", kernel=np.ones(3))
    Path("w.zip").write_bytes(b"PK\x03\x04 and more")
    assert "a .keras archive of Keras 3, which kgraph does not read" in told(capsys, "m.keras")
    assert "hint: MODEL --weights w.npz" in told(capsys, "w.npz")
    assert "hint: Keras model JSON" in told(capsys, "w.zip")


def test_nothing_to_read(capsys, monkeypatch):
    assert "error[E0401]: '': " in told(capsys, "")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert "error[E0401]: -: nothing came in" in told(capsys, "-")
    Sequential([Dense(2, input_dim=3)]).save("m.h5")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(Path("m.h5").read_bytes())))
    assert "hint: give the name of the file" in told(capsys, "-")
    text = Path("layers.json").read_bytes()  # its arrays are beside it
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
    assert "hint: `kgraph convert FILE -o -` writes a document" in told(capsys, "-")

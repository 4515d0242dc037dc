"""Every command with a model, a bad file, a bad flag, nothing optional, a pipe in, a pipe out."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kgraph
from kgraph.layers import Dense, Input
from kgraph.models import Model
from kgraph.tools.cli import COMMANDS, build_parser, main

# Command -> what follows the model.
WORDS = {
    "viz": ["-o", "-", "--format", "json"],
    "summary": [],
    "passes": [],
    "diff": ["m.json"],
    "eval": ["--batch", "2"],
    "profile": ["--runs", "1", "--warmup", "0"],
    "convert": ["-o", "-", "--to", "text"],
    "check": [],
}
# Command -> keys of its answer, next to ok and code.
KEYS = {
    "summary": {"name", "sequential", "layers", "totals"},
    "passes": {"version", "passes", "pipeline", "times"},
    "diff": {"identical", "matched", "removed", "added", "changed", "signature"},
    "eval": {"outputs", "updates", "values", "runs", "ms", "checked", "diverging", "first"},
    "profile": {"version", "mode", "sizes", "compile_ms", "run_us", "steps_us", "overhead_us",
                "layers", "ops", "nodes", "memory"},
    "convert": {"output", "format"},
    "check": {"findings", "counts"},
}  # fmt: skip
# Command -> the option that makes it write a file.
FILES = {
    "viz": ["-o", "out.svg", "--engine", "own"],
    "passes": ["--dump", "out.folder"],
    "diff": ["m.json", "-o", "out.html"],
    "eval": ["--output", "out.npy"],
    "profile": ["--runs", "1", "-o", "out.json"],
    "convert": ["-o", "out.txt"],
}
OPTIONAL = ("pooch", "matplotlib", "tensorboardX", "scipy", "PIL", "keras", "jax", "torch")


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = Input((4,), name="x")
    y = Dense(2, activation="softmax", name="probs")(Dense(3, name="hidden")(x))
    Path("m.json").write_text(Model(x, y, name="m").to_json())


def words(command: str, model: str = "m.json") -> list[str]:
    return [command, model, *WORDS[command]]


def test_every_command_is_here():
    assert set(COMMANDS) == {*WORDS, "doctor", "bench", "demo", "run"}
    assert set(KEYS) == set(WORDS) - {"viz"}


@pytest.mark.parametrize("command", WORDS)
def test_a_model(command, capsys):
    assert main(words(command)) == 0
    streams = capsys.readouterr()
    assert streams.out
    assert "error" not in streams.err


@pytest.mark.parametrize("command", WORDS)
@pytest.mark.parametrize(
    ("content", "error"),
    [(None, "E0401"), ("{", "E0401"), ("[]", "E0402"), ('{"kgraph": 99}', "E04")],
)
def test_a_bad_file(command, content, error, capsys):
    if content is not None:
        Path("bad.json").write_text(content)
    assert main(words(command, "bad.json")) == 4
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err.startswith(f"kgraph: error[{error}")
    assert "bad.json" in streams.err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_bad_flag(command, capsys):
    if command != "run":  # what follows a script is the script's
        known = words(command) if command in WORDS else [command]
        assert main([*known, "--no-such-flag"]) == 2
        streams = capsys.readouterr()
        assert streams.out == ""
        assert "error[E0101]" in streams.err


@pytest.mark.parametrize("command", WORDS)
def test_no_command_needs_what_is_optional(command, capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    for name in OPTIONAL:
        monkeypatch.setitem(sys.modules, name, None)
    assert main(words(command)) == 0
    assert capsys.readouterr().out


def test_what_is_missing_is_named(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert main(["viz", "m.json", "-o", "m.png"]) == 3
    error = capsys.readouterr().err
    assert "error[E02" in error
    assert "hint: " in error


def test_a_package_that_a_command_needs_is_named(capsys, monkeypatch):
    monkeypatch.delitem(sys.modules, "kgraph.tools.bench.bench_tables", raising=False)
    monkeypatch.delitem(sys.modules, "kgraph.tools.bench.bench_command", raising=False)
    monkeypatch.delitem(sys.modules, "kgraph.tools.bench", raising=False)
    monkeypatch.setitem(sys.modules, "rich.table", None)
    assert main(["bench", "--json"]) == 3
    streams = capsys.readouterr()
    assert json.loads(streams.out)["error"] == "E0202"
    assert "hint: pip install rich.table, or see kgraph doctor" in streams.err


@pytest.mark.parametrize("command", WORDS)
def test_standard_input(command, capsys, monkeypatch):
    data = Path("m.json").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert main(words(command, "-")) == 0
    assert capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"")))
    assert main(words(command, "-")) == 4


@pytest.mark.parametrize("command", WORDS)
def test_a_reader_that_has_gone(command, capsys, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with monkeypatch.context() as patch, os.fdopen(writing, "w", encoding="utf-8") as stream:
        patch.setattr("sys.stdout", stream)
        assert main(words(command)) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("command", KEYS)
def test_answers_as_json(command, capsys):
    given = words(command) if command != "convert" else ["convert", "m.json", "-o", "c.txt"]
    assert main([*given, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found.pop("ok"), found.pop("code")) == (True, 0)
    assert set(found) >= KEYS[command]


@pytest.mark.parametrize("command", KEYS)
def test_errors_as_json(command, capsys):
    given = words(command, "none.json")
    given = [w for w in given if w not in ("-o", "-")] if command == "convert" else given
    given += ["-o", "c.txt"] if command == "convert" else []
    assert main([*given, "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert (found["ok"], found["code"], found["error"]) == (False, 4, "E0401")
    assert "none.json" in found["message"]


@pytest.mark.parametrize("command", FILES)
def test_files_are_replaced_unless_that_is_refused(command, capsys):
    given = [command, "m.json", *FILES[command]]
    for _ in range(2):
        assert main(given) == 0
    (out,) = Path().glob("out.*")
    before = out.stat().st_mtime_ns
    capsys.readouterr()
    assert main([*given, "--no-clobber", "--json"]) == 2
    assert "is there already" in json.loads(capsys.readouterr().out)["message"]
    assert out.stat().st_mtime_ns == before
    assert sorted(p.name for p in Path().iterdir()) == ["m.json", out.name]


@pytest.mark.parametrize("command", [c for c in FILES if c != "passes"])
def test_a_folder_that_is_not_there(command, capsys):
    options = [f"none/{w}" if w.startswith("out.") else w for w in FILES[command]]
    assert main([command, "m.json", *options]) == 2
    assert "error[E0101]: none/out." in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_help(command, capsys):
    assert main([command, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: kgraph {command}")
    options = build_parser(command).commands[command]._option_string_actions
    assert all(option in text for option in options)


def test_the_list_of_commands(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n    {command} " in text for command in COMMANDS)


def test_only_the_command_that_is_called_is_imported():
    root = str(Path(kgraph.__file__).parents[1])
    code = (
        "import sys; from kgraph.tools.cli import main; main(['summary', 'm.json']); "
        "assert not {'kgraph.tools.bench', 'kgraph.tools.demo'} & set(sys.modules)"
    )
    env = {"PYTHONPATH": root, "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, env=env)
    assert (done.returncode, done.stderr) == (0, b"")


def test_exit_codes_of_a_process():
    root = str(Path(kgraph.__file__).parents[1])
    for given, code in (
        (["diff", "m.json", "m.json"], 0),
        (["diff", "m.json@core", "m.json@fused"], 1),
        (["diff", "m.json"], 2),
        (["check", "none.json"], 4),
    ):
        command = [sys.executable, "-m", "kgraph.tools.cli", *given]
        done = subprocess.run(
            command, capture_output=True, check=False, env={"PYTHONPATH": root, "PATH": ""}
        )
        assert done.returncode == code, done.stderr

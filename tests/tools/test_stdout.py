"""Results on standard output: full disks, readers that have gone, letters that it cannot show."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import kgraph
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.tools.cli import main

MODULE = """
from kgraph.layers import Dense
from kgraph.models import Sequential
print("made by hand")
def made():
    print("made on demand")
    return Sequential([Dense(2, input_dim=3, name="out")])
def leaves(): raise SystemExit(3)
"""
WORDS = (["summary"], ["summary", "--json"], ["passes"], ["check"], ["eval"],
         ["convert", "-o", "-", "--to", "npz"], ["viz", "-o", "-", "--format", "svg"])  # fmt: skip


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(Sequential([Dense(2, input_dim=3, name="été")]).to_json())
    Path("making.py").write_text(MODULE)


class Full(io.StringIO):
    """A stream on a disk without room."""

    encoding = "utf-8"

    @property
    def buffer(self) -> Full:
        return self

    def write(self, text: str | bytes) -> int:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("words", [*WORDS, ["--help"], ["--version"]], ids=" ".join)
def test_a_disk_without_room(words, capsys, monkeypatch):
    given = words if words[0].startswith("--") else [words[0], "m.json", *words[1:]]
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", Full())
        assert main(given) == 2
    error = capsys.readouterr().err
    message = "error[E0101]: standard output cannot be written: No space left on device"
    assert error.startswith(f"kgraph: {message}\n")


@pytest.mark.parametrize("words", [["summary", "m.json", "--json"], ["--help"]], ids=" ".join)
@pytest.mark.parametrize("buffered", ["", "1"])
def test_a_full_disk_in_a_process(words, buffered):
    env = {"PYTHONPATH": str(Path(kgraph.__file__).parents[1]), "PATH": "",
           "PYTHONUNBUFFERED": buffered}  # fmt: skip
    command = [sys.executable, "-m", "kgraph", *words]
    with open("/dev/full", "w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, env=env)
    assert done.returncode == 2
    assert done.stderr.decode().count("\n") == 1, done.stderr
    assert b"No space left" in done.stderr


def test_an_error_for_a_reader_that_has_gone(capsys, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    with monkeypatch.context() as patch, os.fdopen(writing, "w", encoding="utf-8") as stream:
        patch.setattr("sys.stdout", stream)
        assert main(["summary", "none.json", "--json"]) == 4
    assert "error[E0401]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["summary"], ["eval"], ["passes", "--trace"], ["diff", "m.json"]]
)
def test_letters_that_the_terminal_lacks(words, monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with monkeypatch.context() as patch:
        patch.setattr("sys.stdout", stream)
        assert main([words[0], "m.json", *words[1:]]) == 0
    stream.flush()
    shown = stream.buffer.getvalue().decode("ascii")
    assert shown
    assert words[0] != "summary" or "\\xe9t\\xe9 (Dense)" in shown


def test_what_a_module_prints_is_no_result(capsys):
    assert main(["summary", "py:making.py:made", "--json"]) == 0
    streams = capsys.readouterr()
    assert json.loads(streams.out)["ok"]
    assert streams.err == "made by hand\nmade on demand\n"


def test_a_module_that_ends_the_program(capsys):
    assert main(["summary", "py:making.py:leaves", "--json"]) == 4
    found = json.loads(capsys.readouterr().out)
    assert found["error"] == "E0421"
    assert "the program ended before there was a model, with 3" in found["message"]


def test_names_do_not_command_the_terminal(capsys):
    text = Path("m.json").read_text().replace("\\u00e9t\\u00e9", "a\\u001b[2J\\rb\\u202e")
    Path("evil.json").write_text(text)
    for words in (["summary"], ["passes", "--trace"], ["eval"], ["viz", "--select", "z"]):
        main([words[0], "evil.json", *words[1:]])
        streams = capsys.readouterr()
        shown = streams.out + streams.err
        assert "a\\x1b[2J\\rb\\u202e" in shown
        assert not set("\x1b\r\u202e") & set(shown)
    assert main(["summary", "none\x1b[2J"]) == 4
    assert capsys.readouterr().err.startswith("kgraph: error[E0401]: none\\x1b[2J: ")
    assert main(["--color", "always", "check", "m.json"]) == 0
    assert "\x1b[32m" in capsys.readouterr().out


def test_names_without_end_go_on_below(capsys):
    model = Sequential([Dense(2, input_dim=3, name="x" * 500)])
    Path("long.json").write_text(model.to_json())
    assert main(["summary", "long.json"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) < 140

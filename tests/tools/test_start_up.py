"""What the command line imports: its own command, and no library that this command does not use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import kgraph
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.tools.cli import COMMANDS

ROOT = str(Path(kgraph.__file__).parents[1])
ENVIRONMENT = {"PYTHONPATH": ROOT, "PATH": ""}
LIBRARIES = {"h5py", "yaml", "networkx", "graphviz", "rich", "hypothesis", "scipy", "jax", "keras"}
FACE = {"kgraph.errors", "kgraph.tools", "kgraph.tools.cli", "kgraph.tools.complaints",
        "kgraph.tools.stdout", "kgraph.tools.terminal"}  # fmt: skip


def loaded_by(*words: str) -> set[str]:
    """Names of the modules that a process has after a command, which has to end well."""
    code = (
        "import sys; from kgraph.tools.cli import main; code = main(sys.argv[1:]); "
        "print('\\n'.join(sys.modules), file=sys.stderr); sys.exit(code)"
    )
    command = [sys.executable, "-c", code, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    return set(done.stderr.split())


@pytest.mark.parametrize("word", ["--version", "--help"])
def test_no_command_is_imported_to_list_them(word):
    loaded = loaded_by(word)
    assert {m for m in loaded if m.startswith("kgraph.")} == FACE
    assert not loaded & {"numpy", *LIBRARIES}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_imports_no_other(command):
    loaded = loaded_by(command, "--help")
    files = {f"kgraph.tools.{module}" for module, _ in COMMANDS.values()}
    assert loaded & files == {f"kgraph.tools.{COMMANDS[command][0]}"}


def test_a_word_that_is_no_command_does_not_import_it(tmp_path):
    loaded = loaded_by("--log-json", str(tmp_path / "viz"), "--color", "never", "run", "--help")
    assert "kgraph.tools.run" in loaded
    assert not loaded & {"kgraph.tools.draw", "kgraph.layers"}


def test_a_picture_takes_numpy_and_what_writes_dot(tmp_path):
    model = tmp_path / "model.json"
    model.write_text(Sequential([Dense(2, input_dim=3)]).to_json())
    picture = tmp_path / "model.svg"
    loaded = loaded_by("-q", "viz", str(model), "-o", str(picture))
    assert picture.read_text().startswith("<svg")
    assert loaded & LIBRARIES <= {"graphviz"}


@pytest.mark.parametrize("start", [["-m", "kgraph"], ["-m", "kgraph.tools.cli"]])
def test_python_m(start):
    command = [sys.executable, *start, "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=ENVIRONMENT)
    assert done.stdout == f"kgraph {kgraph.__version__}\n"

"""Every example in a docstring runs and prints what it says."""

import doctest
import importlib
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def names():
    """Dotted names of all modules that have examples."""
    for top in ("kgraph", "passes", "runtime", "tools"):
        for path in sorted((ROOT / top).rglob("*.py")):
            if ">>> " in path.read_text():
                parts = list(path.relative_to(ROOT).with_suffix("").parts)
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                yield ".".join(parts if top == "kgraph" else ["kgraph", *parts])


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize("name", list(names()))
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    failed, tried = doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    assert tried > 0
    assert failed == 0

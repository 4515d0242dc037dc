"""Every folder says what it holds, in a page whose examples run."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["kgraph", "passes", "runtime", "tests", "tools"] + [
    f"kgraph/{path.parent.name}" for path in sorted((ROOT / "kgraph").glob("*/__init__.py"))
]
WORDS = 1100  # a page


def read(folder):
    """The README of a folder."""
    return (ROOT / folder / "README.md").read_text()


@pytest.mark.parametrize("folder", ["", *FOLDERS])
def test_a_page_says_what_a_folder_holds(folder):
    text = read(folder)
    assert text.startswith("# ")
    assert len(text.split()) <= WORDS


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_says_how_to_add_one_thing(folder):
    assert re.search(r"^#+ .*\b[Aa]dd\b|^To add\b|^#+ .*of your own$", read(folder), re.MULTILINE)


@pytest.mark.parametrize("folder", [f for f in FOLDERS if f != "tests"])
def test_it_names_every_file(folder):
    text = read(folder)
    for path in (ROOT / folder).glob("*.py"):
        assert path.name == "__init__.py" or f"`{path.name}`" in text, path.name


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize("folder", ["", *FOLDERS])
def test_examples_run(folder, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", read(folder), re.DOTALL | re.MULTILINE):
        exec(compile(block, f"{folder or '.'}/README.md", "exec"), names)


@pytest.mark.parametrize("folder", ["", *FOLDERS])
def test_files_that_it_names_are_there(folder):
    names = {path.name for path in ROOT.rglob("*.py")}
    text = read(folder)
    paths = [m for m in re.findall(r"`([\w./]+\.py)`", text) if "NAME" not in m]
    assert [m for m in paths if "/" not in m and m not in names] == []
    homes = (ROOT / folder, ROOT, ROOT / "kgraph")
    assert [m for m in paths if "/" in m and not any((home / m).is_file() for home in homes)] == []

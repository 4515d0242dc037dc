"""Machines without `dot`, without the graphviz package, or with a `dot` that misbehaves."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from viz_models import MODELS, siamese

from kgraph.errors import RenderError
from kgraph.passes.lower import lower
from kgraph.tools.viz import Style, build_view, render, save_picture, to_dot, visible
from kgraph.tools.viz.write import format_of

HAS_DOT = shutil.which("dot") is not None


@pytest.fixture
def view():
    return build_view(siamese().graph, "m", costs=False)


@pytest.fixture
def fake_dot(tmp_path, monkeypatch):
    """Puts a program `dot` of some lines of shell first in PATH."""

    def put(script: str) -> None:
        program = tmp_path / "bin" / "dot"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)

    return put


def test_without_dot_an_svg_is_our_own_and_png_names_the_remedy(view, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    made = render(view, "svg")
    assert made.engine == "own"
    assert made.warning.startswith("W0301 drawn by the own engine: The program `dot`")
    assert made.warning.endswith("was not found; --engine own is silent")
    assert made.data.startswith(b"<svg")
    for format in ("png", "pdf"):
        with pytest.raises(
            RenderError, match=r"not found(.|\n)*apt-get install graphviz"
        ) as caught:
            render(view, format)
        assert caught.value.error == "E0201"
        assert "apt-get install graphviz" in str(caught.value)
    with pytest.raises(RenderError, match="not found"):
        render(view, "svg", engine="dot")
    for format in ("dot", "mermaid", "json", "text"):
        assert render(view, format).data
    for name in ("m.dot", "m.gv", "m.mmd", "m.json", "m.txt", "m.svg"):
        line, _ = save_picture(view, tmp_path / name)
        assert re.fullmatch(r"wrote \S+ \(8 nodes, 8 edges, .*, [\d.]+ s\)", line)


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("echo first >&2; echo 'maze.c: assertion' >&2; exit 1", "maze.c: assertion"),
        ("kill -6 $$", "code -6"),
        ("echo junk", "wrote no"),
        ("exit 0", "wrote no"),
        ("printf '<svg>'; printf '\\211PNG' >/dev/null", "wrote no"),
        ("exec sleep 60", "timed out after 0."),
    ],
)
def test_a_dot_that_misbehaves(script, told, view, fake_dot):
    fake_dot(script)
    seconds = 0.3 if "sleep" in script else 60.0  # where the cores are busy, echo takes long too
    made = render(view, "svg", timeout=seconds)
    assert made.engine == "own"
    assert made.warning.startswith("W0301 drawn by the own engine: The program `dot`")
    assert "\n" not in made.warning
    for format, engine in (("png", "auto"), ("svg", "dot")):
        with pytest.raises(RenderError) as caught:
            render(view, format, engine=engine, timeout=seconds)
        assert caught.value.error == "E0203"
        assert told in str(caught.value)
        assert "hint: --engine own -o x.svg" in str(caught.value)


BLOCKED = """
import sys
sys.modules["graphviz"] = None
sys.path.insert(0, sys.argv[1])
from viz_models import siamese
from kgraph.errors import RenderError
from kgraph.passes.lower import lower
from kgraph.tools.viz import build_view, render
view = build_view(siamese().graph)
print(render(view, "svg").engine, len(render(view, "mermaid").data) > 9)
try:
    render(view, "dot")
except RenderError as error:
    print(error.error, "pip install graphviz" in str(error))
try:
    render(view, "png")
except RenderError as error:
    print(error.error)
"""


def test_without_the_graphviz_package():
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(Path(__file__).parent)],
        capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root},
    )  # fmt: skip
    assert done.stdout.split() == ["own", "True", "E0202", "True", "E0202"], done.stderr


@pytest.mark.parametrize("name", MODELS)
def test_dot_takes_every_source(name):
    if not HAS_DOT:
        return
    for style in (Style(), Style(theme="dark", rankdir="LR", splines="curved", size=(300, 200))):
        view = build_view(MODELS[name]().graph, name, costs=False)
        source = to_dot(view, style)
        done = subprocess.run(
            ["dot", "-Tcanon"], input=source.encode(), capture_output=True, check=True
        )
        assert done.stderr == b""
        plain = subprocess.run(["dot", "-Tplain"], input=source.encode(), capture_output=True)
        words = [line.split(b" ")[0] for line in plain.stdout.split(b"\n")]
        seen = visible(view)
        assert words.count(b"node") == len(seen.boxes)
        assert words.count(b"edge") == len(seen.edges)


def test_dot_writes_its_formats(view):
    if not HAS_DOT:
        return
    assert render(view, "png", Style(dpi=50)).data.startswith(b"\x89PNG")
    assert render(view, "pdf").data.startswith(b"%PDF")
    made = render(view, "svg")
    assert (made.engine, made.warning) == ("dot", None)
    assert len(render(view, "png", Style(dpi=50)).data) < len(render(view, "png").data)


def test_files(view, tmp_path):
    path = tmp_path / "m.svg"
    save_picture(view, path, engine="own")
    before = path.read_bytes()
    with pytest.raises(FileExistsError, match="there already"):
        save_picture(view, path, engine="own", clobber=False)
    path.chmod(0o600)
    assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        save_picture(view, tmp_path / "no" / "m.svg", engine="own")
    assert [p.name for p in tmp_path.iterdir()] == ["m.svg"]
    with pytest.raises(RenderError, match="extension svg, dot"):
        format_of("m.bmp")


def test_the_memory_view_is_no_graph():
    memory = build_view(lower(siamese().graph), view="memory", costs=False)
    assert render(memory, "svg").data.startswith(b"<svg")
    assert b"lower_bound" in render(memory, "json").data
    for format in ("dot", "png", "pdf"):
        with pytest.raises(RenderError, match="no graph"):
            render(memory, format)

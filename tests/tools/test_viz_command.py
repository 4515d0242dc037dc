"""`kgraph viz`: every source, view and option; what is refused, with which code and words."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from viz_models import headlines, residual, siamese

from kgraph import ops
from kgraph.ir import Graph, input_node
from kgraph.ir.serialize import save
from kgraph.passes.lower import lower
from kgraph.tools.cli import main

MODULE = """
from kgraph.layers import Dense
from kgraph.models import Sequential
model = Sequential([Dense(2, input_dim=3, name="made")])
class Holder:
    inner = staticmethod(lambda: model)
number = 3
"""


@pytest.fixture(autouse=True)
def _inside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(siamese().to_json())
    save(siamese().graph, "g.json")
    save(lower(siamese().graph), "core.json")
    Path("my_models.py").write_text(MODULE)


def svg(*options: str, source: str = "m.json") -> str:
    assert main(["viz", source, *options, "--engine", "own", "-o", "out.svg"]) == 0
    return Path("out.svg").read_text()


def names(text: str) -> list[str]:
    return re.findall(r'font-weight="bold" fill="#fff" xml:space="preserve">([^<]{2,})<', text)


@pytest.mark.parametrize(
    "source", ["m.json", "g.json", "m.h5", "py:my_models:model", "py:my_models.py:Holder.inner"]
)
def test_sources(source):
    if source == "m.h5":
        siamese().save(source)
    assert ("made" if source.startswith("py:") else "reader") in names(svg(source=source))


def test_many_files_in_one_go(capsys):
    files = ["a.svg", "b.dot", "c.gv", "d.mmd", "e.json", "f.txt"]
    options = [word for file in files for word in ("-o", file)]
    assert main(["viz", "m.json", "--engine", "own", *options]) == 0
    lines = capsys.readouterr().err.strip().split("\n")
    pattern = r"wrote (\S+) \(8 nodes, 8 edges, [\d.]+ K?B, (own|dot) engine, [\d.]+ s\)"
    assert [re.fullmatch(pattern, line)[1] for line in lines] == files
    assert all(Path(file).stat().st_size for file in files)


def test_a_default_name_and_quiet(capsys):
    assert main(["-q", "viz", "m.json", "--format", "mermaid"]) == 0
    assert Path("m.mmd").read_text().startswith("flowchart TD")
    assert main(["-q", "viz", "py:my_models.py:model", "--format", "text"]) == 0
    assert Path("model.txt").read_text().startswith("model (layers, layers)")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("format", ["svg", "dot", "mermaid", "json", "text"])
def test_standard_output(format, capsysbinary):
    assert main(["viz", "m.json", "-o", "-", "--format", format, "--engine", "own"]) == 0
    streams = capsysbinary.readouterr()
    assert b"reader" in streams.out
    assert streams.err == b""


@pytest.mark.parametrize(
    ("view", "shown"),
    [
        ("layers", "reader"),
        ("ops", "matmul"),
        ("step", "softmax_grad|subtract|multiply"),
        ("fused", "matmul"),
    ],
)
def test_views(view, shown):
    assert re.search(shown, svg("--view", view))


def test_the_training_step_and_its_memory():
    assert main(["viz", "m.json", "--view", "memory", "--training", "-o", "m.view.json"]) == 0
    document = json.loads(Path("m.view.json").read_text())
    assert document["memory"]["arena"] > 0
    assert main(["viz", "m.json", "--view", "step", "--optimizer", "sgd", "--stage", "fused",
                 "-o", "s.json"]) == 0  # fmt: skip
    document = json.loads(Path("s.json").read_text())
    assert document["stage"] == "fused"
    assert {"forward", "loss", "backward", "update"} <= {n["role"] for n in document["nodes"]}
    assert main(["viz", "m.json", "--view", "memory", "-o", "m.svg"]) == 0
    assert "lower bound" in Path("m.svg").read_text()


def test_content_options():
    Path("r.json").write_text(residual(8).to_json())
    assert names(svg(source="r.json")).count("one_0") == 1
    assert "sum_7" in names(svg("--no-fold", source="r.json"))
    closed = svg("--view", "ops", "--depth", "0", "--no-fold", source="r.json")
    assert "inside" in closed
    assert "matmul" not in names(closed)
    for options in (["--depth", "all"], ["--expand-nested"]):
        assert "matmul" in names(svg("--view", "ops", *options, source="r.json"))
    assert main(["viz", "m.json", "--dim", "batch=7", "-o", "d.json"]) == 0
    document = json.loads(Path("d.json").read_text())
    assert document["symbols"] == {"batch": {"min": 0, "hint": 7}}
    Path("py_model.py").write_text(MODULE)
    assert os.path.join(os.getcwd(), "py_model.py") in svg(
        "--source-links", "--show", "all", source="py:py_model.py:model"
    )


def test_looks():
    assert "reader" not in names(svg("--show", "none"))
    assert "flops" in svg("--show", "all")
    assert 'fill="#12171c"' in svg("--theme", "dark")
    assert ">a title<" in svg("--title", "a title")
    assert 'width="100"' in svg("--size", "100x4000")
    plain = svg()
    changes = (["--rankdir", "LR"], ["--splines", "curved"], ["--wrap", "2"])
    assert all(svg(*options) != plain for options in changes)


def test_selections():
    Path("h.json").write_text(headlines().to_json())
    chosen = names(svg("--select", "hid*", source="h.json"))
    assert chosen == ["joined", "hidden", "main_output"]
    assert "not selected" in svg("--select", "hid*", source="h.json")
    between = svg("--from", "lstm", "--to", "hidden", source="h.json")
    whole = set(names(between))
    assert {"lstm", "joined", "hidden"} <= whole
    assert "main_input" not in whole
    near = names(svg("--around", "lstm", "--hops", "1", source="h.json"))
    assert {"embedding", "lstm", "joined", "aux_output"} <= set(near)


def test_a_file_is_kept_when_asked(capsys):
    Path("out.svg").write_text("mine")
    assert main(["viz", "m.json", "-o", "out.svg", "--no-clobber"]) == 2
    assert Path("out.svg").read_text() == "mine"
    assert "there already" in capsys.readouterr().err


def test_fallbacks_and_remedies(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["viz", "m.json", "-o", "x.svg"]) == 0
    assert "own engine" in capsys.readouterr().err
    for options in (["-o", "x.png"], ["-o", "x.pdf"], ["-o", "x.svg", "--engine", "dot"]):
        assert main(["viz", "m.json", *options]) == 3
        error = capsys.readouterr().err
        assert error.startswith("kgraph: error[E0201]: The program `dot`")
        assert "hint: apt-get install graphviz" in error
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    assert main(["viz", "m.json", "-o", "y.svg", "--splines", "ortho"]) == 0
    error = capsys.readouterr().err
    assert "kgraph: warning: W0301 drawn by the own engine" in error
    assert "crash on --splines ortho" in error
    assert main(["viz", "m.json", "-o", "y.png"]) == 3
    assert capsys.readouterr().err.startswith("kgraph: error[E0203]: The program `dot`")
    assert not Path("y.png").exists()


def test_large_views(capsys):
    x = y = input_node((2,), name="x")
    for i in range(700):
        y = ops.tanh(ops.exp(y)) if i % 3 else ops.sin(y)
    save(Graph((x,), (("y", y),)), "long.json")
    assert main(["viz", "long.json", "--no-fold", "--depth", "9", "-o", "x.mmd"]) == 0
    assert "W0301 clusters are closed" in capsys.readouterr().err
    assert main(["viz", "long.json", "--no-fold", "--max-nodes", "9", "-o", "x.mmd"]) == 6
    error = capsys.readouterr().err
    assert error.startswith("kgraph: error[E0601]: the view has 1,")
    assert "--select" in error


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["m.json", "--depth", "-1"], 2, "E0101"),
        (["m.json", "--depth", "many"], 2, "neither a whole number nor all"),
        (["m.json", "--size", "big"], 2, "is no size such as"),
        (["m.json", "--size", "0x5"], 2, "is no size such as"),
        (["m.json", "--dim", "batch"], 2, "is not NAME=NUMBER"),
        (["m.json", "--show", "shapes,colours"], 2, "'colours' is not one of shapes"),
        (["m.json", "--wrap", "0"], 2, "not a whole number above 0"),
        (["m.json", "--timeout", "0"], 2, "not a number above 0"),
        (["m.json", "--rankdir", "UP"], 2, "invalid choice"),
        (["m.json", "--engine", "dog"], 2, "did you mean 'dot'"),
        (["m.json", "--view", "layers", "--training"], 2, "contradicts --training"),
        (["m.json", "--view", "fused", "--stage", "core"], 2, "contradicts --stage core"),
        (["m.json", "--view", "memory", "--stage", "layers"], 2, "contradicts --view memory"),
        (["m.json", "--view", "memory", "-o", "x.dot"], 2, "the memory view is no graph"),
        (["m.json", "--select", "redaer"], 4, "did you mean reader"),
        (["m.json", "--from", "nowhere"], 4, "E0431"),
        (["core.json", "--view", "step"], 4, "no training step"),
        (["py:my_models:number"], 4, "E0421"),
        (["nothing.json"], 4, "E0401"),
    ],
)
def test_what_is_refused(options, code, message, capsys):
    assert main(["viz", *options, *(() if "-o" in options else ("-o", "x.svg"))]) == code
    assert message in capsys.readouterr().err
    assert not list(Path().glob("x.*"))

"""No command compiles what it does not run or show, and none compiles a graph twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from kgraph.ir import Stage
from kgraph.layers import Dense
from kgraph.models import Sequential
from kgraph.passes.manager import Pipeline
from kgraph.tools.cli import main


@pytest.fixture
def compiled(tmp_path, monkeypatch):
    """The graphs that went through a pipeline which ends in a fused one, in their order."""
    monkeypatch.chdir(tmp_path)
    Path("m.json").write_text(Sequential([Dense(2, "tanh", input_dim=3)]).to_json())
    graphs, run = [], Pipeline.run

    def watched(pipeline, graph):
        found = run(pipeline, graph)
        graphs.extend([graph] if found[0].stage is Stage.FUSED else [])
        return found

    monkeypatch.setattr(Pipeline, "run", watched)
    return graphs


@pytest.mark.parametrize(
    ("words", "count"),
    [
        ("eval m.json", 1),
        ("eval m.json --check", 1),
        ("eval m.json --train-step --check --repeat 3", 1),
        ("passes m.json --training --stats", 1),
        ("profile m.json --mode step --runs 1", 1),
        ("bench m.json --mode step --levels none,safe --runs 1", 1),  # `none` takes no pass
        ("bench m.json --mode step --levels strict,safe --runs 1", 2),
        ("viz m.json --view step -o s.svg", 0),
        ("viz m.json --view step --stage fused -o s.svg", 1),
        ("viz m.json --view step --passes -o s.json", 1),
        ("viz m.json --view step --stage fused --run 1 -o s.svg", 1),
        ("viz m.json --view fused --run 1 --passes -o s.json", 1),
        ("viz m.json --view fused --passes -o s.json", 1),
        ("viz m.json --training --passes --run 1 -o s.html", 1),
    ],
)
def test_what_is_compiled(words, count, compiled):
    assert main(["-q", *words.split()]) == 0
    assert len(compiled) == count

"""`kgraph bench --overheads` measures what it says; the numbers themselves are no test."""

import json

import numpy as np

from kgraph.runtime.executable import compile
from kgraph.runtime.interp import interpret
from kgraph.tools import driving, overheads
from kgraph.tools.cli import main
from kgraph.tools.overheads import NODES, web


def test_the_graph_is_as_large_as_said_and_runs_right():
    graph = web(0)
    assert len(graph) >= NODES
    x = np.linspace(-1, 1, 64, dtype="float32").reshape(4, 16)
    expected, _ = interpret(graph, [x])
    for got, want in zip(compile(graph)(x), expected, strict=True):
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


def test_overheads_are_printed(capsys, monkeypatch):
    monkeypatch.setattr(driving, "ROWS", 100)
    monkeypatch.setattr(driving, "CALLS", 10)
    monkeypatch.setattr(overheads, "RUNS", 1)
    assert main(["bench", "--overheads", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.pop("ok") is True
    assert found.pop("code") == 0
    assert set(found) == {
        "import numpy",
        "import kgraph",
        "compile and run 2,000 nodes",
        "compile a training step of 200 layers",
        "a compiled training step alone",
        "a step of fit",
        "the plan of a prediction alone",
        "a call of predict",
    }
    assert all(seconds > 0 for seconds in found.values())
    assert driving.predict_growth() >= 0

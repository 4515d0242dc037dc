"""`kgraph bench` measures what it says and computes ratios the right way round."""

import json

import pytest

from kgraph.tools import bench, peers
from kgraph.tools.cli import main


def row(framework, workload, step):
    """A measured row with one number for everything."""
    return peers.as_row(framework, workload, (step * 1e-6, step * 1e-6), (step * 1e-6, step * 1e-6))


def test_ratio_is_fastest_peer_over_own(monkeypatch):
    steps = {"kgraph": 50.0, "jax": 100.0, "torch": 400.0}
    monkeypatch.setattr(
        bench,
        "_time_in_process",
        lambda framework, name, python: row(framework, name, steps[framework]),
    )
    rows = {r["framework"]: r for r in bench.measure(["mlp_binary"], ["jax", "torch"], "python", 2)}
    assert rows["kgraph"]["ratio"] == 2.0
    assert rows["jax"]["ratio"] == 1.0
    assert rows["torch"]["ratio"] == 0.25
    assert rows["kgraph"]["step_us"] == 50.0


def test_missing_peers_are_left_out(monkeypatch, capsys):
    monkeypatch.setattr(
        bench,
        "_time_in_process",
        lambda framework, name, python: (
            row(framework, name, 50.0) if framework == "kgraph" else None
        ),
    )
    assert main(["bench", "mlp_binary", "--rounds", "1", "--json"]) == 0
    (only,) = json.loads(capsys.readouterr().out)
    assert only["framework"] == "kgraph"
    assert only["ratio"] is None


def test_unknown_workload_is_named(capsys):
    assert main(["bench", "mlp_nothing"]) == 2
    error = capsys.readouterr().err
    assert "mlp_nothing" in error
    assert "mlp_binary" in error


@pytest.mark.parametrize("name", peers.WORKLOADS)
def test_workloads_have_matching_shapes(name):
    work = peers.WORKLOADS[name]
    x, y = peers.batch_of(name)
    assert x.shape == (work.batch, work.widths[0])
    assert y.shape == (work.batch, work.widths[-1])
    assert y.max() == 1


def test_kgraph_runs_the_workload(monkeypatch):
    monkeypatch.setitem(
        peers.WORKLOADS, "mlp_binary", peers.WORKLOADS["mlp_binary"]._replace(steps=2)
    )
    measured = bench.time_kgraph("mlp_binary")
    assert measured["framework"] == "kgraph"
    assert measured["step_us"] > 0

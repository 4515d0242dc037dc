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
    assert x.shape == (work.batch, work.length if work.vocabulary else work.widths[0])
    assert y.shape == (work.batch, work.widths[-1])
    assert y.max() == 1


@pytest.mark.parametrize(("name", "products"), [("mlp_mnist", 8), ("embedding_dense", 6)])
def test_kgraph_runs_the_workload(monkeypatch, name, products):
    monkeypatch.setitem(peers.WORKLOADS, name, peers.WORKLOADS[name]._replace(steps=2))
    measured = bench.time_kgraph(name)
    assert measured["framework"] == "kgraph"
    assert measured["step_us"] > 0
    plan = measured["plan"]
    assert plan["matmuls"] == products
    assert plan["lower_bound"] <= plan["arena_bytes"]
    assert plan["python_bytes"] < 1 << 20


def test_baseline_is_compared_by_ratio_and_counts(monkeypatch, tmp_path, capsys):
    old = {**row("kgraph", "mlp_binary", 50.0), "ratio": 2.0, "plan": {"steps": 40, "flops": 7}}
    new = {**old, "ratio": 2.5, "plan": {"steps": 30, "flops": 7, "compile_ms": 3.0}}
    path = tmp_path / "old.json"
    path.write_text(json.dumps([old]))
    monkeypatch.setattr(bench, "measure", lambda *args: [new])
    assert main(["bench", "mlp_binary", "--baseline", str(path)]) == 0
    assert "mlp_binary: ratio 2.0 -> 2.5, steps 40 -> 30\n" in capsys.readouterr().out


@pytest.mark.parametrize("text", [None, "{", '{"a": 1}', '[{"a": 1}]'])
def test_a_baseline_that_is_none_is_refused(tmp_path, capsys, text):
    path = tmp_path / "old.json"
    if text is not None:
        path.write_text(text)
    assert main(["bench", "mlp_binary", "--baseline", str(path)]) == 4
    assert "--baseline" in capsys.readouterr().err

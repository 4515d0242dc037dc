"""`kgraph bench` measures what it says and computes ratios the right way round."""

import itertools
import json
import sys

import pytest

from kgraph.tools.bench import bench_command, own, timed, turns
from kgraph.tools.bench.bench_command import interpreters
from kgraph.tools.bench.peers.workloads import WORKLOADS
from kgraph.tools.cli import main


class Fake:
    """A framework whose bursts take what a test says, turn by turn."""

    def __init__(self, framework, name, steps):
        self.row = {"framework": framework, "workload": name, "memory_bytes": 1000}
        self.steps = itertools.cycle(steps)
        self.closed = False

    def ask(self, what):
        return [next(self.steps) * 1e-6] if what == "step" else [20e-6]

    def close(self):
        self.closed = True


def row(framework, workload, step):
    """A measured row with one number for all times."""
    fake = Fake(framework, workload, [step])
    return turns.summarize([fake.row], {what: [[step * 1e-6]] for what in turns.WHAT})[0]


@pytest.fixture
def steps(monkeypatch):
    """Microseconds of a step by framework and turn; whoever is missing does not run."""
    known = {}

    def start(framework, python, name):
        return Fake(framework, name, known[framework]) if framework in known else None

    monkeypatch.setattr(turns, "start", start)
    monkeypatch.setattr(turns, "describe_kgraph", lambda name: {"steps": 40})
    return known


def test_ratio_is_fastest_peer_over_own(steps):
    steps.update(kgraph=[50.0], jax=[100.0], torch=[400.0])
    found = turns.measure(["mlp_binary"], {"jax": "python", "torch": "python"}, 2)
    rows = {r["framework"]: r for r in found}
    assert rows["kgraph"]["ratio"] == 2.0
    assert rows["jax"]["ratio"] == 1.0
    assert rows["torch"]["ratio"] == 0.25
    assert rows["kgraph"]["step_us"] == 50.0
    assert rows["kgraph"]["predict_ratio"] == 1.0
    assert rows["kgraph"]["memory_bytes"] == 1000
    assert rows["kgraph"]["plan"] == {"steps": 40}


def test_ratios_are_those_of_the_turns(steps):
    """The machine is slow in the second turn, and kgraph loses one of three."""
    steps.update(kgraph=[50.0, 500.0, 60.0], jax=[75.0, 1000.0, 30.0], torch=[90.0, 900.0, 80.0])
    found = turns.measure(["mlp_binary"], {"jax": "python", "torch": "python"}, 3)
    rows = {r["framework"]: r for r in found}
    assert [rows[name]["ratio"] for name in ("kgraph", "jax", "torch")] == [1.5, 1.0, 0.83]
    assert [rows[name]["step_us"] for name in ("kgraph", "jax")] == [60.0, 75.0]
    assert rows["jax"]["step_min_us"] == 30.0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("print('hello'); print('{}', flush=True); input(); print('[1, 2]', flush=True)", None),
        ("import nothing_of_this_name", "nothing_of_this_name"),
        ("raise SystemExit", "no message"),
    ],
)
def test_a_process_is_asked(text, reason):
    command = [sys.executable, "-c", text]
    if reason:
        with pytest.raises(RuntimeError, match=reason):
            timed.Timed(command, {})
        return
    asked = timed.Timed(command, {})
    assert asked.row == {}
    assert asked.ask("step") == [1, 2]
    with pytest.raises(RuntimeError, match="no message"):
        asked.ask("step")


def test_a_framework_that_ends_in_the_middle_is_named(steps, monkeypatch, capsys):
    def end(self, what):
        raise RuntimeError("out of memory")

    steps.update(kgraph=[50.0])
    monkeypatch.setattr(Fake, "ask", end)
    assert main(["bench", "mlp_binary"]) == 5
    assert "ended in the middle: out of memory" in capsys.readouterr().err


def test_a_peer_that_does_not_run_is_named(capsys):
    assert timed.start("jax", "/no/such/python", "mlp_binary") is None
    assert "jax mlp_binary did not run" in capsys.readouterr().err


def test_missing_peers_are_left_out(steps, capsys):
    steps.update(kgraph=[50.0])
    assert main(["bench", "mlp_binary", "--rounds", "1", "--json"]) == 0
    (only,) = json.loads(capsys.readouterr().out)["rows"]
    assert only["framework"] == "kgraph"
    assert only["ratio"] is None


def test_tables_say_what_was_measured(steps, capsys):
    steps.update(kgraph=[50.0], jax=[125.0])
    assert main(["bench", "mlp_binary", "--rounds", "1"]) == 0
    printed = capsys.readouterr().out
    assert "2.50" in printed
    assert "50.0 (50.0)" in printed


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["mlp_nothing"], ["mlp_nothing", "mlp_binary"]),
        (["mlp_binary", "--peers", "torch,theano"], ["theano", "jax"]),
        (["mlp_binary", "--rounds", "0"], ["--rounds"]),
        (["m.json", "--levels", "O2"], ["no level 'O2'", "none, strict, safe, fast"]),
    ],
)
def test_wrong_arguments_are_named(arguments, words, capsys):
    assert main(["bench", *arguments]) == 2
    error = capsys.readouterr().err
    for word in words:
        assert word in error


def test_a_peer_may_have_an_interpreter_of_its_own():
    peers, given = ["jax", "keras-tensorflow"], ["common", "keras-tensorflow=other"]
    assert interpreters(peers, given) == {"jax": "common", "keras-tensorflow": "other"}


@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("mlp_mnist", {"matmuls": 8, "loops": 0, "convolutions": 0}),
        ("embedding_dense", {"matmuls": 6}),
        ("cnn_cifar", {"matmuls": 6, "convolutions": 11}),
    ],
)
def test_the_step_is_described(name, counts):
    plan = own.describe_step(name)
    assert {key: plan[key] for key in counts} == counts
    assert plan["lower_bound"] <= plan["arena_bytes"] < plan["peak_bytes"]
    assert plan["python_bytes"] < 1 << 20
    assert plan["flops"] > 0


@pytest.mark.parametrize("name", ["lstm_imdb", "two_head"])
def test_products_in_loops_count_in_each_turn(name):
    plan, turns_of_loop = own.describe_step(name), WORKLOADS[name].inputs[0].shape[0]
    products = plan["loops"] * turns_of_loop
    # Each loop multiplies the state by one matrix; the products outside of loops are few.
    assert plan["loops"] >= 2
    assert products < plan["matmuls"] < products + 20
    assert plan["calls"] > plan["steps"] + products
    assert plan["flops"] > plan["loops"] * turns_of_loop * 2 * 32 * 32 * 128


@pytest.mark.parametrize("name", WORKLOADS)
def test_kgraph_runs_the_workload(monkeypatch, name):
    monkeypatch.setitem(WORKLOADS, name, WORKLOADS[name]._replace(steps=1, batch=2))
    subject = own.subject(name)
    assert subject.step()[0] > 0
    assert subject.predict()[0] > 0


def test_baseline_is_compared_by_ratio_and_counts(monkeypatch, tmp_path, capsys):
    old = {**row("kgraph", "mlp_binary", 50.0), "ratio": 2.0, "plan": {"steps": 40, "flops": 7}}
    new = {**old, "ratio": 2.5, "plan": {"steps": 30, "flops": 7, "compile_ms": 3.0}}
    path = tmp_path / "old.json"
    path.write_text(json.dumps([old]))
    monkeypatch.setattr(bench_command, "measure", lambda *args: [new])
    assert main(["bench", "mlp_binary", "--baseline", str(path)]) == 0
    assert "mlp_binary: ratio 2.0 -> 2.5, steps 40 -> 30\n" in capsys.readouterr().out


def test_a_regression_beyond_the_limit_is_a_no(monkeypatch, tmp_path, capsys):
    old = {**row("kgraph", "mlp_binary", 50.0), "ratio": 2.0, "step_min_us": 50.0}
    path = tmp_path / "old.json"
    words = ["bench", "mlp_binary", "--baseline", str(path), "--max-regress"]
    for ratio, least, limit, code in (
        (1.9, 50.0, "10%", 0),
        (1.9, 50.0, "3", 1),
        (None, 54.0, "10", 0),
        (None, 56.0, "10%", 1),
    ):
        path.write_text(json.dumps({"rows": [{**old, "ratio": 2.0 if ratio else None}]}))
        new = {**old, "ratio": ratio, "step_min_us": least}
        monkeypatch.setattr(bench_command, "measure", lambda *args, new=new: [new])
        assert main([*words, limit, "--json"]) == code
        assert json.loads(capsys.readouterr().out)["ok"] is (code == 0)
    assert main([*words, "10"]) == 1
    assert "mlp_binary: slower by 12.0%, allowed are 10.0%" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["5%"], ["much", "--baseline", "x"], ["-1", "--baseline", "x"]])
def test_a_limit_needs_a_number_and_a_baseline(words, capsys):
    assert main(["bench", "mlp_binary", "--max-regress", *words]) == 2
    assert "--max-regress" in capsys.readouterr().err


def test_a_busy_machine_is_named(monkeypatch, capsys):
    monkeypatch.setattr(bench_command, "measure", lambda *args: [])
    for load, told in ((99.0, True), (0.0, False), (None, False)):
        monkeypatch.setattr(bench_command, "load_average", lambda load=load: load)
        main(["bench", "mlp_binary", "--json"])
        assert ("load average" in capsys.readouterr().err) is told


@pytest.mark.parametrize("text", [None, "{", '{"a": 1}', '[{"a": 1}]'])
def test_a_baseline_that_is_none_is_refused(tmp_path, capsys, text):
    path = tmp_path / "old.json"
    if text is not None:
        path.write_text(text)
    assert main(["bench", "mlp_binary", "--baseline", str(path)]) == 4
    assert "--baseline" in capsys.readouterr().err

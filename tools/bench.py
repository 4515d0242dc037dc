"""`kgraph bench`: training steps and predictions against PyTorch, JAX and Keras in the same run.

Every framework runs in a process of its own, in turn, several rounds, so that a change of the
machine's speed meets all of them. The ratio is the fastest peer's median over kgraph's. Numbers of
the compiled step that no clock touches (steps, matrix products, bytes) stand beside it.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
import tracemalloc
from typing import Any

from rich.console import Console
from rich.table import Table

from kgraph.runtime.plan import Step
from kgraph.runtime.profile import step_cost
from kgraph.tools import overheads, peers

Rows = list[dict[str, Any]]


def add_parser(subparsers: Any) -> None:
    """Adds the `bench` command to the command line."""
    parser = subparsers.add_parser("bench", help="time kgraph against its peers")
    parser.add_argument(
        "workloads",
        nargs="*",
        metavar="WORKLOAD",
        help=f"default all: {', '.join(peers.WORKLOADS)}",
    )
    parser.add_argument("--rounds", type=int, default=3, help="rounds in turn (default 3)")
    parser.add_argument("--peers", default="torch,jax,keras", help="frameworks to compare with")
    parser.add_argument(
        "--python", default=sys.executable, help="interpreter of an environment that has the peers"
    )
    parser.add_argument(
        "--overheads", action="store_true", help="time importing and compiling instead"
    )
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument(
        "--baseline", metavar="FILE", help="compare with what --json printed on another day"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the benchmark and prints a table or JSON."""
    if args.overheads:
        found = overheads.measure()
        lines = [f"{seconds * 1e3:9.1f} ms  {name}" for name, seconds in found.items()]
        print(json.dumps(found, indent=1) if args.json else "\n".join(lines))
        return 0
    names = args.workloads or list(peers.WORKLOADS)
    unknown = [n for n in names if n not in peers.WORKLOADS]
    if unknown or args.rounds < 1:
        print(
            f"kgraph: error[E0101]: unknown workload: {', '.join(unknown)}\n"
            f"  hint: one of {', '.join(peers.WORKLOADS)}"
            if unknown
            else "kgraph: error[E0101]: --rounds must be at least 1",
            file=sys.stderr,
        )
        return 2
    try:
        baseline = load_baseline(args.baseline) if args.baseline else []
    except (OSError, ValueError) as error:
        print(f"kgraph: error[E0102]: cannot read --baseline: {error}", file=sys.stderr)
        return 4
    rows = measure(names, [p for p in args.peers.split(",") if p], args.python, args.rounds)
    compared = compare(rows, baseline)
    if args.json:
        print(json.dumps(rows, indent=1))
        for line in compared:
            print(line, file=sys.stderr)
        return 0
    Console().print(as_table(rows))
    Console().print(plan_table(rows))
    print("\n".join(compared))
    return 0


def measure(names: list[str], frameworks: list[str], python: str, rounds: int) -> Rows:
    """Times every framework on every workload, in turn.

    Returns:
        One row a framework and workload: medians over the rounds, microseconds, and `ratio`: the
        fastest peer's step over this one's.
    """
    samples: dict[tuple[str, str], Rows] = {}
    for name in names:
        for _ in range(rounds):
            for framework in ("kgraph", *frameworks):
                row = _time_in_process(framework, name, python)
                if row is not None:
                    samples.setdefault((name, row["framework"]), []).append(row)
    rows = [_median_row(group) for group in samples.values()]
    for name in names:
        mine = [r for r in rows if r["workload"] == name]
        others = [r["step_us"] for r in mine if r["framework"] != "kgraph"]
        for row in mine:
            row["ratio"] = round(min(others) / row["step_us"], 2) if others else None
    return rows


def time_kgraph(name: str) -> dict[str, Any]:
    """Times kgraph on one workload, in this process, and describes the compiled step."""
    package = importlib.import_module("kgraph")
    model = peers.build_keras_like(package, name)
    plan = describe_step(model, name)
    step, predict = peers.time_fit(model, name)
    return {**peers.as_row("kgraph", name, step, predict), "plan": plan}


def describe_step(model: Any, name: str) -> dict[str, Any]:
    """What the compiled training step of a workload consists of.

    Returns:
        compile_ms: from the compiled model to the plan that can run; nodes and steps: of the
        optimized graph and of its plan; matmuls, flops and bytes: of one run; arena_bytes and
        lower_bound: memory of the plan; python_bytes: what one run allocates besides, at its peak.
    """
    x, y = peers.batch_of(name)
    start = time.perf_counter()
    executable = model.executable(x, y)
    plan = executable.bind({"batch": len(x)})
    compiled = time.perf_counter() - start
    costs = [step_cost(step) for step in plan.data.steps]
    for buffer, array in zip(plan.inputs, (x, y), strict=True):
        buffer[...] = array
    plan.run()
    tracemalloc.start()
    plan.run()
    borrowed = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "compile_ms": round(compiled * 1e3, 1),
        "nodes": len(executable.graph),
        "steps": len(plan.data.steps),
        "matmuls": sum(map(count_matmuls, plan.data.steps)),
        "flops": sum(flops for flops, _ in costs),
        "bytes": sum(moved for _, moved in costs),
        "arena_bytes": plan.data.arena_bytes,
        "lower_bound": plan.data.lower_bound,
        "python_bytes": borrowed,
    }


def count_matmuls(step: Step) -> int:
    """The matrix products of a step, fused ones included."""
    if step.op.name != "fused":
        return int(step.op.name == "matmul")
    return sum(name == "matmul" for name, *_ in step.attrs["program"])


def _time_in_process(framework: str, name: str, python: str) -> dict[str, Any] | None:
    """Runs one measurement; None when the environment lacks the framework."""
    env = {"KERAS_BACKEND": "jax", **os.environ}
    if framework == "kgraph":
        command = [sys.executable, "-m", "kgraph.tools.bench", name]
    else:
        command = [python, peers.__file__, framework, name]
        if python == sys.executable and importlib.util.find_spec(framework) is None:
            return None
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        print(f"kgraph: warning: {framework} on {name} did not run: {reason[0]}", file=sys.stderr)
        return None
    return json.loads(done.stdout.strip().splitlines()[-1])


def _median_row(group: Rows) -> dict[str, Any]:
    row = dict(group[0])
    for key in ("step_us", "predict_us"):
        row[key] = round(statistics.median(r[key] for r in group), 1)
    for key in ("step_min_us", "predict_min_us"):
        row[key] = min(r[key] for r in group)
    return row


def load_baseline(path: str) -> Rows:
    """The rows that an earlier `--json` printed.

    Raises:
        ValueError: the file holds something else.
    """
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)
    if not isinstance(rows, list) or not all({"workload", "framework"} <= set(r) for r in rows):
        raise ValueError(f"{path} does not hold the output of kgraph bench --json")
    return rows


def compare(rows: Rows, baseline: Rows) -> list[str]:
    """One line for each workload of kgraph's that is in both: ratios, and counts that changed.

    Ratios are compared rather than times, for the machine may have had another speed.
    """
    old = {r["workload"]: r for r in baseline if r["framework"] == "kgraph"}
    lines = []
    for row in rows:
        before = old.get(row["workload"])
        if row["framework"] != "kgraph" or before is None:
            continue
        key = "ratio" if row.get("ratio") and before.get("ratio") else "step_us"
        parts = [f"{row['workload']}: {key} {before[key]} -> {row[key]}"]
        plans = before.get("plan", {}), row.get("plan", {})
        parts += [
            f"{name} {plans[0][name]} -> {value}"
            for name, value in plans[1].items()
            if name in plans[0] and name != "compile_ms" and plans[0][name] != value
        ]
        lines.append(", ".join(parts))
    return lines


def plan_table(rows: Rows) -> Table:
    """What kgraph's compiled steps consist of."""
    mine = [r for r in rows if "plan" in r]
    table = Table(title="the compiled training step")
    table.add_column("workload")
    for name in mine[0]["plan"] if mine else ():
        table.add_column(name.replace("_", " "), justify="right")
    for row in mine:
        table.add_row(row["workload"], *(f"{value:,}" for value in row["plan"].values()))
    return table


def as_table(rows: Rows) -> Table:
    """The rows for the terminal."""
    table = Table(title="microseconds: median (minimum); ratio = fastest peer / this, by step")
    for column in ("workload", "framework", "training step", "predict a batch", "ratio"):
        table.add_column(column, justify="left" if column in ("workload", "framework") else "right")
    for r in rows:
        ratio = "" if r["ratio"] is None else f"{r['ratio']:.2f}"
        table.add_row(
            r["workload"],
            r["framework"],
            f"{r['step_us']} ({r['step_min_us']})",
            f"{r['predict_us']} ({r['predict_min_us']})",
            ratio,
        )
    return table


if __name__ == "__main__":
    print(json.dumps(time_kgraph(sys.argv[1])))

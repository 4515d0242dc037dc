"""`kgraph bench`: training steps and predictions against PyTorch, JAX and Keras in the same run.

Every framework runs in a process of its own, in turn, several rounds, so that a change of the
machine's speed meets all of them. The ratio is the fastest peer's median over kgraph's.
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
from typing import Any

from rich.console import Console
from rich.table import Table

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
    rows = measure(names, [p for p in args.peers.split(",") if p], args.python, args.rounds)
    if args.json:
        print(json.dumps(rows, indent=1))
    else:
        Console().print(as_table(rows))
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
    """Times kgraph on one workload, in this process."""
    package = importlib.import_module("kgraph")
    step, predict = peers.time_fit(peers.build_keras_like(package, name), name)
    return peers.as_row("kgraph", name, step, predict)


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

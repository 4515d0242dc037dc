"""Every framework in a process of its own, in turn; medians over the rounds, and ratios."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kgraph.tools.progress import doing, progress
from kgraph.tools.terminal import note, warn

Rows = list[dict[str, Any]]
HERE = Path(__file__).parent


def measure(names: Sequence[str], peers: Mapping[str, str], rounds: int) -> Rows:
    """Times every framework on every workload, in turn.

    Args:
        names: of workloads.
        peers: name -> interpreter that has it.
        rounds: how often each is started.

    Returns:
        One row a framework and workload: medians over the rounds, microseconds, bytes, and `ratio`:
        the fastest peer's step over this one's. Those of kgraph have the `plan` of the step. A line
        for each run goes to stderr as it comes.
    """
    samples: dict[tuple[str, str], Rows] = {}
    turns = list(itertools.product(names, range(rounds), ("kgraph", *peers)))
    for name, _, framework in progress(turns, "process"):
        own = framework == "kgraph"
        with doing(f"{name} {framework}"):
            row = time_kgraph(name) if own else time_peer(framework, peers[framework], name)
        if row is not None:
            samples.setdefault((name, row["framework"]), []).append(row)
            note(f"{name} {row['framework']}: {row['step_us']} us")
    rows = [_median_row(group) for group in samples.values()]
    for name in names:
        mine = [r for r in rows if r["workload"] == name]
        others = [r["step_us"] for r in mine if r["framework"] != "kgraph"]
        for row in mine:
            row["ratio"] = round(min(others) / row["step_us"], 2) if others else None
            if row["framework"] == "kgraph":
                row["plan"] = describe_kgraph(name)
    return rows


def time_kgraph(name: str) -> dict[str, Any] | None:
    """A row of kgraph's, measured in a process of its own."""
    return _last_line([sys.executable, "-m", "kgraph.tools.bench.own", "time", name], {})


def describe_kgraph(name: str) -> dict[str, Any] | None:
    """What kgraph's step consists of; a process of its own, for the first compilation is timed."""
    return _last_line([sys.executable, "-m", "kgraph.tools.bench.own", "plan", name], {})


def time_peer(peer: str, python: str, name: str) -> dict[str, Any] | None:
    """A row of a peer's, measured in a process of its own; None if its interpreter lacks it."""
    framework, _, backend = peer.partition("-")
    if python == sys.executable and importlib.util.find_spec(framework) is None:
        return None
    # Where the process is started there may be files with any name.
    variables = {"PYTHONPATH": str(HERE), "PYTHONSAFEPATH": "1"}
    variables["KERAS_BACKEND"] = backend or os.environ.get("KERAS_BACKEND", "jax")
    return _last_line([python, "-m", "peers", peer, name], variables)


def _last_line(command: list[str], variables: Mapping[str, str]) -> dict[str, Any] | None:
    """The JSON that a process printed last; without any, its last complaint is shown."""
    env = {**os.environ, **variables}
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        what = " ".join(command[-2:])
        warn(f"{what} did not run: {reason[0]}")
        return None
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _median_row(group: Rows) -> dict[str, Any]:
    row = dict(group[0])
    for key in ("step_us", "predict_us"):
        row[key] = round(statistics.median(r[key] for r in group), 1)
    for key in ("step_min_us", "predict_min_us"):
        row[key] = min(r[key] for r in group)
    sizes = [r["memory_bytes"] for r in group if r["memory_bytes"] is not None]
    row["memory_bytes"] = int(statistics.median(sizes)) if sizes else None
    return row

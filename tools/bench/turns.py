"""Every framework in a process of its own; short bursts in turn, and ratios within each turn.

A machine that others use changes its speed within seconds, by a third and more. Bursts that follow
one another see the same machine, so a ratio is the median of the turns' ratios.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from kgraph.tools.bench.timed import Timed, start
from kgraph.tools.progress import doing, progress
from kgraph.tools.terminal import note, warn

Rows = list[dict[str, Any]]
WHAT = ("step", "predict")


def measure(names: Sequence[str], peers: Mapping[str, str], rounds: int) -> Rows:
    """Times every framework on every workload, in turn.

    Args:
        names: of workloads.
        peers: name -> interpreter that has it.
        rounds: how often each has its turn.

    Returns:
        One row a framework and workload: medians over the turns, microseconds, bytes; `ratio` and
        `predict_ratio`, the fastest peer's time over this one's. Those of kgraph have the `plan` of
        the step. A line for each workload goes to stderr as it comes.
    """
    rows: Rows = []
    for name in names:
        with doing(name):
            timed = [start(f, p, name) for f, p in (("kgraph", ""), *peers.items())]
            running = [one for one in timed if one is not None]
            try:
                seconds = take_turns(running, rounds)
            finally:
                for one in running:
                    one.close()
        found = summarize([one.row for one in running], seconds)
        for row in found:
            if row["framework"] == "kgraph":
                row["plan"] = describe_kgraph(name)
            note(f"{name} {row['framework']}: {row['step_us']} us")
        rows += found
    return rows


def take_turns(timed: Sequence[Timed], rounds: int) -> dict[str, list[list[float]]]:
    """What was asked -> for each turn the seconds of each framework: the median of its burst."""
    turns: dict[str, list[list[float]]] = {what: [] for what in WHAT}
    for _ in progress(range(rounds), "turn"):
        for what in WHAT:
            turns[what].append([statistics.median(one.ask(what)) for one in timed])
    return turns


def summarize(rows: Rows, turns: Mapping[str, Sequence[Sequence[float]]]) -> Rows:
    """Rows with times and ratios.

    Args:
        rows: a framework each.
        turns: from `take_turns`, in the order of the rows.
    """
    found = []
    for i, row in enumerate(rows):
        row = dict(row)
        for what, key in zip(WHAT, ("ratio", "predict_ratio")):
            mine = [turn[i] for turn in turns[what]]
            row[f"{what}_us"] = round(statistics.median(mine) * 1e6, 1)
            row[f"{what}_min_us"] = round(min(mine) * 1e6, 1)
            peers = [j for j, other in enumerate(rows) if other["framework"] != "kgraph"]
            ratios = (
                [min(turn[j] for j in peers) / turn[i] for turn in turns[what]] if peers else []
            )
            row[key] = round(statistics.median(ratios), 2) if ratios else None
        found.append(row)
    return found


def describe_kgraph(name: str) -> dict[str, Any] | None:
    """What kgraph's step consists of; a process of its own, for the first compilation is timed."""
    command = [sys.executable, "-m", "kgraph.tools.bench.own", "plan", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no message"]
        warn(f"the plan of {name}: {reason[0]}")
        return None
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))

"""Two days compared: what `kgraph bench --json` printed then, and what it measures now."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from kgraph.tools.bench.turns import Rows


def load_baseline(path: str) -> Rows:
    """The rows that an earlier `--json` printed.

    Raises:
        ValueError: the file holds something else.
    """
    with open(path, encoding="utf-8") as file:
        rows = json.load(file)
    rows = rows.get("rows") if isinstance(rows, dict) else rows  # without the frame: older files
    if not isinstance(rows, list) or not all({"workload", "framework"} <= set(r) for r in rows):
        raise ValueError(f"{path} does not hold the output of kgraph bench --json")
    return rows


def regressions(rows: Rows, baseline: Rows, limit: float) -> list[str]:
    """One line for each workload of kgraph's that became slower by more than a part.

    Args:
        rows: measured now.
        baseline: measured then.
        limit: the part that is allowed, such as 0.05.

    Returns:
        Lines; by the ratio to the peers if both have one, else by the least time of a step.
    """
    lines = []
    for before, row in _pairs(rows, baseline):
        if row.get("ratio") and before.get("ratio"):
            slower = before["ratio"] / row["ratio"] - 1
        else:
            slower = row["step_min_us"] / before["step_min_us"] - 1
        if slower > limit:
            lines.append(f"{row['workload']}: slower by {slower:.1%}, allowed are {limit:.1%}")
    return lines


def compare(rows: Rows, baseline: Rows) -> list[str]:
    """One line for each workload of kgraph's that is in both: ratios, and counts that changed.

    Ratios are compared rather than times, for the machine may have had another speed.
    """
    lines = []
    for before, row in _pairs(rows, baseline):
        key = "ratio" if row.get("ratio") and before.get("ratio") else "step_us"
        parts = [f"{row['workload']}: {key} {before[key]} -> {row[key]}"]
        plans = before.get("plan") or {}, row.get("plan") or {}
        parts += [
            f"{name} {plans[0][name]} -> {value}"
            for name, value in plans[1].items()
            if name in plans[0] and name != "compile_ms" and plans[0][name] != value
        ]
        lines.append(", ".join(parts))
    return lines


def _pairs(rows: Rows, baseline: Rows) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """What was measured of kgraph then and now, of the workloads that are in both."""
    old = {r["workload"]: r for r in baseline if r["framework"] == "kgraph"}
    for row in rows:
        if row["framework"] == "kgraph" and row["workload"] in old:
            yield old[row["workload"]], row

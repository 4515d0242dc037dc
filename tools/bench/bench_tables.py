"""The measured rows as tables for the terminal."""

from __future__ import annotations

from rich.table import Table

from kgraph.tools.bench.turns import Rows


def time_table(rows: Rows) -> Table:
    """Times, memory and ratios."""
    table = Table(
        title="microseconds a training step and a predicted batch: median (minimum) of the turns;\n"
        "x: the fastest peer's time / this one's, median of the turns' ratios;\n"
        "MB: memory that building and training took"
    )
    for column in ("workload", "framework", "step", "x", "predict", "x", "MB"):
        table.add_column(column, justify="left" if column in ("workload", "framework") else "right")
    for r in rows:
        memory = r.get("memory_bytes")
        table.add_row(
            r["workload"],
            r["framework"],
            f"{r['step_us']} ({r['step_min_us']})",
            _ratio(r["ratio"]),
            f"{r['predict_us']} ({r['predict_min_us']})",
            _ratio(r["predict_ratio"]),
            "" if memory is None else f"{memory / 1e6:.0f}",
        )
    return table


def _ratio(ratio: float | None) -> str:
    return "" if ratio is None else f"{ratio:.2f}"


def plan_table(rows: Rows, title: str) -> Table:
    """What kgraph's compiled steps consist of, a column a workload."""
    mine = [r for r in rows if r.get("plan")]
    table = Table(title=title)
    table.add_column("")
    for row in mine:
        table.add_column(row["workload"], justify="right")
    for name in mine[0]["plan"] if mine else ():
        table.add_row(name.replace("_", " "), *(f"{row['plan'][name]:,}" for row in mine))
    return table

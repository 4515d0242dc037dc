"""The measured rows as tables for the terminal."""

from __future__ import annotations

from rich.table import Table

from kgraph.tools.bench.turns import Rows


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



"""`kgraph bench MODEL`: one model compiled at several levels of numerics, timed in turn."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from kgraph.errors import explain
from kgraph.ir.graph import Graph
from kgraph.ir.variable import keeping
from kgraph.passes.manager import Pipeline
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import compile
from kgraph.tools.arguments import count
from kgraph.tools.bench.counting import count_all
from kgraph.tools.bench.turns import Rows
from kgraph.tools.complaints import CommandError
from kgraph.tools.feeding import add_feeds, arrays_for, filled, running, sizes_of
from kgraph.tools.models import find_model
from kgraph.tools.progress import doing, progress, watching
from kgraph.tools.stages import LEVELS, numerics
from kgraph.tools.training_step import add_training, source_graph

NONE = "none"  # no pass at all


def add_levels(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `kgraph bench MODEL`."""
    group = parser.add_argument_group("of a MODEL")
    group.add_argument("--levels", default=f"{NONE},safe", metavar="A,B",
                       help=f"of {', '.join((NONE, *LEVELS))}; default %(default)s")  # fmt: skip
    group.add_argument(
        "--runs", type=count, default=30, help="of each level, in turn (%(default)s)"
    )
    group.add_argument("--mode", choices=("forward", "step"), default="forward",
                       help="a prediction, or a training step")  # fmt: skip
    add_training(group)
    group.add_argument("--weights", metavar="FILE", help="npz of `kgraph convert`, or .h5")
    add_feeds(group)


def names_model(text: str) -> bool:
    """Whether a word of the command line is a MODEL, rather than a workload.

    Example:
        >>> names_model("m.json"), names_model("py:net:model"), names_model("mlp_mnist")
        (True, True, False)
    """
    return text == "-" or ":" in text or "." in text


def bench_model(args: argparse.Namespace, model: str) -> Rows:
    """Times a model at the levels that the options ask for.

    Args:
        args: with the options of `add_levels`.
        model: what the command line calls it.

    Returns:
        A row a level, of the same keys as a workload's, with `p95_us`.

    Raises:
        CommandError: there is no such level, or the model cannot be read.
    """
    levels = list(dict.fromkeys(args.levels.split(",")))
    unknown = [level for level in levels if level not in (NONE, *LEVELS)]
    if unknown:
        message = f"--levels {args.levels}: no level {unknown[0]!r}"
        expected = ", ".join((NONE, *LEVELS))
        raise CommandError("E0101", explain(message, expected=expected))
    found = find_model(model, args.weights)
    graph = source_graph(found, args.mode == "step", args.loss, args.optimizer)
    arrays = arrays_for(graph, args)
    plans, seconds = {}, {}
    for level in levels:
        with watching(), doing(f"level {level}"):
            start = time.perf_counter()
            plans[level] = _plan(graph, level, args, arrays)
            seconds[level] = time.perf_counter() - start
    samples = _in_turn(plans, args.runs)
    return [_row(f"{model}@{level}", plan, samples[level], seconds[level])
            for level, plan in plans.items()]  # fmt: skip


def _plan(graph: Graph, level: str, args: argparse.Namespace, arrays: Sequence[np.ndarray]) -> Plan:
    """The plan of a level with its inputs filled."""
    with numerics(None if level == NONE else level):
        executable = compile(graph, pipeline=Pipeline(()) if level == NONE else None)
    return filled(executable, arrays, sizes_of(executable.graph, args))


def _in_turn(plans: Mapping[str, Plan], runs: int) -> dict[str, list[float]]:
    """Seconds of every run after one to warm up; variables keep their values."""
    states = [v for plan in plans.values() for v in plan.data.graph.states]
    samples: dict[str, list[float]] = {level: [] for level in plans}
    with keeping(states), running(), np.errstate(all="ignore"):
        for number in progress(range(runs + 1), "round"):
            for level, plan in plans.items():
                start = time.perf_counter()
                plan.run()
                if number:
                    samples[level].append(time.perf_counter() - start)
    return samples


def _row(name: str, plan: Plan, seconds: Sequence[float], compiling: float) -> dict[str, Any]:
    least, median, late = np.percentile(np.asarray(seconds) * 1e6, (0, 50, 95)).round(1).tolist()
    data = plan.data
    counts = {
        "compile_ms": round(compiling * 1e3, 1),
        "steps": len(data.steps),
        **count_all(data),
        "arena_bytes": data.arena_bytes,
        "lower_bound": data.lower_bound,
    }
    return {"workload": name, "framework": "kgraph", "step_us": median, "step_min_us": least,
            "p95_us": late, "ratio": None, "plan": counts}  # fmt: skip


def levels_table(rows: Rows) -> Table:
    """Times of the levels, and how they compare with the first one's least."""
    table = Table(title="microseconds a run")
    for column in ("level", "least", "median", "95 %", "to the first"):
        table.add_column(column, justify="left" if column == "level" else "right")
    for row in rows:
        ratio = row["step_min_us"] / rows[0]["step_min_us"] if rows[0]["step_min_us"] else 1.0
        times = (f"{row[key]}" for key in ("step_min_us", "step_us", "p95_us"))
        table.add_row(row["workload"].rpartition("@")[2], *times, f"{ratio:.2f}")
    return table

"""`kgraph profile`: where the time of a prediction or a training step goes, and the memory."""

from __future__ import annotations

import argparse
import time
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.printer import show_bytes
from kgraph.ir.variable import keeping
from kgraph.runtime.emit import Plan
from kgraph.runtime.executable import compile
from kgraph.runtime.profile import Profile, profile
from kgraph.tools.answers import (
    add_json,
    add_no_clobber,
    answer,
    columns,
    refuse_existing,
    to_json,
    write_file,
)
from kgraph.tools.arguments import count, whole
from kgraph.tools.complaints import CommandError
from kgraph.tools.feeding import add_feeds, arrays_for, filled, running, sizes_of
from kgraph.tools.interactive import profile_page
from kgraph.tools.models import add_model, find_model
from kgraph.tools.profile_report import (
    SORTS,
    Compilation,
    as_rows,
    by_layer,
    by_node,
    chrome_trace,
    memory_timeline,
)
from kgraph.tools.progress import doing, progress, watching
from kgraph.tools.stages import LEVELS, numerics
from kgraph.tools.training_step import add_training, source_graph

_BARS = 20  # lines of the timeline


def add_parser(subparsers: Any) -> None:
    """Adds the `profile` command to the command line."""
    parser = subparsers.add_parser(
        "profile",
        description="Compiles a model, times each step of its plan, and shows where the time goes "
        "with the rates that were reached.",
    )
    add_model(parser)
    add_feeds(parser)
    parser.add_argument("--runs", type=count, default=20, help="repetitions; the median counts")
    parser.add_argument("--warmup", type=whole, default=3, help="runs before them")
    parser.add_argument("--mode", choices=("forward", "step"), default="forward",
                        help="a prediction, or a training step")  # fmt: skip
    add_training(parser)
    parser.add_argument("--numerics", choices=LEVELS, help="which rules may fire")
    parser.add_argument(
        "--sort",
        choices=tuple(SORTS),
        default="self",
        help="a layer's own time by default; total is with all inside it",
    )
    parser.add_argument("--top", type=count, default=20, help="rows of each table")
    parser.add_argument("--memory", action="store_true", help="memory over time as well")
    parser.add_argument("-o", "--output", action="append", default=[], metavar="FILE",
                        help="a page .html, a Chrome trace .trace.json, or .json")  # fmt: skip
    add_no_clobber(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measures; returns 0."""
    for path in args.output:
        if not path.endswith((".json", ".html")) and path != "-":
            expected = "FILE.json, FILE.trace.json or FILE.html"
            raise CommandError("E0101", explain(f"-o {path}", expected=expected))
    if args.json and "-" in args.output:
        raise CommandError("E0101", "--json and -o - both want standard output")
    refuse_existing(args, *args.output)
    with numerics(args.numerics), watching():
        plan, compilation = _compiled(args)
    with running():
        measured = _measured(plan, args)
    document = _document(plan, measured, compilation, args)
    for path in args.output:
        if path.endswith(".html"):
            with doing(f"drawing {len(plan.data.graph):,} nodes"):
                page = profile_page(plan, measured, args.runs, args.model, _head(document))
            write_file(path, page.encode("utf-8", "backslashreplace"))
            continue
        trace = path.endswith("trace.json")
        data = chrome_trace(measured, plan.data, compilation) if trace else document
        write_file(path, (to_json(data) + "\n").encode())
    quiet = "-" in args.output
    return 0 if quiet else answer(args, document, _text(document, args))


def _compiled(args: argparse.Namespace) -> tuple[Plan, Compilation]:
    """A plan with its inputs filled, and how long it took to make."""
    found = find_model(args.model, args.weights)
    graph = source_graph(found, args.mode == "step", args.loss, args.optimizer)
    arrays = arrays_for(graph, args)
    start = time.perf_counter()
    budget = found.memory_budget if args.mode == "step" else None
    executable = compile(graph, memory_budget=budget)
    optimized = time.perf_counter()
    with doing("planning memory"):
        plan = filled(executable, arrays, sizes_of(executable.graph, args))
    made = time.perf_counter()
    return plan, Compilation(optimized - start, made - optimized)


def _measured(plan: Plan, args: argparse.Namespace) -> Profile:
    """The profile after some runs to warm up; variables keep their values."""
    with keeping(plan.data.graph.states):
        with np.errstate(all="ignore"):
            for _ in progress(range(args.warmup), "warming up: run"):
                plan.run()
        with doing(f"timing {len(plan.data.steps):,} steps, {args.runs} times each"):
            return profile(plan, args.runs)


def _document(
    plan: Plan, measured: Profile, compilation: Compilation, args: argparse.Namespace
) -> dict[str, Any]:
    inside = sum(row.seconds for row in measured.steps)
    nodes = [step.node for step in plan.data.steps]
    return {
        "version": 1,
        "mode": args.mode,
        "sizes": dict(plan.data.binding),
        "compile_ms": {"passes": compilation.passes * 1e3, "plan": compilation.plan * 1e3},
        "run_us": measured.total * 1e6,
        "steps_us": inside * 1e6,
        "overhead_us": (measured.total - inside) * 1e6,
        "layers": as_rows(by_layer(measured, args.sort == "total"), args.sort, inside),
        "ops": as_rows(measured.by_op(), args.sort),
        "nodes": as_rows(by_node(measured, nodes), args.sort),
        "memory": {
            "arena": plan.data.arena_bytes,
            "lower_bound": plan.data.lower_bound,
            "timeline": memory_timeline(plan.data),
        },
    }


def _head(document: dict[str, Any]) -> list[str]:
    """The lines above the tables."""
    made = document["compile_ms"]
    run_us, inside = document["run_us"], document["steps_us"]
    return [
        f"compiling: passes {made['passes']:.1f} ms, plan {made['plan']:.1f} ms",
        f"a run: {run_us:.1f} us; its {len(document['nodes'])} steps one by one: {inside:.1f} us",
        f"memory: arena {show_bytes(document['memory']['arena'])}, "
        f"no plan below {show_bytes(document['memory']['lower_bound'])}",
    ]


def _text(document: dict[str, Any], args: argparse.Namespace) -> str:
    lines, nameless = _head(document), "(all)" if args.sort == "total" else "(no layer)"
    for title in ("layers", "ops", "nodes"):
        rows = document[title]
        cells = [("by " + title[:-1], "steps", "us", "share", "MFLOP", "MB", "GFLOP/s", "GB/s")]
        for row in rows[: args.top]:
            cells.append(
                (row["name"] or nameless, str(row["calls"]), f"{row['us']:.1f}",
                 f"{row['share']:.1%}", f"{row['flops'] / 1e6:.2f}", f"{row['bytes'] / 1e6:.2f}",
                 f"{row['gflops']:.1f}", f"{row['gbs']:.1f}")
            )  # fmt: skip
        lines += ["", columns(cells)]
        if len(rows) > args.top:
            lines.append(f"... and {len(rows) - args.top} more: --top")
    return "\n".join([*lines, *(_timeline(document) if args.memory else [])])


def _timeline(document: dict[str, Any]) -> list[str]:
    """Bytes in use over the steps, a bar for a few of them each."""
    live, arena = document["memory"]["timeline"], document["memory"]["arena"] or 1
    group = max(1, -(-len(live) // _BARS))
    lines = ["", "memory in use, largest of each group of steps"]
    for start in range(0, len(live), group):
        most = max(live[start : start + group])
        bar = "#" * round(40 * most / arena)
        lines.append(f"{start:>6}  {show_bytes(most):>10}  {bar}")
    return lines

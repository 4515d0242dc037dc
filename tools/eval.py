"""`kgraph eval`: runs a model on arrays, says what came out, and compares with the interpreter."""

from __future__ import annotations

import argparse
import fnmatch
import io
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.variable import Variable, keeping
from kgraph.runtime.executable import Executable, compile
from kgraph.runtime.interp import interpret
from kgraph.tools.answers import (
    add_json,
    add_no_clobber,
    answer,
    columns,
    refuse_existing,
    write_file,
)
from kgraph.tools.arguments import count, tolerance
from kgraph.tools.colors import paint
from kgraph.tools.complaints import NO, OK, CommandError
from kgraph.tools.divergence import (
    Divergence,
    Results,
    compare_with_interpreter,
    describe,
    first_divergence,
)
from kgraph.tools.feeding import add_feeds, arrays_for, running
from kgraph.tools.models import add_model, find_model
from kgraph.tools.progress import progress, watching
from kgraph.tools.stages import LEVELS, numerics
from kgraph.tools.training_step import add_training, source_graph

_KEYS = ("dtype", "shape", "min", "max", "mean", "nan", "inf")


def add_parser(subparsers: Any) -> None:
    """Adds the `eval` command to the command line."""
    parser = subparsers.add_parser(
        "eval",
        description="Feeds arrays, prints shape, least, greatest and mean element and NaNs of "
        "each output. Variables keep their values.",
    )
    add_model(parser)
    add_feeds(parser)
    parser.add_argument("--output", action="append", default=[], metavar="[NAME=]FILE",
                        help="write an output as .npy, or one or all as .npz")  # fmt: skip
    parser.add_argument("--numerics", choices=LEVELS, help="which rules may fire")
    parser.add_argument(
        "--repeat", type=count, default=1, metavar="N", help="run N times, and time"
    )
    parser.add_argument("--check", action="store_true",
                        help="compare with the interpreter; 1 if they differ")  # fmt: skip
    parser.add_argument("--rtol", type=tolerance, default=1e-3, help="of --check (%(default)s)")
    parser.add_argument("--atol", type=tolerance, default=1e-4, help="of --check (%(default)s)")
    parser.add_argument("--train-step", action="store_true",
                        help="a training step on random targets, and what it changes")  # fmt: skip
    add_training(parser)
    parser.add_argument("--lr", type=tolerance, help="learning rate of the step")
    parser.add_argument("--trace-values", metavar="GLOB", help="describe ops of these layers too")
    add_no_clobber(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the model; returns 0, or 1 if `--check` finds a difference."""
    graph = _graph(args)
    names = [name for name, _ in graph.outputs]
    targets, arrays = _targets(args, names), arrays_for(graph, args)
    with numerics(args.numerics), running(), watching():
        executable = compile(graph)
        results, changes, times = _ran(executable, graph, arrays, args.repeat)
        close = args.rtol, args.atol
        wrong = compare_with_interpreter(graph, arrays, results, *close) if args.check else []
        first = first_divergence(graph, arrays, *close) if wrong else None
    outputs, written = results
    for path, wanted in targets:
        _write(path, {name: outputs[names.index(name)] for name in wanted})
    document = {
        "outputs": [{"name": n, **describe(a)} for n, a in zip(names, outputs, strict=True)],
        "updates": [
            {"name": v.name, "change": changes[v], **describe(a)} for v, a in written.items()
        ],
        "values": _traced(graph, arrays, args.trace_values) if args.trace_values else [],
        "runs": len(times),
        "ms": {"min": min(times) * 1e3, "median": sorted(times)[len(times) // 2] * 1e3},
        "checked": args.check,
        "diverging": [asdict(d) for d in wrong],
        "first": asdict(first) if first else None,
    }
    return answer(args, document, _text(document, wrong, first), NO if wrong else OK)


def _graph(args: argparse.Namespace) -> Graph:
    found = find_model(args.model, args.weights)
    graph = source_graph(found, args.train_step, args.loss, args.optimizer)
    if args.train_step and args.lr is not None:
        found.optimizer.lr = args.lr
    return graph


def _ran(
    executable: Executable, graph: Graph, arrays: Sequence[np.ndarray], repeat: int
) -> tuple[Results, dict[Variable, float], list[float]]:
    """What the first run made, how much it changed each variable, and the seconds of each run."""
    times: list[float] = []
    outputs, new = [], {}
    with keeping(executable.graph.states) as kept:
        for number in progress(range(repeat), "run"):
            start = time.perf_counter()
            found = executable(*arrays)
            times.append(time.perf_counter() - start)
            if number == 0:
                outputs, new = list(found), {v: v.numpy() for v, _ in graph.updates}
    return (outputs, new), {v: _change(kept[v], new[v]) for v in new}, times


def _change(old: np.ndarray, new: np.ndarray) -> float:
    """The largest change of an element."""
    gap = np.abs(new.astype("float64") - old.astype("float64"))
    return float(gap.max(initial=0.0))


def _targets(args: argparse.Namespace, names: Sequence[str]) -> list[tuple[str, list[str]]]:
    """The files to write, each with the outputs that go into it."""
    found = []
    for text in args.output:
        name, mark, path = text.partition("=")
        if not mark:  # all outputs in one file
            name, path = "", text
        wanted = [name] if name else list(names)
        if name and name not in names:
            expected = ", ".join(names)
            raise CommandError("E0431", explain(f"no output {name!r}", expected=expected))
        if not path.endswith(".npz") and not (path.endswith(".npy") and len(wanted) == 1):
            expected = "FILE.npz, or NAME=FILE.npy"
            raise CommandError("E0101", explain(f"--output {text}", expected=expected))
        found.append((path, wanted))
    refuse_existing(args, *(path for path, _ in found))
    return found


def _write(path: str, arrays: dict[str, np.ndarray]) -> None:
    file = io.BytesIO()
    if path.endswith(".npz"):
        np.savez(file, **arrays)  # type: ignore[arg-type]
    else:
        np.save(file, next(iter(arrays.values())))
    write_file(path, file.getvalue())


def _traced(graph: Graph, arrays: Sequence[np.ndarray], glob: str) -> list[dict[str, Any]]:
    """What the ops of the layers that a pattern fits compute, by the interpreter."""
    nodes = [
        n
        for n in graph.nodes
        if n.inputs and len(n.types) == 1 and fnmatch.fnmatch(f"{n.origin.scope}/{n.op.name}", glob)
    ]
    if not nodes:
        scopes = dict.fromkeys(f"{n.origin.scope}/{n.op.name}" for n in graph.nodes if n.inputs)
        expected = ", ".join(list(scopes)[:12])
        raise CommandError("E0431", explain(f"no op fits {glob!r}", expected=expected))
    outputs = tuple((f"v{i}", n) for i, n in enumerate(nodes))
    values = interpret(Graph(graph.inputs, outputs, (), Stage.CORE), arrays)[0]
    return [
        {"name": f"{n.origin.scope}/{n.op.name}", **describe(v)}
        for n, v in zip(nodes, values, strict=True)
    ]


def _text(document: dict[str, Any], wrong: Sequence[Divergence], first: Divergence | None) -> str:
    lines = []
    for title in ("outputs", "updates", "values"):
        rows = document[title]
        if rows:
            keys = (*_KEYS, "change") if title == "updates" else _KEYS
            lines.append(columns([(title, *keys), *([row["name"], *_cells(row, keys)]
                                                    for row in rows)]))  # fmt: skip
    if document["runs"] > 1:
        times = document["ms"]
        lines.append(f"{document['runs']} runs: least {times['min']:.3f} ms, "
                     f"median {times['median']:.3f} ms")  # fmt: skip
    for each in wrong:
        lines.append(paint(f"differs from the interpreter: {each.name}", "error")
                     + f", by {each.error:.2g}")  # fmt: skip
    if first is not None:
        lines.append(f"first diverging node: {first.name}, by {first.error:.2g}  {first.place}")
    elif wrong:
        lines.append("no node differs when it is compiled alone: see kgraph passes --bisect")
    if document["checked"] and not wrong:
        lines.append(paint("agrees with the interpreter", "good"))
    return "\n".join(lines)


def _cells(row: dict[str, Any], keys: Sequence[str]) -> list[str]:
    shown = []
    for key in keys:
        value = row[key]
        shown.append("-" if value is None else f"{value:.4g}" if isinstance(value, float)
                     else str(value))  # fmt: skip
    return shown

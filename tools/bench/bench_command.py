"""The `bench` command: its arguments, its complaints and what it prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.tools import overheads
from kgraph.tools.answers import answer
from kgraph.tools.arguments import count
from kgraph.tools.bench.baselines import compare, load_baseline, regressions
from kgraph.tools.bench.bench_tables import plan_table, time_table
from kgraph.tools.bench.levels import add_levels, bench_model, levels_table, names_model
from kgraph.tools.bench.peers.workloads import FRAMEWORKS, WORKLOADS
from kgraph.tools.bench.turns import Rows, measure
from kgraph.tools.colors import console
from kgraph.tools.complaints import NO, OK, USAGE, CommandError, complain, unreadable
from kgraph.tools.machine import load_average, processor
from kgraph.tools.progress import doing
from kgraph.tools.stdout import say, to_stdout
from kgraph.tools.terminal import note, warn


def add_parser(subparsers: Any) -> None:
    """Adds the `bench` command to the command line."""
    parser = subparsers.add_parser("bench")
    parser.add_argument(
        "workloads",
        nargs="*",
        metavar="WORKLOAD",
        help=f"default all: {', '.join(WORKLOADS)}; or one MODEL, which is timed at several levels",
    )
    parser.add_argument("--rounds", type=count, default=15, help="turns of each (default 15)")
    parser.add_argument(
        "--peers",
        default="torch,jax,keras",
        help="frameworks to compare with (default torch,jax,keras); a backend may follow Keras's "
        "name, as in keras-tensorflow, else KERAS_BACKEND or jax is taken",
    )
    parser.add_argument(
        "--python",
        action="append",
        default=[],
        metavar="[PEER=]PATH",
        help="interpreter that has the peers, or that one; may be given several times",
    )
    parser.add_argument(
        "--overheads",
        action="store_true",
        help="time importing, compiling and the loops around steps instead",
    )
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.add_argument(
        "--baseline", metavar="FILE", help="compare with what --json printed on another day"
    )
    parser.add_argument(
        "--max-regress",
        metavar="PERCENT",
        help="end with 1 if kgraph became slower than the baseline by more, such as 5%%",
    )
    add_levels(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Runs the benchmark and prints tables or JSON."""
    if args.overheads:
        with doing("importing, compiling, going through the loops around steps"):
            found = overheads.measure()
        lines = [f"{_time(seconds)}  {name}" for name, seconds in found.items()]
        return answer(args, found, "\n".join(lines))
    models = [word for word in args.workloads if names_model(word)]
    if models and len(args.workloads) > 1:
        return complain("one MODEL at a time, and no workload beside it", USAGE)
    names = args.workloads or list(WORKLOADS)
    peers = [p for p in args.peers.split(",") if p]
    complaint = "" if models else _complaint(names, peers)
    if complaint:
        return complain(complaint, USAGE)
    limit = _limit(args)
    baseline = _baseline(args.baseline)
    _warn_of_load()
    rows = bench_model(args, models[0]) if models else _measured(args, names, peers)
    compared = compare(rows, baseline)
    worse = [] if limit is None else regressions(rows, baseline, limit)
    if args.json:
        for line in (*compared, *worse):
            note(line)
        document = {"rows": rows, "compared": compared, "regressions": worse}
        return answer(args, document, "", NO if worse else OK)
    with to_stdout():
        console().print(levels_table(rows) if models else time_table(rows))
        console().print(plan_table(rows, "a run" if models else "the compiled training step"))
    say("\n".join([*compared, *worse]))
    return NO if worse else OK


def _measured(args: argparse.Namespace, names: Sequence[str], peers: Sequence[str]) -> Rows:
    """The rows of workloads."""
    try:
        return measure(names, interpreters(peers, args.python), args.rounds)
    except RuntimeError as error:
        raise CommandError("E0501", f"a framework ended in the middle: {error}") from error


def _limit(args: argparse.Namespace) -> float | None:
    """The part by which a step may become slower, None for any."""
    if args.max_regress is None:
        return None
    text = args.max_regress.removesuffix("%")
    try:
        limit = float(text) / 100
    except ValueError:
        limit = -1.0
    if not 0 <= limit < float("inf") or not args.baseline:
        hint = "--max-regress 5% --baseline FILE"
        raise CommandError("E0101", explain(f"--max-regress {args.max_regress}", hint=hint))
    return limit


def _baseline(path: str | None) -> Rows:
    """The rows of another day, none if there is no file to read."""
    try:
        return load_baseline(path) if path else []
    except OSError as error:
        raise unreadable(f"--baseline {path}", error) from error
    except ValueError as error:
        raise CommandError("E0402", f"--baseline {path}: {error}") from error


def _warn_of_load() -> None:
    """Says that times mean little when more wants to run than there are cores."""
    load, cores = load_average(), processor().cores
    if load is not None and load > cores:
        warn(f"load average {load:.1f} on {cores} cores: compare ratios, not times")


def _time(seconds: float) -> str:
    """A time in columns, in milliseconds or microseconds."""
    return f"{seconds * 1e3:9.1f} ms" if seconds >= 1e-3 else f"{seconds * 1e6:9.1f} us"


def _complaint(names: Sequence[str], peers: Sequence[str]) -> str:
    """What is wrong with the arguments, or nothing."""
    unknown = [n for n in names if n not in WORKLOADS]
    if unknown:
        return f"unknown workload: {', '.join(unknown)}\n  hint: one of {', '.join(WORKLOADS)}"
    unknown = [p for p in peers if p.split("-")[0] not in FRAMEWORKS]
    if unknown:
        return f"unknown peer: {', '.join(unknown)}\n  hint: one of {', '.join(FRAMEWORKS)}"
    return ""


def interpreters(peers: Sequence[str], given: Sequence[str]) -> dict[str, str]:
    """The interpreter of each peer.

    Args:
        peers: their names.
        given: what stood behind `--python`: a path for all, or `PEER=PATH` for one.
    """
    pairs = [text.split("=", 1) if "=" in text else ["", text] for text in given]
    own = {name: path for name, path in pairs if name}
    others = next((path for name, path in reversed(pairs) if not name), sys.executable)
    return {peer: own.get(peer, others) for peer in peers}

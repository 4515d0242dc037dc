"""`kgraph check`: is a model sound? Types, unused parts, float64, unstable forms, gradients."""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import asdict
from typing import Any

from kgraph.tools.answers import add_json, answer
from kgraph.tools.arguments import whole
from kgraph.tools.colors import paint
from kgraph.tools.complaints import NO, OK, CommandError
from kgraph.tools.findings import (
    ERROR,
    WARNING,
    Finding,
    gradients,
    instability,
    levels,
    poison,
    promotions,
    structure,
    unused,
)
from kgraph.tools.models import add_model, find_model, graph_of
from kgraph.tools.progress import doing, watching

_MOST_DRAWS = 1000
_STYLES = {"error": "error", "warning": "warning", "note": "dim"}


def add_parser(subparsers: Any) -> None:
    """Adds the `check` command to the command line."""
    parser = subparsers.add_parser(
        "check",
        description="Prints findings as LEVEL CODE LOCATION: MESSAGE, and ends with 1 if one is "
        "an error.",
    )
    add_model(parser)
    parser.add_argument("--strict", action="store_true", help="1 for warnings as well")
    parser.add_argument("--gradients", action="store_true", help="against finite differences")
    parser.add_argument("--levels", action="store_true",
                        help="every level of numerics against the interpreter")  # fmt: skip
    parser.add_argument("--fuzz", type=whole, default=0, metavar="N",
                        help=f"the same on N draws, at most {_MOST_DRAWS}")  # fmt: skip
    parser.add_argument("--poison", action="store_true",
                        help="run where memory is NaN unless something lives in it")  # fmt: skip
    parser.add_argument("--seed", type=whole, default=0, help="of what is drawn")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Checks; returns 0, or 1 for errors, and with `--strict` for warnings."""
    if args.fuzz > _MOST_DRAWS:
        raise CommandError("E0101", f"--fuzz takes 0 to {_MOST_DRAWS}")
    found = find_model(args.model, args.weights)
    graph_of(found)  # complains of a model without shapes
    with doing("looking at the structure"):
        results = structure(found)
    if not any(f.level == ERROR for f in results):  # what is invalid cannot be looked into
        results += _deeper(found, args)
    counts = Counter(f.level for f in results)
    bad = counts[ERROR] + (counts[WARNING] if args.strict else 0)
    document = {"findings": [asdict(f) for f in results], "counts": dict(counts)}
    return answer(args, document, _text(results, counts), NO if bad else OK)


def _deeper(found: Any, args: argparse.Namespace) -> list[Finding]:
    with watching():
        results = [*unused(found), *promotions(found), *instability(found)]
        if args.gradients:
            with doing("gradients against finite differences"):
                results += gradients(found, args.seed)
        if args.poison:
            results += poison(found, max(args.fuzz, 2), args.seed)
        draws = max(args.fuzz, 2 if args.levels else 0)
        return [*results, *(levels(found, draws, args.seed) if draws else [])]


def _text(results: list[Finding], counts: Counter[str]) -> str:
    lines = []
    for each in results:
        head, _, rest = str(each).partition(" ")
        lines.append(f"{paint(head, _STYLES[each.level])} {rest}")
    if not results:
        return paint("nothing found", "good")
    return "\n".join([*lines, ", ".join(f"{n} {level}s" for level, n in counts.items())])

"""`kgraph diff`: what differs between two models, two graphs, or two stages of one model."""

from __future__ import annotations

import argparse
import dataclasses
from typing import Any

from kgraph.errors import KGraphError, explain
from kgraph.ir.graph import Graph
from kgraph.layers.naming import reset_uids
from kgraph.tools.answers import add_json, answer
from kgraph.tools.colors import paint
from kgraph.tools.comparison import IGNORABLE, Comparison, compare_graphs
from kgraph.tools.complaints import NO, OK, CommandError
from kgraph.tools.models import HELP, find_model, graph_of
from kgraph.tools.stages import at_stage, split_stage

_SHOWN = 120  # characters of a value


def add_parser(subparsers: Any) -> None:
    """Adds the `diff` command to the command line."""
    parser = subparsers.add_parser(
        "diff",
        description="Lists nodes that were removed, added and changed; ends with 0 if there are "
        "none, else with 1. A stage may follow a model: m.json@layers m.json@core, "
        "m.json@fused:strict m.json@fused:fast.",
    )
    for name in ("a", "b"):
        parser.add_argument(name, metavar=name.upper(), help=f"{HELP}; with @STAGE[:NUMERICS]")
    parser.add_argument(
        "--ignore", default="", metavar="WHAT", help=f"of {', '.join(IGNORABLE)}, with commas"
    )
    parser.add_argument("--values", action="store_true", help="compare the weights' values as well")
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compares; returns 0 if nothing differs, else 1."""
    ignored = [word for word in args.ignore.split(",") if word]
    for word in ignored:
        if word not in IGNORABLE:
            expected = ", ".join(IGNORABLE)
            raise CommandError("E0101", explain(f"--ignore {word!r}", expected=expected))
    if args.a == args.b == "-":
        raise CommandError("E0101", "standard input can be one of the two only")
    graphs = [_graph(text) for text in (args.a, args.b)]
    found = compare_graphs(graphs[0], graphs[1], ignored, args.values)
    document = {"identical": found.identical, **dataclasses.asdict(found)}
    return answer(args, document, _text(found), OK if found.identical else NO)


def _graph(text: str) -> Graph:
    """The graph of one side; automatic names count from 1 for each."""
    model, stage, level = split_stage(text)
    reset_uids()
    found = find_model(model)
    try:
        return at_stage(graph_of(found), stage, level)
    except KGraphError as error:
        raise CommandError("E0411", f"{text}: {error}") from error


def _text(found: Comparison) -> str:
    lines = [paint(f"- {line}", "error") for line in found.removed]
    lines += [paint(f"+ {line}", "good") for line in found.added]
    for change in found.changed:
        lines.append(paint(f"~ {change.old}", "warning"))
        lines += [
            f"    {key}: {_short(old)} -> {_short(new)}"
            for key, (old, new) in change.fields.items()
        ]
    lines += [paint(f"~ {line}", "warning") for line in found.signature]
    if found.identical:
        return f"identical: {found.matched} nodes"
    counts = f"{len(found.removed)} removed, {len(found.added)} added"
    return "\n".join([*lines, f"{counts}, {len(found.changed)} changed, {found.matched} matched"])


def _short(text: str) -> str:
    text = text.replace("\n", "; ")
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."

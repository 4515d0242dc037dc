"""`kgraph diff`: what differs between two models, two graphs, or two stages of one model."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from kgraph.errors import KGraphError, explain
from kgraph.ir.graph import Graph
from kgraph.layers.naming import reset_uids
from kgraph.tools.answers import (
    add_json,
    add_no_clobber,
    answer,
    as_json,
    refuse_existing,
    write_file,
)
from kgraph.tools.colors import paint
from kgraph.tools.comparison import IGNORABLE, Comparison, compare_graphs, short_value
from kgraph.tools.complaints import NO, OK, CommandError
from kgraph.tools.diff_page import diff_page
from kgraph.tools.models import HELP, find_model, graph_of
from kgraph.tools.progress import doing, watching
from kgraph.tools.stages import at_stage, split_stage

FORMATS = {"text": ".txt", "html": ".html", "json": ".json"}


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
    first = parser.add_mutually_exclusive_group()
    first.add_argument("--structural", dest="first", action="store_const", const="structure",
                       default="", help="nodes correspond by structure alone")  # fmt: skip
    first.add_argument("--by-name", dest="first", action="store_const", const="name",
                       help="by name first, then by structure")  # fmt: skip
    parser.add_argument("-o", "--output", metavar="FILE", help="write it; - is standard output")
    parser.add_argument("--format", choices=tuple(FORMATS),
                        help="default by the extension of -o, else text")  # fmt: skip
    add_no_clobber(parser)
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
    path, format = _target(args)
    graphs = _graph(args.a), _graph(args.b)
    with doing("comparing"):
        found = compare_graphs(*graphs, ignored, args.values, args.first)
    code = OK if found.identical else NO
    document = {"identical": found.identical, **dataclasses.asdict(found)}
    if path is None and (args.json or format == "text"):
        return answer(args, document, _text(found), code)
    with doing(f"writing what differs between {args.a} and {args.b}"):
        made = _made(format, graphs, found, document, code, (args.a, args.b))
    write_file(path or "-", made.encode("utf-8", "backslashreplace"))
    return answer(args, document, "", code)  # --json goes with a file only


def _target(args: argparse.Namespace) -> tuple[str | None, str]:
    """The file, None if there is none, and its format."""
    path, suffix = args.output, Path(args.output or "").suffix.lower()
    known = {suffix: name for name, suffix in FORMATS.items()}
    format = args.format or ("json" if args.json and path is None else known.get(suffix, "text"))
    if path not in (None, "-") and suffix != FORMATS[format]:
        expected = f"FILE{FORMATS[format]}" if args.format else ", ".join(known)
        raise CommandError("E0101", explain(f"-o {path}", expected=expected))
    if args.json and (path == "-" or (path is None and format == "html")):
        raise CommandError("E0101", "--json and the page both want standard output")
    refuse_existing(args, *filter(None, (path,)))
    return path, format


def _made(
    format: str,
    graphs: tuple[Graph, Graph],
    found: Comparison,
    document: dict[str, Any],
    code: int,
    names: tuple[str, str],
) -> str:
    """The content of a file."""
    if format == "html":
        return diff_page(graphs, found, names)
    return f"{as_json(document, code) if format == 'json' else _text(found)}\n"


def _graph(text: str) -> Graph:
    """The graph of one side; automatic names count from 1 for each."""
    model, stage, level = split_stage(text)
    reset_uids()
    found = find_model(model)
    try:
        with watching():
            return at_stage(graph_of(found), stage, level)
    except KGraphError as error:
        raise CommandError("E0411", f"{text}: {error}") from error


def _text(found: Comparison) -> str:
    lines = [paint(f"- {line}", "error") for line in found.removed]
    lines += [paint(f"+ {line}", "good") for line in found.added]
    for change in found.changed:
        lines.append(paint(f"~ {change.old}", "warning"))
        lines += [
            f"    {key}: {short_value(old)} -> {short_value(new)}"
            for key, (old, new) in change.fields.items()
        ]
    lines += [paint(f"~ {line}", "warning") for line in found.signature]
    if found.identical:
        return f"identical: {found.matched} nodes"
    counts = f"{len(found.removed)} removed, {len(found.added)} added"
    return "\n".join([*lines, f"{counts}, {len(found.changed)} changed, {found.matched} matched"])

"""`kgraph viz`: reads a model's JSON, brings it to a stage, and draws it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from kgraph.errors import KGraphError, StageError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.passes.lower import lower
from kgraph.passes.pipeline import optimize
from kgraph.tools.complaints import BAD_INPUT, USAGE, complain
from kgraph.tools.models import HELP, find_model, graph_of
from kgraph.tools.viz.write import FORMATS, choose_format, write_picture

_ORDER = list(Stage)


def add_parser(subparsers: Any) -> None:
    """Adds the `viz` command to the command line."""
    parser = subparsers.add_parser(
        "viz",
        help="draw a model's graph",
        description="Draws the graph of a model. MODEL.json is Keras model JSON or kgraph JSON; "
        "the content decides. svg, png and pdf need Graphviz's program `dot`.",
    )
    parser.add_argument("model", metavar="MODEL.json", help=HELP)
    parser.add_argument(
        "-o", "--output", help="picture to write, its extension is the format; - is standard output"
    )
    parser.add_argument("--format", choices=FORMATS, help="format; needed for -o -")
    parser.add_argument("--view", choices=("layers", "ops"), help="a box a layer call, or an op")
    parser.add_argument(
        "--stage",
        choices=[stage.value for stage in Stage],
        help="layers as written, core ops (default of --view ops), or fused: what runs",
    )
    parser.add_argument("--rankdir", choices=("TB", "BT", "LR", "RL"), default="TB")
    parser.add_argument("--title", help="text above the picture; default the file's name")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draws; returns 0, 2 for wrong options, 3 without `dot`, 4 for a file that is no model."""
    stem = "model" if args.model == "-" else Path(args.model).stem
    output = args.output or f"{stem}.{args.format or 'svg'}"
    complaint = choose_format(output, args.format)[1]
    if args.view == "layers" and args.stage in ("core", "fused"):
        complaint = f"--view layers contradicts --stage {args.stage}: lowering replaces the layers"
    if complaint:
        return complain(complaint, USAGE)
    try:
        graph = at_stage(read_model(args.model), args.view, args.stage)
    except (KGraphError, OSError, ValueError) as error:
        return complain(f"{args.model}: {error}", BAD_INPUT)
    title = stem if args.title is None else args.title
    return write_picture(graph, output, format=args.format, title=title, rankdir=args.rankdir)


def read_model(text: str) -> Graph:
    """The graph of the model that a text names; see `find_model`."""
    return graph_of(find_model(text))


def at_stage(graph: Graph, view: str | None, stage: str | None) -> Graph:
    """The graph at the stage that the options ask for.

    Args:
        graph: as it was read.
        view: layers, ops or None.
        stage: a stage's name, or None: for ops at least core, else as it is.

    Raises:
        StageError: the graph is past that stage.
    """
    present = _ORDER.index(graph.stage)
    wanted = max(present, _ORDER.index(Stage.CORE)) if view == "ops" else present
    if view == "layers":
        wanted = _ORDER.index(Stage.LAYERS)
    if stage is not None:
        wanted = _ORDER.index(Stage(stage))
    if wanted < present:
        raise StageError(
            explain(
                f"the file holds a graph at stage {graph.stage.value}, which is past "
                f"{_ORDER[wanted].value}",
                hint=f"--view ops --stage {graph.stage.value}",
            )
        )
    if wanted > present and graph.stage is Stage.LAYERS:
        graph = lower(graph)
    return optimize(graph)[0] if _ORDER[wanted] is Stage.FUSED else graph

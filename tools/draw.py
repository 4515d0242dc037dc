"""`kgraph viz`: reads a model, brings it to the stage that a view shows, and has it drawn."""

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
from kgraph.tools.training_step import training_step
from kgraph.tools.viz.model import VIEWS
from kgraph.tools.viz.write import FORMATS, choose_format, write_picture

_ORDER = list(Stage)
# View -> the stage that it shows when none is asked for; ops of a later stage stay there.
_STAGES = {"ops": Stage.CORE, "step": Stage.CORE, "fused": Stage.FUSED, "memory": Stage.FUSED}


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
    parser.add_argument(
        "--view",
        choices=VIEWS,
        help="a box a layer call, or an op; the phases of a training step; fused regions; memory",
    )
    parser.add_argument(
        "--stage",
        choices=[stage.value for stage in Stage],
        help="layers as written, core ops (default of --view ops), or fused: what runs",
    )
    parser.add_argument(
        "--training", action="store_true", help="the training step; --view step implies it"
    )
    parser.add_argument("--optimizer", default="adam", help="of a model that is not compiled")
    parser.add_argument("--loss", help="of such a model; default by the op of each output")
    parser.add_argument("--rankdir", choices=("TB", "BT", "LR", "RL"), default="TB")
    parser.add_argument("--title", help="text above the picture; default the file's name")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draws; returns 0, 2 for wrong options, 3 without `dot`, 4 for a file that is no model."""
    stem = "model" if args.model == "-" else Path(args.model).stem
    output = args.output or f"{stem}.{args.format or 'svg'}"
    complaint = choose_format(output, args.format)[1] or _contradiction(args)
    if complaint:
        return complain(complaint, USAGE)
    try:
        found = read_model(args.model)
        if args.training or args.view == "step":
            graph = _training_graph(found, args)
        else:
            graph = at_stage(graph_of(found), args.view, args.stage)
    except (KGraphError, OSError, ValueError) as error:
        return complain(f"{args.model}: {error}", BAD_INPUT)
    title = stem if args.title is None else args.title
    return write_picture(
        graph, output, format=args.format, title=title, view=args.view, rankdir=args.rankdir
    )


def _contradiction(args: argparse.Namespace) -> str | None:
    """What is wrong with the options together."""
    training = args.training or args.view == "step"
    if args.view == "layers" and (training or args.stage in ("core", "fused")):
        other = "--training" if training else f"--stage {args.stage}"
        return f"--view layers contradicts {other}: lowering replaces the layers"
    if args.stage == "layers" and (training or args.view in ("fused", "memory")):
        other = "--training" if training else f"--view {args.view}"
        return f"--stage layers contradicts {other}: lowering replaces the layers"
    if args.view == "fused" and args.stage == "core":
        return "--view fused contradicts --stage core: passes fuse the ops"
    return None


def read_model(text: str) -> Any:
    """The model or graph that a text names; see `find_model`."""
    return find_model(text)


def _training_graph(found: Any, args: argparse.Namespace) -> Graph:
    step = training_step(found, args.loss, args.optimizer)
    wanted = Stage(args.stage) if args.stage else _STAGES.get(args.view, Stage.CORE)
    assert step.report is not None
    return step.graph if wanted is Stage.FUSED else step.report.source


def at_stage(graph: Graph, view: str | None, stage: str | None) -> Graph:
    """The graph at the stage that the options ask for.

    Args:
        graph: as it was read.
        view: one of `VIEWS` or None.
        stage: a stage's name, or None: what the view shows, else as it is.

    Raises:
        StageError: the graph is past that stage.
    """
    present = _ORDER.index(graph.stage)
    wanted = present
    if view in _STAGES:
        wanted = max(present, _ORDER.index(_STAGES[view]))
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

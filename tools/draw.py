"""`kgraph viz`: reads a model, makes the view that is asked for, and has it drawn."""

from __future__ import annotations

import argparse
import re
import webbrowser
from pathlib import Path
from typing import Any

from kgraph.errors import KGraphError, RenderError, explain
from kgraph.ir.graph import Stage
from kgraph.tools.answers import add_json, answer, write_file
from kgraph.tools.complaints import CommandError
from kgraph.tools.interactive import interactive_page
from kgraph.tools.models import add_model, find_model, graph_of
from kgraph.tools.progress import doing, watching
from kgraph.tools.terminal import note, warn
from kgraph.tools.viewed import at_stage, contradiction, training_graph
from kgraph.tools.viz.looks import SHOWN, THEMES, USUAL, Style
from kgraph.tools.viz.model import VIEWS, GraphView
from kgraph.tools.viz.opening import open_clusters, visible
from kgraph.tools.viz.select import select
from kgraph.tools.viz.view import build_view
from kgraph.tools.viz.write import (
    BINARY,
    ENGINES,
    EXTENSIONS,
    FORMATS,
    TIMEOUT,
    format_of,
    render,
    save_picture,
)

_SPLINES = ("polyline", "curved", "straight", "ortho")
_PIXELS = {"px": 1.0, "in": 96.0, "mm": 96 / 25.4}
ALL = 1 << 30  # a depth that nothing reaches
# Above this many boxes a Mermaid picture is closed as far as a first look is.
MERMAID = 500
_EPILOG = (
    "Without Graphviz's program `dot` an svg is laid out by kgraph itself, which is also what "
    "--engine own asks for; png and pdf need `dot`."
)


def add_parser(subparsers: Any) -> None:
    """Adds the `viz` command to the command line."""
    parser = subparsers.add_parser(
        "viz",
        description="Draws the graph of a model: one view as a picture, or, with -o x.html and "
        "without --view, all of them as one page that a browser opens.",
        epilog=_EPILOG,
    )
    add_model(parser)
    _add_files(parser)
    _add_content(parser)
    _add_looks(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def _add_files(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    add = group.add_argument
    add(
        "-o",
        "--output",
        action="append",
        metavar="FILE",
        help="its extension is the format; - is standard output; may be given several times",
    )
    add("--format", choices=FORMATS, help="needed for -o -")
    add("--engine", choices=ENGINES, default="auto", help="who lays out; auto is dot if it works")
    add("--timeout", type=_positive, default=TIMEOUT, help="seconds for dot; %(default)g")
    add("--passes", action="store_true", help="html: step through what the passes did")
    add(
        "--run",
        dest="runs",
        type=_count,
        default=0,
        metavar="N",
        help="html: times, the median of N runs",
    )
    add("--open", action="store_true", help="open the first file in a browser or viewer")
    add("--no-clobber", action="store_true", help="never replace a file")
    add("--dpi", type=_count, default=200, help="of png; %(default)s")
    add("--size", type=_size, metavar="WxH", help="fit into, in px, in or mm: 800x600, 6x4in")


def _add_content(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is shown")
    add = group.add_argument
    add(
        "--view",
        choices=VIEWS,
        help="a box a layer call, or an op; the phases of a training step; fused regions; memory",
    )
    add(
        "--stage",
        choices=[stage.value for stage in Stage],
        help="layers as written, core ops (default of --view ops), or fused: what runs",
    )
    add("--training", action="store_true", help="the training step; --view step implies it")
    add("--optimizer", default="adam", help="of a model that is not compiled; %(default)s")
    add("--loss", help="of such a model; default by the op of each output")
    add(
        "--depth",
        type=_depth,
        metavar="N|all",
        help="open clusters down to here; default as deep as leaves at most 300 boxes",
    )
    add("--expand-nested", action="store_true", help="open all clusters")
    add("--no-fold", action="store_true", help="show equal blocks in a row one by one")
    add("--select", action="append", default=[], metavar="GLOB", help="nodes, layers or clusters")
    add("--from", dest="start", metavar="NODE", help="with --to: what lies between")
    add("--to", dest="end", metavar="NODE")
    add("--around", metavar="NODE", help="what is near")
    add("--hops", type=_count, default=2, help="how near; %(default)s")
    add(
        "--dim",
        action="append",
        default=[],
        type=_dim,
        metavar="NAME=N",
        help="number of a symbolic size for estimates and memory; default 32",
    )
    add("--max-nodes", type=_count, default=100_000, help="a larger view is refused")


def _add_looks(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("looks")
    add = group.add_argument
    add(
        "--show",
        type=_shown,
        default=USUAL,
        metavar="A,B",
        help=f"of {', '.join(SHOWN)}; or all, or none",
    )
    add("--rankdir", choices=("TB", "BT", "LR", "RL"), default="TB")
    add("--splines", choices=_SPLINES, default="polyline", help="%(default)s")
    add("--wrap", type=_count, metavar="N", help="go on in a new column after N rows (own engine)")
    add("--theme", choices=tuple(THEMES), default="auto", help="auto is light")
    add("--source-links", action="store_true", help="source files with their folders")
    add("--title", help="text above the picture; default the file's name")


def run(args: argparse.Namespace) -> int:
    """Draws; returns 0, or ends with the code of an error of the catalogue."""
    try:
        outputs = _outputs(args)
        complaint = contradiction(args.view, args.stage, args.training)
        if complaint:
            raise CommandError("E0101", complaint)
        return _draw(args, outputs)
    except RenderError as error:
        raise CommandError(error.error, str(error)) from error


def _stem(args: argparse.Namespace) -> str:
    """The name of the model without folders, extension or `py:`."""
    return "model" if args.model == "-" else Path(args.model.rsplit(":", 1)[-1]).stem


def _outputs(args: argparse.Namespace) -> list[tuple[str, str]]:
    """The files with their formats."""
    extension = EXTENSIONS[args.format or "svg"][0]
    found = []
    for path in args.output or [f"{_stem(args)}.{extension}"]:
        if path == "-":
            if args.format is None or args.format in BINARY:
                texts = ", ".join(f for f in FORMATS if f not in BINARY)
                message = f"Standard output needs --format, one of {texts}"
                raise RenderError(message, "E0101")
            found.append((path, args.format))
            continue
        format = format_of(path)
        if args.format not in (None, format):
            raise RenderError(
                f"--format {args.format} contradicts the extension of {path}", "E0101"
            )
        found.append((path, format))
    return found


def _draw(args: argparse.Namespace, outputs: list[tuple[str, str]]) -> int:
    pages = [path for path, format in outputs if format == "html" and _shows_all(args)]
    if args.json and "-" in dict(outputs):
        raise RenderError("--json and -o - both want standard output", "E0101")
    if (args.passes or args.runs) and not pages:
        raise RenderError("--passes and --run are for -o x.html without --view", "E0101")
    pictures = [(path, format) for path, format in outputs if path not in pages]
    try:
        found = find_model(args.model, args.weights)
        with watching(), doing("laying out the views"):
            page = _page(args, found) if pages else ""
            view = _view(args, found, outputs) if pictures else None
    except (RenderError, CommandError):
        raise
    except (KGraphError, OSError, ValueError) as error:
        raise CommandError("E0411", f"{args.model}: {error}") from error
    for path in pages:
        _write_page(page, path, not args.no_clobber)
    if view is not None:
        with doing(f"drawing {len(view.boxes):,} boxes"):
            _write_pictures(args, view, pictures)
    if args.open and outputs[0][0] != "-":
        webbrowser.open(Path(outputs[0][0]).resolve().as_uri())
    files = [{"path": path, "format": format} for path, format in outputs]
    return answer(args, {"files": files}, "")


def _shows_all(args: argparse.Namespace) -> bool:
    """Whether a page is to have all views."""
    return args.view is None and args.stage is None and not _selects(args)


def _selects(args: argparse.Namespace) -> bool:
    """Whether only some of the nodes are wanted."""
    return bool(args.select or args.start or args.end or args.around)


def _title(args: argparse.Namespace) -> str:
    return _stem(args) if args.title is None else args.title


def _page(args: argparse.Namespace, found: Any) -> str:
    return interactive_page(
        found,
        _title(args),
        training=args.training,
        loss=args.loss,
        optimizer=args.optimizer,
        passes=args.passes,
        runs=args.runs,
        rankdir=args.rankdir,
        dims=dict(args.dim),
        fold=not args.no_fold,
        folders=args.source_links,
    )


def _write_page(page: str, path: str, clobber: bool) -> None:
    data = page.encode("utf-8", "backslashreplace")
    if not clobber and path != "-" and Path(path).exists():
        raise CommandError("E0101", f"{path} cannot be written: {path} is there already")
    write_file(path, data)


def _write_pictures(
    args: argparse.Namespace, view: GraphView, outputs: list[tuple[str, str]]
) -> None:
    style = Style(args.show, args.rankdir, args.theme, args.splines, args.wrap, args.dpi, args.size)
    if args.splines == "ortho" and args.engine != "own":
        warn("some versions of dot crash on --splines ortho")
    for path, format in outputs:
        shown = view
        if format == "mermaid" and len(visible(view).boxes) > MERMAID:
            shown = open_clusters(view)
            warn(f"W0301 clusters are closed: Mermaid cannot show more than {MERMAID} boxes")
        if path == "-":
            write_file(path, render(shown, format, style, args.engine, args.timeout).data)
            continue
        try:
            line, warning = save_picture(
                shown, path, style, args.engine, args.timeout, not args.no_clobber
            )
        except OSError as error:
            raise CommandError("E0101", f"{path} cannot be written: {error}") from error
        if warning:
            warn(warning)
        note(line)


def _view(args: argparse.Namespace, found: Any, outputs: list[tuple[str, str]]) -> GraphView:
    """The view that the options ask for."""
    if args.training or args.view == "step":
        graph = training_graph(found, args.view, args.stage, args.loss, args.optimizer)
    else:
        graph = at_stage(graph_of(found), args.view, args.stage)
    selecting = _selects(args)
    # Costs take a lowering of every layer, so they are estimated where they are shown.
    costs = "costs" in args.show or any(f in ("json", "html") for _, f in outputs)
    view = build_view(
        graph,
        _title(args),
        view=args.view,
        depth=ALL if args.expand_nested or selecting else args.depth,
        fold=not args.no_fold and not selecting,
        dims=dict(args.dim),
        costs=costs,
        folders=args.source_links,
    )
    if selecting:
        view = select(view, args.select, args.start, args.end, args.around, args.hops)
        view = open_clusters(view, ALL if args.expand_nested else args.depth)
    if len(view.boxes) > args.max_nodes:
        message = f"the view has {len(view.boxes):,} boxes, --max-nodes is {args.max_nodes:,}"
        raise RenderError(explain(message, hint="--select, or a larger --max-nodes"), "E0601")
    return view


def _positive(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text) or not float(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return float(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _depth(text: str) -> int:
    if text != "all" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor all")
    return ALL if text == "all" else int(text)


def _size(text: str) -> tuple[float, float]:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)(px|in|mm)?", text)
    if not found or not float(found[1]) * float(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 800x600 or 6x4in")
    unit = _PIXELS[found[3] or "px"]
    return float(found[1]) * unit, float(found[2]) * unit


def _dim(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER")
    return name, int(number)


def _shown(text: str) -> frozenset[str]:
    names = {"all": SHOWN, "none": ()}.get(text, tuple(text.split(",")))
    unknown = sorted(set(names) - set(SHOWN))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(SHOWN)}")
    return frozenset(names)

"""`kgraph viz`: reads a model, makes the view that is asked for, and has it drawn."""

from __future__ import annotations

import argparse
import functools
import sys
import webbrowser
from pathlib import Path
from typing import Any

from kgraph.errors import KGraphError, RenderError, explain
from kgraph.tools.answers import add_json, answer, refuse_existing, write_file
from kgraph.tools.complaints import CommandError, unwritable
from kgraph.tools.draw_options import add_options
from kgraph.tools.models import add_model, find_model
from kgraph.tools.picturing import page_of, shows_all, style_of, values_of, view_of
from kgraph.tools.progress import doing, watching
from kgraph.tools.stages import numerics
from kgraph.tools.terminal import note, warn
from kgraph.tools.viewed import contradiction
from kgraph.tools.viz.deadline import Deadline
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.opening import open_clusters, visible
from kgraph.tools.viz.write import BINARY, EXTENSIONS, FORMATS, format_of, render, save_picture

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
    add_options(parser)
    add_json(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Draws; returns 0, or ends with the code of an error of the catalogue."""
    try:
        outputs = _outputs(args)
        complaint = _contradiction(args, outputs)
        if complaint:
            raise CommandError("E0101", complaint)
        with numerics(args.numerics):
            return _draw(args, outputs)
    except RenderError as error:
        raise CommandError(error.error, str(error)) from error


def _stem(args: argparse.Namespace) -> str:
    """The name of the model without folders, extension or `py:`."""
    return "model" if args.model == "-" else Path(args.model.rsplit(":", 1)[-1]).stem


def _outputs(args: argparse.Namespace) -> list[tuple[str, str]]:
    """The files with their formats."""
    extension = EXTENSIONS[args.format or "html"][0]
    found = []
    for path in args.output or [f"{_stem(args)}.{extension}"]:
        if path == "-":
            if args.format is None:
                message = f"Standard output needs --format, one of {', '.join(FORMATS)}"
                raise RenderError(message, "E0101")
            if args.format in BINARY and sys.stdout.isatty():
                message = f"a {args.format} is nothing for a terminal"
                raise RenderError(explain(message, hint=f"-o x.{args.format}, or a pipe"), "E0101")
            found.append((path, args.format))
            continue
        found.append((path, _format_of(path, args.format)))
    return found


def _format_of(path: str, asked: str | None) -> str:
    """The format of a file; an extension that is none of a picture contradicts no `--format`."""
    if asked is None:
        return format_of(path)
    known = {end for ends in EXTENSIONS.values() for end in ends}
    extension = Path(path).suffix[1:].lower()
    if extension in known and format_of(path) != asked:
        raise RenderError(f"--format {asked} contradicts the extension of {path}", "E0101")
    return asked


def _contradiction(args: argparse.Namespace, outputs: list[tuple[str, str]]) -> str | None:
    """What is wrong with the options together, or None."""
    timed, formats = bool(args.runs or args.profile), {format for _, format in outputs}
    if args.json and "-" in dict(outputs):
        return "--json and -o - both want standard output"
    if args.runs and args.profile:
        return "--run and --profile both say the times"
    if args.input and not args.runs:
        return "--input is for --run N"
    if args.color_by == "ms" and not timed:
        return "nothing is known to colour by ms\n  hint: measure it: --run N or --profile FILE"
    if args.color_by == "overlay" and not args.overlay:
        return "nothing is known to colour by overlay\n  hint: --overlay FILE"
    if args.view == "memory" and (timed or args.overlay or args.color_by):
        return "--view memory has no boxes for times, overlays or colours"
    taking = {"html", "json"} if shows_all(args) else {"json"}
    if args.passes and not formats & taking:
        return "--passes is for -o x.html without --view, and for json"
    return contradiction(args.view, args.stage, args.training)


def _draw(args: argparse.Namespace, outputs: list[tuple[str, str]]) -> int:
    pages = [path for path, format in outputs if format == "html" and shows_all(args)]
    pictures = [(path, format) for path, format in outputs if path not in pages]
    refuse_existing(args, *(path for path, _ in outputs))
    try:
        known = values_of(args)
        found = find_model(args.model, args.weights)
        limit, formats = Deadline(args.timeout), {format for _, format in pictures}
        with watching(), doing("laying out the views"):
            make_page = functools.partial(page_of, args, found, known, _title(args))
            make_view = functools.partial(view_of, args, found, known, _title(args), formats)
            page = limit.run(make_page, "the page") if pages else ""
            view = limit.run(make_view, "the view of the graph") if pictures else None
    except (RenderError, CommandError):
        raise
    except (KGraphError, OSError, ValueError) as error:
        raise CommandError("E0411", f"{args.model}: {error}") from error
    for path in pages:
        write_file(path, page.encode("utf-8", "backslashreplace"))
    if view is not None:
        with doing(f"drawing {len(view.boxes):,} boxes"):
            _write_pictures(args, view, pictures, limit)
    if args.open and outputs[0][0] != "-":
        _show(outputs[0][0])
    files = [{"path": path, "format": format} for path, format in outputs]
    return answer(args, {"files": files}, "")


def _title(args: argparse.Namespace) -> str:
    return _stem(args) if args.title is None else args.title


def _write_pictures(
    args: argparse.Namespace, view: GraphView, outputs: list[tuple[str, str]], limit: Deadline
) -> None:
    if args.splines == "ortho" and args.engine != "own":
        warn("some versions of dot crash on --splines ortho")
    for path, format in outputs:
        style, shown = style_of(args, format), view
        if format == "mermaid" and len(visible(view).boxes) > MERMAID:
            shown = open_clusters(view)
            warn(f"W0301 clusters are closed: Mermaid cannot show more than {MERMAID} boxes")
        if path == "-":
            made = render(shown, format, style, args.engine, limit)
            if made.warning:
                warn(made.warning)
            write_file(path, made.data)
            continue
        try:
            line, warning = save_picture(
                shown, path, style, args.engine, limit, not args.no_clobber, format
            )
        except OSError as error:
            raise unwritable(path, error) from error
        if warning:
            warn(warning)
        note(line)


def _show(path: str) -> None:
    """Opens a file in a browser, if there is one with windows."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        browser = None
    # Browsers of a terminal are of this very class; those with windows are of others.
    if browser is None or type(browser) is webbrowser.GenericBrowser:
        note(f"no browser to open {path} in")
    else:
        browser.open(Path(path).resolve().as_uri())

"""What `kgraph viz` shows: the view or the page that its options ask for, with values on it."""

from __future__ import annotations

import argparse
import functools
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kgraph.errors import ParseError, RenderError, explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.strict_json import read_json
from kgraph.passes.cost import SIZE_HINT
from kgraph.passes.report import CompileReport
from kgraph.runtime.executable import Executable, compile
from kgraph.tools.complaints import CommandError, unreadable
from kgraph.tools.draw_options import ALL, PIXELS
from kgraph.tools.feeding import arrays_for, dims_of
from kgraph.tools.interactive import page_with_views
from kgraph.tools.models import graph_of
from kgraph.tools.pass_changes import pass_changes
from kgraph.tools.passes_listing import peaks
from kgraph.tools.stages import at_stage
from kgraph.tools.terminal import warn
from kgraph.tools.timing import Times, Timing
from kgraph.tools.training_step import training_graph, training_step
from kgraph.tools.viewed import shown_stage
from kgraph.tools.viz.looks import Style
from kgraph.tools.viz.model import GraphView, Overlay
from kgraph.tools.viz.opening import MOST, open_clusters, visible
from kgraph.tools.viz.overlay import names_of, nowhere, overlaid
from kgraph.tools.viz.painting import painting, usual_measure
from kgraph.tools.viz.select import select
from kgraph.tools.viz.tabs import pass_row
from kgraph.tools.viz.view import build_view, refuse_large

_COSTS = ("flops", "bytes")


@dataclass(frozen=True)
class Known:
    """Values from outside of the model: an overlay, and where times come from."""

    overlay: Mapping[str, Any] | None
    timing: Timing


def values_of(args: argparse.Namespace) -> Known:
    """The files and runs that the options name.

    Raises:
        CommandError: a file cannot be read, or is not what it should be.
    """
    overlay = _document(args.overlay) if args.overlay else None
    document = _document(args.profile) if args.profile else None
    if document is not None and not isinstance(document.get("nodes"), list):
        hint = "kgraph profile MODEL -o FILE.json"
        raise CommandError("E0402", explain(f"{args.profile} is no profile", hint=hint))
    return Known(overlay, Timing(args.runs, functools.partial(arrays_for, args=args), document))


def _document(path: str) -> Mapping[str, Any]:
    try:
        found = read_json(Path(path).read_bytes())
    except OSError as error:
        raise unreadable(path, error) from error
    except ParseError as error:
        raise CommandError("E0401", f"{path}: {error}") from error
    if not isinstance(found, dict):
        message = f"{path} holds no JSON object"
        raise CommandError("E0402", explain(message, got=type(found).__name__))
    return found


def style_of(args: argparse.Namespace, format: str = "svg") -> Style:
    """How a picture of a format is to look."""
    by = usual_measure(args.color_by, args.overlay)
    size = None
    if args.size is not None:
        wide, high, unit = args.size
        # Pixels are those of the image, whose number an inch `--dpi` says.
        scale = PIXELS["in"] / args.dpi if format == "png" and unit == "px" else 1.0
        size = (wide * scale, high * scale)
    return Style(args.show, args.rankdir, args.theme, args.splines, args.wrap, args.dpi, size, by)


def shows_all(args: argparse.Namespace) -> bool:
    """Whether a page is to have all views."""
    return args.view is None and args.stage is None and not _selects(args)


def _selects(args: argparse.Namespace) -> bool:
    """Whether only some of the nodes are wanted."""
    return bool(args.select or args.start or args.end or args.around)


def page_of(args: argparse.Namespace, found: Any, known: Known, title: str) -> str:
    """The page with all views of a model."""
    page, views = page_with_views(
        found,
        title,
        training=args.training,
        loss=args.loss,
        optimizer=args.optimizer,
        passes=args.passes,
        timing=known.timing,
        overlay=known.overlay,
        style=style_of(args),
        most=args.max_nodes,
        dims=dims_of(graph_of(found).symbols, args),
        fold=not args.no_fold,
        folders=args.source_links,
        calls=args.calls,
    )
    _check_overlay(views)
    return page


def view_of(
    args: argparse.Namespace, found: Any, known: Known, title: str, formats: Collection[str]
) -> GraphView:
    """The view that the options ask for.

    Args:
        args: of the command.
        found: a model or graph.
        known: see `values_of`.
        title: written above it.
        formats: in which it will be drawn.
    """
    style = style_of(args)
    executable = _executable(args, found) if known.timing or args.passes else None
    dims = dims_of(graph_of(found).symbols, args)
    times = known.timing.of(executable, dims) if known.timing and executable else None
    graph = _graph(args, found, executable, times)
    selecting = _selects(args)
    # Costs take a lowering of every layer, so they are estimated where they are shown; blocks with
    # values of their own are not equal.
    view = build_view(
        graph,
        title,
        view=args.view,
        depth=ALL if args.expand_nested or selecting else args.depth,
        fold=not (args.no_fold or selecting or known.timing or known.overlay is not None),
        dims=dims,
        costs=_estimates(args, style) or bool({"json", "html"} & set(formats)),
        folders=args.source_links,
        calls=args.calls,
    )
    if times is not None:
        view = times.on(view)
    if known.overlay is not None:
        view = overlaid(view, known.overlay)
        _check_overlay([view])
    if args.passes and executable is not None and executable.report is not None:
        view = replace(view, passes=tuple(_pass_rows(executable.report)))
    if selecting:
        view = select(view, args.select, args.start, args.end, args.around, args.hops)
        view = open_clusters(view, ALL if args.expand_nested else args.depth)
    refuse_large(view, args.max_nodes)
    _check_colors(view, style)
    _tell(args, view, style)
    return view


def _executable(args: argparse.Namespace, found: Any) -> Executable:
    """What runs."""
    if args.training or args.view == "step":
        return training_step(found, args.loss, args.optimizer)
    return compile(graph_of(found))


def _graph(
    args: argparse.Namespace, found: Any, executable: Executable | None, times: Times | None
) -> Graph:
    """The graph that is drawn; with times it is that of the layers, or what runs.

    Args:
        args: of the command.
        found: a model or graph.
        executable: what was compiled of it, if anything was.
        times: of that, if they are wanted.
    """
    training = args.training or args.view == "step"
    present = Stage.CORE if training else graph_of(found).stage
    shows_layers = (
        present is Stage.LAYERS and args.stage in (None, "layers") and args.view in (None, "layers")
    )
    if times is not None and not shows_layers and args.stage != "core":
        return times.graph
    wanted = shown_stage(present, args.view, args.stage)
    if wanted is Stage.FUSED and executable is not None:
        return at_stage(executable.graph, wanted.value)  # which only an eager step still needs
    if training:
        return at_stage(training_graph(found, args.loss, args.optimizer), wanted.value)
    return at_stage(graph_of(found), wanted.value)


def _pass_rows(report: CompileReport) -> Iterator[Mapping[str, Any]]:
    """What the passes that changed something did, for the JSON of a view."""
    for record, change in zip(report.passes, pass_changes(report), strict=True):
        if record.changed:
            row = pass_row(record)
            peak = dict(zip(("before", "after"), peaks(record), strict=True))
            numbers = {side: {**row[side], "peak": size} for side, size in peak.items()}
            yield {**row, **numbers, **change}


def _check_overlay(views: Iterable[GraphView]) -> None:
    """Says which names of the overlay no view knows."""
    views = list(views)
    overlays: list[Overlay] = [view.overlays[0] for view in views if view.overlays]
    if overlays:
        unknown = nowhere(overlays, (name for view in views for name in names_of(view)))
        if unknown:
            shown = ", ".join(unknown[:3]) + (", ..." if len(unknown) > 3 else "")
            warn(f"the overlay's {shown} is in no picture ({len(unknown)} unknown)")


def _check_colors(view: GraphView, style: Style) -> None:
    if style.color_by == "role":
        return
    try:
        painting(view, visible(view), style.color_by)
    except ValueError as error:
        raise RenderError(str(error), "E0101") from error


def _estimates(args: argparse.Namespace, style: Style) -> bool:
    """Whether boxes or colours say what is estimated."""
    return "costs" in args.show or style.color_by in _COSTS


def _tell(args: argparse.Namespace, view: GraphView, style: Style) -> None:
    """Says what was decided for the user, and how to say it oneself."""
    if args.depth is None and not all(c.open for c in view.clusters):
        warn(f"W0301 clusters are closed, for at most {MOST} boxes: --depth N or --depth all")
    given = dims_of(list(view.symbols), args)
    open_sizes = [name for name in view.symbols if name not in given]
    if open_sizes and (view.view == "memory" or _estimates(args, style)):
        name = open_sizes[0]
        warn(f"W0301 {', '.join(open_sizes)} counts as {SIZE_HINT}: --dim {name}=N")

"""The options of `kgraph viz`, and how their values are read."""

from __future__ import annotations

import argparse
import re

from kgraph.ir.graph import Stage
from kgraph.passes.cost import SIZE_HINT
from kgraph.tools.answers import add_no_clobber
from kgraph.tools.arguments import count, positive, whole
from kgraph.tools.feeding import KINDS
from kgraph.tools.stages import LEVELS
from kgraph.tools.training_step import add_training
from kgraph.tools.viz.deadline import PATIENCE
from kgraph.tools.viz.looks import SHOWN, THEMES, USUAL
from kgraph.tools.viz.model import VIEWS
from kgraph.tools.viz.overlay import FORM
from kgraph.tools.viz.painting import MEASURES
from kgraph.tools.viz.write import ENGINES, FORMATS

_SPLINES = ("polyline", "curved", "straight", "ortho")
PIXELS = {"px": 1.0, "in": 96.0, "mm": 96 / 25.4}
ALL = 1 << 30  # a depth that nothing reaches


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of `kgraph viz`."""
    _add_files(parser)
    _add_content(parser)
    _add_values(parser)
    _add_looks(parser)


def _add_files(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("files")
    add = group.add_argument
    add(
        "-o",
        "--output",
        action="append",
        metavar="FILE",
        help="its extension is the format; - is standard output; may be given several times; "
        "default MODEL.html",
    )
    add("--format", choices=FORMATS, help="needed for -o -")
    add("--engine", choices=ENGINES, default="auto", help="who lays out; auto is dot if it works")
    limits = f"for all of it, default {PATIENCE:g}; dot gets a third where we draw if it fails"
    add("--timeout", type=positive, metavar="SECONDS", help=limits)
    add("--passes", action="store_true", help="html: step through what the passes did; json")
    add("--open", action="store_true", help="open the first file in a browser, if there is one")
    add_no_clobber(group)
    add("--dpi", type=count, default=200, help="of png; %(default)s")
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
    add("--numerics", choices=LEVELS, help="which rules may fire on the way to --stage fused")
    add("--training", action="store_true", help="the training step; --view step implies it")
    add_training(group)
    add(
        "--depth",
        type=_depth,
        metavar="N|all",
        help="open clusters down to here; default as deep as leaves at most 300 boxes",
    )
    add("--expand-nested", action="store_true", help="open all clusters")
    add("--no-fold", action="store_true", help="show equal blocks in a row one by one")
    add("--calls", action="store_true", help="a box a call of a shared layer, not one for all")
    _add_parts(group)


def _add_parts(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("--select", action="append", default=[], metavar="GLOB", help="nodes, layers or clusters")
    add("--from", dest="start", metavar="NODE", help="with --to: what lies between")
    add("--to", dest="end", metavar="NODE")
    add("--around", metavar="NODE", help="what is near")
    add("--hops", type=whole, default=2, help="how near; %(default)s")
    add(
        "--dim",
        action="append",
        default=[],
        type=_dim,
        metavar="NAME=N",
        help="number of a symbolic size; else it stays, and is 32 in estimates",
    )
    add("--max-nodes", type=count, default=100_000, help="a larger view is refused")


def _add_values(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("values and colours")
    add = group.add_argument
    add("--color-by", choices=MEASURES, help="role, or overlay if there is one")
    add("--overlay", metavar="FILE", help=f"JSON {FORM}")
    add("--run", dest="runs", type=count, default=0, metavar="N", help="times: median of N runs")
    add("--profile", metavar="FILE", help="times that kgraph profile -o FILE.json measured")
    add("--input", action="append", default=[], metavar="[NAME=]WHAT",
        help=f"for --run: {KINDS}; default random numbers")  # fmt: skip
    parser.set_defaults(batch=SIZE_HINT, seed=0)


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
    add("--wrap", type=count, metavar="N", help="go on in a new column after N rows; own engine")
    add(
        "--theme", choices=tuple(THEMES), default="auto", help="auto is light, of html the reader's"
    )
    add("--source-links", action="store_true", help="source files with their folders")
    add("--title", help="text above the picture; default the file's name")


def _depth(text: str) -> int:
    if text != "all" and not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is neither a whole number nor all")
    return ALL if text == "all" else int(text)


def _size(text: str) -> tuple[float, float, str]:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)x(\d+(?:\.\d+)?)(px|in|mm)?", text)
    if not found or not float(found[1]) * float(found[2]):
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 800x600 or 6x4in")
    unit = found[3] or "px"
    return float(found[1]) * PIXELS[unit], float(found[2]) * PIXELS[unit], unit


def _dim(text: str) -> str:
    name, _, number = text.partition("=")
    if not name or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=NUMBER")
    return text


def _shown(text: str) -> frozenset[str]:
    names = {"all": SHOWN, "none": ()}.get(text, tuple(text.split(",")))
    unknown = sorted(set(names) - set(SHOWN))
    if unknown:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is not one of {', '.join(SHOWN)}")
    return frozenset(names)

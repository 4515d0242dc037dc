"""Writes pictures: DOT and JSON by itself, svg, png and pdf through Graphviz's program `dot`."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from kgraph.errors import explain
from kgraph.ir.files import atomic_write
from kgraph.ir.graph import Graph
from kgraph.tools.viz.dot import to_dot
from kgraph.tools.viz.json_view import to_json
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.view import build_view

FORMATS = ("svg", "dot", "json", "png", "pdf")
TEXT_FORMATS = ("svg", "dot", "json")
# Seconds that `dot` may take; large graphs with many crossings would keep it for hours.
TIMEOUT = 60.0
# Exit codes of the command line.
USAGE, MISSING_PROGRAM = 2, 3
NO_DOT = "The program `dot` of Graphviz is needed for {format} and was not found"
REMEDY = "apt-get install graphviz, or brew or conda; the formats dot and json do without it"


def render(view: GraphView, format: str, rankdir: str = "TB") -> bytes:
    """The view in one of `FORMATS`.

    Args:
        view: what to show.
        format: dot, json, svg, png or pdf; the last three need the program `dot`.
        rankdir: direction of the edges: TB, BT, LR or RL.

    Returns:
        The file's content.

    Raises:
        FileNotFoundError: the format needs `dot`, which is not installed.
        subprocess.SubprocessError: `dot` failed, or took longer than `TIMEOUT` seconds.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> view = build_view(Graph((x,), (("y", ops.tanh(x)),)))
        >>> render(view, "dot")[:7]
        b'digraph'
    """
    if format == "json":
        return to_json(view, rankdir).encode("ascii")
    source = to_dot(view, rankdir)
    if format == "dot":
        return source.encode("utf-8")
    # The graphviz package would start `dot` too, but cannot stop one that hangs.
    command = ["dot", f"-T{format}"]
    data = source.encode("utf-8")
    return subprocess.run(
        command, input=data, capture_output=True, check=True, timeout=TIMEOUT
    ).stdout


def write_picture(
    graph: Graph,
    path: str | Path,
    *,
    format: str | None = None,
    title: str = "",
    view: str | None = None,
    rankdir: str = "TB",
) -> int:
    """Draws a graph into a file and tells the user on stderr.

    Args:
        graph: a graph of any stage.
        path: the file; `-` is standard output.
        format: one of `FORMATS`; default the file's extension.
        title: written above the picture.
        view: see `build_view`.
        rankdir: direction of the edges: TB, BT, LR or RL.

    Returns:
        The exit code: 0; 2 for a wrong format; 3 when `dot` is missing, or fails, and the DOT
        source was written beside the wanted file instead.
    """
    start, target = time.perf_counter(), Path(path)
    chosen, complaint = choose_format(str(path), format)
    if complaint:
        return _complain(complaint, USAGE)
    made = build_view(graph, title, view=view)
    try:
        data = render(made, chosen, rankdir)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return _fall_back(made, target, NO_DOT.format(format=chosen), REMEDY, rankdir)
    except subprocess.SubprocessError as error:
        stderr = getattr(error, "stderr", None) or b""
        reason = stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        summary = f"The program `dot` of Graphviz failed: {reason or error}"
        return _fall_back(made, target, summary, "-o x.json, or --view layers", rankdir)
    if str(path) == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return 0
    try:
        with atomic_write(target) as file:
            file.write(data)
    except OSError as error:
        return _complain(f"{target} cannot be written: {error}", USAGE)
    counts = f"{len(made.boxes)} nodes, {len(made.edges)} edges, {_size(len(data))}"
    print(f"wrote {target} ({counts}, {time.perf_counter() - start:.2f} s)", file=sys.stderr)
    return 0


def choose_format(path: str, format: str | None) -> tuple[str, str | None]:
    """The format of a file, and what is wrong with the choice or None."""
    extension = "dot" if path.lower().endswith(".gv") else Path(path).suffix[1:].lower()
    known = ", ".join(FORMATS)
    if path == "-":
        if format not in TEXT_FORMATS:
            return "", f"Standard output needs --format, one of {', '.join(TEXT_FORMATS)}"
        return format, None
    if extension not in FORMATS:
        return "", explain(f"No picture can be written to {path}", expected=f"extension {known}")
    if format not in (None, extension):
        return "", f"--format {format} contradicts the extension of {path}"
    return extension, None


def _fall_back(view: GraphView, target: Path, summary: str, hint: str, rankdir: str) -> int:
    """Keeps what can be kept: the DOT source."""
    wrote = None
    if str(target) != "-":
        wrote = target.with_suffix(".dot")
        with atomic_write(wrote) as file:
            file.write(to_dot(view, rankdir).encode("utf-8"))
    message = explain(summary, hint=hint)
    return _complain(f"{message}\n  wrote: {wrote} instead" if wrote else message, MISSING_PROGRAM)


def _complain(message: str, code: int) -> int:
    error = {USAGE: "E0101", MISSING_PROGRAM: "E0201"}[code]
    print(f"kgraph: error[{error}]: {message}", file=sys.stderr)
    return code


def _size(count: int) -> str:
    return f"{count} B" if count < 1024 else f"{count / 1024:.1f} KB"

"""Pictures in every format, and in files: by ourselves, or through Graphviz's program `dot`."""

from __future__ import annotations

import importlib
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from kgraph.errors import RenderError, explain
from kgraph.ir.collecting import without_collection
from kgraph.ir.files import atomic_write
from kgraph.ir.printer import show_bytes
from kgraph.tools.viz.deadline import Deadline
from kgraph.tools.viz.json_view import to_json
from kgraph.tools.viz.looks import Style
from kgraph.tools.viz.memory_svg import memory_svg
from kgraph.tools.viz.mermaid import to_mermaid
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.opening import visible
from kgraph.tools.viz.svg import to_svg
from kgraph.tools.viz.tabs import view_page
from kgraph.tools.viz.tree import to_text

# Format -> extensions of its files.
EXTENSIONS = {
    "svg": ("svg",), "dot": ("dot", "gv"), "png": ("png",), "pdf": ("pdf",),
    "mermaid": ("mmd", "mermaid"), "json": ("json",), "text": ("txt", "text"),
    "html": ("html", "htm"),
}  # fmt: skip
FORMATS, BINARY = tuple(EXTENSIONS), ("png", "pdf")
ENGINES = ("auto", "own", "dot")
REMEDY = "apt-get install graphviz, or brew or conda; or --engine own -o {stem}.svg"
_OWN: dict[str, Callable[[GraphView, Style], str]] = {
    "mermaid": to_mermaid, "text": to_text, "json": lambda v, s: to_json(v, s.rankdir, s.color_by),
    "html": view_page,
}  # fmt: skip


@dataclass(frozen=True)
class Rendered:
    """A picture: its bytes, who laid it out, and why that was not who was to."""

    data: bytes
    engine: str = "own"
    warning: str | None = None


@without_collection
def render(
    view: GraphView,
    format: str,
    style: Style | None = None,
    engine: str = "auto",
    timeout: float | Deadline | None = None,
) -> Rendered:
    """The view in one of `FORMATS`.

    Args:
        view: what to show.
        format: svg, dot, png, pdf, mermaid, json, text or html; png and pdf need the program `dot`.
        style: how it is to look.
        engine: who lays an svg out: own, dot, or auto, which is `dot` where it works.
        timeout: seconds that it may take, or a time that runs already; default 60. `dot` gets a
            third of them where our own engine comes after it.

    Returns:
        The file's content.

    Raises:
        RenderError: `dot` is needed and missing, or it failed; the time is up; `style.wrap` is not
            for this format and engine.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.tools.viz import build_view
        >>> x = input_node((2,), name="x")
        >>> view = build_view(Graph((x,), (("y", ops.tanh(x)),)))
        >>> render(view, "dot").data[:7]
        b'digraph'
    """
    style = style or Style()
    limit = timeout if isinstance(timeout, Deadline) else Deadline(timeout)
    if format in _OWN:
        return _by_ourselves(lambda: _OWN[format](view, style), limit)
    if view.memory is not None:
        if format != "svg":
            raise RenderError(
                explain(
                    "the memory view is no graph", expected="svg, json, text or html", got=format
                ),
                "E0101",
            )
        return _by_ourselves(lambda: memory_svg(view, style), limit)
    if format == "svg" and (engine == "own" or (engine == "auto" and style.wrap)):
        return _by_ourselves(lambda: to_svg(view, style), limit)
    if style.wrap:
        message = "only the own engine goes on in new columns (--wrap)"
        raise RenderError(explain(message, hint="--engine own -o x.svg"), "E0101")
    if format == "dot":
        return Rendered(_source(view, style), "dot")
    alone = format != "svg" or engine == "dot"
    try:
        source = limit.run(lambda: _source(view, style), "the picture")
        return Rendered(_run_dot(source, format, style, limit.for_dot(alone)), "dot")
    except RenderError as error:
        if alone or error.error == "E0601":
            raise
        reason = str(error).splitlines()[0]
        warning = f"W0301 drawn by the own engine: {reason}; --engine own is silent"
        return _by_ourselves(lambda: to_svg(view, style), limit, warning)


def _by_ourselves(work: Callable[[], str], limit: Deadline, warning: str | None = None) -> Rendered:
    text = limit.run(work, "the picture")
    return Rendered(text.encode("utf-8", "backslashreplace"), "own", warning)


def _source(view: GraphView, style: Style) -> bytes:
    try:
        # Only DOT needs the package, so a machine without it can still draw.
        module = importlib.import_module("kgraph.tools.viz.dot")
    except ImportError as error:
        hint = "pip install graphviz; or --engine own -o x.svg"
        message = f"The Python package `graphviz` is needed for DOT: {error}"
        raise RenderError(explain(message, hint=hint), "E0202") from error
    return str(module.to_dot(view, style)).encode("utf-8", "backslashreplace")


def _run_dot(source: bytes, format: str, style: Style, timeout: float) -> bytes:
    """What `dot` makes of a source; the graphviz package could not stop one that hangs."""
    command = ["dot", f"-T{format}"] + ([f"-Gdpi={style.dpi}"] if format == "png" else [])
    remedy = REMEDY.format(stem="x")
    try:
        done = subprocess.run(command, input=source, capture_output=True, timeout=timeout)
    except OSError as error:
        message = f"The program `dot` of Graphviz is needed for {format} and was not found"
        raise RenderError(explain(message, hint=remedy), "E0201") from error
    except subprocess.TimeoutExpired as error:
        message = f"The program `dot` of Graphviz timed out after {round(timeout, 1):g} seconds"
        hint = "--engine own -o x.svg, or --timeout, --depth, --select"
        raise RenderError(explain(message, hint=hint), "E0203") from error
    told = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
    hint = "--engine own -o x.svg, or another format"
    if done.returncode:
        message = f"The program `dot` of Graphviz failed with code {done.returncode}"
        raise RenderError(explain(message, got=told, hint=hint), "E0203")
    if not _is(done.stdout, format):
        message = f"The program `dot` of Graphviz wrote no {format}"
        raise RenderError(explain(message, got=told or repr(done.stdout[:40]), hint=hint), "E0203")
    return done.stdout


def _is(data: bytes, format: str) -> bool:
    """Whether data begins, and an svg ends, as the format does."""
    if format == "svg":
        return b"<svg" in data[:2000] and data.rstrip().endswith(b"</svg>")
    return data.startswith({"png": b"\x89PNG", "pdf": b"%PDF"}[format])


def save_picture(
    view: GraphView,
    path: str | Path,
    style: Style | None = None,
    engine: str = "auto",
    timeout: float | Deadline | None = None,
    clobber: bool = True,
    format: str | None = None,
) -> tuple[str, str | None]:
    """Writes a picture, whole or not at all.

    Args:
        view: what to show.
        path: the file.
        style, engine, timeout: see `render`.
        clobber: whether a file that is there may be replaced.
        format: default what its extension says.

    Returns:
        One line for the user, and a warning or None.

    Raises:
        RenderError: the format is not known, or `dot` is needed and missing, or failed.
        OSError: the file cannot be written, or is there.
    """
    start, target = time.perf_counter(), Path(path)
    if not clobber and target.exists():
        raise FileExistsError(f"{target} is there already")
    made = render(view, format or format_of(path), style, engine, timeout)
    with atomic_write(target) as file:
        file.write(made.data)
    seen = visible(view)
    hidden = len(view.boxes) - sum(not b.hidden for b in seen.boxes)
    facts = [f"{len(seen.boxes)} nodes", f"{len(seen.edges)} edges", show_bytes(len(made.data)),
             f"{made.engine} engine", f"{time.perf_counter() - start:.2f} s"]  # fmt: skip
    if hidden:
        facts.insert(2, f"{hidden} more in closed clusters")
    return f"wrote {target} ({', '.join(facts)})", made.warning


def format_of(path: str | Path) -> str:
    """The format that a file's extension says.

    Raises:
        RenderError: it says none.

    Example:
        >>> format_of("model.gv")
        'dot'
    """
    extension = Path(path).suffix[1:].lower()
    for format, extensions in EXTENSIONS.items():
        if extension in extensions:
            return format
    known = ", ".join(FORMATS)
    raise RenderError(
        explain(f"No picture can be written to {path}", expected=f"extension {known}"), "E0101"
    )

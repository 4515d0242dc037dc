"""Pictures of graphs: a view (what is shown), the formats (how), and the writing of files."""

import importlib
from typing import Any

from kgraph.tools.viz.json_view import to_json
from kgraph.tools.viz.looks import Style
from kgraph.tools.viz.mermaid import to_mermaid
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.opening import visible
from kgraph.tools.viz.svg import to_svg
from kgraph.tools.viz.tree import to_text
from kgraph.tools.viz.view import build_view
from kgraph.tools.viz.write import FORMATS, render, save_picture

__all__ = [
    "FORMATS", "GraphView", "Style", "build_view", "render", "save_picture", "to_dot", "to_json",
    "to_mermaid", "to_svg", "to_text", "visible",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    # Only DOT needs the graphviz package, so it is not imported before somebody wants DOT.
    if name == "to_dot":
        return importlib.import_module("kgraph.tools.viz.dot").to_dot
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

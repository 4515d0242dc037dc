"""Pictures of graphs: a view (what is shown), the formats (how), and the writing of files."""

from kgraph.tools.viz.dot import to_dot
from kgraph.tools.viz.json_view import to_json
from kgraph.tools.viz.model import GraphView
from kgraph.tools.viz.opening import visible
from kgraph.tools.viz.view import build_view
from kgraph.tools.viz.write import FORMATS, render, write_picture

__all__ = [
    "FORMATS", "GraphView", "build_view", "render", "to_dot", "to_json", "visible",
    "write_picture",
]  # fmt: skip

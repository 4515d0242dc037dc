"""Pictures of graphs: a view (what is shown), DOT (how), and the writing of files."""

from kgraph.tools.viz.dot import to_dot
from kgraph.tools.viz.view import View, build_view
from kgraph.tools.viz.write import FORMATS, render, to_json, write_picture

__all__ = ["FORMATS", "View", "build_view", "render", "to_dot", "to_json", "write_picture"]

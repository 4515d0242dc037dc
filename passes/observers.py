"""Ready-made observers of pipelines."""

from __future__ import annotations

import pathlib

from kgraph.ir.graph import Graph
from kgraph.ir.printer import to_text
from kgraph.passes.manager import Pass


class Dump:
    """Writes the graph as text before the first pass and after each one that changed it.

    Args:
        folder: where the numbered files go; made if it is not there.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import observing, optimize
        >>> x = input_node((2,), name="x")
        >>> with observing(Dump("graphs")):
        ...     _ = optimize(Graph((x,), (("y", x * 1),)))
        >>> print(pathlib.Path("graphs/02-simplify.txt").read_text())
        graph core
        input %0 'x' : f32[2]
        output 'y' %0
    """

    def __init__(self, folder: str | pathlib.Path) -> None:
        self.folder, self.count = pathlib.Path(folder), 0

    def before(self, step: Pass, graph: Graph) -> None:
        """Writes the graph that the first pass gets."""
        if self.count == 0:
            self._write("input", graph)

    def after(self, step: Pass, old: Graph, new: Graph) -> None:
        """Writes what a pass made, if it is something new."""
        self.count += 1
        if new is not old:
            self._write(step.name, new)

    def _write(self, name: str, graph: Graph) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{self.count:02d}-{name}.txt"
        path.write_text(to_text(graph) + "\n", encoding="utf-8")

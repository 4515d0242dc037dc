"""Ready-made observers of pipelines."""

from __future__ import annotations

import json
import pathlib
from typing import Any

from kgraph.ir.files import atomic_write
from kgraph.ir.graph import Graph
from kgraph.ir.printer import to_text
from kgraph.ir.serialize import VERSION, dumps
from kgraph.ir.verify import verify
from kgraph.passes.manager import Observer, Pass, Pipeline
from kgraph.passes.report import CompileReport
from kgraph.passes.schema import VERSION as REPORT_VERSION


class Dump(Observer):
    """Writes the graph before the first pass and after each one that changed it.

    `001-simplify.txt` is the graph as text, `001-simplify.json` as kgraph JSON, without the values
    of variables. `manifest.json` names the versions and, for each compilation, the pipeline's one
    line, the options and the files with the rules that fired. The files depend on the program
    alone: no times, no addresses, no numbers of the process.

    Args:
        folder: where the files go; made if it is not there.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import observing, optimize
        >>> x = input_node((2,), name="x")
        >>> with observing(Dump("graphs")):
        ...     _ = optimize(Graph((x,), (("y", x * 1),)))
        >>> print(pathlib.Path("graphs/003-simplify.txt").read_text())
        graph core
        input %0 'x' : f32[2]
        output 'y' %0
    """

    def __init__(self, folder: str | pathlib.Path) -> None:
        self.folder, self.count = pathlib.Path(folder), 0
        self.compilations: list[dict[str, Any]] = []
        self._files: list[tuple[str, str]] = []

    def start(self, pipeline: Pipeline, graph: Graph) -> None:
        """Writes the graph that the first pass gets."""
        self._files = []
        self._write("input", graph)

    def after(self, step: Pass, old: Graph, new: Graph) -> None:
        """Writes what a pass made, if it is something new."""
        self.count += 1
        if new is not old:
            self._write(step.name, new)

    def finish(self, report: CompileReport) -> None:
        """Writes the manifest."""
        self.count += 1
        fired = [dict(p.fired) for p in report.passes if p.changed]
        files = [
            {"pass": name, "file": file, "fired": rules}
            for (name, file), rules in zip(self._files, [{}, *fired], strict=True)
        ]
        data = {"pipeline": report.pipeline, "options": dict(report.options), "graphs": files}
        self.compilations.append(data)
        manifest = {
            "versions": {"graph": VERSION, "report": REPORT_VERSION},
            "compilations": self.compilations,
        }
        self._whole("manifest.json", json.dumps(manifest, indent=1) + "\n")

    def _write(self, name: str, graph: Graph) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        stem = f"{self.count:03d}-{name}"
        self._files.append((name, stem))
        self._whole(f"{stem}.txt", to_text(graph) + "\n")
        self._whole(f"{stem}.json", dumps(graph))

    def _whole(self, name: str, text: str) -> None:
        with atomic_write(self.folder / name) as file:
            file.write(text.encode("utf-8"))


class VerifyPhases(Observer):
    """Verifies what each pipeline returns, for `config.verify` off: its passes are one phase.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.passes import observing, optimize
        >>> x = input_node((2,), name="x")
        >>> with observing(VerifyPhases()):
        ...     _ = optimize(Graph((x,), (("y", x * 1),)))
    """

    def finish(self, report: CompileReport) -> None:
        """Verifies the last graph.

        Raises:
            VerifyError: it breaks an invariant of the IR.
        """
        verify(report.result)

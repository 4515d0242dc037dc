"""Walks a graph and what its nodes hold, and makes boxes, edges and clusters of them.

A nested model, the body of a loop and a fused region are clusters of boxes of their own. Frames lie
on an explicit stack; a node becomes *ports*, which say where each of its outputs comes from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from kgraph.ir.graph import Graph
from kgraph.ir.leaves import ITEM
from kgraph.ir.node import Node
from kgraph.ir.printer import ordered
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable
from kgraph.tools.viz.facts import Facts, is_scalar, scalar_text
from kgraph.tools.viz.model import Box, Cluster, Edge
from kgraph.tools.viz.scopes import Path


@dataclass(frozen=True)
class Port:
    """Output `output` of box `box`."""

    box: str
    output: int
    type: TensorType
    kind: str = "data"


@dataclass(frozen=True)
class Literal:
    """A number that has no box."""

    text: str


Ports = tuple[Port | Literal, ...]


@dataclass
class Frame:
    """A graph, an inner graph or a body on the way into the picture.

    Args:
        prefix: of the ids of its boxes.
        nodes: in the order of their numbers.
        cluster: node -> id of the cluster in which its box lies.
        close: called with the frame when all its nodes are drawn.
        role: of all its computations, if the node that holds them has one for all.
        ports: node -> where its outputs come from; what is there already gets no box.
    """

    prefix: str
    nodes: Sequence[Node]
    cluster: Callable[[Node], str | None]
    close: Callable[[Frame], None]
    ports: dict[Node, Ports] = field(default_factory=dict)
    role: str | None = None
    waiting: Iterator[tuple[int, Node]] = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = iter(enumerate(self.nodes))

    def operand(self, node: Node) -> Port | Literal:
        """Where a tensor comes from."""
        return self.ports[node][0]


# (drawing, frame, node, id) -> the frame to draw next; True if the node is drawn, False if it is to
# be a plain box.
Expand = Callable[["Drawing", Frame, Node, str], Frame | bool]


@dataclass
class Drawing:
    """The boxes, edges and clusters so far.

    Args:
        facts: reads them off nodes.
        expansions: how a node is opened, by name of its op; False for one that stays a box.
    """

    facts: Facts
    expansions: Mapping[str, Expand]
    boxes: list[Box] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    clusters: dict[str, Cluster] = field(default_factory=dict)
    paths: dict[Path, str] = field(default_factory=dict)
    calls: dict[Any, list[str]] = field(default_factory=dict)

    def run(self, frame: Frame) -> None:
        """Draws a frame and all that it leads to."""
        stack = [frame]
        while stack:
            number, node = next(stack[-1].waiting, (0, None))
            if node is None:
                done = stack.pop()
                done.close(done)
                continue
            if node in stack[-1].ports:
                continue
            inner = self._place(stack[-1], node, f"{stack[-1].prefix}{number}")
            if isinstance(inner, Frame):
                stack.append(inner)

    def _place(self, frame: Frame, node: Node, id: str) -> Frame | bool:
        if node.op is ITEM:
            frame.ports[node] = (frame.ports[node.inputs[0]][node.attrs["index"]],)
        elif is_scalar(node):
            frame.ports[node] = (Literal(scalar_text(node)),)
        else:
            expand = self.expansions.get(node.op.name)
            inner = expand(self, frame, node, id) if expand is not None else False
            if inner:
                return inner
            self._plain(frame, node, id)
        return True

    def _plain(self, frame: Frame, node: Node, id: str) -> None:
        box = self.facts.box(node, id, frame.cluster(node))
        if frame.role is not None and box.kind == "op":
            box = replace(box, role=frame.role)
        self.add(box, [frame.operand(n) for n in node.inputs])
        if box.kind == "layer":
            self.calls.setdefault(node.attrs["call"].layer, []).append(id)
        kind = "state" if isinstance(node, Variable) else "data"
        kind = "grad" if box.role == "backward" else kind
        frame.ports[node] = tuple(Port(id, i, t, kind) for i, t in enumerate(node.types))

    def add(self, box: Box, operands: Sequence[Port | Literal]) -> None:
        """Adds a box and its incoming edges; numbers become lines of the box."""
        details = []
        for place, port in enumerate(operands):
            if isinstance(port, Literal):
                details.append(f"operand {place + 1} = {port.text}")
            else:
                self.connect(port, box.id, place)
        self.boxes.append(replace(box, details=(*box.details, *details)) if details else box)

    def connect(self, port: Port, target: str, place: int) -> None:
        """Adds an edge."""
        self.edges.append(Edge(port.box, target, port.output, place, port.type, port.kind))

    def cluster(self, label: str, kind: str, parent: str | None, box: Box | None = None) -> str:
        """Adds a cluster and returns its id."""
        above = f"{self.clusters[parent].path}/" if parent is not None else ""
        id = f"c{len(self.clusters)}"
        shown = replace(box, id=id, kind=kind, cluster=parent) if box else None
        node = box.id if box else ""
        self.clusters[id] = Cluster(id, label, kind, above + label, parent, box=shown, node=node)
        return id

    def cluster_of(self, path: Path, kinds: Sequence[str] = ()) -> str | None:
        """The id of the cluster of a layer path, made with those around it if need be."""
        parent = None
        for depth in range(1, len(path) + 1):
            part = path[:depth]
            if part not in self.paths:
                kind = kinds[depth - 1] if depth <= len(kinds) else "scope"
                self.paths[part] = self.cluster(part[-1], kind, parent)
            parent = self.paths[part]
        return parent


def draw_graph(drawing: Drawing, graph: Graph, paths: Mapping[Node, Path], phases: bool) -> None:
    """Draws a graph with its outputs and updates."""
    kinds = ("phase",) if phases else ()

    def close(frame: Frame) -> None:
        for place, (name, node) in enumerate(graph.outputs):
            _end(drawing, frame, f"out{place}", "output", name, node, None)
        for place, (state, node) in enumerate(graph.updates):
            cluster = drawing.cluster_of(paths[node][:1], kinds) if phases else None
            _end(drawing, frame, f"up{place}", "update", state.name, node, cluster)

    frame = Frame("n", ordered(graph), lambda n: drawing.cluster_of(paths[n], kinds), close)
    drawing.run(frame)


def _end(
    drawing: Drawing, frame: Frame, id: str, kind: str, name: str, node: Node, cluster: str | None
) -> None:
    box = Box(id, kind, kind, name, kind, kind, cluster, (name,), node.types[:1])
    drawing.add(box, [frame.operand(node)])

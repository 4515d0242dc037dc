"""What a picture shows, apart from how: boxes, edges and nested frames made from a graph.

Boxes have the numbers of the text form as ids, so equal graphs give equal pictures. Scalars are
written into the box that uses them, and `item` nodes into the edges.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kgraph.ir.arrays import to_numbers
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import CONST, INPUT, ITEM, const_value
from kgraph.ir.node import Node
from kgraph.ir.printer import ordered, show_value
from kgraph.ir.variable import Variable
from kgraph.ops.fused import fused

# Frames deeper than this are drawn as one.
MAX_DEPTH = 8


@dataclass(frozen=True)
class Box:
    """One box.

    Args:
        id: `n` and the node's number; unique in the view.
        kind: input, layer, op, state, const, output or update.
        label: the name in the header.
        type: layer class, op or dtype beside the name.
        types: types of the outputs in IR notation.
        details: further lines, such as attributes.
        cluster: id of the frame around it, or None.
        sharing: (call, number of calls) of a layer that is called more than once.
        params: number of parameters of a layer.
        trainable: whether an optimizer may change the state, or some weight of the layer.
        source: the user's `file:line`.
        lineage: rules that made the node, the last one first.
    """

    id: str
    kind: str
    label: str
    type: str
    types: tuple[str, ...] = ()
    details: tuple[str, ...] = ()
    cluster: str | None = None
    sharing: tuple[int, int] | None = None
    params: int | None = None
    trainable: bool | None = None
    source: str | None = None
    lineage: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """An arrow from output `output` of a box to operand `operand` of another."""

    source: str
    target: str
    label: str = ""
    kind: str = "data"
    output: int = 0
    operand: int = 0


@dataclass(frozen=True)
class Cluster:
    """A frame around the boxes of one layer path."""

    id: str
    label: str
    parent: str | None = None


@dataclass(frozen=True)
class View:
    """A whole picture."""

    title: str
    stage: str
    symbols: tuple[str, ...]
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    clusters: tuple[Cluster, ...]


def build_view(graph: Graph, title: str = "") -> View:
    """Makes the picture of a graph.

    Args:
        graph: at stage LAYERS each layer call is a box; later each op is one, in frames by layer.
        title: written above the picture.

    Returns:
        The view; equal graphs give equal views.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> [box.kind for box in build_view(Graph((x,), (("y", x),))).boxes]
        ['input', 'output']
    """
    return _Builder(graph).view(title)


class _Builder:
    """The tables that all boxes and edges of one view are made from."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.nodes = ordered(graph)
        self.ids = {node: f"n{number}" for number, node in enumerate(self.nodes)}
        self.scopes = self.find_scopes()
        self.clusters = _clusters(self.scopes.values())
        self.calls: dict[Any, list[Node]] = {}
        for node in self.nodes:
            if node.op is LAYER_CALL:
                self.calls.setdefault(node.attrs["call"].layer, []).append(node)

    def find_scopes(self) -> dict[Node, str]:
        """Layer path of each node; states and constants stand where all their users are."""
        users = self.graph.users
        scopes: dict[Node, str] = {}
        for node in reversed(self.nodes):
            if node.op is CONST or isinstance(node, Variable):
                inner = [scopes[user].split("/") for user in users.get(node, ())]
                scopes[node] = "/".join(_common_start(inner))
            else:
                scopes[node] = "/".join(node.origin.scope.split("/")[:MAX_DEPTH])
        return {n: "" if n.op in (INPUT, LAYER_CALL) else s for n, s in scopes.items()}

    def view(self, title: str) -> View:
        shown = [node for node in self.nodes if node.op is not ITEM and not _is_scalar(node)]
        boxes = [self.box(node) for node in shown]
        edges = [edge for node in shown for edge in self.edges(node)]
        for place, (name, node) in enumerate(self.graph.outputs):
            boxes.append(Box(f"out{place}", "output", name, "output", tuple(map(str, node.types))))
            edges.append(self.edge(node, f"out{place}", 0))
        for place, (state, node) in enumerate(self.graph.updates):
            boxes.append(Box(f"up{place}", "update", state.name, "update", (str(state.type),)))
            edges.append(self.edge(node, f"up{place}", 0))
        edges += self.links()
        used = {box.cluster for box in boxes} - {None}
        clusters = tuple(_with_parents(self.clusters.values(), used))
        symbols = self.graph.symbols
        return View(title, self.graph.stage.value, symbols, tuple(boxes), tuple(edges), clusters)

    def box(self, node: Node) -> Box:
        cluster = self.clusters.get(self.scopes[node])
        fields: dict[str, Any] = {
            "id": self.ids[node],
            "types": tuple(map(str, node.types)),
            "cluster": cluster.id if cluster else None,
        }
        if node.op is INPUT:
            return Box(kind="input", label=node.name, type="input", **fields)
        if isinstance(node, Variable):
            note = () if node.trainable else ("frozen",)
            fields |= {"details": note, "trainable": bool(node.trainable)}
            return Box(kind="state", label=node.name, type="state", **fields)
        if node.op is CONST:
            return Box(kind="const", label="constant", type=node.dtype, **fields)
        if node.origin.file:
            fields["source"] = f"{os.path.basename(node.origin.file)}:{node.origin.line}"
        lineage = reversed(node.origin.lineage)
        fields["lineage"] = tuple(f"{step.pass_name}/{step.rule}" for step in lineage)
        if node.op is LAYER_CALL:
            return self.layer_box(node, fields)
        details = [f"{name} = {show_value(v)}" for name, v in node.attrs.items()]
        if node.op is fused:
            details = [" + ".join(name for name, *_ in node.attrs["program"])]
        details += [_scalar_text(i, n) for i, n in enumerate(node.inputs) if _is_scalar(n)]
        return Box(kind="op", label=node.op.name, type="", details=tuple(details), **fields)

    def layer_box(self, node: Node, fields: dict[str, Any]) -> Box:
        layer = node.attrs["call"].layer
        calls = self.calls[layer]
        weights = tuple(getattr(layer, "weights", ()))
        activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
        details = [f"activation = {activation}"] if activation != "linear" else []
        inner = getattr(layer, "layers", None)
        details += [f"a model of {len(inner)} layers"] if inner else []
        details += [_scalar_text(i, n) for i, n in enumerate(node.inputs) if _is_scalar(n)]
        return Box(
            kind="layer",
            label=layer.name,
            type=type(layer).__name__,
            details=tuple(details),
            sharing=(calls.index(node) + 1, len(calls)) if len(calls) > 1 else None,
            params=sum(v.value.size for v in weights),
            trainable=bool(getattr(layer, "trainable_weights", weights)) if weights else None,
            **fields,
        )

    def edges(self, node: Node) -> list[Edge]:
        shown = [(i, n) for i, n in enumerate(node.inputs) if not _is_scalar(n)]
        return [self.edge(operand, self.ids[node], place) for place, operand in shown]

    def edge(self, operand: Node, target: str, place: int) -> Edge:
        """An arrow; an `item` node becomes the number of the output that it takes."""
        output, source = 0, operand
        if operand.op is ITEM:
            output, source = operand.attrs["index"], operand.inputs[0]
        shape = ", ".join(map(str, operand.shape))
        kind = "state" if isinstance(source, Variable) else "data"
        return Edge(self.ids[source], target, f"[{shape}]", kind, output, place)

    def links(self) -> list[Edge]:
        """A line between one call of a shared layer and the next."""
        return [
            Edge(self.ids[one], self.ids[two], "same weights", "shared")
            for calls in self.calls.values()
            for one, two in itertools.pairwise(calls)
        ]


def _common_start(paths: list[list[str]]) -> list[str]:
    parts: list[str] = []
    for level in zip(*paths, strict=False):
        if len(set(level)) > 1:
            break
        parts.append(level[0])
    return parts


def _is_scalar(node: Node) -> bool:
    return node.op is CONST and const_value(node).size == 1


def _scalar_text(place: int, node: Node) -> str:
    numbers = to_numbers(const_value(node))
    return f"operand {place + 1} = {numbers[0] if numbers else const_value(node).item()}"


def _clusters(scopes: Iterable[str]) -> dict[str, Cluster]:
    """Layer path -> its frame, for all paths and their parents, in order of first use."""
    found: dict[str, Cluster] = {}
    for scope in scopes:
        parts = scope.split("/") if scope else []
        for depth in range(1, len(parts) + 1):
            path, above = "/".join(parts[:depth]), "/".join(parts[: depth - 1])
            if path not in found:
                parent = found[above].id if above else None
                found[path] = Cluster(f"c{len(found)}", parts[depth - 1], parent)
    return found


def _with_parents(clusters: Iterable[Cluster], used: set[Any]) -> list[Cluster]:
    """The frames that hold something, parents first."""
    table = {cluster.id: cluster for cluster in clusters}
    kept: set[str] = set()
    for name in used:
        while name is not None and name not in kept:
            kept.add(name)
            name = table[name].parent
    return [cluster for cluster in table.values() if cluster.id in kept]

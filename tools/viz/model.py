"""What a picture shows, apart from how: boxes, edges and nested clusters, as frozen data.

Ids are made of the numbers of the text form, so equal graphs give equal views in every process.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kgraph.ir.types import TensorType

VIEWS = ("layers", "ops", "step", "fused", "memory")
Value = int | float | str


@dataclass(frozen=True)
class Source:
    """The user's place; the file without its folders, so that machines agree."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True)
class Work:
    """An estimate: floating-point operations, and bytes read and written."""

    flops: int
    bytes: int

    def __add__(self, other: Work) -> Work:
        return Work(self.flops + other.flops, self.bytes + other.bytes)


@dataclass(frozen=True)
class Box:
    """One box.

    Args:
        id: unique in the view.
        kind: input, layer, op, state, const, arg, result, output or update; a closed cluster
            has its cluster's kind.
        op: name of the op, or the layer's class.
        label: the name in the header.
        type: layer class or dtype beside the name.
        role: input, param, state, constant, forward, loss, backward, update, metric or output.
        cluster: id of the cluster around it, or None.
        ins: names of the operands.
        types: types of the outputs.
        details: further lines, such as attributes.
        activation: name of a layer's activation function.
        params: number of parameters of a layer.
        trainable: whether an optimizer may change the state, or some weight of the layer.
        sharing: (call, number of calls) of a layer that is called more than once; call 0 for a box
            that stands for all of them.
        source: the user's line.
        lineage: what made the node, the last rewrite first.
        work: what one run costs.
        hidden: how many boxes a closed cluster stands for.
    """

    id: str
    kind: str
    op: str
    label: str
    type: str = ""
    role: str = "forward"
    cluster: str | None = None
    ins: tuple[str, ...] = ()
    types: tuple[TensorType, ...] = ()
    details: tuple[str, ...] = ()
    activation: str | None = None
    params: int | None = None
    trainable: bool | None = None
    sharing: tuple[int, int] | None = None
    source: Source | None = None
    lineage: tuple[str, ...] = ()
    work: Work | None = None
    hidden: int = 0


@dataclass(frozen=True)
class Edge:
    """An arrow from output `output` of a box to operand `operand` of another.

    Args:
        source, target: ids of the boxes.
        output, operand: which tensor of the one, and which place of the other.
        type: of the tensor; None for links that carry none.
        kind: data, state, grad (a gradient flows), control (what one turn of a loop hands to the
            next), or shared (two calls of one layer).
        count: how many tensors a bundle between closed clusters stands for.
        calls: which call of a shared layer it leaves and which one it enters; 0 for none.
    """

    source: str
    target: str
    output: int = 0
    operand: int = 0
    type: TensorType | None = None
    kind: str = "data"
    count: int = 1
    calls: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Cluster:
    """A group of boxes: a layer path, a nested model, a loop's body, a fused region, a phase.

    Args:
        id: unique in the view.
        label: its name.
        kind: scope, model, loop, fused, phase, repeat or part.
        path: labels from the outermost cluster down to this one, joined by slashes.
        parent: id of the cluster around it, or None.
        open: whether a first look shows what is inside.
        repeat: how many equal blocks in a row it stands for.
        box: what is known of it as one thing; drawn when it is closed.
        node: id of the node that is opened here, if it is one.
    """

    id: str
    label: str
    kind: str
    path: str
    parent: str | None = None
    open: bool = True
    repeat: int = 1
    box: Box | None = None
    node: str = ""


@dataclass(frozen=True)
class Rectangle:
    """A tensor in the arena: bytes [offset, offset + size) from step `start` to step `end`."""

    id: str
    label: str
    op: str
    offset: int
    size: int
    start: int
    end: int
    role: str = "forward"


@dataclass(frozen=True)
class Memory:
    """The arena of a plan over its schedule."""

    arena: int
    lower_bound: int
    steps: int
    items: tuple[Rectangle, ...] = ()


@dataclass(frozen=True)
class Overlay:
    """What a user knows of boxes and clusters.

    Args:
        name, unit: of the values.
        values: id of a box or cluster -> number or text.
        unknown: names that the view does not know.
    """

    name: str
    unit: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True)
class GraphView:
    """A whole picture.

    Args:
        title: written above it.
        view: one of `VIEWS`.
        stage: stage of the graph.
        symbols: symbolic size -> the number that estimates take for it.
        boxes, edges, clusters: clusters stand before those inside them.
        memory: for the view `memory`.
        times: box or cluster -> milliseconds of a run, where they were measured.
        overlays: values from outside.
        passes: what each pass did, as JSON data.
    """

    title: str
    view: str
    stage: str
    symbols: Mapping[str, int] = field(default_factory=dict)
    boxes: tuple[Box, ...] = ()
    edges: tuple[Edge, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    memory: Memory | None = None
    times: Mapping[str, float] = field(default_factory=dict)
    overlays: tuple[Overlay, ...] = ()
    passes: tuple[Mapping[str, Any], ...] = ()


def ancestors(clusters: Mapping[str, Cluster], start: str | None) -> list[str]:
    """Ids of the clusters around something, the innermost first."""
    found: list[str] = []
    while start is not None:
        found.append(start)
        start = clusters[start].parent
    return found


def by_id(items: Any) -> dict[str, Any]:
    """Id -> box or cluster."""
    return {item.id: item for item in items}


def outer_first(clusters: Mapping[str, Cluster]) -> tuple[Cluster, ...]:
    """The clusters, each before those inside it."""
    return tuple(sorted(clusters.values(), key=lambda c: len(ancestors(clusters, c.parent))))

"""The rows of `kgraph summary`: each layer of a model, or each op of a graph, as plain data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from kgraph.ir.graph import Graph
from kgraph.ir.leaves import is_const
from kgraph.ir.node import Node
from kgraph.ir.printer import name_nodes
from kgraph.ir.variable import Variable
from kgraph.models.summary import is_chain, links_of, output_shape
from kgraph.passes.cost import SIZE_HINT, estimate_nodes
from kgraph.passes.lower import lower

# Ops that multiply and add: half of their operations are multiplications.
_PRODUCTS = ("matmul", "conv", "einsum", "depthwise", "tensordot")


@dataclass(frozen=True)
class Work:
    """Estimated work of a layer in one run, batch and other open sizes counting as 32."""

    macs: int = 0
    flops: int = 0
    activation_bytes: int = 0

    def __add__(self, other: Work) -> Work:
        return Work(
            self.macs + other.macs,
            self.flops + other.flops,
            self.activation_bytes + other.activation_bytes,
        )


@dataclass(frozen=True)
class Row:
    """One layer, or one op.

    Args:
        name: of the layer.
        kind: its class, or the op.
        shape: of its outputs; "?" before it is built.
        params: numbers in its weights, None before it is built.
        trainable: whether these are trained, None without weights.
        links: what it reads.
        depth: how many models are around it.
        scope: path of layers that leads to it.
        node: the op, for a row that is no layer.
        work: what it costs, if that was asked for.
    """

    name: str
    kind: str
    shape: str
    params: int | None
    trainable: bool | None
    links: tuple[str, ...]
    depth: int
    scope: str
    node: Node | None = None
    work: Work | None = None

    @property
    def params_text(self) -> str:
        """The number as the table shows it."""
        return "0 (unbuilt)" if self.params is None else f"{self.params:,}"


def layer_rows(model: Any, expand: bool = False) -> tuple[list[Row], bool]:
    """The rows of a model, and whether each layer reads what the one before returned.

    Args:
        model: built or not.
        expand: whether the layers of models inside follow them.
    """
    if model._known_network() is None:
        return [_row(layer, layer.name, (), 0, "") for layer in model.layers], True
    rows = list(_walk(model, expand))
    chain = is_chain(model, model.require_built().network.topology)
    return rows, chain and not any(row.depth for row in rows)


def _walk(model: Any, expand: bool) -> Iterator[Row]:
    stack = [iter(_owners(model, 0, ""))]
    while stack:
        row, owner = next(stack[-1], (None, None))
        if row is None:
            stack.pop()
            continue
        yield row
        if expand and hasattr(owner, "network"):
            stack.append(iter(_owners(owner, row.depth + 1, row.scope)))


def _owners(model: Any, depth: int, scope: str) -> list[tuple[Row, Any]]:
    topology = model.require_built().network.topology
    shown = topology.owners
    if is_chain(model, topology) and not topology.ops:
        shown = model.layers  # a Sequential hides its input
    return [
        (_row(o, topology.names[o], tuple(links_of(o, topology)), depth, scope), o) for o in shown
    ]


def _row(owner: Any, name: str, links: tuple[str, ...], depth: int, scope: str) -> Row:
    path = f"{scope}/{name}" if scope else name
    if isinstance(owner, Node):
        shape = ", ".join(map(str, owner.types))
        return Row(name, owner.op.name, shape, 0, None, links, depth, path, owner)
    if not owner.built:
        return Row(name, type(owner).__name__, "?", None, None, links, depth, path)
    trainable = bool(owner.trainable_weights) if owner.weights else None
    count = sum(v.value.size for v in owner.weights)
    return Row(
        name, type(owner).__name__, output_shape(owner), count, trainable, links, depth, path
    )


def op_rows(graph: Graph) -> list[Row]:
    """The rows of a graph without layers: one an input, a variable, and an op."""
    names = name_nodes(graph)
    rows = []
    for node in graph.nodes:
        if is_const(node):
            continue
        state = isinstance(node, Variable)
        rows.append(
            Row(
                node.name if not node.inputs else names[node],
                node.op.name,
                ", ".join(map(str, node.types)),
                int(node.value.size) if isinstance(node, Variable) else 0,
                node.trainable if isinstance(node, Variable) else None,
                tuple(names[n] for n in node.inputs),
                0,
                node.name if state else node.origin.scope,
                node,
            )
        )
    return rows


def with_work(rows: Sequence[Row], graph: Graph, batch: int = SIZE_HINT) -> tuple[list[Row], Work]:
    """The rows with what they cost, and the cost of the whole graph.

    Args:
        rows: of a model or a graph.
        graph: its graph, of any stage; layers are lowered for inference.
        batch: the number that every open size takes.
    """
    graph = lower(graph)
    binding = dict.fromkeys(graph.symbols, batch)
    found: dict[str, Work] = {}
    for node in graph.nodes:
        work = _work(node, binding)
        for scope in prefixes(node.origin.scope) if node.inputs else ():
            found[scope] = found.get(scope, Work()) + work
    ops = tuple(("y", row.node) for row in rows if row.node is not None and row.node.inputs)
    binding |= dict.fromkeys(Graph((), ops).symbols, batch)
    priced = [
        replace(
            row,
            work=_work(row.node, binding) if row.node is not None else found.get(row.scope, Work()),
        )
        for row in rows
    ]
    return priced, found.get("", Work())


def _work(node: Node, binding: Mapping[str, int]) -> Work:
    if not node.inputs:
        return Work()
    flops = estimate_nodes([node], binding).flops
    made = 0 if node.op.name == "item" else sum(int(t.bind(binding).nbytes) for t in node.types)
    macs = flops // 2 if any(name in node.op.name for name in _PRODUCTS) else 0
    return Work(macs, flops, made)


def prefixes(scope: str) -> Sequence[str]:
    """A path and all that it starts with, the empty one included."""
    parts = scope.split("/") if scope else []
    return ["/".join(parts[:n]) for n in range(len(parts) + 1)]

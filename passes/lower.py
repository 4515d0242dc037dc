"""Lowering: every layer call of a graph is replaced by the primitive ops that it stands for.

One user graph has two lowerings, for training and for inference. Layers leave state updates,
losses and masks in the `CallContext`; what they build lies under the layer's path and keeps the
line on which the user called the layer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from kgraph.ir.attributes import map_attribute
from kgraph.ir.call import LAYER_CALL, MASK_OF
from kgraph.ir.context import CallContext, calling
from kgraph.ir.dim import Dim
from kgraph.ir.graph import Graph, Stage, substitute, toposort
from kgraph.ir.leaves import ITEM, fresh_uid
from kgraph.ir.node import Node, build
from kgraph.ir.origin import Origin, here, making
from kgraph.ir.variable import Variable
from kgraph.ops.gradients import identity
from kgraph.passes.manager import Pass

Update = tuple[Variable, Node]


def inline(
    roots: Sequence[Node],
    context: CallContext,
    env: Mapping[Node, Node] | None = None,
    masks: Mapping[Node, Node] | None = None,
    taps: Collection[Node] = (),
) -> tuple[tuple[Node, ...], tuple[Node | None, ...]]:
    """Builds what the roots stand for in primitive ops.

    Args:
        roots: nodes of a LAYERS graph.
        context: takes up the updates, losses and masks that the layers leave.
        env: replacements of nodes, such as the inputs of a model that is called.
        masks: masks of the nodes in `env`.
        taps: nodes that become an `identity` of their own, so that a gradient with respect to
            one does not count the users of a node that lowers to the same.

    Returns:
        The roots in primitive ops, and the mask of each or None.
    """
    given = dict(env or {})
    return Lowering(context, given, dict(masks or {}), solve_symbols(given)).inline(roots, taps)


@dataclass
class Lowering:
    """What nodes became in primitive ops, and the context that the layers left their effects in.

    Args:
        context: takes up the updates, losses and masks.
        values: node -> what it became.
        masks: node -> its mask.
        symbols: sizes that stand for others.
    """

    context: CallContext
    values: dict[Node, Node] = field(default_factory=dict)
    masks: dict[Node, Node] = field(default_factory=dict)
    symbols: Mapping[str, int | Dim] = field(default_factory=dict)
    outer: Origin = field(default_factory=here)
    calls: dict[Node, tuple[tuple[Node, ...], tuple[Node | None, ...]]] = field(
        default_factory=dict
    )

    def inline(
        self, roots: Sequence[Node], taps: Collection[Node] = ()
    ) -> tuple[tuple[Node, ...], tuple[Node | None, ...]]:
        """Lowers roots, and what they need, as far as it has not been; see `inline`."""
        order = toposort(roots, stop=self.values)
        tapped = {t for n in order if n.op is LAYER_CALL for t in n.attrs["call"].taps}.union(taps)
        with calling(self.context):
            for node in order:
                if node not in self.values:
                    self.visit(node)
                    if node in tapped:
                        self.values[node] = identity(self.values[node], tag=fresh_uid())
        return tuple(self.values[r] for r in roots), tuple(self.masks.get(r) for r in roots)

    def more(self, roots: Sequence[Node]) -> tuple[Node, ...]:
        """Lowers nodes that were built on those lowered before or on what these became.

        Layers met on the way leave no effects, and this lowering stays as it is.
        """
        context = CallContext(self.context.training, sites=self.context.sites)
        values = {**{n: n for n in self.values.values()}, **self.values}
        again = replace(
            self, context=context, values=values, masks=dict(self.masks), calls=dict(self.calls)
        )
        return again.inline(roots)[0]

    def visit(self, node: Node) -> None:
        """Replaces a node whose operands are done."""
        if node.op is LAYER_CALL:
            self._call(node)
        elif node.op is ITEM and node.inputs[0] in self.calls:
            self._output(node, node.inputs[0], node.attrs["index"])
        elif node.op is MASK_OF and node.inputs[0] in self.calls:
            mask = self.calls[node.inputs[0]][1][node.attrs["index"]]
            assert mask is not None, "mask_of refuses outputs without a mask"
            self.values[node] = mask
        else:
            operands = tuple(self.values[n] for n in node.inputs)
            origin = self._place(node.origin, node.origin.scope)
            self.values[node] = rebuild_with(node, operands, self.symbols, origin)

    def _call(self, node: Node) -> None:
        operands = tuple(self.values[n] for n in node.inputs)
        masks = tuple(self.masks.get(n) for n in node.inputs)
        call = node.attrs["call"]
        with making(self._place(node.origin, call.layer.name)):
            self.calls[node] = call.invoke(operands, masks, self.context)
        self.values[node] = self.calls[node][0][0]
        if len(node.types) == 1:
            self._output(node, node, 0)

    def _output(self, node: Node, call: Node, index: int) -> None:
        outputs, masks = self.calls[call]
        self.values[node] = outputs[index]
        mask = masks[index]
        if mask is not None:
            self.masks[node] = mask

    def _place(self, origin: Origin, scope: str) -> Origin:
        path = "/".join(part for part in (self.outer.scope, scope) if part)
        return replace(origin, name=None, history=None, scope=path)


def solve_symbols(env: Mapping[Node, Node]) -> dict[str, int | Dim]:
    """What the symbolic sizes of replaced nodes become, such as an inner model's unknown length."""
    found: dict[str, int | Dim] = {}
    for old, new in env.items():
        for before, after in zip(old.shape, new.shape, strict=False):
            names = before.symbols if isinstance(before, Dim) else ()
            for name in names:
                if before == Dim.symbol(name):
                    found.setdefault(name, after)
    return {name: size for name, size in found.items() if size != Dim.symbol(name)}


def rebuild_with(
    node: Node, operands: tuple[Node, ...], symbols: Mapping[str, int | Dim], origin: Origin
) -> Node:
    """The same op on other operands, with the sizes in its attributes replaced too."""

    def substitute_sizes(leaf: Any) -> Any:
        return leaf.substitute(symbols) if isinstance(leaf, Dim) else leaf

    attrs: Mapping[str, Any] = node.attrs
    if symbols and not isinstance(node, Variable):
        attrs = {k: map_attribute(v, substitute_sizes) for k, v in node.attrs.items()}
    if operands == node.inputs and all(attrs[k] == node.attrs[k] for k in attrs):
        return node
    return build(node.op, operands, attrs, origin)


def merge_updates(updates: Iterable[Update]) -> tuple[Update, ...]:
    """Makes several updates of one variable one; each starts from what the one before it left.

    A layer that is called twice, such as a shared batch normalisation, updates its state twice.
    """
    latest: dict[Variable, Node] = {}
    for variable, value in updates:
        if variable in latest:
            value = substitute([value], {variable: latest[variable]})[0]
        latest[variable] = value
    return tuple(latest.items())


def lower(graph: Graph, training: bool = False) -> Graph:
    """Replaces the layer calls of a graph by primitive ops.

    Args:
        graph: a graph of any stage; one without layer calls is returned as it is.
        training: whether dropout and batch statistics are on.

    Returns:
        The CORE graph with the layers' state updates.
    """
    if graph.stage is not Stage.LAYERS:
        return graph
    context = CallContext(training)
    roots, _ = inline(graph.roots, context)
    count = len(graph.outputs)
    outputs = tuple((name, n) for (name, _), n in zip(graph.outputs, roots[:count], strict=True))
    own = [(v, n) for (v, _), n in zip(graph.updates, roots[count:], strict=True)]
    updates = merge_updates([*own, *context.updates])
    return Graph(graph.inputs, outputs, updates, Stage.CORE)


@dataclass(frozen=True)
class Lower(Pass):
    """The pass from layer calls to primitive ops.

    Args:
        training: whether dropout and batch statistics are on.
    """

    needs: ClassVar[Stage] = Stage.LAYERS

    training: bool = False

    def run(self, graph: Graph) -> Graph:
        """Lowers the graph."""
        return lower(graph, self.training)

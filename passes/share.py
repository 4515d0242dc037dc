"""One exp for softmax and cross-entropy: the loss op has computed the probabilities already.

`softmax(z)` becomes the second output of `softmax_cross_entropy(z, target)` where both are there;
the two kernels take the same steps, so the bits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from kgraph import ops
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import item
from kgraph.ir.node import Node
from kgraph.passes.manager import Pass
from kgraph.passes.rewrite import apply_rules
from kgraph.passes.rules import FunctionRule, at

LOSSES = frozenset([ops.softmax_cross_entropy, ops.sparse_softmax_cross_entropy])


@dataclass(frozen=True)
class ShareSoftmax(Pass):
    """Takes probabilities from the cross-entropy of the same logits.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> z, t = input_node((2, 3), name="z"), input_node((2, 3), name="t")
        >>> loss, _ = ops.softmax_cross_entropy(z, t)
        >>> graph = Graph((z, t), (("loss", loss), ("p", ops.softmax(z))))
        >>> ShareSoftmax().run(graph).outputs[1][1]
        <item: f32[2, 3]>
    """

    rule_names: ClassVar[tuple[str, ...]] = ("softmax-of-loss",)  # type: ignore[misc]

    def run(self, graph: Graph) -> Graph:
        """The graph with no softmax of logits whose cross-entropy it computes."""
        losses: dict[Node, list[Node]] = {}
        for node in graph.nodes:
            if node.op in LOSSES:
                losses.setdefault(node.inputs[0], []).append(node)
        if not losses:
            return graph
        source: dict[Node, Node] = {}
        blocked = set[Node]()
        for node in graph.nodes:
            if node.op is ops.softmax and node.attrs["axis"] == node.ndim - 1:
                loss = _first_free(node, losses.get(node.inputs[0], []), source)
                if loss is not None:
                    source[node] = loss
                elif node.inputs[0] in losses:
                    blocked.add(node)

        def find(node: Node) -> Callable[[], Node] | str | None:
            if node in blocked:
                return "the loss needs these probabilities as its target"
            return (lambda: item(source[node], 1)) if node in source else None

        rule = FunctionRule("softmax-of-loss", find, at(ops.softmax))
        return graph.with_roots(apply_rules(graph.roots, (rule,), self.name))


def _first_free(softmax: Node, losses: list[Node], source: Mapping[Node, Node]) -> Node | None:
    """The first loss that does not need the softmax, also not by way of those already replaced."""
    for loss in losses:
        seen: set[Node] = set()
        stack = [loss]
        while stack and softmax not in seen:
            node = stack.pop()
            if node not in seen:
                seen.add(node)
                stack.extend(node.inputs)
                stack.extend([source[node]] if node in source else [])
        if softmax not in seen:
            return loss
    return None

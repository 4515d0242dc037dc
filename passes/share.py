"""One exp for softmax and cross-entropy: the loss op has computed the probabilities already.

`softmax(z)` becomes the second output of `softmax_cross_entropy(z, t)` where both are there. Bits
may differ by the rounding of two spellings of one softmax, so it is not done under strict numerics.
"""

from __future__ import annotations

from dataclasses import dataclass

from kgraph import config
from kgraph import ops
from kgraph.ir.graph import Graph, toposort
from kgraph.ir.leaves import item
from kgraph.ir.node import Node
from kgraph.passes.journal import Journal, current_journal
from kgraph.passes.manager import Pass
from kgraph.passes.rewrite import Rewrite
from kgraph.passes.rules import FunctionRule

LOSSES = frozenset([ops.softmax_cross_entropy, ops.sparse_softmax_cross_entropy])


@dataclass(frozen=True)
class ShareSoftmax(Pass):
    """Takes probabilities from the cross-entropy of the same logits.

    Args:
        numerics: "strict", "safe" or "fast" instead of `config.numerics`.
    """

    numerics: str | None = None

    def run(self, graph: Graph) -> Graph:
        """The graph with at most one softmax of such logits."""
        losses: dict[Node, list[Node]] = {}
        for node in graph.nodes:
            if node.op in LOSSES:
                losses.setdefault(node.inputs[0], []).append(node)
        if not losses:
            return graph

        def find(node: Node):
            if node.op is not ops.softmax or node.attrs["axis"] != node.ndim - 1:
                return None
            for loss in losses.get(node.inputs[0], ()):
                # A target made of the probabilities themselves must not come to need its own loss.
                if node not in toposort((loss,)):
                    return lambda loss=loss: item(loss, 1)
            return None

"""Copies that the runtime inserts: never part of what a user or a pass writes."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.ir.graph import Graph
from kgraph.ir.node import Node, build
from kgraph.ir.op import Op
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable
from kgraph.runtime.schedule import shares_storage


class CopyOp(Op):
    """The same values in memory of their own."""

    name = "copy"
    reuse = ()

    def infer(self, *types: TensorType, **attrs: Any) -> TensorType:
        return types[0]

    def kernel(self, *arrays: np.ndarray, out: Any = None, **attrs: Any) -> Any:
        if out is None:
            return arrays[0].copy()
        np.copyto(out, arrays[0])
        return out

    def specialize(self, inputs: Any, outputs: Any, attrs: Any) -> Any:
        return lambda source, out: np.copyto(out, source)


COPY = CopyOp()


def protect_old_states(graph: Graph) -> Graph:
    """Copies the old value of an updated state where an output or an update hands it on.

    Without it `outputs=[w], updates=[(w, w + 1)]` would return the new value, and swapping two
    states would lose one.
    """
    updated = {state for state, _ in graph.updates}

    def storage(node: Node) -> Node:
        while shares_storage(node):
            node = node.inputs[0]
        return node

    def protect(root: Node, target: Variable | None) -> Node:
        held = storage(root)
        unchanged = root is target
        return build(COPY, (root,)) if held in updated and not unchanged else root

    targets = [None] * len(graph.outputs) + [state for state, _ in graph.updates]
    return graph.with_roots([protect(r, t) for r, t in zip(graph.roots, targets, strict=True)])

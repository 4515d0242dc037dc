"""An optimizer applied to arrays at once: its updates, compiled for the weights they change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kgraph.ir import Graph, Stage, Variable, input_node
from kgraph.runtime.executable import Executable, compile


def compile_updates(optimizer: Any, weights: Sequence[Variable]) -> Executable:
    """What changes the weights and the optimizer's state, given one gradient a weight.

    Args:
        optimizer: has `get_updates`.
        weights: the variables to change.
    """
    gradients = [input_node(w.shape, w.dtype, f"{w.name}/gradient") for w in weights]
    updates = tuple(optimizer.get_updates(gradients, weights))
    return compile(Graph(tuple(gradients), (), updates, Stage.CORE))

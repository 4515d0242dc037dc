"""Which part a node has in a training step, read from its layer path and its lineage."""

from __future__ import annotations

from kgraph.ir.leaves import ARG, CONST, INPUT
from kgraph.ir.node import Node
from kgraph.ir.variable import Variable

# First part of the layer path -> the part that it plays; the trainer gives these names.
SCOPES = {"loss": "loss", "metrics": "metric", "totals": "metric", "optimizer": "update"}
# In the order in which a step goes through them.
PHASES = ("forward", "loss", "backward", "metric", "update")


def role_of(node: Node, training: bool = False) -> str:
    """The part that a node plays.

    Args:
        node: any node.
        training: whether the graph is a training step, where the outer scopes are the trainer's.

    Returns:
        input, param, state, constant, or one of `PHASES`.

    Example:
        >>> from kgraph.ir import input_node
        >>> role_of(input_node((2,), name="x"))
        'input'
    """
    if node.op in (INPUT, ARG):
        return "input"
    if node.op is CONST:
        return "constant"
    if isinstance(node, Variable):
        return "param" if node.trainable else "state"
    if any(step.pass_name == "grad" for step in node.origin.lineage):
        return "backward"
    if not training:
        return "forward"
    return SCOPES.get(node.origin.scope.split("/", 1)[0], "forward")

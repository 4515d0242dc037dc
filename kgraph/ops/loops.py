"""Loops written as expressions: what one step reads and gives, closed over into a `scan` node.

A step is written over placeholder nodes (fresh inputs). Whatever in it does not depend on them is
computed before the loop and comes in as an operand, so invariants are hoisted by construction.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from kgraph.ir.body import Body
from kgraph.ir.dim import Dim
from kgraph.ir.leaves import CONST, SIZE, arg, input_node, items
from kgraph.ir.node import Node, build
from kgraph.ir.op import find_op
from kgraph.ir.types import TensorType
from kgraph.ir.walk import substitute, toposort
from kgraph.ops.shapes import broadcast_to

Nodes = tuple[Node, ...]


@dataclass(frozen=True)
class Loop:
    """A loop over time before its step is closed.

    Args:
        carry, before, after: for each value handed from step to step its placeholder, the value
            that the first step finds, and the expression that the next one finds.
        xs, sequences: for each tensor that is read along axis 0 the placeholder of what one step
            reads, and the tensor.
        ys: expressions that every step gives.
        length: number of steps.
        reverse: whether the last element comes first.
    """

    carry: Nodes
    before: Nodes
    after: Nodes
    xs: Nodes
    sequences: Nodes
    ys: Nodes
    length: int | Dim
    reverse: bool = False

    def build(self, stop: Collection[Node] = ()) -> tuple[Nodes, Nodes]:
        """Makes the `scan` node.

        Args:
            stop: nodes that are known to depend on no placeholder; they are not searched.

        Returns:
            The last values of the carry, and `ys` stacked along a new axis 0. A sequence that no
            step reads is no operand, and what every step gives alike is no output of the loop.
        """
        # What the loop starts from cannot depend on placeholders of its own.
        stop = frozenset((*stop, *self.before, *self.sequences))
        moving = dependents((*self.after, *self.ys), (*self.carry, *self.xs), stop)
        through = dict(zip(self.xs, self.sequences, strict=True))
        stacked = [y for y in dict.fromkeys(self.ys) if y in moving and y not in through]
        table = {y: through[y] for y in self.ys if y in through}
        if self.carry or stacked:
            finals, stacks = self._scan(stacked, moving, stop)
            table |= zip(stacked, stacks, strict=True)
        else:
            finals = ()
        for y in self.ys:
            if y not in table:
                table[y] = broadcast_to(y, (self.length, *y.shape))
        return finals, tuple(table[y] for y in self.ys)

    def _scan(
        self, stacked: Sequence[Node], moving: Collection[Node], stop: Collection[Node]
    ) -> tuple[Nodes, Nodes]:
        outputs = (*self.after, *stacked)
        read = frozenset(toposort(outputs, (*stop, *self.xs)))
        pairs = [(x, s) for x, s in zip(self.xs, self.sequences, strict=True) if x in read]
        placeholders = (*self.carry, *(x for x, _ in pairs))
        consts, body = close(outputs, placeholders, moving, stop)
        counts = {"consts": len(consts), "carry": len(self.carry), "xs": len(pairs)}
        node = build(
            find_op("scan"),
            (*consts, *self.before, *(s for _, s in pairs)),
            {"body": body, **counts, "length": self.length, "reverse": self.reverse},
        )
        results = items(node)
        return results[: len(self.carry)], results[len(self.carry) :]


def placeholder(type_: TensorType, name: str) -> Node:
    """A fresh node for what one step reads."""
    return input_node(type_.shape, type_.dtype, name)


def dependents(
    outputs: Iterable[Node], sources: Iterable[Node], stop: Collection[Node] = ()
) -> frozenset[Node]:
    """The nodes below `outputs` that depend on `sources`, which are among them."""
    found = set(sources)
    for node in toposort(outputs, stop):
        if any(n in found for n in node.inputs) and node not in stop:
            found.add(node)
    return frozenset(found)


def close(
    outputs: Sequence[Node],
    placeholders: Sequence[Node],
    moving: Collection[Node],
    stop: Collection[Node] = (),
) -> tuple[Nodes, Body]:
    """Makes expressions a body.

    Args:
        outputs: what the body gives.
        placeholders: its last parameters.
        moving: the nodes that depend on some placeholder.
        stop: nodes that are not searched.

    Returns:
        The largest expressions that depend on no placeholder, which are the first parameters, and
        the body. Sizes and constants of one element stay inside.
    """
    found: dict[Node, None] = {}
    edges = [n for node in toposort(outputs, stop) if node in moving for n in node.inputs]
    for node in (*edges, *outputs):
        if node not in moving and not _stays_inside(node):
            found[node] = None
    operands = (*found, *placeholders)
    types = [n.type for n in operands]
    table = {n: arg(i, n.type) for i, n in enumerate(operands)}
    return tuple(found), Body(types, substitute(outputs, table))


def _stays_inside(node: Node) -> bool:
    if node.op is CONST:
        return bool(np.size(node.attrs["value"].array) == 1)
    return node.op is SIZE

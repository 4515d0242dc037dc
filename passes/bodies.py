"""Bodies of loops are optimized by the passes that optimize what is around them.

A pass of rules runs on each body before it runs on the graph that holds it. A body is a graph whose
inputs are its `arg` leaves; inner bodies come first, each once, and one that no rule changes stays
the same object.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from kgraph.ir.body import Body, all_bodies, bodies_of
from kgraph.ir.graph import Graph, transform
from kgraph.ir.node import Node, build
from kgraph.ir.walk import toposort


def through_bodies(
    roots: Sequence[Node], run: Callable[[Graph], Graph], bodies: Sequence[Body] | None = None
) -> tuple[Node, ...]:
    """Optimizes the bodies that the nodes below some roots hold, and those inside bodies.

    Args:
        roots: the nodes that are needed.
        run: what is done to a body; it need not look into bodies itself.
        bodies: those of the nodes below the roots, inner ones first, if the caller has them.

    Returns:
        The roots over the new bodies; the same nodes where no body changed.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> from kgraph.passes import Simplify
        >>> xs = input_node((3,), name="xs")
        >>> total, _ = ops.scan(lambda s, x: (s + x * 1, None), 0.0, xs)
        >>> (total,) = through_bodies([total], Simplify().run_level)
        >>> [n.op.name for n in total.attrs["body"].nodes]
        ['arg', 'arg', 'add']
    """
    if bodies is None:
        bodies = all_bodies(toposort(roots))
    changed: dict[Body, Body] = {}
    for body in bodies:
        outputs = _replaced(body.outputs, changed)
        named = tuple((str(i), y) for i, y in enumerate(outputs))
        new = run(Graph((), named)).roots
        if new != body.outputs:
            changed[body] = Body(body.parameters, new)
    return _replaced(roots, changed)


def _replaced(roots: Sequence[Node], changed: Mapping[Body, Body]) -> tuple[Node, ...]:
    """The roots over nodes that hold other bodies."""
    if not changed:
        return tuple(roots)

    def swap(node: Node) -> Node:
        held = bodies_of(node)
        if changed.keys().isdisjoint(held):
            return node
        attrs = {k: changed.get(v, v) if v in held else v for k, v in node.attrs.items()}
        return build(node.op, node.inputs, attrs, node.origin)

    return transform(roots, swap)

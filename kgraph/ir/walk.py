"""Walks over nodes with explicit stacks: in order, rebuilding, and replacing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from kgraph.errors import VerifyError
from kgraph.ir.node import Node, rebuild


def toposort(roots: Iterable[Node], stop: Iterable[Node] = ()) -> tuple[Node, ...]:
    """All nodes below the roots, operands first, each once; nodes in `stop` are not entered.

    Args:
        roots: the nodes to compute.
        stop: nodes that are not followed further.

    Returns:
        Every node that the roots need, operands first.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> [n.op.name for n in toposort([ops.tanh(x) + 1])]
        ['input', 'tanh', 'const', 'add']
    """
    cut = frozenset(stop)
    order: dict[Node, None] = {}
    for root in roots:
        stack = [(root, iter(() if root in cut else root.inputs))]
        if root in order:
            continue
        pending = {root}
        while stack:
            node, operands = stack[-1]
            for operand in operands:
                if operand not in order:
                    if not operand.inputs:
                        order[operand] = None
                        continue
                    if operand in pending:
                        raise VerifyError(f"{operand!r} depends on itself")
                    pending.add(operand)
                    stack.append((operand, iter(() if operand in cut else operand.inputs)))
                    break
            else:
                stack.pop()
                pending.discard(node)
                order[node] = None
    return tuple(order)


def transform(roots: Sequence[Node], function: Callable[[Node], Node]) -> tuple[Node, ...]:
    """Rebuilds the nodes below the roots, operands first, through `function`.

    Args:
        roots: the nodes to compute.
        function: gets each node over its new operands and returns what stands for it.

    Returns:
        The new roots.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> (y,) = transform([ops.exp(x)], lambda n: ops.tanh(*n.inputs) if n.op is ops.exp else n)
        >>> y.op.name
        'tanh'
    """
    done: dict[Node, Node] = {}
    for node in toposort(roots):
        done[node] = function(rebuild(node, tuple([done[i] for i in node.inputs])))
    return tuple(done[r] for r in roots)


def substitute(roots: Sequence[Node], table: Mapping[Node, Node]) -> tuple[Node, ...]:
    """Replaces the nodes in `table` wherever the roots need them.

    Args:
        roots: nodes.
        table: node -> what stands for it.

    Returns:
        The roots over the replaced nodes.

    Example:
        >>> from kgraph import ops
        >>> from kgraph.ir import Graph, input_node
        >>> x = input_node((2,), name="x")
        >>> y = substitute([ops.tanh(x)], {x: ops.exp(x)})[0]
        >>> y.inputs[0].op.name
        'exp'
    """
    done: dict[Node, Node] = dict(table)
    for node in toposort(roots, stop=table):
        if node not in done:
            done[node] = rebuild(node, tuple([done[i] for i in node.inputs]))
    return tuple(done[r] for r in roots)

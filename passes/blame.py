"""Finding the one replacement that broke something, and showing it on the smallest graph.

Fuel numbers the firings of a compilation: with n units, the first n take place and no other. So the
guilty one is found by bisection, in as many compilations as the number of firings has bits.
"""

from __future__ import annotations

from collections.abc import Callable

from kgraph.ir.graph import Graph, Stage, substitute, toposort
from kgraph.ir.leaves import input_node, is_const
from kgraph.ir.node import Node
from kgraph.passes.journal import Firing, Journal, Tank, keeping
from kgraph.passes.manager import Pass


def first_bad(bad: Callable[[int], bool], most: int) -> int:
    """The smallest number found with `bad(n)` and not `bad(n - 1)`, by bisection.

    Args:
        bad: false at 0 and true at `most`; between them it should change once.
        most: the upper end.

    Returns:
        The number of the firing that made the difference, counted from 1.

    Example:
        >>> first_bad(lambda n: n >= 5, 100)
        5
    """
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if bad(middle) else (middle, high)
    return high


def rerun(
    step: Pass, graph: Graph, fuel: int | None, excluded: frozenset[str]
) -> tuple[Graph, list[Firing]]:
    """Runs one pass again with so much fuel.

    Args:
        step: the pass.
        graph: what it got.
        fuel: how many firings it may do, None for all.
        excluded: rules that were switched off.

    Returns:
        Its result, and the firings that led there.
    """
    with keeping(Journal(Tank(fuel), excluded)) as journal:
        return step.run(graph), journal.firings


def cut_out(old: Node, new: Node, stage: Stage = Stage.CORE) -> Graph:
    """Both sides of a replacement over what they share, as one graph.

    Args:
        old: the node that was replaced.
        new: what took its place.
        stage: of the graph that the two come from.

    Returns:
        A graph with the outputs `before` and `after`; nodes that both sides need are its inputs.

    Example:
        >>> from kgraph import ops
        >>> x = input_node((2,), name="x")
        >>> y = ops.tanh(x)
        >>> print(cut_out(ops.exp(y) * 1, ops.exp(y)))
        graph core
        input %0 'exp' : f32[2]
        %1 = const(1.0) : f32[]
        %2 = multiply(%0, %1) : f32[2]  # ...
        output 'before' %2
        output 'after' %0
    """
    shared = set(toposort([old])) & set(toposort([new]))
    table: dict[Node, Node] = {}
    seen: set[Node] = set()
    stack = [new, old]
    while stack:
        node = stack.pop()
        if node in seen:
            continue
        seen.add(node)
        if node in shared and len(node.types) == 1 and not is_const(node):
            taken = {n.attrs["name"] for n in table.values()}
            name = node.name if node.name not in taken else f"{node.name}_{len(taken)}"
            table[node] = input_node(node.shape, node.dtype, name)
        else:
            stack.extend(reversed(node.inputs))
    before, after = substitute([old, new], table)
    return Graph(tuple(table.values()), (("before", before), ("after", after)), (), stage)


def describe(firing: Firing, stage: Stage = Stage.CORE) -> str:
    """A replacement in words: rule, node, the user's line, and both sides of it.

    Args:
        firing: the replacement.
        stage: of the graph where it took place.

    Returns:
        Several lines.
    """
    origin = firing.old.origin
    place = ", ".join(part for part in (origin.scope, origin.where) if part)
    lines = [
        f"rule {firing.rule} ({firing.kind}) at {firing.old!r}" + (f" [{place}]" if place else "")
    ]
    lines += [f"  {line}" for line in str(cut_out(firing.old, firing.new, stage)).splitlines()]
    return "\n".join(lines)

"""Reverse-mode differentiation from graph to graph: walk backwards, apply each op's `vjp` rule.

`None` is the only zero: a node that nothing flows back to has no cotangent node. Cotangents that
meet at a node are added one after the other, so that at most one partial sum is alive. Rules are
written with the ops themselves, hence gradients have gradients.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from kgraph.errors import GradientError, explain
from kgraph.ir.graph import toposort
from kgraph.ir.leaves import ITEM, const, items
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.ir.origin import Lineage, Origin, making
from kgraph.ir.types import TensorType
from kgraph.ops.reductions import sum as reduce_sum
from kgraph.ops.scan import scan
from kgraph.ops.shapes import broadcast_to, reshape
from kgraph.runtime.loop_gradients import loop_cotangents

# The pass name in the lineage of every node of a backward pass: tells it from the forward one.
PASS_NAME = "grad"


def grad(
    outputs: Node | Sequence[Node],
    wrt: Sequence[Node],
    cotangents: Sequence[Node | None] | None = None,
) -> list[Node | None]:
    """Differentiates nodes of a CORE graph with respect to others.

    Args:
        outputs: one node or several; the derivative is that of the sum of all their elements.
        wrt: leaves or intermediate nodes; each gets its total derivative, also what flows
            through the others.
        cotangents: one node of the output's type an output, or None for nothing; default ones.

    Returns:
        For each node of `wrt` a node of its type, or None if it is no float or not connected.

    Raises:
        GradientError: an op on the way has no gradient, or a rule returned a wrong type.

    Example:
        >>> from kgraph.ir import Graph, input_node
        >>> from kgraph.runtime.interp import interpret
        >>> x = input_node((2,), name="x")
        >>> (slope,) = grad(x * x, [x])
        >>> interpret(Graph((x,), (("slope", slope),)), [[1.0, 3.0]])[0]
        (array([2., 6.], dtype=float32),)
    """
    roots = (outputs,) if isinstance(outputs, Node) else tuple(outputs)
    if cotangents is None:
        seeds: Sequence[Node | None] = [_ones(y.type) if y.type.is_float else None for y in roots]
    else:
        seeds = _checked_seeds(roots, cotangents)
    return _pull_back(roots, seeds, tuple(wrt))


def is_backward(node: Node) -> bool:
    """Whether the node was made by differentiation."""
    return any(step.pass_name == PASS_NAME for step in node.origin.lineage)


def _pull_back(
    outputs: Sequence[Node],
    seeds: Sequence[Node | None],
    wrt: Sequence[Node],
    stop: Collection[Node] = (),
) -> list[Node | None]:
    """Cotangents of `wrt` from those of `outputs`, without going below the nodes in `stop`."""
    order = toposort(outputs, stop)
    active = _dependents(order, wrt, stop)
    table: dict[Node, Node] = {}
    for y, g in zip(outputs, seeds, strict=True):
        if g is not None and y in active:
            _accumulate(table, y, g)
    for node in reversed(order):
        # An item's cotangent waits in the table until the node that it is an output of comes.
        if node in active and node.inputs and node.op is not ITEM and node not in stop:
            _visit(node, active, table)
    return [table.get(n) for n in wrt]


def _dependents(
    order: Sequence[Node], wrt: Sequence[Node], stop: Collection[Node]
) -> frozenset[Node]:
    """The nodes with a float output that depend on `wrt` through nodes with a float output."""
    targets, found = frozenset(wrt), set[Node]()
    for node in order:
        depends = node not in stop and any(n in found for n in node.inputs)
        if (depends or node in targets) and any(t.is_float for t in node.types):
            found.add(node)
    return frozenset(found)


def _visit(node: Node, active: Collection[Node], table: dict[Node, Node]) -> None:
    """Hands the cotangent of a node on to its operands."""
    outputs = items(node)
    arrived = tuple(table.get(y) for y in outputs)
    if all(g is None for g in arrived):
        return
    g, y = (arrived, outputs) if len(outputs) > 1 else (arrived[0], node)
    with making(_backward_origin(node)):
        if node.op is scan:
            wanted = [n in active for n in node.inputs]
            parts: Sequence[Any] = loop_cotangents(node, arrived, wanted, _pull_back)
        else:
            parts = _apply_rule(node, g, y)
        for index, (operand, part) in enumerate(zip(node.inputs, parts, strict=True)):
            if part is not None and operand in active:
                _accumulate(table, operand, _fit(node, index, part))


def _apply_rule(node: Node, g: Any, y: Any) -> Sequence[Any]:
    """The cotangents of a node's operands, as the op's rule or else its reference gives them."""
    op = node.op
    if op.reference is not None and not op.has_vjp:
        return _through_reference(node, g)
    # Families override `vjp` for all their rows; a row without a rule gives None everywhere.
    if type(op).vjp is Op.vjp:
        raise _no_gradient(node)
    parts = op.vjp(g, y, *node.inputs, **node.attrs)
    if not isinstance(parts, (tuple, list)) or len(parts) != len(node.inputs):
        raise _wrong(node, "result", f"a tuple of {len(node.inputs)}", repr(parts))
    return parts


def _through_reference(node: Node, g: Any) -> Sequence[Node | None]:
    simpler = node.op.reference(*node.inputs, **node.attrs)  # type: ignore[misc]
    outputs, seeds = ((simpler,), (g,)) if isinstance(simpler, Node) else (simpler, g)
    # An operand that stands twice gets its whole cotangent once.
    operands = tuple(dict.fromkeys(node.inputs))
    found = _pull_back(outputs, seeds, operands, stop=frozenset(operands))
    table = dict(zip(operands, found, strict=True))
    return [table.pop(n, None) for n in node.inputs]


def _fit(node: Node, index: int, part: Any) -> Node:
    """Undoes broadcasting of an operand and checks that its cotangent has its type."""
    type_ = node.inputs[index].type
    if not isinstance(part, Node):
        raise _wrong(node, f"cotangent of operand {index}", type_, repr(part))
    total = part if part.shape == type_.shape else _sum_to(part, type_)
    if total.type != type_:
        raise _wrong(node, f"cotangent of operand {index}", type_, part.type)
    return total


def _sum_to(g: Node, type_: TensorType) -> Node:
    """Sums over the axes that broadcasting put in front or stretched from 1; symbols never are."""
    lead = g.ndim - type_.ndim
    sizes = (1,) * lead + type_.shape
    stretched = tuple(i for i, (a, b) in enumerate(zip(g.shape, sizes)) if a != b and b == 1)
    kept = tuple(b if i in stretched else a for i, (a, b) in enumerate(zip(g.shape, sizes)))
    if lead < 0 or kept != sizes:
        return g
    axes = (*(i for i in range(lead) if i not in stretched), *stretched)
    total = reduce_sum(g, axis=axes, keepdims=not lead)
    return total if total.shape == type_.shape else reshape(total, type_.shape)


def _accumulate(table: dict[Node, Node], node: Node, g: Node) -> None:
    known = table.get(node)
    table[node] = g if known is None else known + g


def _backward_origin(node: Node) -> Origin:
    """The forward node's layer and line, marked as backward work."""
    at = node.origin
    step = Lineage(PASS_NAME, node.op.name, (node.name,))
    return Origin(None, at.scope, at.file, at.line, (*at.lineage, step))


def _ones(type_: TensorType) -> Node:
    one = const(1.0, type_.dtype)
    return broadcast_to(one, type_.shape) if type_.shape else one


def _checked_seeds(
    outputs: Sequence[Node], cotangents: Sequence[Node | None]
) -> Sequence[Node | None]:
    if len(cotangents) != len(outputs):
        raise GradientError(
            explain("one cotangent an output is needed", expected=len(outputs), got=len(cotangents))
        )
    for y, g in zip(outputs, cotangents, strict=True):
        if g is not None and g.type != y.type:
            raise GradientError(
                explain(f"the cotangent of {y!r} has another type", expected=y.type, got=g.type)
            )
    return cotangents


def _no_gradient(node: Node) -> GradientError:
    return GradientError(
        explain(
            f"{node.op.name} has no gradient",
            expected="an op with a vjp rule or a reference",
            got=f"{node!r} in layer {node.origin.scope}" if node.origin.scope else repr(node),
            where=node.origin.where,
            hint="put kgraph.ops.stop_gradient around it if nothing is to flow through it",
        )
    )


def _wrong(node: Node, what: str, expected: object, got: object) -> GradientError:
    return GradientError(
        explain(
            f"{node.op.name}: its vjp rule{_rule_place(node.op)} returned a wrong {what}",
            expected=expected,
            got=got,
            where=node.origin.where,
        )
    )


def _rule_place(op: Op) -> str:
    code = getattr(getattr(op, "rule", None) or op.vjp, "__code__", None)
    return f" ({code.co_filename}:{code.co_firstlineno})" if code is not None else ""

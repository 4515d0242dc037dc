"""Checks that a graph keeps the invariants of the IR; runs after every pass."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from kgraph.errors import KGraphError, VerifyError, explain
from kgraph.ir.body import Body, all_bodies, bodies_of
from kgraph.ir.graph import Graph
from kgraph.ir.leaves import ARG, INPUT
from kgraph.ir.node import Node
from kgraph.ir.op import Op
from kgraph.ir.printer import name_nodes, node_line
from kgraph.ir.types import TensorType
from kgraph.ir.variable import Variable

# Users of the culprit that a message shows at most.
_SHOWN_USERS = 4

Inferred = dict[Any, tuple[TensorType, ...]]


def verify(graph: Graph, checked: set[Node] | None = None) -> None:
    """Returns when the graph is valid.

    Args:
        graph: the graph to check.
        checked: nodes whose types were found right before, which nothing can have changed since;
            those of this graph are added.

    Raises:
        VerifyError: an input is not declared, a state is updated twice or by another type, a type
            is not what the op infers, an op does not belong to the stage, a name stands twice, or
            a body is not closed or breaks one of these rules inside.
            The message shows the nodes around the culprit, what made it, and the user's line.

    Example:
        >>> from kgraph.ir import input_node
        >>> x = input_node((2,), name="x")
        >>> verify(Graph((), (("y", x),)))
        Traceback (most recent call last):
        kgraph.errors.VerifyError: input 'x' is used but not declared in graph.inputs...
    """
    _check_inputs(graph)
    _check_names("input", [n.attrs["name"] for n in graph.inputs])
    _check_names("output", [name for name, _ in graph.outputs])
    inputs, checked = frozenset(graph.inputs), set() if checked is None else checked
    stage = graph.stage.name
    inferred: Inferred = {}
    for node in graph.nodes:
        if node.op is INPUT and node not in inputs:
            name = node.attrs["name"]
            raise _error(graph, node, f"input {name!r} is used but not declared in graph.inputs")
        if node.op is ARG:
            raise _error(graph, node, "arg stands outside of any body")
        if stage not in node.op.stages:
            raise _wrong_stage(graph, node, node)
        if node not in checked:
            _check_types(graph, node, node, inferred)
            checked.add(node)
    _check_bodies(graph, checked, inferred)
    _check_roots(graph)


def _check_inputs(graph: Graph) -> None:
    for node in graph.inputs:
        if node.op is not INPUT:
            raise _error(graph, node, "graph.inputs holds a node that is not an input")
    if len(set(graph.inputs)) != len(graph.inputs):
        raise VerifyError("graph.inputs holds an input twice")


def _check_names(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise VerifyError(f"two {kind}s are called {name!r}")
        seen.add(name)


def _check_types(graph: Graph, node: Node, holder: Node, inferred: Inferred) -> None:
    """Infers the types of a node again.

    `holder` is the node of the graph in whose body it is, or itself; `inferred` keeps the types,
    for a model says the same many times.
    """
    # Leaves, items and layer calls are cheap, and no types decide theirs.
    plain = node.inputs and type(node.op).infer_node is Op.infer_node
    key = (node.op, node.named, *[n.types for n in node.inputs]) if plain else None
    types = inferred.get(key)
    try:
        if types is None:
            types = node.op.infer_node(node.inputs, node.attrs)
            if key is not None:
                inferred[key] = types
    except KGraphError as error:
        raise _error(graph, holder, f"{node.op.name} refuses its operands: {error}") from None
    if types != node.types:
        raise _error(
            graph, holder, f"{node.op.name} infers another type", _show(types), _show(node.types)
        )


def _check_bodies(graph: Graph, checked: set[Node], inferred: Inferred) -> None:
    """Bodies are closed, of their parameters' types, and hold only ops of the graph's stage."""
    seen: set[Body] = set()
    for holder in graph.nodes if graph.bodies else ():
        if not bodies_of(holder):
            continue
        for body in all_bodies([holder]):
            if body not in seen:
                seen.add(body)
                _check_body(graph, body, holder, checked, inferred)


def _check_body(
    graph: Graph, body: Body, holder: Node, checked: set[Node], inferred: Inferred
) -> None:
    try:
        Body(body.parameters, body.outputs)
    except KGraphError as error:
        raise _error(graph, holder, f"a body of {holder.op.name} is not closed: {error}") from None
    for node in body.nodes:
        if graph.stage.name not in node.op.stages:
            raise _wrong_stage(graph, node, holder)
        if node not in checked:
            _check_types(graph, node, holder, inferred)
            checked.add(node)


def _wrong_stage(graph: Graph, node: Node, holder: Node) -> VerifyError:
    stages = ", ".join(node.op.stages)
    summary = f"{node.op.name} does not belong to stage {graph.stage.name}"
    return _error(graph, holder, summary, stages)


def _check_roots(graph: Graph) -> None:
    for name, node in graph.outputs:
        if len(node.types) != 1:
            raise _error(graph, node, f"output {name!r} is a node with several outputs")
    updated: set[Variable] = set()
    for state, node in graph.updates:
        if not isinstance(state, Variable):
            raise _error(graph, state, "only a state can be updated")
        if state in updated:
            raise _error(graph, node, f"state {state.name!r} is updated twice")
        if node.types != state.types:
            raise _error(
                graph,
                node,
                f"state {state.name!r} is updated by another type",
                _show(state.types),
                _show(node.types),
            )
        updated.add(state)


def _error(
    graph: Graph, node: Node, summary: str, expected: str | None = None, got: str | None = None
) -> VerifyError:
    steps = "".join(f"\n  made by: {step}" for step in reversed(node.origin.lineage))
    message = explain(summary, expected=expected, got=got, where=node.origin.where)
    return VerifyError(f"{message}{steps}\n{_neighbours(graph, node)}")


def _neighbours(graph: Graph, node: Node) -> str:
    """The culprit between its operands and its users, in IR notation."""
    names = name_nodes(graph)
    users = dict.fromkeys(graph.users.get(node, ()))
    around = dict.fromkeys([*node.inputs, node, *list(users)[:_SHOWN_USERS]])
    lines = [("  > " if n is node else "    ") + node_line(n, names) for n in around]
    if len(users) > _SHOWN_USERS:
        lines.append(f"    ... and {len(users) - _SHOWN_USERS} more users")
    return "\n".join(lines)


def _show(types: tuple[TensorType, ...]) -> str:
    return ", ".join(map(str, types))

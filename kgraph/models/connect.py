"""From the tensors that a user names to a graph between real inputs.

Three things that users expect to work are made to work here: an intermediate tensor as an input,
a tensor from inside a nested model as an output, and an error that says which Input is missing.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kgraph.errors import explain
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.graph import toposort
from kgraph.ir.leaves import INPUT
from kgraph.ir.node import Node
from kgraph.layers.base import bind_call
from kgraph.layers.input import InputLayer
from kgraph.layers.naming import unique_name
from kgraph.layers.node import history_of, keras_shape
from kgraph.layers.structure import pack
from kgraph.models.topology import map_network, owner_of, unit_of
from kgraph.passes.lower import rebuild_with, solve_symbols

# Input node -> the models that have it among their inputs, for splicing.
_MODELS_OF: weakref.WeakKeyDictionary[Node, weakref.WeakSet[Any]] = weakref.WeakKeyDictionary()


def note_inputs(model: Any, inputs: Iterable[Node]) -> None:
    """Remembers which model the inputs belong to."""
    for node in inputs:
        _MODELS_OF.setdefault(node, weakref.WeakSet()).add(model)


def connect(
    inputs: Sequence[Any], outputs: Sequence[Any]
) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Checks and completes what a user gave as inputs and outputs of a model.

    Args:
        inputs: input tensors; intermediate tensors get inputs of their own.
        outputs: tensors that depend on them, also from inside models called on the way.

    Returns:
        Inputs that are input nodes, and outputs that depend on them only.

    Raises:
        ValueError: one is not a tensor, an input comes twice, or an output needs another input.
    """
    _check_tensors(inputs, outputs)
    table = {t: _new_input(t) for t in inputs if t.op is not INPUT}
    nodes = tuple(table.get(t, t) for t in inputs)
    results = replay(outputs, table) if table else tuple(outputs)
    while missing := _missing(nodes, results):
        spliced = _splice(nodes, results, missing)
        if spliced is None:
            raise ValueError(_disconnected(nodes, results, missing[0]))
        results = spliced
    return nodes, results


def replay(roots: Sequence[Node], table: Mapping[Node, Node]) -> tuple[Node, ...]:
    """The same calls and ops on other tensors; layers do not note these calls.

    Args:
        roots: nodes of a LAYERS graph.
        table: tensor -> what takes its place.
    """
    values: dict[Node, Node] = dict(table)
    symbols = solve_symbols(table)
    for node in toposort(roots, stop=table):
        if node in values:
            continue
        operands = tuple(values[n] for n in node.inputs)
        if node.op is LAYER_CALL and operands != node.inputs:
            values[node] = _recall(node, operands)
        else:
            values[node] = rebuild_with(node, operands, symbols, node.origin)
    return tuple(values[r] for r in roots)


def _recall(node: Node, operands: tuple[Node, ...]) -> Node:
    call = node.attrs["call"]
    if all(a.types == b.types for a, b in zip(operands, node.inputs, strict=True)):
        again = replace(call, inputs=operands)
    else:
        args, kwargs = pack(call.arguments, operands)
        again = call.layer.make_call(args, kwargs, call.index, node.origin)
    return bind_call(again, node.origin)[0]


def _check_tensors(inputs: Sequence[Any], outputs: Sequence[Any]) -> None:
    for tensor in inputs:
        named = isinstance(tensor, Node) and (
            history_of(tensor) is not None or (tensor.op is not INPUT and _inputs_below([tensor]))
        )
        if not named:
            raise ValueError(
                "Input tensors to a Model must come from `keras.layers.Input`. "
                f"Received: {tensor} (missing previous layer metadata)."
            )
    if len(set(inputs)) != len(inputs):
        raise ValueError(
            "The list of inputs passed to the model is redundant. "
            f"All inputs should only appear once. Found: {list(inputs)}"
        )
    for tensor in outputs:
        if not isinstance(tensor, Node) or not _inputs_below([tensor]):
            raise ValueError(
                "Output tensors to a Model must be the output of a Keras `Layer` "
                f"(thus holding past layer metadata). Found: {tensor}"
            )


def _inputs_below(roots: Sequence[Node], stop: Iterable[Node] = ()) -> list[Node]:
    return [n for n in toposort(roots, stop=stop) if n.op is INPUT]


def _new_input(tensor: Node) -> Node:
    """An input of its own in place of an intermediate tensor."""
    history = history_of(tensor)
    prefix = f"{history[0].name}_input" if history else f"{tensor.op.name}_input"
    return InputLayer(
        batch_input_shape=keras_shape(tensor), dtype=tensor.dtype, name=unique_name(prefix)
    ).output


def _missing(inputs: Sequence[Node], outputs: Sequence[Node]) -> list[Node]:
    return [n for n in _inputs_below(outputs, stop=inputs) if n not in inputs]


def _splice(
    inputs: Sequence[Node], outputs: Sequence[Node], missing: Sequence[Node]
) -> tuple[Node, ...] | None:
    """Replaces a nested model's inputs by what the model was called on, if that is clear."""
    for node in missing:
        calls = [(m, c) for m, c in _calls_around(node) if _reachable(c.inputs, inputs, {node})]
        if len(calls) == 1:
            model, call = calls[0]
            return replay(outputs, dict(zip(model.inputs, call.inputs, strict=True)))
    return None


def _calls_around(node: Node) -> list[tuple[Any, Any]]:
    """The calls of the models that have an input."""
    found = []
    for model in _MODELS_OF.get(node, ()):
        found += [(model, call) for call in model.inbound_nodes[model.first_call :]]
    return found


def _reachable(tensors: Sequence[Node], inputs: Sequence[Node], seen: set[Node]) -> bool:
    """Whether tensors depend on these inputs only, looking through models around them."""
    missing = _missing(inputs, tensors)
    if seen.intersection(missing):
        return False
    return all(
        any(_reachable(call.inputs, inputs, seen | {node}) for _, call in _calls_around(node))
        for node in missing
    )


def _disconnected(inputs: Sequence[Node], outputs: Sequence[Node], missing: Node) -> str:
    known = set(inputs)
    complete: list[str] = []
    topology = map_network((), outputs)
    computable = set(inputs)
    for owner in topology.owners:
        for unit in topology.units[owner]:
            if unit.op is INPUT and unit not in known:
                continue
            if all(unit_of(t) in computable or not _inputs_below([t]) for t in unit.inputs):
                computable.add(unit)
                complete.append(topology.names[owner])
    name = topology.names[owner_of(missing)]
    return explain(
        f'Graph disconnected: cannot obtain value for tensor {missing} at layer "{name}". '
        f"The following previous layers were accessed without issue: {complete}",
        expected=f"Input {name!r} among the inputs of the model",
        got=f"inputs {[n.name for n in inputs]}",
        where=missing.origin.where,
        hint=f"the path from it is {_path(topology, outputs, missing)}; {_ambiguity(missing)}",
    )


def _path(topology: Any, outputs: Sequence[Node], start: Node) -> str:
    """The names on a way from an input to an output."""
    names: list[str] = []
    below = {start}
    for node in toposort(outputs):
        if node in below or any(i in below for i in node.inputs):
            below.add(node)
    node = next(o for o in outputs if o in below)
    while node is not start:
        if unit_of(node) is node:
            names.append(topology.names[owner_of(node)])
        node = next(i for i in node.inputs if i in below)
    return " -> ".join([topology.names[owner_of(start)], *reversed(names)])


def _ambiguity(missing: Node) -> str:
    models = {model.name for model, _ in _calls_around(missing)}
    if not models:
        return "add that Input to `inputs`"
    return (
        f"the Input belongs to model {', '.join(sorted(models))}, which is called several times "
        "or on tensors that need other inputs, so it is not clear what stands for it"
    )

"""Graphs of the steps that users write: a step is called on tensors, once for each type of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph.errors import explain
from kgraph.ir import CallContext, Dim, Graph, Node, Stage, input_node
from kgraph.ir.context import calling
from kgraph.ir.op import as_node
from kgraph.passes.lower import merge_updates
from kgraph.training.compilation import Compilation
from kgraph.training.custom import alone_or_list, check_logs, tensors_of
from kgraph.training.step import Signature
from kgraph.training.totals import Increment, Measured, Totals, sample_total

STEPS = {"train": "train_step", "evaluate": "test_step"}


def traced_graph(
    kind: str, model: Any, compiled: Compilation, signature: Signature, totals: Totals
) -> Graph:
    """The graph of a user's step; all its results are updates.

    Args:
        kind: "train" or "evaluate".
        model: has the step.
        compiled: the outputs that may have targets.
        signature: types of the targets and weights that there are.
        totals: the variables behind the logs; get the names that the step returns.

    Raises:
        TypeError: the step does not return scalars by name.
    """
    context = CallContext(training=kind == "train")
    inputs = tuple(model.inputs)
    names = [head.name for head in compiled.heads]
    targets = [
        input_node(t.shape, t.dtype, f"{name}_target") for t, name in zip(signature.targets, names)
    ]
    weights = [
        None if t is None else input_node(t.shape, t.dtype, f"{name}_sample_weight")
        for t, name in zip(signature.weights, names)
    ]
    data: tuple[Any, ...] = (alone_or_list(inputs),)
    if targets:
        data = (*data, alone_or_list(targets))
    known = [w for w in weights if w is not None]
    if known:
        data = (*data, weights[0] if len(weights) == 1 else weights)
    step = STEPS[kind]
    with calling(context):
        logs = check_logs(step, getattr(model, step)(data))
        increments = as_increments(step, logs, inputs[0].shape[0])
    totals.expect(list(increments))
    updates = list(context.updates)
    if kind == "train":
        updates += [pair for layer in model.flattened_layers() for pair in layer._added_updates]
    updates += totals.updates(increments, inputs[0].shape[0])
    return Graph((*inputs, *targets, *known), (), merge_updates(updates), Stage.CORE)


def traced_outputs(model: Any) -> Graph:
    """The graph of a user's `predict_step`."""
    context = CallContext(training=False)
    inputs = tuple(model.inputs)
    with calling(context):
        outputs = tensors_of(model.predict_step(alone_or_list(inputs)))
    named = tuple((f"output_{i}", node) for i, node in enumerate(outputs))
    return Graph(inputs, named, merge_updates(context.updates), Stage.CORE)


def as_increments(step: str, logs: Mapping[str, Any], batch: int | Dim) -> dict[str, Increment]:
    """What a batch adds for each value that a step returned.

    Raises:
        TypeError: a value is no scalar tensor.
    """
    return {str(name): _increment(step, name, value, batch) for name, value in logs.items()}


def _increment(step: str, name: str, value: Any, batch: int | Dim) -> Increment:
    if isinstance(value, (Measured, tuple)):
        return value
    number = isinstance(value, (Node, int, float))
    node = as_node(value) if number else None
    if node is None or node.ndim or node.dtype == "bool":
        raise TypeError(
            explain(
                f"{step} returned {name!r}, which is no scalar tensor",
                expected="a scalar, which is averaged over the epoch",
                got=node.type if node is not None else f"{type(value).__name__}: {value!r}"[:200],
                hint="return ops.mean(values); metrics that keep sums go to compile(metrics=...)",
            )
        )
    return sample_total(node, batch), None

"""The training step of a model that a command names, compiled for it if nobody has."""

from __future__ import annotations

from typing import Any

import numpy as np

from kgraph.errors import KGraphError, explain
from kgraph.ir.graph import Graph
from kgraph.ir.origin import Origin, making
from kgraph.passes.lower import lower
from kgraph.runtime.executable import Executable
from kgraph.tools.models import graph_of

# Op of an output -> the loss that a model of such an output is trained with.
LOSSES = {"softmax": "categorical_crossentropy", "sigmoid": "binary_crossentropy"}


def training_step(found: Any, loss: str | None = None, optimizer: str = "adam") -> Executable:
    """The compiled training step of a model.

    Args:
        found: a model; a bare graph has none.
        loss: of a model that is not compiled; default by the op of each output.
        optimizer: of such a model.

    Returns:
        The step for a batch of two zeros; `report.source` is its graph before the passes.

    Raises:
        KGraphError: `found` is a graph.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> step = training_step(Sequential([Dense(1, input_dim=2, name="top")]))
        >>> "top/kernel" in [variable.name for variable, _ in step.graph.updates]
        True
    """
    if isinstance(found, Graph):
        hint = "give a model"
        raise KGraphError(explain("a bare graph has no training step", hint=hint))
    graph = graph_of(found)
    if found.optimizer is None:
        ops = [node.op.name for _, node in lower(graph).outputs]
        losses = [loss or LOSSES.get(op, "mse") for op in ops]
        found.compile(optimizer=optimizer, loss=losses if len(losses) > 1 else losses[0])
    batch = [_zeros(n.type) for n in found.inputs]
    targets = [_zeros(n.type) for n in found.outputs]
    if "sparse" in str(found.loss):
        targets = [t[..., 0] for t in targets]
    with making(Origin()):  # what no layer makes has no line of the user's
        return found.executable(batch, targets, training=True)


def source_graph(found: Any, training: bool, loss: str | None, optimizer: str) -> Graph:
    """What a model computes before the passes: a prediction, or a training step.

    Args:
        found: a model, or a graph, which has no training step.
        training: whether the step is meant.
        loss, optimizer: see `training_step`.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(1, input_dim=2)])
        >>> [len(source_graph(model, step, "mse", "sgd").updates) > 0 for step in (False, True)]
        [False, True]
    """
    if not training:
        return lower(graph_of(found))
    report = training_step(found, loss, optimizer).report
    assert report is not None, "a compiled step has one"
    return report.source


def _zeros(type_: Any) -> np.ndarray:
    return np.zeros([d if isinstance(d, int) else 2 for d in type_.shape], type_.dtype)

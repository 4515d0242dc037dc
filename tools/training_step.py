"""The training step of a model that a command names, before the passes or compiled."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from kgraph.errors import KGraphError, explain
from kgraph.ir.graph import Graph
from kgraph.ir.origin import Origin, making
from kgraph.passes.lower import lower
from kgraph.runtime.executable import Executable
from kgraph.tools.complaints import CommandError
from kgraph.tools.models import graph_of

# Op of an output -> the loss that a model of such an output is trained with.
LOSSES = {"softmax": "categorical_crossentropy", "sigmoid": "binary_crossentropy"}


def add_training(parser: argparse._ActionsContainer) -> None:
    """Adds `--optimizer` and `--loss` to a command."""
    add = parser.add_argument
    add("--optimizer", default="adam", help="of a model that is not compiled; %(default)s")
    add("--loss", help="of such a model; default by the op of each output")


def training_step(found: Any, loss: str | None = None, optimizer: str = "adam") -> Executable:
    """The compiled training step of a model.

    Args:
        found: a model; a bare graph has none.
        loss: of a model that is not compiled; default by the op of each output.
        optimizer: of such a model.

    Returns:
        The step for a batch of two zeros.

    Raises:
        KGraphError: `found` is a graph.
        CommandError: there is no such loss or optimizer.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> step = training_step(Sequential([Dense(1, input_dim=2, name="top")]))
        >>> "top/kernel" in [variable.name for variable, _ in step.graph.updates]
        True
    """
    batch = _batch(found, loss, optimizer)
    with making(Origin()):  # what no layer makes has no line of the user's
        return found.executable(*batch, training=True)


def training_graph(found: Any, loss: str | None = None, optimizer: str = "adam") -> Graph:
    """The graph of a model's training step before the passes; see `training_step`.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> training_graph(Sequential([Dense(1, input_dim=2)]), "mse", "sgd").stage
        <Stage.CORE: 'core'>
    """
    batch = _batch(found, loss, optimizer)
    with making(Origin()):
        return found.step_graph(*batch, training=True)


def source_graph(found: Any, training: bool, loss: str | None, optimizer: str) -> Graph:
    """What a model computes before the passes: a prediction, or a training step.

    Args:
        found: a model, or a graph, which has no training step.
        training: whether the step is meant.
        loss, optimizer: see `training_step`.

    Raises:
        KGraphError: a graph is asked for its training step.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(1, input_dim=2)])
        >>> [len(source_graph(model, step, "mse", "sgd").updates) > 0 for step in (False, True)]
        [False, True]
    """
    return training_graph(found, loss, optimizer) if training else lower(graph_of(found))


def _batch(found: Any, loss: str | None, optimizer: str) -> tuple[list[np.ndarray], ...]:
    """Inputs and targets for a step of a model, which gets a loss and an optimizer if it has none.

    Raises:
        KGraphError: it is a graph.
        CommandError: there is no such loss or optimizer.
    """
    if isinstance(found, Graph):
        hint = "give the model that it was made from, or ask for the prediction"
        raise KGraphError(explain("a bare graph has no training step", hint=hint))
    graph = graph_of(found)
    if found.optimizer is None:
        ops = [node.op.name for _, node in lower(graph).outputs]
        losses = [loss or LOSSES.get(op, "mse") for op in ops]
        try:
            found.compile(optimizer=optimizer, loss=losses if len(losses) > 1 else losses[0])
        except ValueError as error:
            raise CommandError("E0101", f"the training step: {error}") from error
    targets = [_zeros(n.type) for n in found.outputs]
    if "sparse" in str(found.loss):
        targets = [t[..., 0] for t in targets]
    return [_zeros(n.type) for n in found.inputs], targets


def _zeros(type_: Any) -> np.ndarray:
    return np.zeros([d if isinstance(d, int) else 2 for d in type_.shape], type_.dtype)

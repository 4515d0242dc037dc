"""One graph for each kind of step: forward, loss, gradients, optimizer, totals and counters.

The host hands a batch to the compiled graph and reads the totals when it wants to show them. A
variant without sample weights has no weight inputs, so that the common case pays nothing for them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from kgraph import metrics, ops
from kgraph.errors import GradientError, explain
from kgraph.ir import CallContext, Dim, Graph, Node, Stage, TensorType, Variable, input_node, size
from kgraph.ir.op import as_node, cast_to
from kgraph.losses import REDUCTIONS, Loss, match_rank, reduce_loss
from kgraph.passes.lower import Update, inline, merge_updates
from kgraph.passes.stabilize import Stabilize
from kgraph.runtime.autodiff import grad
from kgraph.training.compilation import Compilation, Head
from kgraph.training.totals import Increment, Totals, sample_total, weighted_total

NO_LOSS = "The model cannot be compiled because it has no loss to optimize."


@dataclass(frozen=True)
class Signature:
    """What a step is built for besides the model: types of targets and weights, one a head.

    A head without sample weights has None for their type.
    """

    targets: tuple[TensorType, ...]
    weights: tuple[TensorType | None, ...]


@dataclass(frozen=True)
class Forward:
    """A model in primitive ops: outputs, their masks, extra losses and state updates."""

    inputs: tuple[Node, ...]
    outputs: tuple[Node, ...]
    masks: tuple[Node | None, ...]
    penalties: tuple[Node, ...]
    updates: tuple[Update, ...]

    @property
    def batch(self) -> int | Dim:
        """The number of samples in a batch."""
        return self.inputs[0].shape[0]


def forward(model: Any, training: bool) -> Forward:
    """Inlines the layers of a model.

    Args:
        model: has `inputs`, `outputs`, `penalties()` and `flattened_layers()`.
        training: whether dropout and batch statistics are on.
    """
    context = CallContext(training)
    outputs, penalties = tuple(model.outputs), tuple(model.penalties())
    values, masks = inline((*outputs, *penalties), context)
    count = len(outputs)
    updates = list(context.updates)
    if training:
        for layer in model.flattened_layers():
            updates += layer._added_updates
    return Forward(
        tuple(model.inputs),
        values[:count],
        masks[:count],
        (*values[count:], *context.losses),
        merge_updates(updates),
    )


@dataclass
class Objective:
    """The loss of a batch and what it adds to the totals."""

    inputs: list[Node] = field(default_factory=list)
    weights: list[Node] = field(default_factory=list)
    terms: list[Node] = field(default_factory=list)
    increments: dict[str, Increment] = field(default_factory=dict)
    loss: Node | None = None


def make_objective(
    source: Forward, heads: Sequence[Head], signature: Signature, names: Sequence[str]
) -> Objective:
    """Builds losses and metrics on the outputs.

    Args:
        source: the model.
        heads: the outputs that are trained.
        signature: types of the targets and weights.
        names: the logged values, in their order.
    """
    found = Objective()
    batch = source.batch
    whole: Node | None = None  # the first head's sum over samples, if it is the whole loss
    for head, target, weight in zip(heads, signature.targets, signature.weights, strict=True):
        y_true = input_node(target.shape, target.dtype, f"{head.name}_target")
        found.inputs.append(y_true)
        given = None
        if weight is not None:
            given = input_node(weight.shape, weight.dtype, f"{head.name}_sample_weight")
            found.weights.append(given)
        y_pred, mask = source.outputs[head.index], source.masks[head.index]
        loss, total = head_loss(head, y_true, y_pred, given, mask, batch)
        if head.log is not None:
            found.increments[head.log] = (total, None)
        plain = isinstance(head.weight, (int, float)) and head.weight == 1
        found.terms.append(loss if plain else head.weight * loss)
        whole = total if plain else None
        measure(found, head, y_true, y_pred, given, mask, batch)
    found.terms += [ops.sum(p) if p.ndim else p for p in source.penalties]
    if not found.terms:
        raise ValueError(NO_LOSS)
    found.loss = found.terms[0]
    for term in found.terms[1:]:
        found.loss = found.loss + term  # type: ignore[operator]
    if whole is None or len(found.terms) > 1:
        whole = sample_total(found.loss, batch)
    unordered = {**found.increments, "loss": (whole, None)}
    found.increments = {name: unordered[name] for name in names}
    return found


def head_loss(
    head: Head,
    y_true: Node,
    y_pred: Node,
    weight: Node | None,
    mask: Node | None,
    batch: int | Dim,
) -> tuple[Node, Node]:
    """An output's loss, and that loss times the number of samples."""
    if isinstance(head.loss, Loss):
        values, reduction = head.loss.call(y_true, y_pred), head.loss.reduction
    else:
        values, reduction = head.loss(y_true, y_pred), REDUCTIONS[0]
    values = as_node(values)
    loss = reduce_loss(values, weight, mask, reduction)
    if reduction == "none":
        loss = ops.mean(loss) if loss.ndim else loss
    simple = weight is None and mask is None and reduction in ("sum_over_batch_size", "mean")
    return loss, sample_total(values if simple else loss, batch)


def measure(
    found: Objective,
    head: Head,
    y_true: Node,
    y_pred: Node,
    weight: Node | None,
    mask: Node | None,
    batch: int | Dim,
) -> None:
    """Adds the increments of an output's metrics; only weighted ones see the sample weights."""
    for metric in head.metrics:
        function = metrics.resolve(metric.identifier, head.loss, y_true, y_pred)
        values = as_node(function(y_true, y_pred))
        if values.dtype == "bool":
            values = cast_to(values, "float32")
        weights = mask
        if metric.weighted and weight is not None:
            weights = weight if mask is None else combine(weight, mask)
        if weights is not None and values.ndim:
            found.increments[metric.name] = weighted_total(values, weights)
            continue
        # A metric that may see weights has a counter of its own, also for data without any.
        count = size(batch) if metric.weighted or weights is not None else None
        found.increments[metric.name] = (sample_total(values, batch), count)


def combine(weight: Node, mask: Node) -> Node:
    """Sample weights and a mask as one weight; the one with fewer axes goes for all the others."""
    mask = cast_to(mask, weight.dtype)
    if weight.ndim < mask.ndim:
        return match_rank(weight, mask) * mask
    return weight * match_rank(mask, weight)


def training_graph(
    source: Forward, compiled: Compilation, signature: Signature, totals: Totals
) -> Graph:
    """The graph of a training step; all its results are updates.

    Args:
        source: the model, inlined for training.
        compiled: losses, metrics, optimizer and the weights to change.
        signature: types of the targets and weights.
        totals: the variables behind the logs.

    Raises:
        GradientError: the loss does not depend on any of the weights.
    """
    forward_graph = _forward_graph(source, compiled, signature, totals)
    loss = forward_graph.outputs[0][1]
    weights, gradients = connected(compiled.trainable, grad(loss, compiled.trainable))
    updates = [*compiled.optimizer.get_updates(gradients, weights), *forward_graph.updates]
    return Graph(forward_graph.inputs, (), merge_updates(updates), Stage.CORE)


def evaluation_graph(
    source: Forward, compiled: Compilation, signature: Signature, totals: Totals
) -> Graph:
    """The graph of a step that only measures."""
    measured = _forward_graph(source, compiled, signature, totals)
    return Graph(measured.inputs, (), measured.updates, Stage.CORE)


def _forward_graph(
    source: Forward, compiled: Compilation, signature: Signature, totals: Totals
) -> Graph:
    """Loss as the only output; layer states and totals as updates; in stable forms.

    Stabilizing comes before differentiation, so that gradients are those of the stable forms.
    """
    goal = make_objective(source, compiled.heads, signature, compiled.names)
    assert goal.loss is not None
    updates = (*source.updates, *totals.updates(goal.increments, source.batch))
    inputs = (*source.inputs, *goal.inputs, *goal.weights)
    return Stabilize().run(Graph(inputs, (("loss", goal.loss),), updates, Stage.CORE))


def connected(
    weights: Sequence[Variable], gradients: Sequence[Node | None]
) -> tuple[list[Variable], list[Node]]:
    """The weights that the loss depends on, with their gradients; warns of the others."""
    pairs = [(w, g) for w, g in zip(weights, gradients, strict=True) if g is not None]
    lost = [w.name for w, g in zip(weights, gradients, strict=True) if g is None]
    if weights and not pairs:
        raise GradientError(
            explain(
                "The loss does not depend on any trainable weight in a differentiable way",
                got=f"no gradient for {', '.join(lost)}",
                hint="argmax, round, comparisons and stop_gradient let no gradient through",
            )
        )
    if lost:
        warnings.warn(
            f"Gradients do not exist for variables {lost} when minimizing the loss.", stacklevel=4
        )
    return [w for w, _ in pairs], [g for _, g in pairs]

"""One graph for each kind of step: forward, loss, gradients, optimizer, totals and counters.

The host hands a batch to the compiled graph and reads the totals when it wants to show them. A
variant without sample weights has no weight inputs, so that the common case pays nothing for them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kgraph import metrics, ops
from kgraph.errors import GradientError, explain
from kgraph.ir import (
    AddedMetric,
    CallContext,
    Dim,
    Graph,
    Node,
    Stage,
    TensorType,
    Variable,
    input_node,
    size,
)
from kgraph.ir.op import as_node, cast_to
from kgraph.ir.origin import scope
from kgraph.losses import Loss, reduce_loss
from kgraph.losses.reduction import REDUCTIONS, match_rank
from kgraph.metrics.base import Metric, weighted_total
from kgraph.passes.lower import Lowering, Update, merge_updates
from kgraph.passes.pipeline import forward_pipeline
from kgraph.runtime.autodiff import grad
from kgraph.training.added import added_increments, in_order
from kgraph.training.compilation import Compilation, Head
from kgraph.training.totals import Increment, Measured, Totals, sample_total

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
    """A model in primitive ops: outputs, their masks, extra losses and metrics, state updates.

    Losses and metrics are built on `tensors`, the model's own outputs, and lowered afterwards: they
    may use other tensors of the model, call layers, and take gradients.
    """

    inputs: tuple[Node, ...]
    tensors: tuple[Node, ...]
    masks: tuple[Node | None, ...]
    penalties: tuple[Node, ...]
    updates: tuple[Update, ...]
    lowering: Lowering
    added: tuple[AddedMetric, ...]

    @property
    def batch(self) -> int | Dim:
        """The number of samples in a batch."""
        return self.inputs[0].shape[0]


def forward(model: Any, training: bool) -> Forward:
    """Inlines the layers of a model.

    Args:
        model: has `inputs`, `outputs`, `penalties()`, `fixed_metrics()`, `graph_metrics()` and
            `flattened_layers()`.
        training: whether dropout and batch statistics are on.
    """
    context = CallContext(training)
    outputs, penalties = tuple(model.outputs), tuple(model.penalties())
    measured = [*model.fixed_metrics(), *model.graph_metrics()]
    lowering = Lowering(context)
    values, masks = lowering.inline((*outputs, *penalties, *(m.value for m in measured)))
    count, last = len(outputs), len(outputs) + len(penalties)
    own = [replace(m, value=n) for m, n in zip(measured, values[last:], strict=True)]
    updates, layers = list(context.updates), model.flattened_layers()
    if training:
        for layer in layers:
            updates += layer._added_updates
    return Forward(
        tuple(model.inputs),
        outputs,
        masks[:count],
        (*values[count:last], *context.losses),
        merge_updates(updates),
        lowering,
        in_order([*context.metrics, *own], layers),
    )


@dataclass(frozen=True)
class Comparison:
    """An output and what it is compared with."""

    head: Head
    y_true: Node
    y_pred: Node
    weight: Node | None
    mask: Node | None


@dataclass(frozen=True)
class Objective:
    """The loss of a batch, what the batch adds to the totals, and what must be fed for both."""

    loss: Node
    increments: dict[str, Increment]
    inputs: tuple[Node, ...]


def compare(source: Forward, heads: Sequence[Head], signature: Signature) -> list[Comparison]:
    """Makes the inputs for targets and weights."""
    found = []
    for head, target, weight in zip(heads, signature.targets, signature.weights, strict=True):
        y_true, given = input_node(target.shape, target.dtype, f"{head.name}_target"), None
        if weight is not None:
            given = input_node(weight.shape, weight.dtype, f"{head.name}_sample_weight")
        index = head.index
        found.append(Comparison(head, y_true, source.tensors[index], given, source.masks[index]))
    return found


def make_objective(source: Forward, pairs: Sequence[Comparison], names: Sequence[str]) -> Objective:
    """Builds losses and metrics on the outputs.

    Args:
        source: the model.
        pairs: the outputs that are trained, and what they are compared with.
        names: the logged values, in their order.

    Raises:
        ValueError: there is no loss at all.
    """
    increments: dict[str, Increment] = {}
    terms: list[Any] = []
    batch = source.batch
    whole: Node | None = None  # the only term's sum over the samples
    for pair in pairs:
        head = pair.head
        with scope(f"loss/{head.name}"):
            loss, total = head_loss(pair, batch)
            plain = isinstance(head.weight, (int, float)) and head.weight == 1
            terms.append(loss if plain else head.weight * loss)
        whole = total if plain else None
        if head.log is not None:
            increments[head.log] = (total, None)
        with scope(f"metrics/{head.name}"):
            increments.update(measure(pair, batch))
    with scope("loss"):
        terms += [ops.sum(p) if p.ndim else p for p in source.penalties]
        if not terms:
            raise ValueError(NO_LOSS)
        loss = terms[0]
        for term in terms[1:]:
            loss = loss + term
        if whole is None or len(terms) > 1:
            whole = sample_total(loss, batch)
    increments["loss"] = (whole, None)
    inputs = (*(p.y_true for p in pairs), *(p.weight for p in pairs if p.weight is not None))
    return Objective(loss, {name: increments[name] for name in names}, inputs)


def head_loss(pair: Comparison, batch: int | Dim) -> tuple[Node, Node]:
    """An output's loss, and that loss times the number of samples."""
    function: Any = pair.head.loss
    reduction, mask = REDUCTIONS[0], pair.mask
    if isinstance(pair.head.loss, Loss):
        function, reduction = pair.head.loss.call, pair.head.loss.reduction
    values = result_of(function, pair)
    if isinstance(pair.head.loss, Loss):
        counted = pair.head.loss.counted(pair.y_true, pair.y_pred, values)
        mask = mask if counted is None else both_masks(counted, mask)
    loss = reduce_loss(values, pair.weight, mask, reduction)
    if loss.ndim:
        loss = ops.mean(loss)
    unweighted = pair.weight is None and mask is None
    simple = unweighted and reduction in ("sum_over_batch_size", "mean")
    return loss, sample_total(values if simple else loss, batch)


def result_of(function: Any, pair: Comparison) -> Node:
    """What a loss or a metric returns for an output.

    Raises:
        ValueError: it is nothing.
    """
    values = function(pair.y_true, pair.y_pred)
    if values is None:
        name = getattr(function, "__name__", type(function).__name__)
        raise ValueError(
            explain(
                f"{name}(y_true, y_pred) of output {pair.head.name} returned None",
                expected="a tensor with one value a sample, or a scalar",
                hint="does the function end with a return?",
            )
        )
    return as_node(values)


def measure(pair: Comparison, batch: int | Dim) -> dict[str, Increment]:
    """What an output's metrics add; only weighted ones see the sample weights."""
    found: dict[str, Increment] = {}
    for metric in pair.head.metrics:
        function = metrics.resolve(metric.identifier, pair.head.loss, pair.y_true, pair.y_pred)
        weights = pair.mask
        if metric.weighted and pair.weight is not None:
            weights = pair.weight if weights is None else combine(pair.weight, weights)
        if isinstance(function, Metric):
            if function.averaged is None:
                added = function.increments(pair.y_true, pair.y_pred, weights)
                found[metric.name] = Measured(function, added)
                continue
            function = function.averaged
        values = result_of(function, pair)
        if values.dtype == "bool":
            values = cast_to(values, "float32")
        if weights is not None and values.ndim:
            found[metric.name] = weighted_total(values, weights)
            continue
        # A metric that may see weights has a counter of its own, also for data without any.
        count = size(batch) if metric.weighted or weights is not None else None
        found[metric.name] = (sample_total(values, batch), count)
    return found


def both_masks(counted: Node, mask: Node | None) -> Node:
    """What the loss counts and the model does not mask."""
    return counted if mask is None else combine(cast_to(counted, "float32"), mask)


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
    measured = _forward_graph(source, compiled, signature, totals)
    loss = measured.outputs[0][1]
    scaled = compiled.optimizer.scale_loss(loss)
    weights, gradients = connected(compiled.trainable, grad(scaled, compiled.trainable))
    with scope("optimizer"):
        steps = compiled.optimizer.get_updates(gradients, weights)
    updates = merge_updates([*steps, *measured.updates])
    return Graph(measured.inputs, (), updates, Stage.CORE)


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
    goal = make_objective(source, compare(source, compiled.heads, signature), compiled.names)
    with scope("metrics"):
        increments = {**goal.increments, **added_increments(source.added)}
    with scope("totals"):
        found = totals.updates(increments, source.batch)
    loss, *values = source.lowering.more((goal.loss, *(n for _, n in found)))
    updates = (*source.updates, *((v, n) for (v, _), n in zip(found, values, strict=True)))
    graph = Graph((*source.inputs, *goal.inputs), (("loss", loss),), updates, Stage.CORE)
    return forward_pipeline().run(graph)[0]


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

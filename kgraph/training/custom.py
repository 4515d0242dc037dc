"""Steps that a user writes: `train_step`, `test_step` and `predict_step` of a subclass of `Model`.

A step is traced once for data of given types: it gets tensors and not arrays, and what it builds is
one compiled graph, as a built-in step is. What it returns is averaged over the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from kgraph.errors import explain
from kgraph.ir import CallContext, Node, current_context
from kgraph.layers.effects import EffectOwner
from kgraph.layers.structure import is_node, leaves_of
from kgraph.passes.lower import Lowering
from kgraph.runtime.function import gradients
from kgraph.training.added import added_increments, check_names, in_order
from kgraph.training.compilation import Head
from kgraph.training.step import Comparison, Forward, Objective, make_objective

NOT_TRACED = "{} builds a part of a step, and only makes sense while a step is traced"


class CustomSteps:
    """The steps of a model, for subclasses to override; a model provides the attributes."""

    optimizer: Any
    trainable_weights: list[Any]

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of training on a batch, built of tensors.

        A subclass calls the model (`self(x, training=True)`), `compute_loss`, `gradients` or a
        `GradientTape`, and `self.optimizer.apply(gradients, self.trainable_weights)`. Python code
        runs once, when the step is traced: a branch on a value, `print` of a value and NumPy
        functions that kgraph does not know raise an error or are not repeated.

        Args:
            data: `(x,)`, `(x, y)` or `(x, y, sample_weight)`, each a tensor, or a list of tensors
                for several inputs or outputs, with None for an output without weights.

        Returns:
            Scalars by name; each is averaged over the samples of an epoch.

        Example:
            >>> import kgraph
            >>> import numpy as np
            >>> from kgraph import ops
            >>> from kgraph.layers import Dense, Input
            >>> class Own(kgraph.Model):
            ...     def train_step(self, data):
            ...         x, y = data
            ...         with kgraph.GradientTape() as tape:
            ...             error = ops.mean(ops.square(self(x, training=True) - y))
            ...         slopes = tape.gradient(error, self.trainable_weights)
            ...         self.optimizer.apply(slopes, self.trainable_weights)
            ...         return {"error": error}
            >>> x = Input((2,))
            >>> model = Own(x, Dense(1, kernel_initializer="ones")(x))
            >>> model.compile("sgd")
            >>> model.fit(np.ones((8, 2)), np.zeros((8, 1)), verbose=0).history
            {'error': [4.0]}
        """
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=True)  # type: ignore[operator]  # a model
        loss = self.compute_loss(x, y, y_pred, sample_weight)
        weights = self.trainable_weights
        self.optimizer.apply(gradients(self.optimizer.scale_loss(loss), weights), weights)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of `evaluate` and of validation; arguments and result as for `train_step`."""
        x, y, sample_weight = unpack_x_y_sample_weight(data)
        y_pred = self(x, training=False)  # type: ignore[operator]  # a model
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """What `predict` returns for a batch.

        Args:
            data: the input tensor, or a list of them.

        Returns:
            A tensor with one row a sample, or a list of them.
        """
        return self(data, training=False)  # type: ignore[operator]  # a model

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> Any:
        """The loss that `compile` was given, with penalties and added losses.

        Args:
            x: inputs; accepted for subclasses.
            y: targets.
            y_pred: what the model returned in this step.
            sample_weight: weights of the samples, or None.

        Returns:
            A scalar tensor.
        """
        del x
        return self._objective("compute_loss", y, y_pred, sample_weight)[0].loss

    def compute_metrics(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None
    ) -> dict[str, Any]:
        """The loss and the metrics that `compile` was given, as a step returns them.

        Args:
            x: inputs; accepted for subclasses.
            y: targets.
            y_pred: what the model returned in this step.
            sample_weight: weights of the samples, or None.

        Returns:
            What a batch adds to each of them, by name; other entries may be put beside.
        """
        del x
        goal, source = self._objective("compute_metrics", y, y_pred, sample_weight)
        check_names([*goal.increments, *(m.name for m in source.added)])
        return {**goal.increments, **added_increments(source.added)}

    def _objective(
        self, name: str, y: Any, y_pred: Any, sample_weight: Any
    ) -> tuple[Objective, Forward]:
        context = current_context()
        if context is None:
            raise RuntimeError(NOT_TRACED.format(name))
        compiled = self._compiled().compiled  # type: ignore[attr-defined]  # the trainer's
        source = self._source(y_pred, context)
        targets, several = tensors_of(y), isinstance(sample_weight, (list, tuple))
        if len(targets) != len(compiled.heads):
            raise ValueError(
                explain(
                    f"{name} was given {len(targets)} targets",
                    expected=f"one for each of {[head.name for head in compiled.heads]}",
                )
            )
        given = sample_weight if several else [sample_weight] * len(targets)
        pairs = [
            Comparison(h, t, source.tensors[h.index], w, source.masks[h.index])
            for h, t, w in zip(compiled.heads, targets, given, strict=True)
        ]
        return make_objective(source, pairs, compiled.names), source

    def _source(self, y_pred: Any, context: CallContext) -> Forward:
        """The model as it was called in this step."""
        model: Any = self
        outputs = tuple(tensors_of(y_pred))
        lowering = Lowering(context)
        # What the model itself added on its tensors has come with its call.
        fixed, metrics = tuple(EffectOwner.penalties(model)), model.fixed_metrics()
        values, _ = lowering.inline((*fixed, *(m.value for m in metrics)))
        own = [replace(m, value=n) for m, n in zip(metrics, values[len(fixed) :], strict=True)]
        masks = tuple(context.masks.get(n) for n in outputs)
        extra = (*values[: len(fixed)], *context.losses)
        added = in_order([*context.metrics, *own], model.flattened_layers())
        return Forward(tuple(model.inputs), outputs, masks, extra, (), lowering, added)


def overrides(model: Any, name: str) -> bool:
    """Whether a model has a step of its own, such as "train_step"."""
    return getattr(type(model), name) is not getattr(CustomSteps, name)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """The data of a step as inputs, targets and sample weights, None for what is not there.

    Args:
        data: `(x,)`, `(x, y)` or `(x, y, sample_weight)`.

    Example:
        >>> unpack_x_y_sample_weight((1, 2))
        (1, 2, None)
    """
    x, y, sample_weight = (*data, None, None)[:3]
    return x, y, sample_weight


def tensors_of(value: Any) -> list[Node]:
    """The tensors of a structure, in their order."""
    return [] if value is None else list(leaves_of(value, is_node))


def alone_or_list(tensors: Sequence[Node]) -> Any:
    """One tensor as it is, several as a list."""
    return tensors[0] if len(tensors) == 1 else list(tensors)


def as_given(y_true: Any, y_pred: Any) -> Any:
    """Stands for the loss of a model whose own step computes one: targets come as they are.

    Raises:
        ValueError: always; such a step does not ask for it.
    """
    del y_true, y_pred
    raise ValueError(
        explain(
            "compute_loss and compute_metrics need a loss, and `compile` was given none",
            hint="compile(optimizer, loss=...), or compute the loss in the step itself",
        )
    )


def free_heads(names: Sequence[str]) -> tuple[Head, ...]:
    """The outputs of a model without a loss, so that a step of its own gets targets."""
    return tuple(Head(name, i, as_given, 1.0, None, ()) for i, name in enumerate(names))


def check_logs(name: str, logs: Any) -> Mapping[str, Any]:
    """What a step returned.

    Raises:
        TypeError: it is no dictionary.
    """
    if not isinstance(logs, Mapping):
        raise TypeError(
            explain(
                f"{name} must return a dictionary of scalars by name",
                got=f"{type(logs).__name__}: {logs!r}"[:200],
                hint='end it with `return {"loss": loss}`',
            )
        )
    return logs

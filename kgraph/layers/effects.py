"""What a layer adds to losses, metrics and state updates of the models that it is part of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kgraph.errors import InferenceError, explain
from kgraph.ir.context import AddedMetric, CallContext, calling, current_context
from kgraph.ir.graph import toposort
from kgraph.ir.leaves import INPUT, size
from kgraph.ir.node import Node
from kgraph.ir.op import as_node, cast_to
from kgraph.ir.variable import Variable
from kgraph.layers.node import mask_of_tensor
from kgraph.layers.structure import is_node, leaves_of

Update = tuple[Variable, Node]


class EffectOwner:
    """The part of a layer that keeps losses, metrics and updates."""

    name: str
    stateful: bool
    weights: list[Variable]
    flattened_layers: Callable[[], list[Any]]
    activity_regularizer: Callable[[Any], Any] | None
    _added_losses: list[Node]
    _added_updates: list[Update]
    _added_metrics: list[tuple[str, Node]]
    _inbound_nodes: list[tuple[Any, tuple[Node, ...]]]

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Adds scalars to the loss of every model that the layer is part of.

        Args:
            losses: a scalar tensor or several. Inside `call` they belong to that call; elsewhere
                they must not depend on inputs.
            inputs: accepted for Keras 2, which could not see what a loss depends on.

        Example:
            >>> import numpy as np
            >>> from kgraph import ops
            >>> from kgraph.layers import Layer
            >>> from kgraph.models import Sequential
            >>> class Penalized(Layer):
            ...     def call(self, inputs):
            ...         self.add_loss(ops.mean(inputs))
            ...         return inputs
            >>> model = Sequential([Penalized(input_shape=(2,))])
            >>> model.compile("sgd")
            >>> model.test_on_batch(np.ones((3, 2)))
            1.0
        """
        del inputs
        given = losses if isinstance(losses, (list, tuple)) else [losses]
        nodes = [as_node(v() if callable(v) else v) for v in given if v is not None]
        context = current_context()
        (context.losses if context is not None else self._added_losses).extend(nodes)

    def add_metric(
        self, value: Any, name: str | None = None, aggregation: str | None = "mean"
    ) -> None:
        """Logs the mean of a tensor beside the metrics of every model that the layer is part of.

        As in Keras 2.3 all elements count alike, over all batches: a value with one entry a
        sample is averaged over the samples, a scalar over the batches, whatever their size.
        Logs and `metrics_names` have added metrics last, layer by layer.

        Args:
            value: a tensor of numbers or booleans. Inside `call` it belongs to that call;
                elsewhere it must not depend on inputs, and counts from the next `compile` on.
            name: in the logs; no two metrics of a model may share it, so a layer that adds one
                can be called once in a model.
            aggregation: "mean", the only one there is.

        Raises:
            ValueError: there is no name, or another aggregation.
            TypeError: the value is no tensor; objects such as `Mean()` go to `compile`.

        Example:
            >>> import numpy as np
            >>> from kgraph import ops
            >>> from kgraph.layers import Layer
            >>> from kgraph.models import Sequential
            >>> class Watched(Layer):
            ...     def call(self, inputs):
            ...         self.add_metric(ops.abs(inputs), name="size")
            ...         return inputs
            >>> model = Sequential([Watched(input_shape=(2,))])
            >>> model.compile("sgd", "mse")
            >>> model.metrics_names
            ['loss', 'size']
            >>> model.test_on_batch(np.array([[1.0, -2.0]]), np.zeros((1, 2)))
            [2.5, 1.5]
        """
        name, node = checked_metric(self.name, value, name, aggregation)
        context = current_context()
        if context is not None:
            context.metrics.append(AddedMetric(name, node, self))
            return
        needed = [n.name for n in toposort([node]) if n.op is INPUT]
        if needed:
            raise ValueError(
                explain(
                    f"Metric {name!r} of layer {self.name} depends on inputs outside of `call`",
                    got=needed,
                    hint="call self.add_metric inside `call`, or `add_metric` of the model",
                )
            )
        self._added_metrics.append((name, node))

    def add_update(self, updates: Any, inputs: Any = None) -> None:
        """Adds changes of state to every training step that the layer is part of.

        Args:
            updates: a pair (variable, new value) or several. Inside `call` they belong to that
                call, and those of a stateful layer also take place when the model only predicts.
                Elsewhere they must not depend on inputs.
            inputs: accepted for Keras 2.

        Example:
            >>> import numpy as np
            >>> from kgraph.layers import Layer
            >>> class Counter(Layer):
            ...     def build(self, input_shape):
            ...         self.seen = self.add_weight("seen", (), initializer="zeros")
            ...     def call(self, inputs):
            ...         self.add_update((self.seen, self.seen + 1.0))
            ...         return inputs
            >>> layer = Counter()
            >>> y = layer(np.ones((1, 2)), training=True)
            >>> float(layer.seen)
            1.0
        """
        del inputs
        single = isinstance(updates, tuple) and isinstance(updates[0], Variable)
        pairs = [(v, cast_to(as_node(n), v.dtype)) for v, n in ([updates] if single else updates)]
        context = current_context()
        if context is None:
            self._added_updates.extend(pairs)
        elif context.training or self.stateful:
            context.updates.extend(pairs)

    def penalties(self) -> list[Node]:
        """The scalars that do not depend on inputs: weight penalties, each weight once."""
        found = [v.regularizer(v) for v in self.weights if v.regularizer is not None]
        for layer in self.flattened_layers():
            found += layer._added_losses
        return found

    def fixed_metrics(self) -> list[AddedMetric]:
        """The added metrics that do not depend on inputs, of this layer and those inside."""
        pairs = [
            (pair, layer) for layer in self.flattened_layers() for pair in layer._added_metrics
        ]
        return [AddedMetric(name, value, layer) for (name, value), layer in pairs]

    @property
    def losses(self) -> list[Node]:
        """Weight penalties, then what each call of the layer added."""
        return [*self.penalties(), *self._replay(training=False).losses]

    @property
    def updates(self) -> list[Update]:
        """The changes of state of a training step."""
        return [*self._added_updates, *self._replay(training=True).updates]

    def get_losses_for(self, inputs: Any) -> list[Node]:
        """The losses that depend on the inputs; with None those that depend on no input."""
        if inputs is None:
            return self.penalties()
        wanted = set(leaves_of(inputs, is_node))
        found = self._replay(training=False).losses
        return [loss for loss in found if wanted.intersection(toposort([loss]))]

    def get_updates_for(self, inputs: Any) -> list[Update]:
        """The updates that depend on the inputs; with None those that depend on no input."""
        wanted = set(leaves_of(inputs, is_node))
        pairs = [(pair, toposort([pair[1]])) for pair in self.updates]
        if inputs is None:
            return [pair for pair, below in pairs if all(n.op is not INPUT for n in below)]
        return [pair for pair, below in pairs if wanted.intersection(below)]

    def _replay(self, training: bool) -> CallContext:
        """Inlines the recorded calls on their own inputs, for what they leave behind."""
        context = CallContext(training)
        with calling(context):
            for call, _ in self._inbound_nodes:
                if call.inputs:
                    call.invoke(call.inputs, tuple(map(mask_of_tensor, call.inputs)), context)
        return context

    def _activity_loss(self, output: Node) -> Node:
        """The activity penalty per sample, so that it does not grow with the batch."""
        assert self.activity_regularizer is not None
        penalty = self.activity_regularizer(output)
        return penalty / cast_to(size(output.shape[0]), penalty.dtype)


def checked_metric(
    owner: str, value: Any, name: str | None, aggregation: str | None
) -> tuple[str, Node]:
    """The name and the tensor of a metric, from the arguments of `add_metric`.

    Args:
        owner: name of the layer, for messages.
        value: the tensor.
        name: its name.
        aggregation: "mean".

    Raises:
        ValueError: there is no name, or another aggregation.
        TypeError: the value is no tensor.
    """
    if not isinstance(name, str) or not name:
        raise ValueError(
            explain(
                f"Layer {owner} adds a metric without a name",
                got=repr(name),
                hint='add_metric(ops.sum(x), name="total")',
            )
        )
    if aggregation != "mean":
        raise ValueError(
            explain(
                f"Layer {owner} adds metric {name!r} with an aggregation that does not exist",
                expected="aggregation='mean'",
                got=repr(aggregation),
                hint="add the values themselves, such as one a sample; their mean is logged",
            )
        )
    try:
        return name, as_node(value)
    except InferenceError:
        raise TypeError(
            explain(
                f"Layer {owner} adds metric {name!r}, whose value is no tensor",
                got=f"{type(value).__name__}: {value!r}"[:200],
                hint="add the values themselves; objects such as Mean() go to compile(metrics=...)",
            )
        ) from None

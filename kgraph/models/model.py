"""Model: a graph of layer calls with names for its inputs and outputs, and itself a layer.

Calling a model on tensors adds one call; what is inside is inlined when a graph is lowered. The
graph is the truth: `layers`, the order of weights and the configuration are read from it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from kgraph.errors import explain
from kgraph.ir.context import AddedMetric, CallContext, calling, current_context
from kgraph.ir.graph import toposort
from kgraph.ir.leaves import INPUT
from kgraph.ir.node import Node
from kgraph.ir.op import as_node, cast_to
from kgraph.ir.variable import Variable
from kgraph.layers.base import Layer
from kgraph.layers.effects import checked_metric
from kgraph.layers.input import InputLayer
from kgraph.layers.node import keras_shape
from kgraph.layers.spec import InputSpec, check_shapes
from kgraph.layers.structure import is_node, leaves_of, pack, unpack_singleton
from kgraph.layers.weights import assign_weights
from kgraph.models.config import network_config
from kgraph.models.connect import note_inputs
from kgraph.models.files import FileMethods
from kgraph.models.network import GraphCall, Network, NetworkOwner, is_leaf
from kgraph.models.reading import read_network
from kgraph.passes.lower import inline
from kgraph.training.added import check_names
from kgraph.training.trainer import Trainer
from kgraph.utils.registry import custom_object_scope


class Model(NetworkOwner, FileMethods, Trainer, Layer):
    """A graph of layers between inputs and outputs.

    Args:
        inputs: `Input` tensors, alone or in a list or dictionary. Intermediate tensors also work.
        outputs: tensors that depend on them, alone or in a list or dictionary.
        name: default `model_1`, `model_2` and so on.
        **kwargs: `trainable`, and Keras 1's `input` and `output`.

    Raises:
        ValueError: the outputs need another input, or two layers have one name.

    Example:
        >>> from kgraph.layers import Dense, Input
        >>> x = Input((3,))
        >>> model = Model(x, Dense(2, kernel_initializer="ones")(x))
        >>> model(np.ones((1, 3), "float32")).tolist()
        [[3.0, 3.0]]
    """

    first_call = 1

    def __init__(
        self, inputs: Any = None, outputs: Any = None, name: str | None = None, **kwargs: Any
    ) -> None:
        if "input" in kwargs or "output" in kwargs:
            inputs, outputs = _old_names(type(self).__name__, inputs, outputs, kwargs)
        if inputs is None or outputs is None:
            raise TypeError(
                explain(
                    f"{type(self).__name__} needs `inputs` and `outputs`",
                    hint="a model that is written as a class with its own `call` is a Layer",
                )
            )
        super().__init__(name=name, **kwargs)
        self._start_added()
        self._set_network(Network(inputs, outputs))

    def _start_added(self) -> None:
        """Nothing is added yet; what is added outlives changes of a Sequential."""
        self._graph_losses: list[Node] = []
        self._graph_metrics: list[tuple[str, Node]] = []

    def _set_network(self, network: Network | None) -> None:
        self._network = network
        self.built = network is not None
        own_inputs = network.inputs if network else ()
        own = (GraphCall(self, own_inputs), network.outputs if network else ())
        self._inbound_nodes = [own, *self._inbound_nodes[1:]]
        self._eager.clear()
        note_inputs(self, own_inputs)

    # -- meaning -------------------------------------------------------------------------------
    def build(self, input_shape: Any) -> None:
        """Nothing to do: the layers inside were built when they were called."""
        del input_shape

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        """Inlines the graph on other inputs.

        Args:
            inputs: tensors in the structure of `input`, or in a flat list in their order.
            training: whether dropout and batch statistics are on; default the caller's.
            mask: masks of the inputs.

        Returns:
            Tensors in the structure of `output`; one output comes alone.
        """
        context = current_context()
        if context is None:
            return self(inputs, training=training, mask=mask)
        given = self._arrange(inputs)
        masks = leaves_of(mask, is_leaf) if mask is not None else ()
        network = self.network
        env, known = {}, {}
        for i, (node, value) in enumerate(zip(network.inputs, given, strict=True)):
            env[node] = cast_to(value, node.dtype)
            if i < len(masks) and masks[i] is not None:
                known[node] = masks[i]
        added = self.graph_metrics()
        roots = (*network.outputs, *self._graph_losses, *(m.value for m in added))
        results, out_masks = inline(roots, context, env, known)
        count = len(network.outputs)
        last = len(roots) - len(added)
        context.losses.extend(results[count:last])
        values = zip(added, results[last:], strict=True)
        context.metrics.extend(replace(m, value=value) for m, value in values)
        for node, out_mask in zip(results[:count], out_masks[:count], strict=True):
            if out_mask is None:
                context.masks.pop(node, None)
            else:
                context.masks[node] = out_mask
        return self._pack_outputs(results[:count])

    def _arrange(self, inputs: Any) -> list[Node]:
        """The inputs of a call in the order of `self.inputs`; dictionaries go by key."""
        if isinstance(inputs, Mapping):
            names = self.input_names
            if set(names) - set(inputs):
                names = [n.name for n in self.inputs]
            missing = [name for name in names if name not in inputs]
            if missing:
                raise ValueError(
                    explain(
                        f"Model {self.name} was called without inputs {missing}",
                        expected=names,
                        got=list(inputs),
                    )
                )
            inputs = [inputs[name] for name in names]
        given = [as_node(value) for value in leaves_of(inputs, is_leaf)]
        if len(given) != len(self.inputs):
            raise ValueError(
                explain(
                    f"Model {self.name} takes {len(self.inputs)} inputs, got {len(given)}",
                    expected=self.input_names,
                )
            )
        check_shapes(self.name, [InputSpec(shape=keras_shape(n)) for n in self.inputs], given)
        return given

    def _pack_outputs(self, results: Sequence[Any]) -> Any:
        structure = self.network.output_structure
        if isinstance(structure, (list, tuple)) and len(results) == 1:
            return results[0]
        return pack(structure, results)

    def _masks_of_outputs(self, inputs: Any, mask: Any, outputs: tuple[Node, ...]) -> Any:
        if type(self).call is not Model.call:
            return self.compute_mask(inputs, mask)
        context = current_context()
        assert context is not None
        return [context.masks.get(n) for n in outputs]

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """The masks of the outputs for inputs with these masks."""
        context = CallContext(training=False)
        with calling(context):
            outputs = leaves_of(self.call(inputs, mask=mask), is_node)
        return unpack_singleton([context.masks.get(n) for n in outputs])

    @property
    def supports_masking(self) -> bool:
        """The layers inside decide."""
        return True

    @supports_masking.setter
    def supports_masking(self, value: bool) -> None:
        del value

    # -- configuration -------------------------------------------------------------------------
    def get_config(self) -> dict[str, Any]:
        """The layers and their calls in Keras 2.3's layout."""
        return {**network_config(self.name, self.network), **self._own_flag()}

    def _own_flag(self) -> dict[str, bool]:
        """That the model as a whole is frozen, which Keras 2.3 forgets."""
        return {} if self._trainable else {"trainable": False}

    def get_build_config(self) -> None:
        """Nothing: the configuration holds the shapes."""

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Any:
        """Makes the model that a configuration describes, with fresh weights.

        Args:
            config: in Keras 2's or Keras 3's layout.
            custom_objects: classes and functions besides the built-in ones.

        Raises:
            ValueError: the configuration is wrong or names something unknown.
        """
        with custom_object_scope(custom_objects or {}):
            inputs, outputs = read_network(config)
        model = cls(inputs, outputs, name=config.get("name"))
        model.trainable = config.get("trainable", True)
        return model

    def fresh_copy(self) -> Any:
        """The same graph of equal layers with fresh weights."""
        made = self.clone_with(lambda layer: layer.fresh_copy())
        made.trainable = self._trainable
        return made

    def clone_with(self, clone_function: Callable[[Any], Any]) -> Any:
        """The same graph of other layers.

        Args:
            clone_function: layer -> the layer in its place; inputs are made anew.
        """

        def describe(layer: Any) -> dict[str, Any]:
            return {"class_name": type(layer).__name__, "config": {"name": layer.name}}

        def make(entry: Mapping[str, Any]) -> Any:
            layer = self.get_layer(entry["name"])
            fresh = isinstance(layer, InputLayer)
            return layer.fresh_copy() if fresh else clone_function(layer)

        config = network_config(self.name, self.network, describe)
        inputs, outputs = read_network(config, make)
        return type(self)(inputs, outputs, name=self.name)

    # -- weights and losses --------------------------------------------------------------------
    def _children(self) -> Iterator[Any]:
        if self._known_network() is not None:
            yield from self.layers

    def _held_variables(self) -> Iterable[Variable]:
        """Variables that raw ops between the layers read."""
        network = self._known_network()
        return network.graph.states if network is not None else ()

    def get_weights(self) -> list[np.ndarray]:
        """Copies of the weights, layer by layer (`weights` has the trainable ones first).

        Returns:
            A list of arrays.

        Example:
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> [w.shape for w in Sequential([Dense(1, input_dim=2)]).get_weights()]
            [(2, 1), (1,)]
        """
        return [v.numpy() for v in self._weights_by_layer()]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Writes the weights, in the order of `get_weights`.

        Args:
            weights: arrays as `get_weights` returns them.

        Raises:
            ValueError: their number or a shape differs.

        Example:
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> model = Sequential([Dense(1, input_dim=2)])
            >>> model.set_weights([[[1.0], [2.0]], [0.5]])
            >>> model.get_weights()[1].tolist()
            [0.5]
        """
        assign_weights(self.name, self._weights_by_layer(), weights)

    def _weights_by_layer(self) -> list[Variable]:
        found = [*self._held_variables(), *(v for each in self.layers for v in each.weights)]
        return list(dict.fromkeys(found))

    def add_loss(self, losses: Any, inputs: Any = None) -> None:
        """Adds scalars to the loss, which may depend on tensors of the model.

        Args:
            losses: a scalar tensor or several.
            inputs: accepted for Keras 2.

        Raises:
            ValueError: a loss depends on an input that the model does not have.
        """
        given = losses if isinstance(losses, (list, tuple)) else [losses]
        mine: list[Node] = []
        others: list[Any] = []
        for loss in given:
            below = toposort([loss]) if current_context() is None and is_node(loss) else ()
            needed = [n for n in below if n.op is INPUT]
            self._check_own_inputs("A loss", needed)
            (mine if needed else others).append(loss)
        super().add_loss(others, inputs)
        self._graph_losses += mine
        self._eager.clear()

    def add_metric(
        self, value: Any, name: str | None = None, aggregation: str | None = "mean"
    ) -> None:
        """Logs the mean of a tensor of the model, also after `compile`; files do not keep it.

        Args:
            value: a tensor of the model; see `Layer.add_metric` for how it is averaged.
            name: in the logs; no two metrics of a model may share it.
            aggregation: "mean".

        Raises:
            ValueError: the name is missing or taken, or the value depends on an input that the
                model does not have.

        Example:
            >>> import numpy as np
            >>> from kgraph import ops
            >>> from kgraph.layers import Dense, Input
            >>> x = Input((2,))
            >>> hidden = Dense(2, kernel_initializer="ones")(x)
            >>> model = Model(x, Dense(1)(hidden))
            >>> model.add_metric(ops.max(hidden), name="peak")
            >>> model.compile("sgd", "mse")
            >>> model.test_on_batch(np.ones((1, 2)), np.ones((1, 1)))[1]
            2.0
        """
        if current_context() is not None:
            super().add_metric(value, name, aggregation)
            return
        name, node = checked_metric(self.name, value, name, aggregation)
        needed = [n for n in toposort([node]) if n.op is INPUT]
        self._check_own_inputs(f"Metric {name!r}", needed)
        check_names([name, *(known for known, _ in self._graph_metrics)])
        self._graph_metrics.append((name, node))
        self._eager.clear()
        try:
            self._renew_program()
        except Exception:
            self._graph_metrics.pop()
            raise

    def _check_own_inputs(self, what: str, needed: Sequence[Node]) -> None:
        strangers = [n.name for n in needed if n not in self.network.inputs]
        if strangers:
            raise ValueError(
                explain(
                    f"{what} added to model {self.name} depends on other inputs",
                    expected=self.input_names,
                    got=strangers,
                )
            )

    def graph_metrics(self) -> list[AddedMetric]:
        """What `add_metric` of this model added, on the tensors of its own graph."""
        return [AddedMetric(name, value, self) for name, value in self._graph_metrics]

    def penalties(self) -> list[Node]:
        """Weight penalties, each weight once, and what `add_loss` of this model added."""
        return [*super().penalties(), *self._graph_losses]

    @property
    def losses(self) -> list[Node]:
        """Weight penalties, added losses, and what the layers' calls add."""
        return [*self.penalties(), *self._replay(training=False).losses]

    def _replay(self, training: bool) -> CallContext:
        context = CallContext(training)
        inline((*self.outputs, *self._graph_losses), context)
        return context

    @property
    def stateful(self) -> bool:
        """Whether a layer keeps state from batch to batch."""
        return any(layer.stateful for layer in self._children())

    @stateful.setter
    def stateful(self, value: bool) -> None:
        del value

    @property
    def state_updates(self) -> list[Any]:
        """The changes of state of a prediction."""
        return self._replay(training=False).updates

    def reset_states(self) -> None:
        """Sets the state of all stateful layers back."""
        for layer in self.layers:
            if layer.stateful and hasattr(layer, "reset_states"):
                layer.reset_states()


def _old_names(kind: str, inputs: Any, outputs: Any, kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """The inputs and outputs, from Keras 1's `input` and `output` too."""
    for old, new in (("input", inputs), ("output", outputs)):
        if old in kwargs and new is not None:
            raise TypeError(f"{kind}: `{old}` is the old name of `{old}s`, and both were given")
    warnings.warn(
        f"Update your `{kind}` call to the Keras 2 API: `{kind}(inputs=..., outputs=...)`",
        stacklevel=3,
    )
    return kwargs.pop("input", inputs), kwargs.pop("output", outputs)

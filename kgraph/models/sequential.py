"""Sequential: a stack of layers, a functional model as soon as its input shape is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from kgraph.errors import explain
from kgraph.ir.node import Node
from kgraph.ir.origin import here, making
from kgraph.layers.base import Layer
from kgraph.layers.input import Input, InputLayer
from kgraph.layers.node import history_of, keras_shape
from kgraph.layers.serialization import deserialize, serialize
from kgraph.layers.structure import is_node
from kgraph.layers.weights import unchanged_on_error
from kgraph.models.model import Model
from kgraph.models.network import NOT_BUILT, Network
from kgraph.utils.registry import custom_object_scope

ONE_OUTPUT = (
    "All layers in a Sequential model should have a single output tensor. "
    "For multi-output layers, use the functional API."
)


class Sequential(Model):
    """A stack of layers.

    The shape of the input comes from the first layer (`input_shape`, `input_dim` or
    `batch_input_shape`), from an `Input` in its place, from `build`, or from the first data. A
    model that comes first gives its inputs to the stack, also where they are several.

    Args:
        layers: the layers, first one first.
        name: default `sequential_1`, `sequential_2` and so on.
        **kwargs: `trainable`.

    Example:
        >>> from kgraph.layers import Activation, Dense
        >>> model = Sequential([Dense(32, input_shape=(784,)), Activation("relu")])
        >>> model.output_shape, model.count_params()
        ((None, 32), 25120)
    """

    def __init__(
        self, layers: Sequence[Any] | None = None, name: str | None = None, **kwargs: Any
    ) -> None:
        Layer.__init__(self, name=name, **kwargs)
        self._stack: list[Layer] = []
        # tensors[i] is what comes out of the first i layers; empty while no shape is known. The
        # first is a list where a model with several inputs comes first.
        self._tensors: list[Any] = []
        self._given: InputLayer | None = None
        self._build_shape: tuple[int | None, ...] | None = None
        self._start_added()
        self._set_network(None)
        for layer in layers or ():
            self.add(layer)

    def add(self, layer: Any) -> None:
        """Puts a layer on top.

        Args:
            layer: a layer, a model, or (first) an `Input` tensor.

        Raises:
            TypeError: it is no layer.
            ValueError: its name is taken, or it has several outputs.

        Example:
            >>> from kgraph.layers import Dense, Flatten
            >>> model = Sequential()
            >>> model.add(Flatten(input_shape=(2, 3)))
            >>> model.add(Dense(4))
            >>> model.output_shape
            (None, 4)
        """
        if is_node(layer):
            history = history_of(layer)
            layer = history[0] if history else layer
        if not isinstance(layer, Layer):
            raise TypeError(f"The added layer must be an instance of class Layer. Found: {layer}")
        if isinstance(layer, InputLayer):
            self._add_input(layer)
            return
        if any(layer.name == other.name for other in self._stack):
            raise ValueError(
                explain(
                    f'The name "{layer.name}" is used 2 times in the model. '
                    "All layer names should be unique."
                )
            )
        tensors = self._tensors or ([] if self._stack else _first_tensors(layer))
        if tensors:
            tensors = [*tensors, _single_output(layer, tensors[-1])]
        self._tensors = tensors
        self._stack.append(layer)
        self._changed()

    def pop(self) -> None:
        """Removes the last layer.

        Raises:
            TypeError: there is none.

        Example:
            >>> from kgraph.layers import Dense
            >>> model = Sequential([Dense(4, input_dim=2), Dense(1)])
            >>> model.pop()
            >>> model.output_shape
            (None, 4)
        """
        if not self._stack:
            raise TypeError("There are no layers in the model.")
        self._stack.pop()
        if self._tensors:
            self._tensors.pop()
        if not self._stack and self._given is None:
            self._tensors = []
        self._changed()

    def build(self, input_shape: Any = None) -> None:
        """Gives a model without an input shape one.

        Args:
            input_shape: tuple with the batch, None for unknown sizes.

        Raises:
            ValueError: no shape is known.
        """
        if self._tensors or not self._stack:
            return
        if input_shape is None:
            raise ValueError(NOT_BUILT)
        # The layers' paths start here, wherever the model is called for the first time.
        with unchanged_on_error(self, *self._stack), making(replace(here(), scope="")):
            self._build_shape = tuple(input_shape)
            name = f"{self._stack[0].name}_input"
            self._tensors = [Input(batch_shape=self._build_shape, name=name)]
            for layer in self._stack:
                self._tensors.append(_single_output(layer, self._tensors[-1]))
        self._changed()

    @property
    def layers(self) -> list[Any]:
        """The layers, without the input."""
        return list(self._stack)

    def get_config(self) -> dict[str, Any]:
        """The layers in Keras 2.3's layout."""
        given = [self._given] if self._given is not None else []
        layers = [serialize(layer) for layer in (*given, *self._stack)]
        config: dict[str, Any] = {"name": self.name, "layers": layers, **self._own_flag()}
        if self._build_shape is not None:
            config["build_input_shape"] = self._build_shape
        return config

    def clone_with(self, clone_function: Callable[[Any], Any]) -> Sequential:
        """The same stack of other layers, with an input of the same shape if that is known.

        Args:
            clone_function: layer -> the layer in its place.
        """
        copy = type(self)(name=self.name)
        if self._given is not None:
            copy.add(self._given.fresh_copy())
        for layer in self._stack:
            copy.add(clone_function(layer))
        if self._tensors and not copy._tensors:
            copy.build(keras_shape(self._tensors[0]))
        return copy

    @classmethod
    def from_config(
        cls, config: Any, custom_objects: Mapping[str, Any] | None = None
    ) -> Sequential:
        """Makes the model that a configuration describes, with fresh weights.

        Args:
            config: in Keras 2's or Keras 3's layout, or the list of layers of Keras before 2.2.3.
            custom_objects: classes and functions besides the built-in ones.

        Raises:
            ValueError: the configuration is wrong or names something unknown.
        """
        settings = config if isinstance(config, Mapping) else {"layers": config}
        model = cls(name=settings.get("name"))
        model.trainable = settings.get("trainable", True)
        with custom_object_scope(custom_objects or {}):
            for entry in settings["layers"]:
                model.add(deserialize(entry))
        if settings.get("build_input_shape") is not None:
            model.build(settings["build_input_shape"])
        return model

    def _known_network(self) -> Network | None:
        if self._network is None and len(self._tensors) > 1:
            self._set_network(Network(self._tensors[0], self._tensors[-1]))
        return self._network

    def _changed(self) -> None:
        self._set_network(None)
        self.built = len(self._tensors) > 1

    def _add_input(self, layer: InputLayer) -> None:
        if self._stack or self._tensors:
            raise ValueError(
                explain(
                    f"Sequential model {self.name}: an Input can only come first",
                    got=f"{layer.name} after {len(self._stack)} layers",
                )
            )
        self._given = layer
        self._tensors = [layer.output]


def _first_tensors(layer: Layer) -> list[Any]:
    """The input, or inputs, of a stack whose first layer says their shape; else nothing."""
    first, shape, dtype = layer, getattr(layer, "batch_input_shape", None), None
    while shape is None and isinstance(first, Model) and first.built:
        if len(first.inputs) != 1:
            return [[_same_input(x) for x in first.inputs]]
        shape, dtype = first.input_shape, first.inputs[0].dtype
    if shape is None:
        return []
    # An Embedding reads ids: floats could not hold large ones.
    dtype = dtype or getattr(layer, "input_dtype", layer.dtype)
    return [Input(batch_shape=shape, name=f"{layer.name}_input", dtype=dtype)]


def _same_input(tensor: Node) -> Node:
    """A fresh input like one of a model that comes first, under its name."""
    return Input(batch_shape=keras_shape(tensor), name=tensor.name, dtype=tensor.dtype)


def _single_output(layer: Layer, tensor: Any) -> Node:
    output = layer(tensor)
    if not is_node(output):
        raise TypeError(ONE_OUTPUT)
    return output

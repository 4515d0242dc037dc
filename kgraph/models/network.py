"""What a model is made of: its graph, the order in it, and the names of its ends.

`NetworkOwner` is the part of a model that answers questions about them.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from kgraph.errors import explain
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.node import Node
from kgraph.layers.node import keras_shape
from kgraph.layers.structure import flatten, pack, unpack_singleton
from kgraph.models.connect import connect
from kgraph.models.summary import print_summary
from kgraph.models.topology import Topology, map_network

NOT_BUILT = (
    "This model has not yet been built. Build the model first by calling build() or calling fit() "
    "with some data. Or specify input_shape or batch_input_shape in the first layer for automatic "
    "build. "
)


class Network:
    """The graph of a model and the structures that its inputs and outputs come in.

    Args:
        inputs: tensors, alone or in lists, tuples and dictionaries.
        outputs: likewise.
    """

    def __init__(self, inputs: Any, outputs: Any) -> None:
        given, self.input_structure = flatten(inputs, is_leaf)
        wanted, self.output_structure = flatten(outputs, is_leaf)
        self.inputs, self.outputs = connect(given, wanted)
        self.topology: Topology = map_network(self.inputs, self.outputs)
        self.input_names = _keys(inputs) or [n.name for n in self.inputs]
        produced = [self.topology.reference(n)[0] for n in self.outputs]
        self.output_names = _keys(outputs) or _distinct(produced)
        named = tuple(zip(self.output_names, self.outputs, strict=True))
        self.graph = Graph(self.inputs, named, (), Stage.LAYERS)


class GraphCall:
    """Record 0 of a model: the graph that it was made of, which Keras 2 counts as a call."""

    index = 0
    arguments: tuple[tuple[Any, ...], dict[str, Any]] = ((), {})

    def __init__(self, layer: Any, inputs: tuple[Node, ...]) -> None:
        self.layer, self.inputs = layer, inputs


class NetworkOwner:
    """The part of a model that shows its structure."""

    name: str
    _network: Network | None = None

    @property
    def network(self) -> Network:
        """The graph with its order and names.

        Raises:
            ValueError: the model has no input shape yet.
        """
        network = self._known_network()
        if network is None:
            raise ValueError(NOT_BUILT)
        return network

    def _known_network(self) -> Network | None:
        return self._network

    @property
    def graph(self) -> Graph | None:
        """The graph of layer calls, None before the model has an input shape."""
        network = self._known_network()
        return network.graph if network is not None else None

    def _repr_svg_(self) -> str | None:
        """The picture that notebooks show; drawing is imported when somebody looks."""
        return importlib.import_module("kgraph.tools.viz.notebook").svg_of(self.graph, self.name)

    def _repr_html_(self) -> str | None:
        return self._repr_svg_()

    @property
    def inputs(self) -> list[Node]:
        """The input tensors."""
        return list(self.network.inputs)

    @property
    def outputs(self) -> list[Node]:
        """The output tensors."""
        return list(self.network.outputs)

    @property
    def input(self) -> Any:
        """The input tensor(s), in the structure that the model was made with."""
        self._require_network("input")
        return pack(self.network.input_structure, self.network.inputs)

    @property
    def output(self) -> Any:
        """The output tensor(s), in the structure that the model was made with."""
        self._require_network("output")
        return pack(self.network.output_structure, self.network.outputs)

    @property
    def input_shape(self) -> Any:
        """The shape(s) of the inputs."""
        self._require_network("input shape")
        return unpack_singleton([keras_shape(n) for n in self.inputs])

    @property
    def output_shape(self) -> Any:
        """The shape(s) of the outputs."""
        self._require_network("output shape")
        return unpack_singleton([keras_shape(n) for n in self.outputs])

    @property
    def input_names(self) -> list[str]:
        """The keys under which the inputs are fed."""
        return list(self.network.input_names)

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs, under which losses and metrics go."""
        return list(self.network.output_names)

    @property
    def layers(self) -> list[Any]:
        """The layers, inputs included, in Keras's order."""
        return self.network.topology.layers

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """The layer of that name or position; the index wins.

        Args:
            name: the layer's name.
            index: its position in `layers`.

        Returns:
            The layer.

        Raises:
            ValueError: there is none.

        Example:
            >>> from kgraph.layers import Dense, Input
            >>> from kgraph.models import Model
            >>> x = Input((2,))
            >>> model = Model(x, Dense(1, name="top", kernel_initializer="ones")(x))
            >>> model.get_layer("top") is model.get_layer(index=-1)
            True
        """
        layers = self.layers
        if index is not None:
            if not -len(layers) <= index < len(layers):
                raise ValueError(
                    f"Was asked to retrieve layer at index {index} "
                    f"but model only has {len(layers)} layers."
                )
            return layers[index]
        if not name:
            raise ValueError("Provide either a layer name or layer index.")
        for layer in layers:
            if layer.name == name:
                return layer
        raise ValueError(
            explain(f"No such layer: {name}", expected=", ".join(each.name for each in layers))
        )

    def _require_network(self, what: str) -> None:
        if self._known_network() is None:
            raise AttributeError(
                f"The layer {self.name} has never been called and thus has no defined {what}."
            )

    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
    ) -> None:
        """Prints a table of the layers with their output shapes and numbers of parameters.

        Args:
            line_length: width of the table; default as wide as needed.
            positions: ends of the columns, as fractions of the width or in characters.
            print_fn: called once a line; default `print`.

        Raises:
            ValueError: the model is not built.

        Example:
            >>> from kgraph.layers import Dense
            >>> from kgraph.models import Sequential
            >>> Sequential([Dense(2, input_dim=3, name="d")], name="s").summary(line_length=60)
            Model: "s"
            ____________________________________________________________
            Layer (type)               Output Shape            Param #
            ============================================================
            d (Dense)                  (None, 2)               8
            ============================================================
            Total params: 8
            Trainable params: 8
            Non-trainable params: 0
            ____________________________________________________________
        """
        print_summary(self, line_length, positions, print_fn)

    def require_built(self) -> Any:
        """The model itself.

        Raises:
            ValueError: it has no input shape yet, and so no weights.
        """
        assert self.network is not None
        return self


def is_leaf(value: Any) -> bool:
    """Whether a structure of inputs or outputs has a tensor here."""
    return not isinstance(value, (list, tuple, dict))


def _keys(structure: Any) -> list[str]:
    """The keys of a flat dictionary, else none."""
    flat = isinstance(structure, dict) and all(map(is_leaf, structure.values()))
    return [str(key) for key in structure] if flat else []


def _distinct(names: Sequence[str]) -> list[str]:
    """The names, with `_1`, `_2` on those that come again."""
    found: list[str] = []
    for name in names:
        unused, count = name, 0
        while unused in found:
            count += 1
            unused = f"{name}_{count}"
        found.append(unused)
    return found

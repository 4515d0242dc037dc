"""Wrapper: the base of layers that are made of one other layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph.errors import explain
from kgraph.layers.base import Layer
from kgraph.layers.lookup import deserialize, serialize


class Wrapper(Layer):
    """A layer that holds another layer.

    Args:
        layer: the layer inside.
        **kwargs: what every layer takes.

    Raises:
        ValueError: `layer` is no layer.

    Example:
        >>> import numpy as np
        >>> from kgraph.layers import Dense
        >>> class Twice(Wrapper):
        ...     def call(self, inputs):
        ...         return self.layer(self.layer(inputs))
        >>> Twice(Dense(2, kernel_initializer="ones"))(np.ones((1, 2), "float32")).tolist()
        [[4.0, 4.0]]
    """

    def __init__(self, layer: Any, **kwargs: Any) -> None:
        require_layer(type(self).__name__, "layer", layer)
        super().__init__(**kwargs)
        self.layer = layer

    def build_inner(self, layer: Any, shape: Any) -> None:
        """Makes the weights of a layer inside, under this layer's path."""
        if not layer.built:
            layer._weight_scope = f"{self._weight_scope or self.name}/{layer.name}"
            layer._build_with([shape])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "layer": serialize(self.layer)}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Wrapper:
        """The layer that `get_config` describes."""
        return cls(**{**config, "layer": deserialize(config["layer"], custom_objects)})


def require_layer(name: str, argument: str, layer: Any) -> None:
    """Refuses what is no layer."""
    if not isinstance(layer, Layer):
        raise ValueError(
            explain(
                f"Please initialize `{name}` layer with a `Layer` instance",
                got=f"{argument}={layer!r}",
                hint="pass a layer that is not called yet, such as `Dense(3)`, not its output",
            )
        )

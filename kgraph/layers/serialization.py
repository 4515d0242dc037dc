"""Layers by name: the table that configurations are read with, never a module path."""

from __future__ import annotations

import inspect
import types
from collections.abc import Mapping
from typing import Any

from kgraph.errors import explain
from kgraph.layers import (
    advanced_activations,
    attention,
    convolutional,
    core,
    dropout,
    einsum_dense,
    embeddings,
    encoding,
    lambda_layer,
    legacy,
    local,
    merge,
    noise,
    normalization,
    pooling,
    preprocessing,
    reshaping,
    resizing,
)
from kgraph.layers import (
    input as input_module,
)
from kgraph.layers.base import Layer
from kgraph.layers.dialects import translate
from kgraph.utils.registry import Registry, custom_object_scope, find_custom, registered_name

_MODULES: tuple[types.ModuleType, ...] = (
    advanced_activations, attention, convolutional, core, dropout, einsum_dense, embeddings,
    encoding, input_module, lambda_layer, legacy, local, merge, noise, normalization, pooling,
    preprocessing, reshaping, resizing,
)  # fmt: skip

# Class name, or another name that Keras has for it -> class; `kgraph.models` adds Model and
# Sequential.
NAMES: dict[str, Any] = {
    name: value
    for module in _MODULES
    for name, value in vars(module).items()
    if name[0] != "_"
    and isinstance(value, type)
    and issubclass(value, Layer)
    and value is not Layer
}
# What Keras calls the class in its files.
NAMES["GroupedQueryAttention"] = attention.GroupQueryAttention
REGISTRY = Registry("layer", NAMES)


def serialize(layer: Layer) -> dict[str, Any]:
    """The class and arguments of a layer, in Keras 2.3's layout.

    Args:
        layer: any layer.

    Returns:
        What `deserialize` reads.

    Example:
        >>> from kgraph.layers import Flatten
        >>> serialize(Flatten(name="flat"))["class_name"]
        'Flatten'
    """
    return {"class_name": registered_name(type(layer)), "config": layer.get_config()}


def deserialize(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer that a configuration in Keras 2's or Keras 3's layout describes.

    Args:
        config: has `class_name` and `config`.
        custom_objects: classes and functions besides the built-in ones.

    Returns:
        The layer, with fresh weights.

    Raises:
        ValueError: the class is unknown or the layout wrong.

    Example:
        >>> from kgraph.layers import Dense
        >>> deserialize(serialize(Dense(3))).units
        3
    """
    if not isinstance(config, Mapping) or not {"class_name", "config"} <= set(config):
        raise ValueError(explain("Improper config format", got=f"{config!r}"[:200]))
    registered, name = config.get("registered_name"), config["class_name"]
    with custom_object_scope(custom_objects or {}):
        known = find_custom(registered) if registered else None
        cls: Any = REGISTRY.find(name) if known is None else known
        if not (inspect.isclass(cls) and issubclass(cls, Layer)):
            raise ValueError(explain(f"{name} is not a layer", got=repr(cls)))
        settings = config["config"]
        builtin = NAMES.get(name) is cls
        if builtin and not cls.first_call:  # models translate their layers one by one
            settings = translate(cls, settings)
        return cls.from_config(settings)

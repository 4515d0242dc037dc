"""Layers by name: `serialize` and `deserialize` over a table that `serialization.py` fills.

Layers that hold others (cells, wrappers) read and write them with these, and so cannot wait for the
table of all layers.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from kgraph.errors import explain
from kgraph.layers.base import Layer
from kgraph.layers.dialects import renamed, translate
from kgraph.utils.registry import Registry, custom_object_scope, find_custom, registered_name

# Class name -> class.
NAMES: dict[str, Any] = {}
REGISTRY = Registry("layer", NAMES)


def serialize(layer: Any) -> dict[str, Any]:
    """The class and arguments of a layer, in Keras 2.3's layout.

    Args:
        layer: any layer, or a cell of an RNN.

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
    registered = config.get("registered_name")
    name, settings = renamed(config["class_name"], config["config"])
    with custom_object_scope(custom_objects or {}):
        known = find_custom(registered) if registered else None
        cls: Any = REGISTRY.find(name) if known is None else known
        if not _is_layer_or_cell(cls):
            raise ValueError(explain(f"{name} is not a layer", got=repr(cls)))
        builtin = NAMES.get(name) is cls
        if builtin and not cls.first_call:  # models translate their layers one by one
            settings = translate(cls, settings)
        return cls.from_config(settings)


def _is_layer_or_cell(cls: Any) -> bool:
    is_cell = hasattr(cls, "call") and hasattr(cls, "state_size")
    return inspect.isclass(cls) and (is_cell or issubclass(cls, Layer))

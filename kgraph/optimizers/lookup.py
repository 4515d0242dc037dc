"""Optimizers by their names and configurations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph.optimizers.base import Optimizer
from kgraph.utils.registry import CustomObjectScope, Registry, find_custom

# Lower-case name -> class; the package fills it, since some optimizers look up others.
CLASSES: dict[str, type[Optimizer]] = {}
OPTIMIZERS = Registry("optimizer", CLASSES)


def get(identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """The optimizer that an argument means.

    Args:
        identifier: a name in any case, a configuration, a class, or an optimizer.
        custom_objects: names besides the built-in ones.

    Returns:
        An `Optimizer`.

    Raises:
        ValueError: there is no such optimizer.

    Example:
        >>> from kgraph.optimizers import get
        >>> get("RMSprop").rho
        0.9
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, (str, Mapping)):
        return deserialize(identifier, custom_objects)
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg]  # its own defaults
    raise ValueError(f"Could not interpret optimizer identifier: {identifier}")


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The configuration of an optimizer: `{"class_name": ..., "config": ...}`.

    Args:
        optimizer: any optimizer.

    Returns:
        What `deserialize` reads.

    Example:
        >>> from kgraph.optimizers import SGD, serialize
        >>> serialize(SGD(0.5))["config"]["learning_rate"]
        0.5
    """
    return OPTIMIZERS.serialize(optimizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """The optimizer of a configuration or a name.

    Args:
        config: what `serialize` returned, of this or another version of Keras, or a name.
        custom_objects: names besides the built-in ones.

    Returns:
        An `Optimizer`.

    Example:
        >>> from kgraph.optimizers import deserialize
        >>> deserialize({"class_name": "SGD", "config": {"lr": 0.5}}).get_config()["learning_rate"]
        0.5
    """
    given: dict[str, Any] = (
        {"class_name": config, "config": {}} if isinstance(config, str) else dict(config)
    )
    name = str(given.get("class_name", ""))
    if find_custom(name, custom_objects) is None:
        given["class_name"] = name.lower()
    with CustomObjectScope(custom_objects or {}):  # for optimizers inside of optimizers
        return OPTIMIZERS.deserialize(given)

"""Optimizers: what a training step does to the weights, as graph builders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kgraph.optimizers import schedules
from kgraph.optimizers.adadelta import Adadelta
from kgraph.optimizers.adafactor import Adafactor
from kgraph.optimizers.adagrad import Adagrad
from kgraph.optimizers.adam import Adam
from kgraph.optimizers.adamax import Adamax
from kgraph.optimizers.adamw import AdamW
from kgraph.optimizers.base import Optimizer
from kgraph.optimizers.ftrl import Ftrl
from kgraph.optimizers.lamb import Lamb
from kgraph.optimizers.lion import Lion
from kgraph.optimizers.nadam import Nadam
from kgraph.optimizers.rmsprop import RMSprop
from kgraph.optimizers.sgd import SGD
from kgraph.utils.registry import Registry, find_custom

__all__ = [
    "SGD",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Lamb",
    "Lion",
    "Nadam",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]

OPTIMIZERS = Registry(
    "optimizer",
    {
        made.__name__.lower(): made
        for made in (
            *(SGD, RMSprop, Adagrad, Adadelta, Adam, AdamW, Adamax, Nadam, Ftrl, Lion),
            *(Lamb, Adafactor),
        )
    },
)


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
        >>> deserialize({"class_name": "SGD", "config": {"lr": 0.5}}).get_config()["learning_rate"]
        0.5
    """
    given: dict[str, Any] = (
        {"class_name": config, "config": {}} if isinstance(config, str) else dict(config)
    )
    name = str(given.get("class_name", ""))
    if find_custom(name, custom_objects) is None:
        given["class_name"] = name.lower()
    return OPTIMIZERS.deserialize(given, custom_objects)

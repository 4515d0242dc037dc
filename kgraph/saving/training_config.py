"""What `compile` was told, as the plain data that Keras keeps in `training_config`."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

from kgraph import losses, metrics, optimizers
from kgraph.errors import FileFormatError, explain
from kgraph.utils.registry import find_custom

Convert = Callable[[Any], Any]


def training_config(model: Any) -> dict[str, Any]:
    """The arguments of `compile` in Keras 2.3's layout.

    Args:
        model: a compiled model.

    Returns:
        Names, configurations and numbers.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(1, input_dim=2)])
        >>> model.compile("sgd", "mse", metrics=["mae"])
        >>> training_config(model)["metrics"]
        ['mae']
    """
    return {
        "optimizer_config": optimizers.serialize(model.optimizer),
        "loss": _map(_described(losses.serialize), model.loss),
        "metrics": _map(_described(metrics.serialize), model.metrics),
        "weighted_metrics": _map(_described(metrics.serialize), model.weighted_metrics),
        "sample_weight_mode": model.sample_weight_mode,
        "loss_weights": _map(float, model.loss_weights),
    }


def compile_arguments(config: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `compile` that a `training_config` of any Keras describes.

    Args:
        config: in the layout of Keras 1, 2 or 3.

    Returns:
        The arguments by name.

    Raises:
        FileFormatError: there is no optimizer.
        ValueError: a name is unknown.

    Example:
        >>> described = {"class_name": "SGD", "config": {"lr": 0.5}}
        >>> compile_arguments({"optimizer_config": described, "loss": "mse"})["optimizer"]
        SGD(learning_rate=0.5, decay=0.0, momentum=0.0, nesterov=False)
    """
    described = config.get("optimizer_config")
    if not isinstance(described, (str, Mapping)):
        raise FileFormatError(
            explain(
                "The training configuration does not say the optimizer",
                expected="`optimizer_config` with `class_name` and `config`",
                got=f"{described!r}"[:200],
            )
        )
    return {
        "optimizer": optimizers.deserialize(_without_package(described)),
        "loss": _map(_loss, config.get("loss")),
        "metrics": _map(_metric, config.get("metrics")),
        "weighted_metrics": _map(_metric, config.get("weighted_metrics")),
        "sample_weight_mode": config.get("sample_weight_mode"),
        "loss_weights": config.get("loss_weights"),
    }


def _map(convert: Convert, value: Any) -> Any:
    """Converts what stands in lists and in dictionaries by output name."""
    if value is None:
        return None
    if isinstance(value, (list, tuple)):
        return [_map(convert, v) for v in value]
    if isinstance(value, Mapping) and "class_name" not in value:
        return {k: _map(convert, v) for k, v in value.items()}
    return convert(value)


def _described(serialize: Convert) -> Convert:
    def describe(value: Any) -> Any:
        if isinstance(value, (str, Mapping)):
            return value
        if getattr(value, "__name__", None) == "<lambda>":
            warnings.warn(
                "A lambda is saved as the name '<lambda>': to load the model, pass it as "
                "custom_objects={'<lambda>': ...}, or define it with `def`.",
                stacklevel=8,
            )
            return "<lambda>"
        return serialize(value)

    return describe


def _without_package(config: Any) -> Any:
    """The configuration without the package that Keras wrote before a class of its own."""
    if isinstance(config, str):
        return config
    name = str(config.get("class_name", ""))
    if find_custom(name) is not None:
        return config
    return {**config, "class_name": name.removeprefix("Custom>").removeprefix("Keras>")}


def _loss(config: Any) -> Any:
    """A name as it is, so that it is written back; an object for a configuration."""
    if isinstance(config, str):
        losses.get(config)
        return config if find_custom(config) is None else losses.get(config)
    return losses.deserialize(config)


def _metric(config: Any) -> Any:
    """A metric by its name in the logs: Keras 2's wrappers hold that and the function's."""
    if isinstance(config, Mapping) and "fn" in config.get("config", {}):
        inside = config["config"]
        named, function = inside.get("name"), inside["fn"]
        function = function["config"] if isinstance(function, Mapping) else function
        same = metrics.by_output(named) or _is_name_of(named, function)
        return _metric(named if same else function)
    if isinstance(config, str):
        custom = find_custom(config)
        if custom is None and not metrics.by_output(config):
            metrics.get(config)
        return config if custom is None else custom
    return metrics.deserialize(config)


def _is_name_of(name: Any, function: str) -> bool:
    known = metrics.METRICS.names
    return name in known and known[name] is known.get(function)

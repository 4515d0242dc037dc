"""Models from configurations, JSON and YAML, and copies with fresh weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kgraph import saving
from kgraph.errors import explain
from kgraph.ir.strict_json import read_json
from kgraph.layers.serialization import deserialize
from kgraph.layers.structure import unpack_singleton
from kgraph.models.connect import replay
from kgraph.models.model import Model
from kgraph.saving.dialects import in_our_words


def model_from_config(
    config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """Makes the model that `{"class_name": ..., "config": ...}` describes, with fresh weights.

    Args:
        config: in the layout of Keras 1, 2 or 3.
        custom_objects: classes and functions besides the built-in ones.

    Returns:
        A model with fresh weights.

    Raises:
        TypeError: it is a list.
        ValueError: it is wrong or names something unknown.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(2, input_dim=3)])
        >>> again = model_from_config({"class_name": "Sequential", "config": model.get_config()})
        >>> again.count_params()
        8
    """
    if isinstance(config, list):
        raise TypeError(
            "model_from_config expects a dictionary, not a list. Maybe you meant to use "
            "Sequential.from_config(config)?"
        )
    return deserialize(in_our_words(config), custom_objects)


def model_from_json(
    json_string: str | bytes, custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """Makes the model that `to_json` wrote, with fresh weights.

    Args:
        json_string: JSON in the layout of Keras 1, 2 or 3.
        custom_objects: classes and functions besides the built-in ones.

    Returns:
        A model with fresh weights.

    Raises:
        ParseError: it is not JSON.
        ValueError: it is wrong or names something unknown.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(2, input_shape=(3,))])
        >>> model_from_json(model.to_json()).output_shape
        (None, 2)
    """
    return model_from_config(read_json(json_string), custom_objects)


def model_from_yaml(
    yaml_string: str | bytes, custom_objects: Mapping[str, Any] | None = None
) -> Any:
    """Makes the model that `to_yaml` of kgraph or Keras wrote, with fresh weights.

    Args:
        yaml_string: YAML of plain values and Keras's `!!python/tuple`; every other tag is refused.
        custom_objects: classes and functions besides the built-in ones.

    Returns:
        A model with fresh weights.

    Raises:
        ParseError: it is not YAML.
        UnsafeFileError: it names Python objects, or unfolds without bounds.
        ValueError: it is wrong or names something unknown.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(2, input_shape=(3,))])
        >>> model_from_yaml(model.to_yaml()).output_shape
        (None, 2)
    """
    return model_from_config(saving.read_yaml(yaml_string), custom_objects)


def clone_model(
    model: Model,
    input_tensors: Any = None,
    clone_function: Callable[[Any], Any] | None = None,
) -> Any:
    """Copies a model: new layers of the same names, fresh weights, the same shared structure.

    Args:
        model: a functional or sequential model.
        input_tensors: tensors to build the copy on, instead of new inputs.
        clone_function: layer -> its copy; default an equal layer with fresh weights.

    Returns:
        The copy.

    Raises:
        ValueError: it is not such a model, or the input tensors do not fit.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> model = Sequential([Dense(2, input_dim=3)])
        >>> again = clone_model(model)
        >>> again.layers[0] is model.layers[0], again.count_params()
        (False, 8)
    """
    if not isinstance(model, Model):
        raise ValueError(
            explain("Expected `model` argument to be a `Model` instance", got=type(model).__name__)
        )
    copy = model.fresh_copy() if clone_function is None else model.clone_with(clone_function)
    if input_tensors is None:
        return copy
    given = input_tensors if isinstance(input_tensors, (list, tuple)) else [input_tensors]
    outputs = replay(copy.outputs, dict(zip(copy.inputs, given, strict=True)))
    return Model(unpack_singleton(given), unpack_singleton(outputs), name=model.name)

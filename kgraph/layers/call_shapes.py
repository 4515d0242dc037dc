"""Shapes as Keras passes them to `build`, and the shape and dtype arguments of every layer."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from kgraph import config
from kgraph.ir.types import canonical_dtype
from kgraph.layers.node import keras_shape
from kgraph.layers.structure import is_node, map_structure

# Policies that compute in a narrow dtype: on a CPU the variables' dtype is the faster one.
_POLICIES = {"mixed_float16": "float32", "mixed_bfloat16": "float32", "bfloat16": "float32"}


def dtype_name(value: Any) -> str:
    """The dtype of a layer, also from Keras 3's policies."""
    if isinstance(value, Mapping):
        value = value["config"]["name"]
    if value is None:
        return config.floatx()
    return canonical_dtype(_POLICIES.get(value, value) if isinstance(value, str) else value)


def first_shape(kwargs: Mapping[str, Any]) -> tuple[int | None, ...] | None:
    """The input shape with the batch that the arguments of a first layer give, or None."""
    if kwargs.get("batch_input_shape") is not None:
        return tuple(kwargs["batch_input_shape"])
    shape = kwargs.get("input_shape")
    if shape is None and kwargs.get("input_dim") is not None:
        length = (kwargs["input_length"],) if "input_length" in kwargs else ()
        shape = (*length, kwargs["input_dim"])
    if shape is None:
        return None
    return (kwargs.get("batch_size"), *([shape] if isinstance(shape, int) else shape))


def is_shape(value: Any) -> bool:
    """Whether a value is one shape rather than a structure of shapes."""
    return isinstance(value, (tuple, list)) and all(
        d is None or isinstance(d, (int, np.integer)) for d in value
    )


def map_shapes(function: Callable[[Any], Any], shapes: Any) -> Any:
    """Applies `function` to a shape, or to each shape of a structure."""
    if is_shape(shapes):
        return function(shapes)
    if isinstance(shapes, Mapping):
        return {k: map_shapes(function, v) for k, v in shapes.items()}
    return [map_shapes(function, v) for v in shapes]


def shapes_of(inputs: Any) -> Any:
    """The Keras shape of each tensor of a structure, None for what is no tensor."""
    return map_structure(lambda v: keras_shape(v) if is_node(v) else None, inputs)


@functools.cache
def call_parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    """Names of the parameters of a method, without `self`."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return tuple(p.name for p in parameters if p.kind not in kinds)

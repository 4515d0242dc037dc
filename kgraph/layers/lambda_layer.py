"""Lambda: a Python function as a layer.

A configuration holds the function's name, never its code: a function that is to be loaded again has
to be registered or passed in `custom_objects`, and files that carry bytecode are refused.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from kgraph.errors import UnsafeFileError, explain
from kgraph.layers.base import Layer
from kgraph.utils.registry import Registry, find_custom

_FUNCTIONS = Registry("function in Lambda layer", {}, functions=True)


class Lambda(Layer):
    """Applies a Python function to its inputs.

    Args:
        function: takes a tensor (or what the layer is called with) and returns one; parameters
            called `mask` and `training` are filled in.
        output_shape: shape without the batch, or a function of the input shape; only
            `compute_output_shape` reads it, the graph knows its shapes by itself.
        mask: mask of the output, or a function of (inputs, mask).
        arguments: further keyword arguments of the function.
        **kwargs: what every layer takes.

    Example:
        >>> import numpy as np
        >>> Lambda(lambda x, k: x * k, arguments={"k": 3})(np.ones(2, "float32")).tolist()
        [3.0, 3.0]
    """

    def __init__(
        self,
        function: Callable[..., Any],
        output_shape: Any = None,
        mask: Any = None,
        arguments: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.function, self.output_shape_argument, self.mask = function, output_shape, mask
        self.arguments = dict(arguments or {})
        self.supports_masking = mask is not None
        self._filled = _parameters(function) & {"mask", "training"} - set(self.arguments)

    def call(self, inputs: Any, mask: Any = None, training: bool | None = None) -> Any:
        known = {"mask": mask, "training": training}
        filled = {name: known[name] for name in self._filled}
        return self.function(inputs, **self.arguments, **filled)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        return self.mask(inputs, mask) if callable(self.mask) else self.mask

    def compute_output_shape(self, input_shape: Any) -> Any:
        given = self.output_shape_argument
        if given is None:
            return super().compute_output_shape(input_shape)
        if callable(given):
            return tuple(given(input_shape))
        batch = input_shape[0][0] if isinstance(input_shape, list) else input_shape[0]
        return (batch, *given) if isinstance(given, (tuple, list)) else (batch, given)

    def get_config(self) -> dict[str, Any]:
        shape = self.output_shape_argument
        by_function = callable(shape)
        config = {
            "function": _FUNCTIONS.serialize(self.function),
            "function_type": "function",
            "output_shape": _FUNCTIONS.serialize(shape) if by_function else shape,
            "output_shape_type": "function" if by_function else "raw",
            "arguments": self.arguments,
        }
        if callable(self.mask):
            config["mask"] = _FUNCTIONS.serialize(self.mask)
        return {**super().get_config(), **config}

    @classmethod
    def from_config(
        cls, config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None
    ) -> Lambda:
        """The layer that `get_config` describes.

        Raises:
            UnsafeFileError: the configuration carries bytecode, and `custom_objects` has nothing
                under the layer's name to put in its place.
            ValueError: it names an unknown function.
        """
        values = {k: v for k, v in config.items() if not k.endswith(("_type", "module"))}
        if config.get("output_shape_type", "raw") == "raw":
            shape = values.pop("output_shape", None)
            values["output_shape"] = tuple(shape) if isinstance(shape, list) else shape
        for key in ("function", "output_shape", "mask"):
            if config.get(f"{key}_type") == "lambda" or _is_bytecode(values.get(key)):
                values[key] = _instead_of_bytecode(key, str(config.get("name")), custom_objects)
            elif isinstance(values.get(key), (str, dict)):
                values[key] = _FUNCTIONS.deserialize(values[key], custom_objects)
        return cls(**values)


def _parameters(function: Callable[..., Any]) -> set[str]:
    try:
        return set(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some built-in callables do not tell
        return set()


def _instead_of_bytecode(key: str, name: str, custom: Mapping[str, Any] | None) -> Any:
    """The user's function in place of one that a file has as code."""
    given = find_custom(name, custom) if key == "function" else None
    if given is None:
        raise UnsafeFileError(
            explain(
                f"Lambda layer {name}: its {key} is stored as bytecode, which kgraph never runs, "
                "whatever `safe_mode` says",
                hint=f"pass the function as custom_objects={{{name!r}: function}}, or define it "
                "with `def`, register it, and save again",
            )
        )
    return given


def _is_bytecode(value: Any) -> bool:
    return isinstance(value, Mapping) and value.get("class_name") == "__lambda__"

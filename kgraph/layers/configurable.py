"""The configuration of a layer: plain data that make an equal layer, for files and copies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from kgraph.errors import did_you_mean, explain
from kgraph.layers.call_shapes import map_shapes
from kgraph.utils.registry import custom_object_scope

# Arguments that every layer takes.
SHAPE_ARGUMENTS = ("input_shape", "batch_input_shape", "batch_size", "input_dim", "input_length")
COMMON_ARGUMENTS = (
    *SHAPE_ARGUMENTS, "name", "trainable", "dtype", "input_dtype", "weights",
    "activity_regularizer", "autocast",
)  # fmt: skip


def constructor_arguments(cls: type) -> tuple[str, ...]:
    """The names that a layer's constructor takes, with those that it hands on to its bases.

    Args:
        cls: the class of the layer.

    Returns:
        The class's own first, those of every layer last.
    """
    found: list[str] = []
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        own = list(inspect.signature(vars(base)["__init__"]).parameters.values())[1:]
        found += [p.name for p in own if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        if all(p.kind is not p.VAR_KEYWORD for p in own):
            break
    return tuple(dict.fromkeys([*found, *COMMON_ARGUMENTS]))


def not_understood(cls: type, name: str) -> TypeError:
    """The error about an argument that a layer's constructor does not take."""
    known = constructor_arguments(cls)
    return TypeError(
        explain(
            f"Keyword argument not understood: {name}",
            expected=", ".join(known),
            where=cls.__name__,
            hint=did_you_mean(name, known),
        )
    )


class Configurable:
    """The part of a layer that describes it and makes it again."""

    name: str
    dtype: str
    built: bool
    flattened_layers: Callable[[], list[Any]]
    get_weights: Callable[[], list[np.ndarray]]
    _trainable: bool
    _built_for: list[Any] | None
    _build_with: Callable[[list[Any]], None]
    _given_arguments: tuple[tuple[Any, ...], dict[str, Any]]

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        """Keeps the arguments for `get_config`."""
        layer = super().__new__(cls)
        layer._given_arguments = (args, kwargs)
        return layer

    def get_config(self) -> dict[str, Any]:
        """The arguments that make an equal layer, as plain data.

        A subclass that does not override this gets the arguments that it was made with.
        """
        found: dict[str, Any] = {"name": self.name, "trainable": self._trainable}
        if hasattr(self, "batch_input_shape"):
            found["batch_input_shape"] = self.batch_input_shape
        found["dtype"] = self.dtype
        if type(self).get_config is Configurable.get_config:
            found = {**self._own_arguments(), **found}
        return found

    def _own_arguments(self) -> dict[str, Any]:
        """The constructor's arguments besides those of every layer."""
        args, kwargs = self._given_arguments
        signature = inspect.signature(type(self).__init__)
        bound = signature.bind(self, *args, **kwargs).arguments
        kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        names = [n for n, p in signature.parameters.items() if p.kind not in kinds][1:]
        return {n: bound[n] for n in names if n in bound and n not in COMMON_ARGUMENTS}

    def get_build_config(self) -> dict[str, Any] | None:
        """The shapes that the layer was built for, None if it was not built by a call."""
        return None if self._built_for is None else {"input_shapes": self._built_for}

    def build_from_config(self, config: Mapping[str, Any]) -> None:
        """Builds the layer for the shapes that `get_build_config` returned."""
        shapes = config["input_shapes"]
        if not self.built:
            self._build_with([None if s is None else map_shapes(tuple, s) for s in shapes])

    def __reduce__(self) -> Any:
        state = (self.get_config(), self.get_build_config(), self.get_weights())
        return _restore, (type(self), self._own_names(), *state)

    def fresh_copy(self) -> Any:
        """An equal layer with fresh weights.

        Functions and classes of the layer need not be registered for that, since no file is
        involved; not even a lambda must have a name.
        """
        with custom_object_scope(self._own_names()):
            try:
                settings = self.get_config()
                return type(self).from_config(settings)
            except ValueError:
                args, kwargs = self._given_arguments
                if any(hasattr(v, "fresh_copy") for v in (*args, *kwargs.values())):
                    raise
                return type(self)(*args, **{**kwargs, "name": self.name})

    def _own_names(self) -> dict[str, Any]:
        """Name -> class or function, of what the layer and the layers inside are made of."""
        names: dict[str, Any] = {}
        for layer in self.flattened_layers():
            names[type(layer).__name__] = type(layer)
            functions = (v for v in vars(layer).values() if inspect.isfunction(v))
            names |= {function.__name__: function for function in functions}
        return names

    def __copy__(self) -> Any:
        """A copy with weights of its own, as a graph cannot be shared without its layers."""
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        shapes, weights = self.get_build_config(), self.get_weights()
        memo[id(self)] = made = self.fresh_copy()
        return _with_state(made, shapes, weights)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """Makes the layer that a configuration describes, with fresh weights."""
        return cls(**config)


def _restore(
    cls: Any,
    names: Mapping[str, Any],
    settings: Mapping[str, Any],
    shapes: Mapping[str, Any] | None,
    weights: Sequence[np.ndarray],
) -> Any:
    """Makes a copied or unpickled layer."""
    with custom_object_scope(names):
        return _with_state(cls.from_config(settings), shapes, weights)


def _with_state(layer: Any, shapes: Mapping[str, Any] | None, weights: Sequence[np.ndarray]) -> Any:
    """Builds a layer that was built and gives it its weights."""
    if shapes is not None:
        layer.build_from_config(shapes)
    if layer.built:
        layer.set_weights(weights)
    return layer

"""Names under which configurations refer to objects: built-in tables and the user's own names.

No file ever runs code through these: a name is looked up, never imported.
"""

from __future__ import annotations

import contextvars
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kgraph.errors import did_you_mean, explain

_GLOBAL: dict[str, Any] = {}
_REGISTERED: dict[Any, str] = {}
_SCOPES: contextvars.ContextVar[tuple[Mapping[str, Any], ...]] = contextvars.ContextVar(
    "custom_objects", default=()
)


def get_custom_objects() -> dict[str, Any]:
    """The process-wide dictionary of the user's own names; writing to it registers.

    Example:
        >>> get_custom_objects()["double"] = lambda x: 2 * x
        >>> find_custom("double")(3)
        6
        >>> _ = get_custom_objects().pop("double")
    """
    return _GLOBAL


class CustomObjectScope:
    """Makes names known inside a `with` block.

    Args:
        custom_objects: dictionaries from name to class or function; later ones win.

    Example:
        >>> with CustomObjectScope({"double": lambda x: 2 * x}):
        ...     find_custom("double")(3)
        6
    """

    def __init__(self, *custom_objects: Mapping[str, Any]) -> None:
        self.custom_objects = custom_objects
        self._tokens: list[contextvars.Token[tuple[Mapping[str, Any], ...]]] = []

    def __enter__(self) -> CustomObjectScope:
        self._tokens.append(_SCOPES.set(_SCOPES.get() + self.custom_objects))
        return self

    def __exit__(self, *exception: object) -> None:
        _SCOPES.reset(self._tokens.pop())


def custom_object_scope(*custom_objects: Mapping[str, Any]) -> CustomObjectScope:
    """The scope of these names, for `with`.

    Args:
        *custom_objects: tables of name -> object.

    Returns:
        A context in which the names are known.

    Example:
        >>> with custom_object_scope({"Mine": int}):
        ...     print(find_custom("Mine"))
        <class 'int'>
    """
    return CustomObjectScope(*custom_objects)


def register_keras_serializable(
    package: str = "Custom", name: str | None = None
) -> Callable[[Any], Any]:
    """Registers a class or function as `package>name` for saving and loading.

    Args:
        package: prefix that keeps names of different projects apart.
        name: default the object's own.

    Returns:
        A decorator that returns its argument.

    Example:
        >>> @register_keras_serializable("demo")
        ... def triple(x):
        ...     return 3 * x
        >>> registered_name(triple), find_custom("demo>triple")(2)
        ('demo>triple', 6)
    """

    def decorate(target: Any) -> Any:
        if inspect.isclass(target) and not hasattr(target, "get_config"):
            raise ValueError("Cannot register a class that does not have a get_config() method.")
        full = f"{package}>{name or target.__name__}"
        _GLOBAL[full], _REGISTERED[target] = target, full
        return target

    return decorate


def registered_name(target: Any) -> str:
    """What a configuration calls a class or function.

    Raises:
        ValueError: it is a lambda, which has no name to be found by.
    """
    if target in _REGISTERED:
        return _REGISTERED[target]
    name = str(target.__name__)
    if name == "<lambda>":
        raise ValueError(
            explain(
                "A lambda cannot be saved: it has no name to be found by",
                hint="define a function with `def` and register it with "
                "register_keras_serializable or pass it in custom_objects",
            )
        )
    return name


def find_custom(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """What the user calls `name`, innermost scope first, or None.

    Args:
        name: the name in the configuration.
        custom_objects: names that win over all scopes.
    """
    for table in (custom_objects or {}, *reversed(_SCOPES.get()), _GLOBAL):
        if name in table:
            return table[name]
    return None


@dataclass(frozen=True)
class Registry:
    """The built-in objects of one kind, by every name that Keras gives them.

    Args:
        kind: Keras's word for the kind in its messages.
        names: name -> class, factory or function.
        functions: whether a name stands for the function itself (activations, losses) rather
            than for something to be called without arguments (initializers).
    """

    kind: str
    names: Mapping[str, Any]
    functions: bool = False

    def find(self, name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The class or function of that name; the user's own names come first.

        Raises:
            ValueError: there is none.
        """
        custom = find_custom(name, custom_objects)
        found = custom if custom is not None else self.names.get(name)
        if found is None:
            hint = did_you_mean(name, self.names) or "pass your own in custom_objects"
            raise ValueError(explain(f"Unknown {self.kind}: {name}", hint=hint))
        return found

    def get(self, identifier: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The object that an argument of a layer means.

        Args:
            identifier: None, a name, a configuration, a class, or the object itself.
            custom_objects: names besides the built-in ones.

        Returns:
            The object, None for None.

        Raises:
            ValueError: the name is unknown or the argument is no such object.
        """
        if identifier is None or isinstance(identifier, (str, dict)):
            return self.deserialize(identifier, custom_objects)
        builtin = any(identifier is found for found in self.names.values())
        if not self.functions and (builtin or inspect.isclass(identifier)):
            return identifier()
        if callable(identifier):
            return identifier
        raise ValueError(f"Could not interpret {self.kind} identifier: {identifier}")

    def serialize(self, target: Any) -> Any:
        """The configuration of an object: Keras 2.3's dictionary, or a function's name."""
        if target is None:
            return None
        if hasattr(target, "get_config"):
            name = registered_name(type(target))
            return {"class_name": name, "config": target.get_config()}
        if hasattr(target, "__name__"):
            return registered_name(target)
        raise ValueError(f"Cannot serialize {self.kind}: {target}")

    def deserialize(self, config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
        """The object of a configuration in Keras 2's or Keras 3's layout.

        Raises:
            ValueError: the layout is wrong or the name unknown.
        """
        if config is None:
            return None
        if isinstance(config, str):
            found = self.find(config, custom_objects)
            builtin = found is self.names.get(config)
            return found() if inspect.isclass(found) or (builtin and not self.functions) else found
        if not isinstance(config, Mapping) or not {"class_name", "config"} <= set(config):
            raise ValueError(f"Improper config format: {config}")
        if config["class_name"] == "function":  # Keras 3's spelling of a plain function
            return self.find(config["config"], custom_objects)
        found = self._find_class(config, custom_objects)
        arguments = _without_new_arguments(found, config["config"])
        if hasattr(found, "from_config"):
            return found.from_config(arguments)
        return found(**arguments) if not self.functions or arguments else found

    def _find_class(self, config: Mapping[str, Any], custom: Mapping[str, Any] | None) -> Any:
        registered = config.get("registered_name")
        if registered and find_custom(registered, custom) is not None:
            return find_custom(registered, custom)
        return self.find(config["class_name"], custom)


def _without_new_arguments(target: Any, config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Drops what later versions of Keras added and left at None, which changes nothing."""
    known = inspect.signature(target).parameters
    if any(p.kind is p.VAR_KEYWORD for p in known.values()):
        return config
    return {name: value for name, value in config.items() if name in known or value is not None}

"""Modules of Keras's names: each shows the objects of kgraph's modules, as these are.

A face holds no copies: `keras.layers.Dense is kgraph.layers.Dense`. It is not the module
`kgraph.layers` itself, for then Python could not say what is missing under the name that was used,
and what an import sets on a package would appear in kgraph.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from kgraph.errors import did_you_mean, explain
from kgraph.utils.registry import get_custom_objects


class Face(ModuleType):
    """A module whose names are those of other modules.

    Args:
        name: dotted name under which it is imported.
        doc: its docstring.
        homes: modules whose public names it shows; the first that has a name wins.
        names: name -> `module:attribute`, besides.
        inner: names of the modules below it.
        below: dotted name -> one of these modules.
        hint: name -> what to use instead of one that is missing, or None.
        called: what a call of the module calls.
    """

    def __init__(
        self,
        name: str,
        doc: str,
        homes: Sequence[ModuleType] = (),
        names: Mapping[str, str] | None = None,
        inner: Sequence[str] = (),
        below: Callable[[str], ModuleType] = importlib.import_module,
        hint: Callable[[str], str | None] = lambda name: None,
        called: str | None = None,
    ) -> None:
        super().__init__(name, doc)
        vars(self).update(
            _homes=tuple(homes), _names=dict(names or {}), _inner=tuple(inner), _below=below,
            _hint=hint, _called=called,
        )  # fmt: skip

    def __getattr__(self, name: str) -> Any:
        if name == "__all__":
            return self._public()
        if name.startswith("__"):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if name in self._inner:
            vars(self)[name] = self._below(f"{self.__name__}.{name}")
            return vars(self)[name]
        if name in self._names:
            return resolve(self._names[name])
        for home in self._homes:
            value = getattr(home, name, None)
            inside = isinstance(value, ModuleType) and name not in getattr(home, "__all__", ())
            if value is not None and not inside:
                return value
        raise AttributeError(self.missing(name))

    def __setattr__(self, name: str, value: Any) -> None:
        """Sets the name here only; a function or class can then be loaded under it.

        Keras 2 looks names up in its modules, so scripts put their own losses there.
        """
        super().__setattr__(name, value)
        if callable(value) and not isinstance(value, ModuleType) and not name.startswith("__"):
            get_custom_objects()[name] = value

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._called is None:
            raise TypeError(f"module {self.__name__!r} is not callable")
        return resolve(self._called)(*args, **kwargs)

    def __reduce__(self) -> Any:
        """By name; a process without kgraph in Keras's place gets the face all the same."""
        return self._below, (self.__name__,)

    def __dir__(self) -> list[str]:
        return sorted({*vars(self), *self._public()})

    def __repr__(self) -> str:
        homes = ", ".join(home.__name__ for home in self._homes) or "kgraph"
        return f"<module {self.__name__!r}: {homes}>"

    def missing(self, name: str) -> str:
        """The message of an error about a name that is not here."""
        hint = next((h for h in (_own_hint(home, name) for home in self._homes) if h), None)
        hint = hint or self._hint(name)
        hint = hint or did_you_mean(name, self._public())
        return explain(f"kgraph has no `{self.__name__}.{name}`", hint=hint)

    def _public(self) -> list[str]:
        found = {*self._names, *self._inner}
        for home in self._homes:
            found.update(getattr(home, "__all__", None) or _own_names(home))
        return sorted(found)


def _own_hint(home: ModuleType, name: str) -> str | None:
    """What a module of kgraph itself says about a name that it does not have."""
    try:
        getattr(home, name)
    except AttributeError as error:
        return str(error).partition(f"attribute {name!r}: ")[2] or None
    return None


def _own_names(module: ModuleType) -> list[str]:
    """The public names of a module without a list of them, but not what it imported from others."""
    return [
        name
        for name, value in vars(module).items()
        if name[0] != "_"
        and not isinstance(value, ModuleType)
        and str(getattr(value, "__module__", None) or "kgraph").startswith("kgraph")
    ]


def resolve(place: str) -> Any:
    """The object at `module:attribute`.

    Example:
        >>> resolve("kgraph.config:floatx")()
        'float32'
    """
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)

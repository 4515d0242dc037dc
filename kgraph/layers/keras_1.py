"""Keras 1's way to call the constructors of layers: understood always, with a warning.

`Dense(output_dim=3, init="uniform")` is `Dense(units=3, kernel_initializer="uniform")`. The names
are those of the configurations that `dialects.py` reads. Only a call with a name that the layer
does not know looks at them.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from typing import Any

from kgraph import config
from kgraph.errors import explain
from kgraph.layers.configurable import constructor_arguments, not_understood
from kgraph.layers.dialects import known_arguments, old_arguments, refuse_lost, translate

STRIDE = (
    "Keras 1 and 2 read the numbers after `filters` as the sizes of the kernel; a stride is "
    "written strides=..."
)
OUTPUT_SHAPE = "`output_shape` is left out: it follows from strides, padding and output_padding"
_LONGEST = 40  # characters of an argument in a warning


def speak_keras_1(cls: Any) -> None:
    """Lets the constructor of a built-in layer take Keras 1's names, and translate them.

    Args:
        cls: the class; its `__init__` is wrapped, once.
    """
    plain = cls.__init__
    if getattr(plain, "speaks_keras_1", False):
        return
    known = known_arguments(cls)

    @functools.wraps(plain)
    def understanding(self: Any, *args: Any, **kwargs: Any) -> None:
        if not known.issuperset(kwargs) or (config.rows_and_columns and len(args) > 2):
            rank = getattr(getattr(self, "cell_class", None) or self, "rank", 1)
            called = type(self).__init__ is understanding  # else by a subclass of the user's
            args, kwargs = in_keras_2(type(self) if called else cls, known, args, kwargs, rank)
            if called:
                self._given_arguments = (args, kwargs)
            _check_complete(plain, self, args, kwargs)
        plain(self, *args, **kwargs)

    understanding.speaks_keras_1 = True  # type: ignore[attr-defined]
    cls.__init__ = understanding


def _check_complete(plain: Any, layer: Any, args: tuple[Any, ...], kwargs: Any) -> None:
    """Names the argument that is misspelt where Python would say which one is missing."""
    try:
        inspect.signature(plain).bind(layer, *args, **kwargs)
    except TypeError:
        taken = constructor_arguments(type(layer))
        for name in kwargs:
            if name not in taken:
                raise not_understood(type(layer), name) from None
        raise


def in_keras_2(
    cls: Any,
    known: frozenset[str],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    rank: int = 1,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a constructor in today's names; warns if that changes any.

    Args:
        cls: the class that is called.
        known: the names of the arguments that it takes.
        args: positional arguments.
        kwargs: the others.
        rank: the number of spatial axes.

    Returns:
        Both, the positional ones and the others.

    Raises:
        TypeError: an argument is given under both names, or there is none like it.
    """
    args, kwargs, moved = _kernel_of_numbers(rank, known, args, dict(kwargs))
    notes = [STRIDE] if moved else []
    if "output_padding" in known and kwargs.pop("output_shape", None) is not None:
        notes.append(OUTPUT_SHAPE)
    old = old_arguments(known, kwargs)
    others = {**dict(zip(list(inspect.signature(cls).parameters), args)), **kwargs}
    for name, new in old.items():
        if new != name and new in others:
            raise TypeError(
                explain(
                    f"{cls.__name__}: {new} is given twice",
                    got=f"{new}={others[new]!r} and, in Keras 1's words, {name}={kwargs[name]!r}",
                )
            )
    given = {name: kwargs.pop(name) for name in old}
    refuse_lost(cls, given)
    kwargs |= translate(cls, given)
    if old or notes:
        call = call_text(cls.__name__, args, kwargs)
        text = f"Update your `{cls.__name__}` call to the Keras 2 API: `{call}`"
        warnings.warn(". ".join([text, *notes]), stacklevel=3)
    return args, kwargs


def _kernel_of_numbers(
    rank: int, known: frozenset[str], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any], bool]:
    """Makes one `kernel_size` of numbers by position; the last result says whether it did."""
    if "kernel_size" not in known or "filters" not in known:
        return args, kwargs, False
    if len(args) == 2 and "nb_col" in kwargs:
        return (args[0],), {**kwargs, "nb_row": args[1]}, False
    numbers = args[1:]
    wanted = config.rows_and_columns and rank > 1 and len(numbers) == rank
    if wanted and all(isinstance(n, int) for n in numbers):
        return (args[0], numbers), kwargs, True
    return args, kwargs, False


def call_text(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """A call as one writes it, long arguments cut.

    Example:
        >>> call_text("Dense", (3,), {"activation": "relu"})
        "Dense(3, activation='relu')"
    """
    words = [_short(value) for value in args]
    words += [f"{key}={_short(value)}" for key, value in kwargs.items()]
    return f"{name}({', '.join(words)})"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST and "\n" not in text else "..."

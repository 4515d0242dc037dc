"""Names that Keras 1 gave to arguments of `fit` and its relatives."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from kgraph.errors import did_you_mean, explain

_Method = TypeVar("_Method", bound=Callable[..., Any])

READING = {
    "nb_worker": "workers",
    "pickle_safe": "use_multiprocessing",
    "max_q_size": "max_queue_size",
}
FIT = {
    **READING,
    "nb_epoch": "epochs",
    "samples_per_epoch": "steps_per_epoch",
    "nb_val_samples": "validation_steps",
    "val_samples": "validation_steps",
}
MEASURE = {**READING, "val_samples": "steps"}
# Keras 1 counts samples where Keras 2 counts batches.
_SAMPLES = ("samples_per_epoch", "nb_val_samples", "val_samples")
COUNTS_BATCHES = (
    "`{old}` counted samples in Keras 1, `{new}` counts batches: {count} batches will be drawn. "
    "Update your method calls accordingly."
)
UPDATE = "Update your `{method}` call to the Keras 2 API: `{method}(..., {changes})`"


def renamed(names: dict[str, str]) -> Callable[[_Method], _Method]:
    """Makes a method take old names of its arguments, with a warning, and refuse unknown ones.

    Args:
        names: old name -> new name.

    Example:
        >>> @renamed({"nb_epoch": "epochs"})
        ... def run(self, epochs=1):
        ...     return epochs
        >>> run(None, epochs=3)
        3
    """

    def decorate(method: _Method) -> _Method:
        known = list(inspect.signature(method).parameters)

        @functools.wraps(method)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not all(name in known for name in kwargs):
                _rename(method.__name__, names, known, args, kwargs)
            return method(*args, **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def refuse_unknown(unknown: Mapping[str, Any], known: Iterable[str]) -> None:
    """Refuses keyword arguments that no version of Keras has.

    Args:
        unknown: these arguments by name.
        known: the names that are right.

    Raises:
        TypeError: there is such an argument.
    """
    if unknown:
        hint = next(filter(None, (did_you_mean(name, known) for name in unknown)), None)
        raise TypeError(explain(f"Unrecognized keyword arguments: {unknown}", hint=hint))


def _rename(
    method: str, names: dict[str, str], known: list[str], args: tuple[Any, ...], kwargs: Any
) -> None:
    """Replaces old names among the keyword arguments."""
    unknown = {k: v for k, v in kwargs.items() if k not in names and k not in known}
    refuse_unknown(unknown, known)
    changes = []
    for old in [key for key in kwargs if key in names]:
        new, value = names[old], kwargs.pop(old)
        if new in kwargs or new in known[: len(args)]:
            raise TypeError(f"{method}: `{old}` is the old name of `{new}`, and both were given")
        kwargs[new] = _batches(old, new, value, args, kwargs) if old in _SAMPLES else value
        changes.append(f"{new}={kwargs[new]!r}")
    message = UPDATE.format(method=method, changes=", ".join(changes))
    warnings.warn(message, stacklevel=3)


def _batches(old: str, new: str, count: int, args: tuple[Any, ...], kwargs: Any) -> int:
    """A number of samples as one of batches, where the data says how large they are."""
    data = args[1] if len(args) > 1 else kwargs.get("generator", kwargs.get("x"))
    if new == "validation_steps":
        data = kwargs.get("validation_data")
    size = getattr(data, "batch_size", None)
    if size:
        return count // size
    warnings.warn(COUNTS_BATCHES.format(old=old, new=new, count=count), stacklevel=4)
    return count

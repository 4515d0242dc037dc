"""Pipelines as one line of text: `drop_markers,simplify{without=("power-two",)},-rule:mul-one`.

Passes are separated by commas, options stand in braces as Python literals, and only those that
differ from their default are printed. `-name` leaves out a pass, `-rule:name` a rule.
"""

from __future__ import annotations

import ast
import dataclasses
import math
import re
from collections.abc import Iterable, Iterator
from typing import Any

from kgraph.errors import did_you_mean, explain

# Name -> class; a subclass of `Pass` enters itself by being defined.
PASSES: dict[str, type] = {}

OURS = "kgraph.passes."
RULE = "rule:"
MOST_NAMES = 24  # that an error lists
_ITEM = re.compile(r"\s*([a-z_][a-z0-9_]*)\s*(?:\{(.*)\}\s*)?", re.DOTALL)
_BRACKETS = {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}


def snake_case(name: str) -> str:
    """The name of a class as a pass is called: `DropMarkers` is `drop_markers`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def enter(cls: type) -> None:
    """Makes a class of passes known by its name.

    Raises:
        ValueError: the name is that of one of kgraph's own passes.
    """
    name = snake_case(cls.__name__)
    other = PASSES.get(name)
    # A class defined anew, as in a notebook's cell that runs again, takes the place of the old one.
    if (
        other is not None
        and other.__module__.startswith(OURS)
        and other.__module__ != cls.__module__
    ):
        raise ValueError(
            explain(f"a pass {name!r} exists already", got=f"{cls.__module__}.{cls.__qualname__}",
                    where=f"{other.__module__}.{other.__qualname__}", hint="use another class name")
        )  # fmt: skip
    PASSES[name] = cls


def print_pass(step: Any) -> str:
    """A pass as text: its name, and in braces the options that differ from their defaults.

    Rules that `using` or `register` put before a pass's own are not options of it: they join it
    again where the text is read.
    """
    options = [
        f"{field.name}={_print_value(getattr(step, field.name))}"
        for field in dataclasses.fields(step)
        if not _is_default(field, getattr(step, field.name))
        and not _is_extended(field, getattr(step, field.name))
    ]
    return step.name + (f"{{{','.join(options)}}}" if options else "")


def parse_items(text: str) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """Reads one line of passes and exclusions.

    Args:
        text: such as `simplify{numerics="fast"},finish,-rule:mul-one`.

    Returns:
        The passes, and the exclusions without their `-`.

    Raises:
        ValueError: a pass or an option is unknown, or a value is no Python literal.
    """
    passes, left_out = [], []
    for item in _split(text):
        if item.startswith("-"):
            left_out.append(item[1:].strip())
        else:
            passes.append(_parse_pass(item))
    return tuple(passes), tuple(left_out)


def unknown(summary: str, name: str, known: Iterable[str]) -> ValueError:
    """The error for a name that nothing has, with the nearest one that something has."""
    names = sorted(set(known))
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ValueError(
        explain(f"{summary} {name!r}", expected=", ".join(names[:MOST_NAMES]) + more or "none",
                hint=did_you_mean(name, names, 0.5))
    )  # fmt: skip


def _is_default(field: dataclasses.Field[Any], value: Any) -> bool:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = field.default_factory()
    return type(default) is type(value) and bool(default == value)


def _is_extended(field: dataclasses.Field[Any], value: Any) -> bool:
    """Whether a tuple of rules ends with the default ones."""
    default = field.default
    if field.repr or not isinstance(default, tuple) or not isinstance(value, tuple):
        return False
    return bool(default) and value[-len(default) :] == default


def _print_value(value: Any) -> str:
    if isinstance(value, float) and math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    text = repr(value)
    try:
        same = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        same = False
    if same:
        return text
    size = f" of {len(value)}" if isinstance(value, tuple) else ""
    return f"<{type(value).__name__}{size}>"


def _split(text: str) -> Iterator[str]:
    """The parts between commas that stand in no brackets and no string."""
    start = depth = 0
    quote = ""
    skip = False
    for i, letter in enumerate(text):
        if skip:
            skip = False
        elif quote:
            skip, quote = letter == "\\", "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter == "," and not depth:
            yield from _part(text, text[start:i])
            start = i + 1
        depth += 0 if quote else _BRACKETS.get(letter, 0)
    if quote or depth:
        raise ValueError(
            explain(f"cannot read the passes {text!r}", got="an open bracket or quote")
        )
    if text[start:].strip() or start:
        yield from _part(text, text[start:])


def _part(text: str, part: str) -> Iterator[str]:
    if not part.strip():
        raise ValueError(explain(f"cannot read the passes {text!r}", got="nothing between commas"))
    yield part.strip()


def _parse_pass(item: str) -> Any:
    found = _ITEM.fullmatch(item)
    if found is None:
        raise ValueError(
            explain(f"cannot read the pass {item!r}", expected='name or name{option="value",...}')
        )
    name, options = found[1], found[2] or ""
    if name not in PASSES:
        raise unknown("no pass", name, PASSES)
    cls = PASSES[name]
    fields = {field.name: field for field in dataclasses.fields(cls)}
    values: dict[str, Any] = {}
    for part in _split(options):
        option, equals, text = part.partition("=")
        option = option.strip()
        if option not in fields:
            raise unknown(f"{name} has no option", option, fields)
        if option in values or not equals:
            raise ValueError(explain(f"{name}: cannot read the option {part!r}",
                                     expected=f"{option}=value, once"))  # fmt: skip
        values[option] = _parse_value(name, fields[option], text.strip())
    try:
        return cls(**values)
    except TypeError as error:
        raise ValueError(explain(f"{name}: {error}", expected=", ".join(fields))) from None


def _parse_value(name: str, field: dataclasses.Field[Any], text: str) -> Any:
    try:
        value = _frozen(ast.literal_eval(text))
    except (ValueError, SyntaxError):
        raise ValueError(
            explain(f"{name}: option {field.name} takes a Python literal", got=text)
        ) from None
    if isinstance(field.default, tuple) and not isinstance(value, tuple):
        raise ValueError(
            explain(f"{name}: option {field.name} takes a tuple", got=text, hint=f"({text},)")
        )
    return value


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, (list, tuple)) else value

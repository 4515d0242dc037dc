"""Reads YAML from strangers: plain values and the tuples of Keras's own files, nothing else.

Every other tag is refused before anything is built, and so are references that run in circles or
unfold to more than a file can mean: nine lines of aliases can stand for a billion entries.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from kgraph.errors import ParseError, UnsafeFileError, explain
from kgraph.ir.strict_json import read_json

# More than the largest models have; an alias counts as often as it stands.
_MOST_ENTRIES = 1_000_000
_CORE = "tag:yaml.org,2002:"
_LISTS = (f"{_CORE}seq", f"{_CORE}python/tuple")
# PyYAML's scanner takes time for every open bracket at every token.
_DEEPEST = 200
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of plain values, with a limit on brackets in brackets."""

    def fetch_flow_collection_start(self, token: Any) -> None:
        """Reads an opening bracket."""
        if self.flow_level >= _DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(token)


def read_yaml(text: str | bytes) -> Any:
    """Reads one YAML document of plain values.

    Args:
        text: the document; bytes must be UTF-8 or UTF-16.

    Returns:
        Dictionaries with text keys, lists (for tuples too), strings, numbers, booleans and None.

    Raises:
        ParseError: it is not one YAML document, or holds what JSON could not.
        UnsafeFileError: it names a Python object, or unfolds without bounds.

    Example:
        >>> read_yaml("layers: [{units: 3, shape: !!python/tuple [null, 2]}]")
        {'layers': [{'units': 3, 'shape': [None, 2]}]}
    """
    try:
        root = yaml.compose(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise ParseError(explain("not one YAML document", got=f"{error}"[:300])) from None
    except RecursionError:
        raise ParseError("YAML is nested too deeply") from None
    if root is None:
        raise ParseError("not one YAML document: it is empty")
    values: dict[int, Any] = {}
    for node in _from_inside(root):
        values[id(node)] = _value(node, values)
    return values[id(root)]


def _from_inside(root: Any) -> list[Any]:
    """Each node once, after what it holds.

    Raises:
        UnsafeFileError: a node holds itself, or all together are too many.
    """
    done: dict[int, int] = {}  # node -> the entries that it unfolds to
    order: list[Any] = []
    open_: set[int] = set()
    stack = [(root, False)]
    while stack:
        node, inside = stack.pop()
        key, children = id(node), _children(node)
        if inside:
            open_.discard(key)
            done[key] = 1 + sum(done[id(child)] for child in children)
            if done[key] > _MOST_ENTRIES:
                raise UnsafeFileError(_message(node, "unfolds to more than a million entries"))
            order.append(node)
        elif key in open_:
            raise UnsafeFileError(_message(node, "holds itself"))
        elif key not in done:
            open_.add(key)
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(children) if id(child) not in done)
    return order


def _children(node: Any) -> list[Any]:
    if isinstance(node, yaml.SequenceNode):
        return list(node.value)
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return []


def _value(node: Any, values: dict[int, Any]) -> Any:
    if isinstance(node, yaml.SequenceNode) and node.tag in _LISTS:
        return [values[id(child)] for child in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == f"{_CORE}map":
        return _table(node, values)
    if isinstance(node, yaml.ScalarNode):
        return _scalar(node)
    raise UnsafeFileError(_message(node, f"has the tag {node.tag[:80]!r}, which is not read"))


def _table(node: Any, values: dict[int, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = values[id(key_node)]
        if not isinstance(key, str) or key in found:
            wrong = "stands twice" if isinstance(key, str) else "is not a text"
            raise ParseError(_message(key_node, f"is a key that {wrong}"))
        found[key] = values[id(value_node)]
    return found


def _scalar(node: Any) -> Any:
    """A text, a number, a truth value or nothing; what YAML 1.1 reads besides is refused."""
    kind, text = node.tag.removeprefix(_CORE), node.value
    if kind == "str":
        return text
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("yes", "true", "on")
    if kind == "int" and _INTEGER.fullmatch(text):
        return read_json(text.removeprefix("+"))
    if kind == "float":
        return _number(node, text)
    raise UnsafeFileError(_message(node, f"has the tag {node.tag[:80]!r}, which is not read"))


def _number(node: Any, text: str) -> Any:
    try:
        return read_json(repr(float(text.replace("_", ""))))
    except (ValueError, ParseError):
        raise ParseError(_message(node, f"is not a finite number: {text[:40]!r}")) from None


def _message(node: Any, wrong: str) -> str:
    mark = node.start_mark
    return explain(
        f"YAML: an entry {wrong}", where=f"line {mark.line + 1}, column {mark.column + 1}"
    )


def write_yaml(document: Any, **options: Any) -> str:
    """The YAML of plain values, as `read_yaml` and every safe loader read it.

    Args:
        document: dictionaries, lists, strings, numbers, booleans and None.
        **options: for `yaml.safe_dump`, such as `indent`.

    Returns:
        The text.

    Example:
        >>> write_yaml({"units": 3})
        'units: 3\\n'
    """
    return yaml.safe_dump(document, **options)

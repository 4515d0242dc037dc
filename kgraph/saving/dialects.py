"""What words in a configuration mean depends on the Keras that wrote it."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

# Keras 3 gave this name to another function: clip(x / 6 + 0.5, 0, 1).
_IN_KERAS_3 = {"hard_sigmoid": "hard_sigmoid_3"}


def in_our_words(document: Any, keras_version: str | None = None) -> Any:
    """The configuration with kgraph's names.

    Args:
        document: a model's or layer's configuration.
        keras_version: of the Keras that wrote it; default what the document tells.

    Returns:
        The document itself, or a changed copy.

    Example:
        >>> in_our_words({"activation": "hard_sigmoid"}, "3.1.0")
        {'activation': 'hard_sigmoid_3'}
        >>> in_our_words({"activation": "hard_sigmoid"})
        {'activation': 'hard_sigmoid'}
    """
    version = keras_version or (isinstance(document, dict) and document.get("keras_version"))
    new = str(version).startswith("3") if version else any(map(_is_keras_3, _tables(document)))
    words = [t for t in _tables(document) if _renamed(t)] if new else []
    if not words:
        return document
    document = copy.deepcopy(document)
    for table in _tables(document):
        table.update(_renamed(table))
    return document


def _renamed(table: dict[str, Any]) -> dict[str, str]:
    """The entries of a layer's configuration that have another name here."""
    return {
        key: _IN_KERAS_3[value]
        for key, value in table.items()
        if str(key).endswith("activation") and isinstance(value, str) and value in _IN_KERAS_3
    }


def _is_keras_3(table: dict[str, Any]) -> bool:
    """Whether only Keras 3 writes such an entry."""
    if table.get("class_name") == "DTypePolicy":
        return True
    return table.get("class_name") == "InputLayer" and "batch_shape" in table.get("config", ())


def _tables(document: Any) -> Iterator[dict[str, Any]]:
    """All dictionaries in a document."""
    stack = [document]
    while stack:
        value = stack.pop()
        if isinstance(value, dict):
            yield value
            stack.extend(value.values())
        elif isinstance(value, (list, tuple)):
            stack.extend(value)

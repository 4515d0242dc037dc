"""What a command line calls a MODEL: a file of JSON, standard input, or an object in a module."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import Any

from kgraph.errors import ParseError, explain
from kgraph.ir.graph import Graph
from kgraph.ir.serialize import load, loads
from kgraph.ir.strict_json import read_json
from kgraph.models import Model, model_from_config

HELP = "Keras model JSON or kgraph JSON (- is standard input), or py:MODULE:NAME"
_PREFIX = "py:"


def find_model(text: str) -> Any:
    """The model or graph that a text names.

    Args:
        text: a file, whose content tells Keras model JSON from kgraph JSON; `-` for standard input;
            or `py:module:name`, a model, a graph, or a function without arguments that makes one.

    Returns:
        A `Model` or a `Graph`.

    Raises:
        ParseError: it is none of these.
        OSError: there is no such file.
    """
    return _import(text) if text.startswith(_PREFIX) else _read(text)


def graph_of(found: Any) -> Graph:
    """The graph of a model, or the graph itself.

    Raises:
        ParseError: the model has no graph yet.
    """
    graph = found if isinstance(found, Graph) else found.graph
    if not isinstance(graph, Graph):
        raise ParseError(
            explain("the model has no graph yet", hint="give its first layer an input_shape")
        )
    return graph


def _read(path: str) -> Any:
    data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    document = read_json(data)
    if not isinstance(document, dict) or not {"kgraph", "class_name"} & set(document):
        raise ParseError("neither kgraph JSON nor Keras model JSON")
    if "kgraph" in document:
        return loads(data) if path == "-" else load(path)
    try:
        return model_from_config(document)
    except Exception as error:
        # The file may be anything, and a layer may say whatever it likes about its arguments.
        raise ParseError(f"the model cannot be built: {type(error).__name__}: {error}") from error


def _import(text: str) -> Any:
    module, _, name = text.removeprefix(_PREFIX).partition(":")
    if not module or not name:
        raise ParseError(explain("cannot read the name", expected="py:module:name", got=text))
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
        made = found if isinstance(found, (Model, Graph)) else found()  # type: ignore[operator]
    except Exception as error:
        raise ParseError(f"the model cannot be made: {type(error).__name__}: {error}") from error
    if not isinstance(made, (Model, Graph)):
        raise ParseError(explain(f"{text} is no model", expected="a Model or a Graph", got=made))
    return made

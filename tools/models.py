"""What commands call a MODEL: a file of JSON, YAML or HDF5, standard input, a Python object."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from kgraph import saving
from kgraph.errors import FileFormatError, KGraphError, ParseError, did_you_mean, explain
from kgraph.ir.call import LAYER_CALL
from kgraph.ir.graph import Graph, Stage
from kgraph.ir.origin import Origin, making
from kgraph.ir.serialize import VERSION, load, loads
from kgraph.ir.strict_json import read_json
from kgraph.ir.variable import Variable, assign_all
from kgraph.layers import Input
from kgraph.layers.node import keras_shape
from kgraph.models import Model, model_from_config
from kgraph.models.connect import replay
from kgraph.tools.complaints import CommandError, unreadable
from kgraph.tools.progress import doing

HELP = (
    "Keras model JSON or .yaml, kgraph JSON (- is standard input), a Keras .h5 file, or "
    "py:MODULE:NAME or py:FILE.py:NAME"
)
_PREFIX = "py:"
_HDF5, _ZIP = b"\x89HDF\r\n\x1a\n", b"PK\x03\x04"
_YAML = (".yaml", ".yml")
_CODES = {"syntax": "E0401", "version": "E0402", "structure": "E0411", "type": "E0412",
          "values": "E0413"}  # fmt: skip


def add_model(parser: argparse.ArgumentParser, needed: bool = True) -> None:
    """Adds MODEL and `--weights` to a command."""
    parser.add_argument("model", metavar="MODEL", nargs=None if needed else "?", help=HELP)
    parser.add_argument(
        "--weights", metavar="FILE", help="npz of `kgraph convert`, or .h5; default the model's"
    )


def find_model(text: str, weights: str | None = None) -> Any:
    """The model or graph that a text names.

    Args:
        text: a file, whose content tells Keras model JSON, kgraph JSON and HDF5 apart; `-` for
            standard input; or `py:module:name` or `py:file.py:name`, a model, a graph, or a
            function without arguments that makes one.
        weights: a file of weights to load.

    Returns:
        A `Model` or a `Graph`.

    Raises:
        CommandError: it is none of these, or the weights do not fit.
    """
    with doing(f"reading {text}"):
        found = _import(text) if text.startswith(_PREFIX) else _read(text)
        if weights is not None:
            load_values(found, weights)
    return found


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


def as_model(found: Any) -> Any:
    """A model of a graph of layers; a model as it is.

    Raises:
        ParseError: the graph has no layers any more.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> as_model(Sequential([Dense(1, input_dim=2, name="out")]).graph).layers[1].name
        'out'
    """
    if not isinstance(found, Graph):
        return found
    if found.stage is not Stage.LAYERS:
        message = f"the graph is at stage {found.stage.value} and has no layers"
        raise ParseError(explain(message, hint="give the model that it was made from"))
    table = {n: Input(batch_shape=keras_shape(n), dtype=n.dtype, name=n.name) for n in found.inputs}
    ends = replay(found.roots, table)
    names = [name for name, _ in found.outputs]
    model = Model(list(table.values()), list(ends))
    if model.output_names == names:
        return model
    return Model(list(table.values()), dict(zip(names, ends, strict=True)), name=model.name)


def named_states(found: Any) -> dict[str, Variable]:
    """The variables of a model or graph by names that no two of them share.

    Example:
        >>> from kgraph.layers import Dense
        >>> from kgraph.models import Sequential
        >>> list(named_states(Sequential([Dense(1, input_dim=2, name="out")])))
        ['out/kernel', 'out/bias']
    """
    names: dict[str, Variable] = {}
    for state in _states_of(found):
        name, number = state.name, 1
        while name in names:
            name, number = f"{state.name}_{number}", number + 1
        names[name] = state
    return names


def _states_of(found: Any) -> list[Variable]:
    """The variables of a model or graph; those of layers are no states of their graph."""
    if not isinstance(found, Graph):
        return list(found.weights)
    calls = (node.attrs["call"] for node in found.nodes if node.op is LAYER_CALL)
    held = (weight for call in calls for weight in getattr(call.layer, "weights", ()))
    return list(dict.fromkeys((*found.states, *held)))


def load_values(found: Any, path: str) -> None:
    """Gives the variables of a model or graph the values of an `.npz` or `.h5` file.

    Raises:
        CommandError: the file cannot be read, or lacks or misfits a variable.
    """
    if path.endswith(".npz") or isinstance(found, Graph):
        _load_arrays(named_states(found), path)
        return
    try:
        found.load_weights(path)
    except (KGraphError, OSError, ValueError) as error:
        raise CommandError("E0413", f"{path}: {error}") from error


def _load_arrays(states: Mapping[str, Variable], path: str) -> None:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file.items())
    except (OSError, ValueError, EOFError) as error:
        raise CommandError("E0413", f"{path} cannot be read: {error}") from error
    for name, state in states.items():
        if name not in arrays:
            held = ", ".join(list(arrays)[:8])
            raise CommandError("E0413", explain(f"{path} has no values of {name}", got=held))
        if arrays[name].shape != state.value.shape or arrays[name].dtype != state.value.dtype:
            got = f"{arrays[name].dtype}{list(arrays[name].shape)}"
            raise CommandError(
                "E0413", explain(f"{path}: {name} does not fit", expected=state.type, got=got)
            )
    assign_all((state, arrays[name]) for name, state in states.items())


def _read(path: str) -> Any:
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise unreadable(path or repr(path), error) from error
    try:
        return _read_content(path, data)
    except ParseError as error:
        hints = {"version": "`kgraph convert` of a version that reads it writes it anew"}
        if path.endswith(".py"):
            hints = {"syntax": f"py:{path}:NAME is a model that this file makes"}
        if path == "-":
            hints["values"] = "`kgraph convert FILE -o -` writes a document that holds its arrays"
        told = "" if "\n  hint: " in str(error) else hints.get(error.fault, "")
        hint = told and f"\n  hint: {told}"
        raise CommandError(_CODES[error.fault], f"{path}: {error}{hint}") from error


def _read_content(path: str, data: bytes) -> Any:
    """The model in a file; what it begins with tells the format, of YAML its name does."""
    if not data:
        raise ParseError("the file is empty" if path != "-" else "nothing came in", "syntax")
    if data.startswith(_HDF5):
        return _read_hdf5(path)
    if data.startswith(_ZIP):
        raise ParseError(_about_zip(path, data), "version")
    if path.endswith(_YAML):
        return _made(lambda: model_from_config(saving.read_yaml(data)))
    return _read_json(path, data)


def _about_zip(path: str, data: bytes) -> str:
    """Why an archive is no model."""
    if b"config.json" in data:
        hint = "load it in Keras 3 and write model.save('model.h5')"
        return explain("a .keras archive of Keras 3, which kgraph does not read", hint=hint)
    hint = f"MODEL --weights {path}" if b".npy" in data else HELP
    return explain("an archive, and no model", hint=hint)


def _read_json(path: str, data: bytes) -> Any:
    document = read_json(data)
    if not isinstance(document, dict) or not {"kgraph", "class_name"} & set(document):
        hint = f"kgraph JSON of version {VERSION} or older, or model.to_json() of Keras"
        raise ParseError(explain("neither kgraph JSON nor Keras model JSON", hint=hint), "version")
    if "kgraph" in document:
        return loads(data) if path == "-" else load(path)
    return _made(lambda: model_from_config(document))


def _read_hdf5(path: str) -> Any:
    if path == "-":
        hint = "give the name of the file"
        raise ParseError(explain("HDF5 is not read from standard input", hint=hint), "version")
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", re.escape(saving.NO_TRAINING))
            return _made(lambda: saving.load_model(path))
    except ParseError as error:
        if isinstance(error.__cause__, (FileFormatError, OSError)):
            raise ParseError(str(error.__cause__), "syntax") from error
        raise


def _made(make: Callable[[], Any]) -> Any:
    try:
        with making(Origin()):  # what a file says was written on no line of the user's
            return make()
    except Exception as error:
        # The file may be anything, and a layer may say whatever it likes about its arguments.
        raise ParseError(f"the model cannot be built: {type(error).__name__}: {error}") from error


def _import(text: str) -> Any:
    place, _, name = text.removeprefix(_PREFIX).rpartition(":")
    if not place or not name:
        raise CommandError(
            "E0421",
            explain(f"{text}: cannot read the name", expected="py:module:name or py:file.py:name"),
        )
    hint = "modules are looked for in this folder and in PYTHONPATH"
    try:
        # What a module prints is no result.
        with _folder_first(), contextlib.redirect_stdout(sys.stderr):
            found: Any = _module(place)
            for part in name.split("."):
                found = _part(found, part)
            hint = ""  # what fails from here on is the user's function, which says why itself
            ready = isinstance(found, (Model, Graph)) or not callable(found)
            made = found if ready else found()
    except CommandError:
        raise
    except SystemExit as leaving:
        told = f"{text}: the program ended before there was a model, with {leaving.code!r}"
        raise CommandError("E0421", told) from leaving
    except Exception as error:
        message = f"{text}: the model cannot be made: {type(error).__name__}: {error}"
        raise CommandError("E0421", explain(message, hint=hint)) from error
    if not isinstance(made, (Model, Graph)):
        raise CommandError(
            "E0421",
            explain(f"{text} is no model", expected="a Model or a Graph", got=repr(made)[:200]),
        )
    return made


def _part(holder: Any, name: str) -> Any:
    """An attribute of a module or an object in it."""
    if hasattr(holder, name):
        return getattr(holder, name)
    names = [key for key in vars(holder) if not key.startswith("_")]
    models = [key for key in names if isinstance(getattr(holder, key), (Model, Graph))]
    where = getattr(holder, "__file__", None) or getattr(holder, "__name__", repr(holder))
    expected = ", ".join(models or names) or "a model"
    hint = did_you_mean(name, names)
    raise CommandError(
        "E0421", explain(f"{where} has no {name!r}", expected=expected[:400], hint=hint)
    )


@contextlib.contextmanager
def _folder_first() -> Iterator[None]:
    """Modules are looked for in this folder first, as `python -m` does; not afterwards.

    A file that is called as a module of Python's own would else stand in for it.
    """
    folder = os.getcwd()
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def _module(place: str) -> Any:
    """A module by its name, or a file run as one."""
    if not place.endswith(".py"):
        return importlib.import_module(place)
    name = f"kgraph_model_{Path(place).stem}"
    spec = importlib.util.spec_from_file_location(name, place)
    if spec is None or spec.loader is None:
        raise ImportError(f"{place} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # where pickles and dataclasses look for it
    spec.loader.exec_module(module)
    return module

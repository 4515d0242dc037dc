"""Finds the modules `keras` and `keras.*` (and TensorFlow's) and makes a face for each."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import kgraph
from kgraph.compat import tensorflow
from kgraph.compat.face import Face
from kgraph.compat.missing import ADVICE, TENSORFLOW, advice
from kgraph.compat.paths import CALLED, HOMES, NAMES

# The Keras whose layout of modules, names and files kgraph has; scripts ask for it.
KERAS_VERSION = "2.3.1"
# Where TensorFlow has Keras.
_KERAS_IN_TENSORFLOW = ("tensorflow.keras", "tensorflow.python.keras", "tensorflow.compat.v1.keras")


class Finder(MetaPathFinder, Loader):
    """Finds the modules of some packages before any installed package does.

    Args:
        packages: "keras", "tensorflow".
    """

    def __init__(self, packages: Iterable[str]) -> None:
        self.packages = frozenset(packages)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: Any = None
    ) -> ModuleSpec | None:
        """The spec of a module of ours, None for other packages.

        Raises:
            ImportError: the package is ours and has no such module or name.
        """
        del path, target
        if fullname.partition(".")[0] not in self.packages:
            return None
        if _is_known(fullname):
            return ModuleSpec(fullname, self, is_package=True)
        # `from keras.layers import X` ends here for a name X that `keras.layers` does not have.
        parent, _, name = fullname.rpartition(".")
        face = importlib.import_module(parent)
        raise ImportError(face.missing(name) if isinstance(face, Face) else fullname, name=fullname)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The face of that name."""
        name = spec.name
        path = _keras_path(name)
        if path is None:
            return tensorflow.make_face(
                name, self.module, functools.partial(_tensorflow_hint, name)
            )
        face = Face(
            name,
            f"Keras's `{name}`, as kgraph has it.",
            [importlib.import_module(home) for home in _homes(path)],
            NAMES.get(path),
            _inner(path),
            self.module,
            functools.partial(_hint, path),
            CALLED.get(path),
        )
        if not path:
            vars(face).update(__version__=KERAS_VERSION, __file__=kgraph.__file__)
        return face

    def module(self, name: str) -> ModuleType:
        """The face of that name, also for those who hold a face when nothing is installed now."""
        package = name.partition(".")[0]
        if any(isinstance(f, Finder) and package in f.packages for f in sys.meta_path):
            return importlib.import_module(name)
        return self.create_module(ModuleSpec(name, self, is_package=True))

    def exec_module(self, module: ModuleType) -> None:
        """Nothing: a face is ready when it is made."""


def _keras_path(name: str) -> str | None:
    """The path of a module below Keras's package, "" for the package; None if it lies elsewhere."""
    for root in ("keras", *_KERAS_IN_TENSORFLOW):
        if name == root or name.startswith(f"{root}."):
            return name[len(root) + 1 :]
    return None


def _is_known(name: str) -> bool:
    path = _keras_path(name)
    if path is None:
        return name in tensorflow.MODULES
    return _is_there(path)


@functools.cache
def _homes(path: str) -> tuple[str, ...]:
    """The modules of kgraph behind a path, as far as kgraph has them."""
    return tuple(home for home in HOMES.get(path, "").split() if _exists(home))


def _exists(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:  # not even the package around it
        return False


def _is_there(path: str) -> bool:
    return not path or (path in HOMES and bool(_homes(path) or not HOMES[path]))


def _inner(path: str) -> list[str]:
    """The names of the modules directly below a path."""
    start = f"{path}." if path else ""
    below = [p[len(start) :] for p in HOMES if p.startswith(start)]
    return [p for p in below if "." not in p and _is_there(start + p)]


def _hint(path: str, name: str) -> str | None:
    """What to use instead of a name that a path does not have."""
    known = advice(f"{path}.{name}" if path else name, ADVICE)
    return known or _elsewhere(path.partition(".")[0], name)


def _elsewhere(folder: str, name: str) -> str | None:
    """Where else the name is, the same folder first; looks at what is imported already."""
    paths = sorted((p for p in HOMES if p), key=lambda p: (p.partition(".")[0] != folder, p))
    for path in paths:
        homes = [sys.modules.get(home) for home in HOMES[path].split()]
        if any(name in getattr(home, "__all__", ()) for home in homes):
            return f"it is in keras.{path}"
    return None


def _tensorflow_hint(module: str, name: str) -> str:
    path = f"{module}.{name}".partition(".")[2]
    instead = advice(path, TENSORFLOW)
    return f"kgraph runs the keras part of TensorFlow only{f'; {instead}' if instead else ''}"

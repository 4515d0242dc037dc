"""Models and weights in files.

Names are imported when they are first used: h5py and PyYAML load slowly, and few runs need them.
"""

import importlib
from typing import Any

_HOME = {
    "NO_TRAINING": "kgraph.saving.models",
    "load_model": "kgraph.saving.models",
    "load_weights": "kgraph.saving.weights",
    "read_yaml": "kgraph.saving.strict_yaml",
    "save_model": "kgraph.saving.models",
    "save_weights": "kgraph.saving.weights",
    "write_yaml": "kgraph.saving.strict_yaml",
}

__all__ = ["load_model", "load_weights", "save_model", "save_weights"]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])

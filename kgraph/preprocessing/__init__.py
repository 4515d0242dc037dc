"""Arrays from sequences, texts and images; each part is loaded when it is first used."""

from __future__ import annotations

import importlib
from typing import Any

_MODULES = ("image", "sequence", "text")
_NAMES = {
    "image_dataset_from_directory": "kgraph.utils.image_dataset_utils",
    "text_dataset_from_directory": "kgraph.utils.text_dataset_utils",
    "timeseries_dataset_from_array": "kgraph.utils.timeseries_dataset_utils",
}

__all__ = [*_MODULES, *_NAMES]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

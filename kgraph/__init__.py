"""kgraph: a graph compiler for neural networks with Keras's functional API.

Importing the package loads nothing; names are imported when they are first used.
"""

import importlib as _importlib
import os as _os

__version__ = "0.1.0"

# In a bare checkout the packages kgraph.passes, kgraph.runtime and kgraph.tools lie beside this
# folder; an installed kgraph has them inside.
_ROOT = _os.path.dirname(_os.path.dirname(_os.path.abspath(__file__)))
if _os.path.exists(_os.path.join(_ROOT, "pyproject.toml")):
    __path__.append(_ROOT)

_MODULES = (
    "activations",
    "backend",
    "callbacks",
    "compat",
    "config",
    "constraints",
    "datasets",
    "errors",
    "initializers",
    "ir",
    "layers",
    "losses",
    "metrics",
    "models",
    "ops",
    "optimizers",
    "passes",
    "preprocessing",
    "regularizers",
    "runtime",
    "saving",
    "testing",
    "tools",
    "training",
    "utils",
    "wrappers",
)
_NAMES = {
    "GradientTape": "kgraph.runtime.tape",
    "Input": "kgraph.layers",
    "Model": "kgraph.models",
    "Sequential": "kgraph.models",
    "Variable": "kgraph.ir",
    "function": "kgraph.runtime.function",
    "gradients": "kgraph.runtime.function",
    "grad": "kgraph.runtime.transforms",
    "jit": "kgraph.runtime.tracing",
    "value_and_grad": "kgraph.runtime.transforms",
}

__all__ = [*_MODULES, *_NAMES]


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return _importlib.import_module(f"kgraph.{name}")
    if name in _NAMES:
        return getattr(_importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'kgraph' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])

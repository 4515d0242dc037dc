"""kgraph: a graph compiler for neural networks with Keras's functional API."""

import os as _os

# In a bare checkout the packages kgraph.passes, kgraph.runtime and kgraph.tools lie beside this
# folder; an installed kgraph has them inside.
_ROOT = _os.path.dirname(_os.path.dirname(_os.path.abspath(__file__)))
if _os.path.exists(_os.path.join(_ROOT, "pyproject.toml")):
    __path__.append(_ROOT)

__version__ = "0.1.0"

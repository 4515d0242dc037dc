"""Scripts written for Keras run on kgraph: `install()` makes `import keras` mean kgraph."""

from kgraph.compat.installing import Installation, install, uninstall

__all__ = ["Installation", "install", "uninstall"]

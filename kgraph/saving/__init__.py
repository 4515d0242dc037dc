"""Models and weights in files."""

from kgraph.saving.weights import load_weights, save_weights

__all__ = ["load_weights", "save_weights"]
